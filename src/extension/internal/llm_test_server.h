#pragma once
/// A language model for tests, in both formats providers speak, whole and streamed: it repeats what
/// it was told, and uses a tool when it is told to "use NAME".

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "extension/internal/test_server.h"

namespace nexus::internal {

inline constexpr std::string_view kTestLlmKey = "test-key-0123456789";

inline std::string SseEvent(const Value& data, const std::string& name = {}) {
  return (name.empty() ? "" : "event: " + name + "\n") + "data: " + ToJson(data) + "\n\n";
}

// What the last message asks for.
struct TestLlmTask {
  std::string said, tool, model;
  bool stream = false, usage = false;
};
inline TestLlmTask ReadTestLlmTask(const std::string& body) {
  TestLlmTask task;
  const Result<Value> json = ParseJson(body);
  const Value* messages = json ? json->Find("messages") : nullptr;
  const ValueArray* list = messages == nullptr ? nullptr : messages->As<ValueArray>();
  if (list == nullptr || list->empty()) return task;
  task.said = list->back().StringOr("content", "");
  // A tool's answer comes in a block of its own in one of the formats.
  const Value* content = list->back().Find("content");
  const ValueArray* blocks = content == nullptr ? nullptr : content->As<ValueArray>();
  if (blocks != nullptr && !blocks->empty()) task.said = blocks->front().StringOr("content", "");
  task.model = json->StringOr("model", "");
  task.stream = json->BoolOr("stream", false);
  const Value* options = json->Find("stream_options");
  task.usage = options != nullptr && options->BoolOr("include_usage", false);
  if (task.said.starts_with("use ")) task.tool = task.said.substr(4);
  return task;
}

inline TestReply OpenAiReply(const TestLlmTask& task) {
  const std::string text = "You said: " + task.said;
  const Value usage = Value::Object({{"prompt_tokens", 11}, {"completion_tokens", 7}});
  const Value function = Value::Object({{"name", task.tool}, {"arguments", R"({"n":1})"}});
  const bool uses = !task.tool.empty();
  if (!task.stream) {
    ValueObject message{{"role", "assistant"}, {"content", uses ? Value(nullptr) : Value(text)}};
    if (uses) {
      message.Append("tool_calls",
                     Value::Array({Value::Object(
                         {{"id", "c1"}, {"type", "function"}, {"function", function}})}));
    }
    const Value choice = Value::Object(
        {{"message", std::move(message)}, {"finish_reason", uses ? "tool_calls" : "stop"}});
    return {.headers = {"Content-Type: application/json"},
            .body = ToJson(Value::Object({{"model", task.model + "-2030"},
                                          {"choices", Value::Array({choice})},
                                          {"usage", usage}}))};
  }
  const auto chunk = [&](Value delta, Value reason) {
    const Value choice =
        Value::Object({{"delta", std::move(delta)}, {"finish_reason", std::move(reason)}});
    return SseEvent(
        Value::Object({{"model", task.model + "-2030"}, {"choices", Value::Array({choice})}}));
  };
  TestReply reply{.headers = {"Content-Type: text/event-stream"},
                  .chunk_gap = std::chrono::milliseconds(20)};
  if (uses) {
    const auto call = [&](Value piece) {
      return chunk(Value::Object({{"tool_calls", Value::Array({std::move(piece)})}}), nullptr);
    };
    reply.chunks = {
        call(Value::Object(
            {{"index", 0},
             {"id", "c1"},
             {"function", Value::Object({{"name", task.tool}, {"arguments", "{\"n"}})}})),
        call(Value::Object({{"index", 0}, {"function", Value::Object({{"arguments", "\":1}"}})}}))};
  } else {
    for (std::size_t at = 0; at < text.size(); at += 5) {
      reply.chunks.push_back(chunk(Value::Object({{"content", text.substr(at, 5)}}), nullptr));
    }
  }
  reply.chunks.push_back(chunk(Value::Object(), uses ? "tool_calls" : "stop"));
  if (task.usage) {
    reply.chunks.push_back(
        SseEvent(Value::Object({{"choices", Value::Array()}, {"usage", usage}})));
  }
  reply.chunks.push_back("data: [DONE]\n\n");
  return reply;
}

inline TestReply AnthropicReply(const TestLlmTask& task) {
  const std::string text = "You said: " + task.said;
  const bool uses = !task.tool.empty();
  const std::string reason = uses ? "tool_use" : "end_turn";
  if (!task.stream) {
    const Value block = uses ? Value::Object({{"type", "tool_use"},
                                              {"id", "c1"},
                                              {"name", task.tool},
                                              {"input", Value::Object({{"n", 1}})}})
                             : Value::Object({{"type", "text"}, {"text", text}});
    return {.headers = {"Content-Type: application/json"},
            .body = ToJson(Value::Object(
                {{"model", task.model + "-2030"},
                 {"content", Value::Array({block})},
                 {"stop_reason", reason},
                 {"usage", Value::Object({{"input_tokens", 11}, {"output_tokens", 7}})}}))};
  }
  TestReply reply{.headers = {"Content-Type: text/event-stream"},
                  .chunk_gap = std::chrono::milliseconds(20)};
  const auto event = [&](const std::string& type, ValueObject fields) {
    fields.Set("type", type);
    reply.chunks.push_back(SseEvent(Value(std::move(fields)), type));
  };
  event(
      "message_start",
      {{"message",
        Value::Object({{"model", task.model + "-2030"},
                       {"usage", Value::Object({{"input_tokens", 11}, {"output_tokens", 1}})}})}});
  event("content_block_start",
        {{"index", 0},
         {"content_block", uses ? Value::Object({{"type", "tool_use"},
                                                 {"id", "c1"},
                                                 {"name", task.tool},
                                                 {"input", Value::Object()}})
                                : Value::Object({{"type", "text"}, {"text", ""}})}});
  event("ping", {});
  const std::string whole = uses ? R"({"n":1})" : text;
  for (std::size_t at = 0; at < whole.size(); at += 5) {
    const std::string piece = whole.substr(at, 5);
    event("content_block_delta",
          {{"index", 0},
           {"delta", uses ? Value::Object({{"type", "input_json_delta"}, {"partial_json", piece}})
                          : Value::Object({{"type", "text_delta"}, {"text", piece}})}});
  }
  event("content_block_stop", {{"index", 0}});
  event("message_delta", {{"delta", Value::Object({{"stop_reason", reason}})},
                          {"usage", Value::Object({{"output_tokens", 7}})}});
  event("message_stop", {});
  return reply;
}

/// Paths end in /chat/completions or /v1/messages; one that begins with /fail/STATUS fails so.
inline TestReply TestLlmReply(const TestRequest& request) {
  const bool openai = request.target.ends_with("/chat/completions");
  const auto header = request.headers.find(openai ? "authorization" : "x-api-key");
  const std::string sent = header == request.headers.end() ? "" : header->second;
  if (request.target.starts_with("/fail/")) {
    // As some do, it tells the key it was asked with.
    return {.status = std::stoi(request.target.substr(6, 3)),
            .body = ToJson(
                Value::Object({{"error", Value::Object({{"message", "no luck with " + sent}})}}))};
  }
  if (sent != (openai ? "Bearer " : "") + std::string(kTestLlmKey)) {
    return {.status = 401, .body = R"({"error":{"message":"bad key"}})"};
  }
  const TestLlmTask task = ReadTestLlmTask(request.body);
  return openai ? OpenAiReply(task) : AnthropicReply(task);
}

}  // namespace nexus::internal
