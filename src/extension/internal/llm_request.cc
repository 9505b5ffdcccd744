#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "extension/internal/call_arguments.h"
#include "extension/internal/llm_wire.h"

namespace nexus::internal {
namespace {

constexpr std::size_t kMessagesMax = 1000;
constexpr std::size_t kToolsMax = 128;
constexpr std::size_t kStopsMax = 16;

std::unexpected<Error> Bad(std::string_view place, std::string_view what) {
  return Fail(Code::kInvalidArgument, fmt::format("{}: {}", place, what));
}

// A member that must be a string; absent: "".
Result<std::string> Text(const Value& object, std::string_view key, std::string_view place) {
  const Value* value = object.Find(key);
  if (value == nullptr || value->is_undefined() || value->is_null()) return std::string();
  if (const std::string* text = value->As<std::string>()) return *text;
  return Bad(place, fmt::format("'{}' must be a string, not {}", key, value->TypeName()));
}

// A member that must be a list; absent: nullptr.
Result<const ValueArray*> List(const Value& object, std::string_view key, std::string_view place,
                               std::size_t most) {
  const Value* value = object.Find(key);
  if (value == nullptr || value->is_undefined() || value->is_null()) return nullptr;
  const ValueArray* list = value->As<ValueArray>();
  if (list == nullptr || list->size() > most) {
    return Bad(place, fmt::format("'{}' must be a list of at most {}", key, most));
  }
  return list;
}

Result<LlmMessage> ReadMessage(const Value& value, std::string_view place) {
  static constexpr std::string_view kRoles[] = {"system", "user", "assistant", "tool"};
  if (value.As<ValueObject>() == nullptr) return Bad(place, "must be {role, content}");
  LlmMessage message;
  NEXUS_TRY(message.role, Text(value, "role", place));
  if (std::find(std::begin(kRoles), std::end(kRoles), message.role) == std::end(kRoles)) {
    return Bad(place, fmt::format("role {} must be \"system\", \"user\", \"assistant\" or \"tool\"",
                                  ToJson(message.role.substr(0, 80))));
  }
  NEXUS_TRY(message.content, Text(value, "content", place));
  NEXUS_TRY(message.tool_call_id, Text(value, "toolCallId", place));
  NEXUS_TRY(const ValueArray* calls, List(value, "toolCalls", place, kToolsMax));
  for (std::size_t i = 0; calls != nullptr && i < calls->size(); ++i) {
    const std::string where = fmt::format("{}.toolCalls[{}]", place, i);
    LlmToolCall call;
    NEXUS_TRY(call.id, Text((*calls)[i], "id", where));
    NEXUS_TRY(call.name, Text((*calls)[i], "name", where));
    const Value* args = (*calls)[i].Find("args");
    call.args = args == nullptr ? Value::Object() : *args;
    if (call.id.empty() || call.name.empty()) return Bad(where, "must be {id, name, args}");
    message.tool_calls.push_back(std::move(call));
  }
  if (message.role == "tool" && message.tool_call_id.empty()) {
    return Bad(place, "a tool's message needs 'toolCallId': which call it answers");
  }
  if (message.role != "tool" && message.content.empty() && message.tool_calls.empty()) {
    return Bad(place, "'content' is empty");
  }
  return message;
}

Result<std::vector<LlmTool>> ReadTools(const Value& object, std::string_view place) {
  std::vector<LlmTool> tools;
  NEXUS_TRY(const ValueArray* list, List(object, "tools", place, kToolsMax));
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const std::string where = fmt::format("{}: tools[{}]", place, i);
    LlmTool tool;
    NEXUS_TRY(tool.name, Text((*list)[i], "name", where));
    NEXUS_TRY(tool.description, Text((*list)[i], "description", where));
    if (tool.name.empty()) return Bad(where, "'name' is missing");
    if (const Value* parameters = (*list)[i].Find("parameters")) tool.parameters = *parameters;
    tools.push_back(std::move(tool));
  }
  return tools;
}

ValueArray CallsToValue(const std::vector<LlmToolCall>& calls) {
  ValueArray list;
  for (const LlmToolCall& call : calls) {
    list.push_back(Value::Object({{"id", call.id}, {"name", call.name}, {"args", call.args}}));
  }
  return list;
}

}  // namespace

Result<LlmRequest> ReadLlmRequest(const ExtensionCall& call, const LlmOptions& options) {
  const CallArguments arguments(call);
  const std::string place = arguments.Place();
  NEXUS_TRY(const ValueObject* given,
            arguments.Options(
                0, {"messages", "system", "model", "maxTokens", "temperature", "stop", "tools"}));
  if (given == nullptr) return Bad(place, "argument 1 must be {messages: [...]}");
  const Value& object = arguments.At(0);
  const OptionReader reader(place, given);
  LlmRequest request;
  NEXUS_TRY(const ValueArray* messages, List(object, "messages", place, kMessagesMax));
  for (std::size_t i = 0; messages != nullptr && i < messages->size(); ++i) {
    NEXUS_TRY(LlmMessage message,
              ReadMessage((*messages)[i], fmt::format("{}: messages[{}]", place, i)));
    request.messages.push_back(std::move(message));
  }
  if (request.messages.empty()) return Bad(place, "'messages' must hold at least one message");
  NEXUS_TRY(request.system, reader.String("system", ""));
  NEXUS_TRY(request.model, reader.String("model", ""));
  NEXUS_TRY(request.max_tokens,
            reader.Integer("maxTokens", std::min(options.max_tokens, options.max_tokens_max), 1,
                           options.max_tokens_max));
  if (const Value* temperature = reader.Raw("temperature")) {
    const double* number = temperature->As<double>();
    if (number == nullptr || !(*number >= 0 && *number <= 2)) {
      return Bad(place, "option 'temperature' must be a number from 0 to 2");
    }
    request.temperature = *number;
  }
  NEXUS_TRY(auto stop, reader.Strings("stop"));
  if (stop) request.stop = *std::move(stop);
  if (request.stop.size() > kStopsMax) return Bad(place, "option 'stop' has more than 16 texts");
  NEXUS_TRY(request.tools, ReadTools(object, place));
  if (ToJson(request.ToValue()).size() > options.request_bytes_max) {
    return Fail(Code::kResourceExhausted,
                fmt::format("{}: more than {} bytes of messages: send fewer", place,
                            options.request_bytes_max));
  }
  return request;
}

Value LlmRequest::ToValue() const {
  ValueObject object;
  if (!model.empty()) object.Append("model", model);
  if (!system.empty()) object.Append("system", system);
  ValueArray list;
  for (const LlmMessage& message : messages) {
    ValueObject entry{{"role", message.role}, {"content", message.content}};
    if (!message.tool_calls.empty()) entry.Append("toolCalls", CallsToValue(message.tool_calls));
    if (!message.tool_call_id.empty()) entry.Append("toolCallId", message.tool_call_id);
    list.push_back(std::move(entry));
  }
  object.Append("messages", std::move(list));
  object.Append("maxTokens", max_tokens);
  if (temperature) object.Append("temperature", *temperature);
  ValueArray stops(stop.begin(), stop.end());
  if (!stops.empty()) object.Append("stop", std::move(stops));
  ValueArray described;
  for (const LlmTool& tool : tools) {
    described.push_back(Value::Object(
        {{"name", tool.name}, {"description", tool.description}, {"parameters", tool.parameters}}));
  }
  if (!described.empty()) object.Append("tools", std::move(described));
  return object;
}

}  // namespace nexus::internal
