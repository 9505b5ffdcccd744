#include "mcp/server/internal/header_check.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/base64.h"
#include "base/json.h"

namespace nexus::mcp::internal {
namespace {

constexpr std::string_view kBegin = "=?base64?";
constexpr std::string_view kEnd = "?=";
constexpr int kSchemaDepthMax = 32;

std::unexpected<RpcError> Mismatch(std::string message) {
  return Refuse(code::kHeaderMismatch, "header mismatch: " + std::move(message));
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : static_cast<char>(c);
  });
  return lower;
}

RpcResult<void> CheckName(const HttpCall& http, const Message& request) {
  const bool by_uri = request.method == "resources/read";
  if (!by_uri && request.method != "tools/call" && request.method != "prompts/get") return {};
  const Value* const named = request.params.Find(by_uri ? "uri" : "name");
  const std::string* const name = named == nullptr ? nullptr : named->As<std::string>();
  if (name == nullptr) return {};  // The parameters are refused later.
  if (http.Count("mcp-name") != 1) return Mismatch("Mcp-Name is missing, or there are two");
  const std::optional<std::string> value = HeaderValue(http.Header("mcp-name"));
  if (!value || *value != *name) return Mismatch("Mcp-Name is not what the body names");
  return {};
}

bool SameValue(const std::string& header, const Value& body) {
  if (const auto* text = body.As<std::string>()) return header == *text;
  if (const auto* flag = body.As<bool>()) return header == (*flag ? "true" : "false");
  const double* const number = body.As<double>();
  if (number == nullptr) return false;
  double given = 0;
  const auto [end, error] = std::from_chars(header.data(), header.data() + header.size(), given);
  return error == std::errc() && end == header.data() + header.size() && given == *number;
}

// Each property that says x-mcp-header, with the value at its path.
RpcResult<void> CheckMirrored(const HttpCall& http, const Value& schema, const Value* value,
                              int depth) {
  const Value* const properties = schema.Find("properties");
  const ValueObject* const members =
      properties == nullptr ? nullptr : properties->As<ValueObject>();
  if (members == nullptr || depth > kSchemaDepthMax) return {};
  for (const auto& [name, property] : *members) {
    const Value* const given = value == nullptr ? nullptr : value->Find(name);
    const Value* const mirrored = property.Find("x-mcp-header");
    const std::string* const header = mirrored == nullptr ? nullptr : mirrored->As<std::string>();
    if (header == nullptr) {
      NEXUS_TRY_STATUS(CheckMirrored(http, property, given, depth + 1));
      continue;
    }
    const std::string key = "mcp-param-" + Lower(*header);
    const std::size_t count = http.Count(key);
    const bool expected = given != nullptr && !given->is_null();
    if (count != (expected ? 1u : 0u)) {
      return Mismatch("Mcp-Param-" + *header +
                      (expected ? " is missing, or there are two" : " has no value in the body"));
    }
    if (!expected) continue;
    const std::optional<std::string> text = HeaderValue(http.Header(key));
    if (!text || !SameValue(*text, *given)) {
      return Mismatch("Mcp-Param-" + *header + " is not what the body says");
    }
  }
  return {};
}

}  // namespace

std::optional<std::string> HeaderValue(std::string_view text) {
  const bool clean = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return (c >= 0x20 && c < 0x7f) || c == '\t';
  });
  if (!clean) return std::nullopt;
  if (text.size() < kBegin.size() + kEnd.size() || !text.starts_with(kBegin) ||
      !text.ends_with(kEnd)) {
    return std::string(text);
  }
  const std::string_view inner =
      text.substr(kBegin.size(), text.size() - kBegin.size() - kEnd.size());
  // The usual alphabet with its padding, nothing else.
  if (inner.size() % 4 != 0 || inner.find_first_of("-_") != std::string_view::npos) {
    return std::nullopt;
  }
  Result<std::string> decoded = FromBase64(inner);
  if (!decoded) return std::nullopt;
  return *std::move(decoded);
}

RpcResult<void> CheckHeaders(const HttpCall& http, const Message& request, const RequestMeta& meta,
                             Provider& provider) {
  if (http.Count("mcp-protocol-version") != 1) {
    return Mismatch("MCP-Protocol-Version is missing, or there are two");
  }
  if (http.Header("mcp-protocol-version") != meta.protocol_version) {
    return Mismatch("MCP-Protocol-Version is not what the body's _meta says");
  }
  if (http.Count("mcp-method") != 1) return Mismatch("Mcp-Method is missing, or there are two");
  if (http.Header("mcp-method") != request.method) {
    return Mismatch("Mcp-Method is not the body's method");
  }
  NEXUS_TRY_STATUS(CheckName(http, request));
  if (request.method != "tools/call") return {};
  const Value* const tool = request.params.Find("name");
  if (tool == nullptr || tool->As<std::string>() == nullptr) return {};
  const std::optional<Value> schema =
      provider.MirroredSchema(*http.caller, *tool->As<std::string>());
  if (!schema) return {};
  return CheckMirrored(http, *schema, request.params.Find("arguments"), 0);
}

}  // namespace nexus::mcp::internal
