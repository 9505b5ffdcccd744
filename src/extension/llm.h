#pragma once
/// The extension `llm`: completions by language models, from the providers the operator named.
///
///   const { text, usage } = await $ext.llm.complete({
///     messages: [{ role: 'user', content: 'Hello' }], maxTokens: 200 })
///
/// Methods:
///   complete({messages, system, model, maxTokens, temperature, stop, tools})
///     -> {text, model, provider, stopReason, toolCalls?, usage: {inputTokens, outputTokens},
///         costUsd?}
///   stream(the same) -> {id, model, provider} as soon as a provider has begun to answer
///   next(id) -> {text, done, result?}: what has come since the last call; with done: true `result`
///     is what complete gives
///   stop(id) -> boolean: ends a stream early; was it open?
/// Each next is a suspension, so what the program wrote of the text before it reaches everybody who
/// watches the panel (PATCH, and PROGRESS for the caller). A stream ends with its run at the latest
/// and does not survive a restart of the host; complete does, by asking again.
///
/// Providers are asked in order: after 429, 5xx, a time-out or a lost connection the next one
/// is, and one that failed is left alone for the time it named (Retry-After) or a growing one.
/// Keys are the host's: no program, answer, error or cassette holds them. Budgets are reserved
/// before a provider is asked (estimated input and maxTokens) and settled with what it reports;
/// above them a call fails as QUOTA_EXCEEDED. A cassette records answers, or gives them back
/// without any network.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "extension/settings.h"
#include "sandbox/bindings.h"

namespace nexus {

enum class LlmFormat : std::uint8_t { kOpenAi, kAnthropic };

/// US dollars for a million tokens; negative: not known.
struct LlmPrice {
  double input_usd = -1, output_usd = -1;
  bool known() const { return input_usd >= 0 && output_usd >= 0; }
};
struct LlmModel {
  std::string name;  ///< What programs call it.
  std::string id;    ///< What the provider calls it.
  LlmPrice price;
};
struct LlmProvider {
  std::string name;
  LlmFormat format = LlmFormat::kOpenAi;
  /// OpenAI: up to "/v1"; Anthropic: without it. The operator's word, so private addresses are
  /// fine.
  std::string url;
  std::string key;                              ///< Empty: none is sent.
  std::vector<LlmModel> models;                 ///< The first one is taken when a call names none.
  std::string max_tokens_field = "max_tokens";  ///< Newer OpenAI models: "max_completion_tokens".
};
/// 0: no limit. Days are UTC; a run outside a panel counts for the panel "".
struct LlmBudget {
  std::uint64_t run_tokens = 0, panel_day_tokens = 0;
  double run_usd = 0, panel_day_usd = 0;
  std::string file;  ///< Where it is kept across restarts; empty: in memory.
};
enum class CassetteMode : std::uint8_t { kOff, kRecord, kReplay };

struct LlmOptions {
  std::vector<LlmProvider> providers;
  LlmBudget budget;
  std::string cassette;  ///< A file, one exchange a line.
  CassetteMode cassette_mode = CassetteMode::kOff;
  std::uint32_t timeout_ms = 60'000;    ///< One attempt.
  std::uint32_t deadline_ms = 300'000;  ///< One call with all its attempts, or one stream.
  std::uint32_t attempts_max = 6;
  std::uint32_t retry_wait_ms_max = 60'000;  ///< Longer ones are not waited for.
  std::uint64_t max_tokens = 1024;           ///< When a call names none.
  std::uint64_t max_tokens_max = 32'768;
  std::size_t request_bytes_max = std::size_t{4} << 20;
  std::size_t response_bytes_max = std::size_t{8} << 20;
  std::size_t calls_max = 32;  ///< Under way at once.
  std::size_t queue_max = 1024;
  std::function<std::int64_t()> clock_unix_ms;  ///< For days; null: the system clock.
};

/// Reads what `[extension.llm]` or `--ext llm=JSON` says; docs/EXTENSIONS.md names the settings.
/// Errors: kInvalidArgument, each naming the setting; kNotFound for a key that is not there.
Result<LlmOptions> ReadLlmOptions(const ExtensionSettings& settings);

/// One thread carries all calls; it starts with the first. Thread-safe. Destruction ends the calls
/// under way with an error.
class LlmExtension final : public Extension {
 public:
  /// Errors: kInvalidArgument for options that contradict each other; as SqliteFile::Open and
  /// ReadFile for the budget's file and the cassette.
  static Result<std::shared_ptr<LlmExtension>> Create(LlmOptions options);
  ~LlmExtension() override;

  std::string_view name() const override { return "llm"; }
  std::span<const MethodDescriptor> methods() const override;
  void Call(ExtensionCall call, AnswerFunction done) override;
  void Abandon(std::string_view run_id) override;

 private:
  class Service;
  explicit LlmExtension(std::unique_ptr<Service> service);
  std::unique_ptr<Service> service_;
};

}  // namespace nexus
