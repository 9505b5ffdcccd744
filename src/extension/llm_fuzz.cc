// Property: any bytes a provider sends, however they are cut, are an answer or an error and never
// more text than bytes; the pieces they come in make no difference.
#include <cstdlib>
#include <string>
#include <string_view>

#include "extension/internal/llm_wire.h"

namespace {

using nexus::LlmFormat;
using nexus::internal::LlmStreamReader;

void Expect(bool good) {
  if (!good) std::abort();
}

struct Outcome {
  bool failed = false;
  std::string text, stop_reason;
  std::size_t calls = 0;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome Read(LlmFormat format, std::string_view bytes, std::size_t piece) {
  LlmStreamReader reader(format);
  Outcome outcome;
  for (std::size_t at = 0; at < bytes.size() && !outcome.failed; at += piece) {
    const auto text = reader.Feed(bytes.substr(at, piece));
    outcome.failed = !text;
    if (!text) Expect(!text.error().message().empty());
  }
  const auto answer = reader.Finish();
  outcome.failed = outcome.failed || !answer;
  if (outcome.failed) return outcome;
  Expect(answer->text == reader.so_far().text);
  Expect(answer->text.size() <= bytes.size() * 3);  // An escaped character may grow.
  outcome.text = answer->text;
  outcome.stop_reason = answer->stop_reason;
  outcome.calls = answer->tool_calls.size();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = data[0] % 16 + 1;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (const LlmFormat format : {LlmFormat::kOpenAi, LlmFormat::kAnthropic}) {
    Expect(Read(format, bytes, piece) == Read(format, bytes, size));
    const auto whole = nexus::internal::ReadLlmAnswer(format, bytes);
    Expect(whole || !whole.error().message().empty());
  }
  (void)nexus::internal::ReadLlmError(bytes);
  return 0;
}
