#include "mcp/protocol/message.h"

#include <cmath>
#include <optional>
#include <utility>

#include "base/json.h"

namespace nexus::mcp {
namespace {

constexpr double kWholeMax = 9007199254740991.0;

using Bad = std::unexpected<BadMessage>;

Bad Invalid(RequestId id, std::string why) {
  return Bad(BadMessage{.id = std::move(id),
                        .error = {.code = code::kInvalidRequest, .message = std::move(why)}});
}

// The members of the envelope, taken apart in one pass.
struct Envelope {
  const Value* version = nullptr;
  Value *id = nullptr, *method = nullptr, *params = nullptr, *result = nullptr, *error = nullptr;
  ValueObject extra;
};

Envelope TakeApart(ValueObject& object) {
  Envelope envelope;
  for (auto& [name, value] : object.entries()) {
    if (name == "jsonrpc") {
      envelope.version = &value;
    } else if (name == "id") {
      envelope.id = &value;
    } else if (name == "method") {
      envelope.method = &value;
    } else if (name == "params") {
      envelope.params = &value;
    } else if (name == "result") {
      envelope.result = &value;
    } else if (name == "error") {
      envelope.error = &value;
    } else {
      envelope.extra.Append(name, value);
    }
  }
  return envelope;
}

std::expected<Message, BadMessage> ReadCall(Envelope envelope, RequestId id) {
  auto* const method = envelope.method->As<std::string>();
  if (method == nullptr || method->empty()) {
    return Invalid(std::move(id), "method: a string that names a method");
  }
  if (envelope.result != nullptr || envelope.error != nullptr) {
    return Invalid(std::move(id), "a message has a method, or a result, or an error: not two");
  }
  Message message;
  message.kind = envelope.id == nullptr ? Message::Kind::kNotification : Message::Kind::kRequest;
  message.method = std::move(*method);
  if (envelope.params != nullptr) {
    if (envelope.params->As<ValueObject>() == nullptr) {
      return Invalid(std::move(id), "params: an object with the parameters by name");
    }
    message.params = std::move(*envelope.params);
  }
  message.id = std::move(id);
  message.extra = std::move(envelope.extra);
  return message;
}

std::expected<Message, BadMessage> ReadAnswer(Envelope envelope, RequestId id) {
  Message message;
  message.extra = std::move(envelope.extra);
  if ((envelope.result != nullptr) == (envelope.error != nullptr)) {
    return Invalid(std::move(id), "a message has a method, a result or an error");
  }
  if (envelope.result != nullptr) {
    if (id.empty()) return Invalid({}, "id: a result carries the id of its request");
    if (envelope.result->As<ValueObject>() == nullptr) {
      return Invalid(std::move(id), "result: an object");
    }
    message.kind = Message::Kind::kResult;
    message.result = std::move(*envelope.result);
    message.id = std::move(id);
    return message;
  }
  const Value* const number = envelope.error->Find("code");
  const double* const error_code = number == nullptr ? nullptr : number->As<double>();
  const Value* const words = envelope.error->Find("message");
  if (error_code == nullptr || *error_code != std::trunc(*error_code) ||
      std::abs(*error_code) > 2147483647.0 || words == nullptr ||
      words->As<std::string>() == nullptr) {
    return Invalid(std::move(id), "error: an object with a whole number 'code' and a 'message'");
  }
  message.kind = Message::Kind::kError;
  message.error.code = static_cast<int>(*error_code);
  message.error.message = *words->As<std::string>();
  if (const Value* data = envelope.error->Find("data")) message.error.data = *data;
  message.id = std::move(id);
  return message;
}

void AppendHead(std::string& out, const RequestId& id) {
  out += R"({"jsonrpc":"2.0")";
  if (id.empty()) return;
  out += R"(,"id":)";
  out += id.json;
}

void AppendCall(std::string& out, std::string_view method, const Value& params) {
  out += R"(,"method":)";
  AppendJsonString(out, method);
  if (!params.is_undefined()) {
    out += R"(,"params":)";
    AppendJson(out, params);
  }
}

void AppendErrorMember(std::string& out, const RpcError& error) {
  out += R"(,"error":{"code":)";
  out += std::to_string(error.code);
  out += R"(,"message":)";
  AppendJsonString(out, error.message);
  if (!error.data.is_undefined()) {
    out += R"(,"data":)";
    AppendJson(out, error.data);
  }
  out += '}';
}

}  // namespace

int HttpStatusOf(const RpcError& error) {
  switch (error.code) {
    case code::kParseError:
    case code::kInvalidRequest:
    case code::kInvalidParams:
    case code::kHeaderMismatch:
    case code::kMissingClientCapability:
    case code::kUnsupportedVersion:
      return 400;
    case code::kMethodNotFound:
      return 404;
    default:
      return 200;
  }
}

std::optional<RequestId> RequestId::From(const Value& value) {
  RequestId id;
  if (const auto* text = value.As<std::string>()) {
    AppendJsonString(id.json, *text);
    return id;
  }
  const double* const number = value.As<double>();
  if (number == nullptr || *number != std::trunc(*number) || std::abs(*number) > kWholeMax) {
    return std::nullopt;
  }
  id.json = std::to_string(static_cast<std::int64_t>(*number));
  return id;
}

Value RequestId::ToValue() const {
  Result<Value> value = ParseJson(json);
  return value ? *std::move(value) : Value(nullptr);
}

std::expected<Message, BadMessage> MessageFromValue(Value value) {
  auto* const object = value.As<ValueObject>();
  if (object == nullptr) {
    return Invalid({}, value.As<ValueArray>() != nullptr
                           ? "batches are no part of this protocol: send one message at a time"
                           : "a message is a JSON object");
  }
  Envelope envelope = TakeApart(*object);
  RequestId id;
  if (envelope.id != nullptr) {
    std::optional<RequestId> read = RequestId::From(*envelope.id);
    // An error whose request could not be read has the id null, or none.
    const bool no_request = envelope.error != nullptr && envelope.id->is_null();
    if (!read && !no_request) return Invalid({}, "id: a string or a whole number");
    if (read) id = *std::move(read);
  }
  const std::string* const version =
      envelope.version == nullptr ? nullptr : envelope.version->As<std::string>();
  if (version == nullptr || *version != "2.0") {
    return Invalid(std::move(id), R"(jsonrpc: the string "2.0")");
  }
  if (envelope.method != nullptr) return ReadCall(std::move(envelope), std::move(id));
  return ReadAnswer(std::move(envelope), std::move(id));
}

std::expected<Message, BadMessage> ReadMessage(std::string_view text, const MessageLimits& limits) {
  Result<Value> value =
      ParseJson(text, {.bytes_max = limits.bytes_max, .depth_max = limits.depth_max});
  if (!value) {
    return Bad(BadMessage{.id = {},
                          .error = {.code = code::kParseError,
                                    .message = "this is no JSON: " + value.error().message()}});
  }
  return MessageFromValue(*std::move(value));
}

std::string WriteMessage(const Message& message) {
  std::string out;
  AppendHead(out, message.id);
  switch (message.kind) {
    case Message::Kind::kRequest:
    case Message::Kind::kNotification:
      AppendCall(out, message.method, message.params);
      break;
    case Message::Kind::kResult:
      out += R"(,"result":)";
      AppendJson(out, message.result);
      break;
    case Message::Kind::kError:
      AppendErrorMember(out, message.error);
      break;
  }
  for (const auto& [name, value] : message.extra) {
    out += ',';
    AppendJsonString(out, name);
    out += ':';
    AppendJson(out, value);
  }
  out += '}';
  return out;
}

std::string WriteRequest(const RequestId& id, std::string_view method, const Value& params) {
  std::string out;
  AppendHead(out, id);
  AppendCall(out, method, params);
  out += '}';
  return out;
}

std::string WriteNotification(std::string_view method, const Value& params) {
  return WriteRequest({}, method, params);
}

std::string WriteResult(const RequestId& id, std::string_view result_json) {
  std::string out;
  out.reserve(40 + id.json.size() + result_json.size());
  AppendHead(out, id);
  out += R"(,"result":)";
  out += result_json;
  out += '}';
  return out;
}

std::string WriteError(const RequestId& id, const RpcError& error) {
  std::string out;
  AppendHead(out, id);
  AppendErrorMember(out, error);
  out += '}';
  return out;
}

}  // namespace nexus::mcp
