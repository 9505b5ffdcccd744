#pragma once
/// Arguments and results that `code` and `files` have in common.

#include <string_view>

namespace nexus::internal {

inline constexpr std::string_view kReadFileParameters = R"({"prefixItems": [
  {"title": "path", "type": "string"},
  {"title": "options", "type": ["object", "null"], "additionalProperties": false, "properties": {
    "encoding": {"enum": ["auto", "utf8", "bytes"]},
    "maxBytes": {"type": "integer", "minimum": 0}}}], "minItems": 1})";
inline constexpr std::string_view kReadFileResult =
    R"({"type": ["string", "bytes"], "description": "bytes when it is no text, or as asked"})";
inline constexpr std::string_view kWriteFileParameters = R"({"prefixItems": [
  {"title": "path", "type": "string"},
  {"title": "text", "type": ["string", "bytes"]},
  {"title": "options", "type": ["object", "null"], "additionalProperties": false, "properties": {
    "makeFolders": {"type": "boolean"}}}], "minItems": 2})";
inline constexpr std::string_view kWriteFileResult = R"({"type": "object", "properties": {
  "path": {"type": "string"}, "size": {"type": "integer"}}, "required": ["path", "size"]})";
inline constexpr std::string_view kListFilesParameters = R"({"prefixItems": [
  {"title": "path", "type": "string"},
  {"title": "options", "type": ["object", "null"], "additionalProperties": false, "properties": {
    "recursive": {"type": "boolean"}, "max": {"type": "integer", "minimum": 1},
    "exclude": {"type": "array", "items": {"type": "string"},
      "description": "names of folders and files that a recursive list passes over"}}}]})";
inline constexpr std::string_view kFileInfo = R"({"type": "object", "properties": {
  "path": {"type": "string"}, "name": {"type": "string"},
  "type": {"enum": ["file", "folder", "link", "other"]}, "size": {"type": "integer"},
  "mtimeMs": {"type": "number"}}, "required": ["path", "type", "size", "mtimeMs"]})";
inline constexpr std::string_view kFileInfos = R"({"type": "array", "items": {"type": "object",
  "properties": {"path": {"type": "string"}, "name": {"type": "string"},
  "type": {"enum": ["file", "folder", "link", "other"]}, "size": {"type": "integer"},
  "mtimeMs": {"type": "number"}}, "required": ["path", "name", "type"]}})";
inline constexpr std::string_view kPathParameter =
    R"({"prefixItems": [{"title": "path", "type": "string"}], "minItems": 1})";
inline constexpr std::string_view kYesOrNo = R"({"type": "boolean"})";

}  // namespace nexus::internal
