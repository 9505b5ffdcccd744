#include "extension/internal/llm_wire.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "base/json.h"

namespace nexus::internal {
namespace {

// A tool without arguments still has a schema: both formats want one.
Value ParametersOf(const LlmTool& tool) {
  if (!tool.parameters.is_undefined() && !tool.parameters.is_null()) return tool.parameters;
  return Value::Object({{"type", "object"}, {"properties", Value::Object()}});
}

Value OpenAiMessage(const LlmMessage& message) {
  ValueObject entry{{"role", message.role}, {"content", message.content}};
  if (!message.tool_call_id.empty()) entry.Append("tool_call_id", message.tool_call_id);
  ValueArray calls;
  for (const LlmToolCall& call : message.tool_calls) {
    const std::string* text = call.args.As<std::string>();
    calls.push_back(Value::Object(
        {{"id", call.id},
         {"type", "function"},
         {"function",
          Value::Object({{"name", call.name},
                         {"arguments", text != nullptr ? *text : ToJson(call.args)}})}}));
  }
  if (!calls.empty()) entry.Append("tool_calls", std::move(calls));
  return entry;
}

void WriteOpenAi(const LlmRequest& request, const LlmProvider& provider, bool stream,
                 ValueObject& body) {
  ValueArray messages;
  if (!request.system.empty()) {
    messages.push_back(Value::Object({{"role", "system"}, {"content", request.system}}));
  }
  for (const LlmMessage& message : request.messages) messages.push_back(OpenAiMessage(message));
  body.Append("messages", std::move(messages));
  body.Append(provider.max_tokens_field, request.max_tokens);
  if (!request.stop.empty()) {
    body.Append("stop", ValueArray(request.stop.begin(), request.stop.end()));
  }
  ValueArray tools;
  for (const LlmTool& tool : request.tools) {
    tools.push_back(
        Value::Object({{"type", "function"},
                       {"function", Value::Object({{"name", tool.name},
                                                   {"description", tool.description},
                                                   {"parameters", ParametersOf(tool)}})}}));
  }
  if (!tools.empty()) body.Append("tools", std::move(tools));
  // Without this a stream tells nothing of what it cost.
  if (stream) body.Append("stream_options", Value::Object({{"include_usage", true}}));
}

Value AnthropicMessage(const LlmMessage& message) {
  if (message.role == "tool") {
    return Value::Object(
        {{"role", "user"},
         {"content", Value::Array({Value::Object({{"type", "tool_result"},
                                                  {"tool_use_id", message.tool_call_id},
                                                  {"content", message.content}})})}});
  }
  if (message.tool_calls.empty()) {
    return Value::Object({{"role", message.role}, {"content", message.content}});
  }
  ValueArray blocks;
  if (!message.content.empty()) {
    blocks.push_back(Value::Object({{"type", "text"}, {"text", message.content}}));
  }
  for (const LlmToolCall& call : message.tool_calls) {
    blocks.push_back(Value::Object(
        {{"type", "tool_use"}, {"id", call.id}, {"name", call.name}, {"input", call.args}}));
  }
  return Value::Object({{"role", message.role}, {"content", std::move(blocks)}});
}

void WriteAnthropic(const LlmRequest& request, ValueObject& body) {
  // Instructions stand beside the messages here, wherever a program wrote them.
  std::string system = request.system;
  ValueArray messages;
  for (const LlmMessage& message : request.messages) {
    if (message.role != "system") {
      messages.push_back(AnthropicMessage(message));
      continue;
    }
    if (!system.empty()) system += "\n\n";
    system += message.content;
  }
  if (!system.empty()) body.Append("system", std::move(system));
  body.Append("messages", std::move(messages));
  body.Append("max_tokens", request.max_tokens);
  if (!request.stop.empty()) {
    body.Append("stop_sequences", ValueArray(request.stop.begin(), request.stop.end()));
  }
  ValueArray tools;
  for (const LlmTool& tool : request.tools) {
    tools.push_back(Value::Object({{"name", tool.name},
                                   {"description", tool.description},
                                   {"input_schema", ParametersOf(tool)}}));
  }
  if (!tools.empty()) body.Append("tools", std::move(tools));
}

std::unexpected<Error> NoAnswer(std::string_view why) {
  return Fail(Code::kDataLoss, fmt::format("the answer cannot be read: {}", why));
}

LlmAnswer ReadOpenAi(const Value& body, const Value& choice) {
  LlmAnswer answer;
  answer.model = body.StringOr("model", "");
  answer.stop_reason = StopReason(choice.StringOr("finish_reason", ""));
  const Value* message = choice.Find("message");
  if (message == nullptr) return answer;
  answer.text = message->StringOr("content", "");
  const Value* calls = message->Find("tool_calls");
  const ValueArray* list = calls == nullptr ? nullptr : calls->As<ValueArray>();
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const Value* function = (*list)[i].Find("function");
    if (function == nullptr) continue;
    answer.tool_calls.push_back({.id = std::string((*list)[i].StringOr("id", "")),
                                 .name = std::string(function->StringOr("name", "")),
                                 .args = ReadToolArgs(function->StringOr("arguments", ""))});
  }
  return answer;
}

LlmAnswer ReadAnthropic(const Value& body, const ValueArray& content) {
  LlmAnswer answer;
  answer.model = body.StringOr("model", "");
  answer.stop_reason = StopReason(body.StringOr("stop_reason", ""));
  for (const Value& block : content) {
    const std::string_view type = block.StringOr("type", "");
    if (type == "text") answer.text += block.StringOr("text", "");
    if (type != "tool_use") continue;
    const Value* input = block.Find("input");
    answer.tool_calls.push_back({.id = std::string(block.StringOr("id", "")),
                                 .name = std::string(block.StringOr("name", "")),
                                 .args = input == nullptr ? Value::Object() : *input});
  }
  return answer;
}

}  // namespace

std::string StopReason(std::string_view word) {
  static constexpr std::pair<std::string_view, std::string_view> kWords[] = {
      {"stop", "end"},          {"end_turn", "end"},          {"length", "length"},
      {"max_tokens", "length"}, {"tool_calls", "tool"},       {"tool_use", "tool"},
      {"refusal", "filter"},    {"content_filter", "filter"}, {"stop_sequence", "stop"}};
  for (const auto& [theirs, ours] : kWords) {
    if (word == theirs) return std::string(ours);
  }
  return std::string(word.substr(0, 80));
}

Value ReadToolArgs(std::string_view text) {
  if (text.empty()) return Value::Object();
  Result<Value> parsed = ParseJson(text, {.bytes_max = std::size_t{1} << 20, .depth_max = 64});
  return parsed ? *std::move(parsed) : Value(text);
}

std::optional<std::uint64_t> ReadCount(const Value& usage, std::string_view key) {
  const double number = usage.NumberOr(key, -1);
  if (!(number >= 0 && number < 1e12)) return std::nullopt;
  return static_cast<std::uint64_t>(number);
}

std::optional<LlmUsage> ReadUsage(const Value& usage) {
  std::optional<std::uint64_t> input = ReadCount(usage, "prompt_tokens");
  std::optional<std::uint64_t> output = ReadCount(usage, "completion_tokens");
  if (!input) input = ReadCount(usage, "input_tokens");
  if (!output) output = ReadCount(usage, "output_tokens");
  if (!input || !output) return std::nullopt;
  // Anthropic counts what went through its cache apart.
  for (const std::string_view key : {"cache_creation_input_tokens", "cache_read_input_tokens"}) {
    *input += ReadCount(usage, key).value_or(0);
  }
  return LlmUsage{*input, *output};
}

std::string WriteLlmBody(const LlmRequest& request, const LlmProvider& provider,
                         std::string_view model, bool stream) {
  ValueObject body{{"model", model}};
  if (provider.format == LlmFormat::kOpenAi) {
    WriteOpenAi(request, provider, stream, body);
  } else {
    WriteAnthropic(request, body);
  }
  if (request.temperature) body.Append("temperature", *request.temperature);
  if (stream) body.Append("stream", true);
  return ToJson(Value(std::move(body)));
}

Result<LlmAnswer> ReadLlmAnswer(LlmFormat format, std::string_view body) {
  Result<Value> parsed = ParseJson(body, {.bytes_max = std::size_t{64} << 20, .depth_max = 100});
  if (!parsed) return NoAnswer(parsed.error().message());
  LlmAnswer answer;
  if (format == LlmFormat::kOpenAi) {
    const Value* choices = parsed->Find("choices");
    const ValueArray* list = choices == nullptr ? nullptr : choices->As<ValueArray>();
    if (list == nullptr || list->empty()) return NoAnswer("it has no 'choices'");
    answer = ReadOpenAi(*parsed, list->front());
  } else {
    const Value* content = parsed->Find("content");
    const ValueArray* blocks = content == nullptr ? nullptr : content->As<ValueArray>();
    if (blocks == nullptr) return NoAnswer("it has no 'content'");
    answer = ReadAnthropic(*parsed, *blocks);
  }
  if (const Value* usage = parsed->Find("usage")) answer.usage = ReadUsage(*usage);
  return answer;
}

std::string ReadLlmError(std::string_view body) {
  const Result<Value> parsed =
      ParseJson(body, {.bytes_max = std::size_t{1} << 20, .depth_max = 64});
  if (!parsed) return {};
  const Value* error = parsed->Find("error");
  if (error == nullptr) return std::string(parsed->StringOr("message", "").substr(0, 500));
  if (const std::string* text = error->As<std::string>()) return text->substr(0, 500);
  return std::string(error->StringOr("message", "").substr(0, 500));
}

}  // namespace nexus::internal
