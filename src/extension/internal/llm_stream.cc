#include <fmt/format.h>

#include <utility>

#include "base/json.h"
#include "extension/internal/llm_wire.h"

namespace nexus::internal {
namespace {

constexpr std::size_t kCallsMax = 128;

std::string ErrorText(const Value& event) {
  const Value* error = event.Find("error");
  if (error == nullptr) return {};
  if (const std::string* text = error->As<std::string>()) return *text;
  return std::string(error->StringOr("message", "no reason given"));
}

}  // namespace

Result<std::string> LlmStreamReader::Feed(std::string_view bytes) {
  std::string text;
  Status taken;
  NEXUS_TRY_STATUS(decoder_.Feed(bytes, [&](std::string_view, std::string_view data) {
    if (!taken) return;
    if (data == "[DONE]") {
      ended_ = true;
      return;
    }
    const Result<Value> event =
        ParseJson(data, {.bytes_max = std::size_t{1} << 20, .depth_max = 64});
    if (!event) {
      taken =
          Fail(Code::kDataLoss, "an event of the stream is no JSON: " + event.error().message());
      return;
    }
    if (const std::string failure = ErrorText(*event); !failure.empty()) {
      taken = Fail(Code::kUnavailable, "the provider broke off: " + failure.substr(0, 500));
      return;
    }
    taken = format_ == LlmFormat::kOpenAi ? TakeOpenAi(*event, text) : TakeAnthropic(*event, text);
  }));
  if (!taken) return std::unexpected(std::move(taken).error());
  answer_.text += text;
  return text;
}

Status LlmStreamReader::TakeOpenAi(const Value& event, std::string& text) {
  if (answer_.model.empty()) answer_.model = event.StringOr("model", "");
  if (const Value* usage = event.Find("usage")) {
    if (const auto read = ReadUsage(*usage)) answer_.usage = read;
  }
  const Value* choices = event.Find("choices");
  const ValueArray* list = choices == nullptr ? nullptr : choices->As<ValueArray>();
  if (list == nullptr || list->empty()) return {};
  const Value& choice = list->front();
  if (const std::string_view reason = choice.StringOr("finish_reason", ""); !reason.empty()) {
    answer_.stop_reason = StopReason(reason);
    ended_ = true;  // Not every server says [DONE].
  }
  const Value* delta = choice.Find("delta");
  if (delta == nullptr) return {};
  text += delta->StringOr("content", "");
  const Value* calls = delta->Find("tool_calls");
  const ValueArray* pieces = calls == nullptr ? nullptr : calls->As<ValueArray>();
  for (std::size_t i = 0; pieces != nullptr && i < pieces->size(); ++i) {
    const std::uint64_t index = ReadCount((*pieces)[i], "index").value_or(i);
    if (index >= kCallsMax) return Fail(Code::kDataLoss, "the answer calls too many tools");
    PartialCall& call = calls_[index];
    call.id += (*pieces)[i].StringOr("id", "");
    if (const Value* function = (*pieces)[i].Find("function")) {
      call.name += function->StringOr("name", "");
      call.args += function->StringOr("arguments", "");
    }
  }
  return {};
}

Status LlmStreamReader::TakeAnthropic(const Value& event, std::string& text) {
  const std::string_view type = event.StringOr("type", "");
  if (type == "message_start") {
    const Value* message = event.Find("message");
    if (message == nullptr) return {};
    answer_.model = message->StringOr("model", "");
    if (const Value* usage = message->Find("usage")) answer_.usage = ReadUsage(*usage);
  } else if (type == "message_delta") {
    const Value* delta = event.Find("delta");
    if (delta != nullptr) answer_.stop_reason = StopReason(delta->StringOr("stop_reason", ""));
    const Value* usage = event.Find("usage");
    const auto output = usage == nullptr ? std::nullopt : ReadCount(*usage, "output_tokens");
    if (output && answer_.usage) answer_.usage->output_tokens = *output;
  } else if (type == "message_stop") {
    ended_ = true;
  } else if (type == "content_block_start" || type == "content_block_delta") {
    const Value* part = event.Find(type == "content_block_start" ? "content_block" : "delta");
    const std::uint64_t index = ReadCount(event, "index").value_or(0);
    if (part == nullptr) return {};
    const std::string_view kind = part->StringOr("type", "");
    if (kind == "text" || kind == "text_delta") text += part->StringOr("text", "");
    if (kind != "tool_use" && kind != "input_json_delta") return {};
    if (index >= kCallsMax) return Fail(Code::kDataLoss, "the answer calls too many tools");
    PartialCall& call = calls_[index];
    call.id += part->StringOr("id", "");
    call.name += part->StringOr("name", "");
    call.args += part->StringOr("partial_json", "");
  }
  return {};
}

Result<LlmAnswer> LlmStreamReader::Finish() const {
  if (!ended_) return Fail(Code::kDataLoss, "the stream ended before the answer did");
  LlmAnswer answer = answer_;
  for (const auto& [index, call] : calls_) {
    answer.tool_calls.push_back(
        {.id = call.id, .name = call.name, .args = ReadToolArgs(call.args)});
  }
  return answer;
}

}  // namespace nexus::internal
