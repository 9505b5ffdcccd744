#pragma once
/// JSON-RPC 2.0 as the Model Context Protocol uses it: one message in, one message out, no I/O.
///
/// Reading checks the whole envelope; what a method's parameters must be, params.h says.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/value.h"
#include "mcp/protocol/revision.h"

namespace nexus::mcp {

/// Codes of the specification ("Error Codes").
namespace code {
inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kMethodNotFound = -32601;
inline constexpr int kInvalidParams = -32602;
inline constexpr int kInternalError = -32603;
inline constexpr int kResourceNotFound = -32002;        ///< Up to 2025-11-25.
inline constexpr int kUrlElicitationRequired = -32042;  ///< 2025-11-25 only.
inline constexpr int kHeaderMismatch = -32020;
inline constexpr int kMissingClientCapability = -32021;
inline constexpr int kUnsupportedVersion = -32022;
}  // namespace code

/// What a request failed with. `message` says what to do about it.
struct RpcError {
  int code = code::kInternalError;
  std::string message;
  Value data;  ///< undefined: none.
};
template <typename T>
using RpcResult = std::expected<T, RpcError>;

inline std::unexpected<RpcError> Refuse(int code, std::string message, Value data = {}) {
  return std::unexpected(
      RpcError{.code = code, .message = std::move(message), .data = std::move(data)});
}

/// The HTTP status a modern answer with this error has (Streamable HTTP, 2026-07-28). Errors of a
/// tool or a provider that say nothing about the request's form are 200.
int HttpStatusOf(const RpcError& error);

/// A request's id as JSON text, `7` or `"a"`: echoed as it came, compared as text.
struct RequestId {
  std::string json;
  static RequestId Of(std::int64_t number) { return {std::to_string(number)}; }
  /// nullopt unless `value` is a string or a whole number.
  static std::optional<RequestId> From(const Value& value);
  Value ToValue() const;
  bool empty() const { return json.empty(); }
  friend bool operator==(const RequestId&, const RequestId&) = default;
  friend auto operator<=>(const RequestId&, const RequestId&) = default;
};

struct Message {
  enum class Kind : std::uint8_t { kRequest, kNotification, kResult, kError };
  Kind kind = Kind::kNotification;
  RequestId id;        ///< Empty for notifications, and for errors whose request had none.
  std::string method;  ///< Requests and notifications.
  Value params;        ///< Object, or undefined when there were none.
  Value result;        ///< kResult: an object.
  RpcError error;      ///< kError.
  ValueObject extra;   ///< Members of the envelope that the specification does not name.
};

/// What is wrong with a message, with its id when that could be read.
struct BadMessage {
  RequestId id;
  RpcError error;
};

struct MessageLimits {
  std::size_t bytes_max = std::size_t{16} << 20;
  std::size_t depth_max = 128;
};

/// Reads one message. Errors: kParseError for what is no JSON, kInvalidRequest for what is no
/// JSON-RPC message (batches too: they were removed in 2025-06-18). Cost: one pass.
std::expected<Message, BadMessage> ReadMessage(std::string_view text,
                                               const MessageLimits& limits = {});
/// The same for a value that was read already.
std::expected<Message, BadMessage> MessageFromValue(Value value);

/// One line of JSON without a line end.
std::string WriteMessage(const Message& message);
/// `params` undefined: left out.
std::string WriteRequest(const RequestId& id, std::string_view method, const Value& params);
std::string WriteNotification(std::string_view method, const Value& params);
/// `result_json`: a JSON object.
std::string WriteResult(const RequestId& id, std::string_view result_json);
/// An empty id is left out, as the specification wants it where none could be read.
std::string WriteError(const RequestId& id, const RpcError& error);

}  // namespace nexus::mcp
