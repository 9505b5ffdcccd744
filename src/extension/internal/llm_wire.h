#pragma once
/// What a language model is asked and answers, and how that looks in the two formats providers
/// speak: OpenAI's chat completions and Anthropic's messages.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/value.h"
#include "extension/internal/sse.h"
#include "extension/llm.h"

namespace nexus::internal {

struct LlmToolCall {
  std::string id, name;
  Value args;  ///< As the model wrote it: usually an object; text that is no JSON stays a string.
};
struct LlmMessage {
  std::string role;  ///< "system", "user", "assistant" or "tool"
  std::string content;
  std::vector<LlmToolCall> tool_calls;  ///< Of the assistant.
  std::string tool_call_id;             ///< Of a tool: which call `content` answers.
};
struct LlmTool {
  std::string name, description;
  Value parameters;  ///< JSON Schema; undefined: no arguments.
};
struct LlmRequest {
  std::vector<LlmMessage> messages;
  std::string system;
  std::string model;  ///< "": the provider's own choice.
  std::uint64_t max_tokens = 0;
  std::optional<double> temperature;
  std::vector<std::string> stop;
  std::vector<LlmTool> tools;

  /// Everything that decides the answer, in one form: what cassettes look up.
  Value ToValue() const;
};
struct LlmUsage {
  std::uint64_t input_tokens = 0, output_tokens = 0;
};
struct LlmAnswer {
  std::string text, model;
  std::string stop_reason;  ///< "end", "length", "tool", "stop", "filter", or the provider's word.
  std::vector<LlmToolCall> tool_calls;
  std::optional<LlmUsage> usage;
};

/// Reads argument 1 of a call. Errors: kInvalidArgument; kResourceExhausted above `options`'
/// limits.
Result<LlmRequest> ReadLlmRequest(const ExtensionCall& call, const LlmOptions& options);

/// The JSON body for `model` of `provider`.
std::string WriteLlmBody(const LlmRequest& request, const LlmProvider& provider,
                         std::string_view model, bool stream);
/// Errors: kDataLoss for what is no answer in that format.
Result<LlmAnswer> ReadLlmAnswer(LlmFormat format, std::string_view body);
/// What a provider says about its failure; "" when it says nothing we understand.
std::string ReadLlmError(std::string_view body);

/// Parts that whole and streamed answers share.
std::string StopReason(std::string_view word);
Value ReadToolArgs(std::string_view text);
std::optional<std::uint64_t> ReadCount(const Value& object, std::string_view key);
std::optional<LlmUsage> ReadUsage(const Value& usage);

/// Puts a streamed answer together. Thread-compatible.
class LlmStreamReader {
 public:
  explicit LlmStreamReader(LlmFormat format) : format_(format) {}

  /// The text that came with `bytes`. Errors: kDataLoss, kResourceExhausted, and kUnavailable when
  /// the provider reports a failure inside the stream.
  Result<std::string> Feed(std::string_view bytes);
  /// The whole answer. Errors: kDataLoss when the stream ended before the answer did.
  Result<LlmAnswer> Finish() const;
  /// What has come so far.
  const LlmAnswer& so_far() const { return answer_; }

 private:
  struct PartialCall {
    std::string id, name, args;
  };
  Status TakeOpenAi(const Value& event, std::string& text);
  Status TakeAnthropic(const Value& event, std::string& text);

  const LlmFormat format_;
  SseDecoder decoder_;
  LlmAnswer answer_;
  std::map<std::uint64_t, PartialCall> calls_;  // By the provider's index.
  bool ended_ = false;
};

}  // namespace nexus::internal
