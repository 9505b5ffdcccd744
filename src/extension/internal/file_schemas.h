#pragma once
/// Methods, arguments and results that `code` and `files` have in common.

#include <string>
#include <string_view>
#include <utility>

#include "sandbox/bindings.h"

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

// The methods that are the same in both.
inline MethodDescriptor ReadFileMethod() {
  return {.name = "read",
          .summary = "A file's text, or bytes",
          .idempotent = true,
          .path_argument = 0,
          .parameters = kReadFileParameters,
          .result = kReadFileResult};
}
inline MethodDescriptor WriteFileMethod() {
  return {.name = "write",
          .summary = "Replace a file, atomically",
          .idempotent = true,
          .path_argument = 0,
          .parameters = kWriteFileParameters,
          .result = kWriteFileResult};
}
inline MethodDescriptor ListFilesMethod(std::string summary) {
  return {.name = "list",
          .summary = std::move(summary),
          .idempotent = true,
          .path_argument = 0,
          .parameters = kListFilesParameters,
          .result = kFileInfos};
}
inline MethodDescriptor StatMethod() {
  return {.name = "stat",
          .summary = "Type, size and time of a path",
          .idempotent = true,
          .path_argument = 0,
          .parameters = kPathParameter,
          .result = kFileInfo};
}
inline MethodDescriptor ExistsMethod() {
  return {.name = "exists",
          .summary = "Is there such a path?",
          .idempotent = true,
          .path_argument = 0,
          .parameters = kPathParameter,
          .result = kYesOrNo};
}
inline MethodDescriptor RemoveFileMethod() {
  return {.name = "remove",
          .summary = "Delete a file or an empty folder",
          .idempotent = true,
          .path_argument = 0,
          .parameters = kPathParameter,
          .result = kYesOrNo};
}

}  // namespace nexus::internal
