#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "extension/http_policy.h"
#include "extension/llm.h"
#include "extension/secrets.h"

namespace nexus {
namespace {

constexpr double kUsdMost = 1e6;

Status ReadPrice(const ExtensionSettings& settings, LlmPrice& price) {
  NEXUS_TRY_STATUS(settings.Read("inputUsdPerMTok", price.input_usd, 0, kUsdMost));
  return settings.Read("outputUsdPerMTok", price.output_usd, 0, kUsdMost);
}

// "model" alone, or "models" with the names programs use: {"fast": "id"} or {"fast": {"id": ...}}.
Status ReadModels(const ExtensionSettings& settings, LlmProvider& provider) {
  LlmPrice price;
  NEXUS_TRY_STATUS(ReadPrice(settings, price));
  std::string model;
  NEXUS_TRY_STATUS(settings.Read("model", model));
  if (!model.empty()) provider.models.push_back({.name = model, .id = model, .price = price});
  NEXUS_TRY(const ExtensionSettings models, settings.Table("models"));
  for (const auto& [name, value] : models.values()) {
    LlmModel entry{.name = name, .id = {}, .price = price};
    if (const std::string* id = value.As<std::string>()) {
      entry.id = *id;
    } else {
      static constexpr std::array<std::string_view, 3> kNames = {"id", "inputUsdPerMTok",
                                                                 "outputUsdPerMTok"};
      NEXUS_TRY(const ExtensionSettings described, models.Table(name));
      NEXUS_TRY_STATUS(described.CheckNames(kNames));
      NEXUS_TRY_STATUS(described.Read("id", entry.id));
      NEXUS_TRY_STATUS(ReadPrice(described, entry.price));
    }
    if (entry.id.empty()) return models.Wrong(name, "must be the provider's name of a model");
    provider.models.push_back(std::move(entry));
  }
  if (provider.models.empty()) return settings.Wrong("model", "is missing: the model to ask");
  return {};
}

Result<LlmProvider> ReadProvider(const ExtensionSettings& settings) {
  static constexpr std::array<std::string_view, 9> kNames = {"name",
                                                             "format",
                                                             "url",
                                                             "key",
                                                             "model",
                                                             "models",
                                                             "inputUsdPerMTok",
                                                             "outputUsdPerMTok",
                                                             "maxTokensField"};
  NEXUS_TRY_STATUS(settings.CheckNames(kNames));
  LlmProvider provider;
  std::string format = "openai";
  NEXUS_TRY_STATUS(settings.Read("format", format));
  if (format != "openai" && format != "anthropic") {
    return settings.Wrong("format", "must be \"openai\" or \"anthropic\"");
  }
  provider.format = format == "openai" ? LlmFormat::kOpenAi : LlmFormat::kAnthropic;
  provider.name = format;
  NEXUS_TRY_STATUS(settings.Read("name", provider.name));
  provider.url = format == "openai" ? "https://api.openai.com/v1" : "https://api.anthropic.com";
  NEXUS_TRY_STATUS(settings.Read("url", provider.url));
  if (auto url = HttpUrl::Parse(provider.url); !url) {
    return settings.Wrong("url", "cannot be used: " + url.error().message());
  }
  NEXUS_TRY_STATUS(settings.Read("maxTokensField", provider.max_tokens_field));
  if (const Value* key = settings.Find("key")) {
    // One secret, read as all secrets are.
    Result<Secrets> read = Secrets::Parse(Value::Object({{provider.name, *key}}));
    if (!read) return settings.Wrong("key", "cannot be read: " + read.error().message());
    provider.key = *read->Find(provider.name);
  }
  NEXUS_TRY_STATUS(ReadModels(settings, provider));
  return provider;
}

Status ReadCassette(const ExtensionSettings& settings, LlmOptions& options) {
  std::string mode;
  NEXUS_TRY_STATUS(settings.Read("cassette", options.cassette));
  NEXUS_TRY_STATUS(settings.Read("cassetteMode", mode));
  if (mode.empty() && !options.cassette.empty()) mode = "replay";
  if (mode != "" && mode != "record" && mode != "replay") {
    return settings.Wrong("cassetteMode", "must be \"record\" or \"replay\"");
  }
  if (!mode.empty() && options.cassette.empty()) {
    return settings.Wrong("cassette", "is missing: the file to record to or replay from");
  }
  options.cassette_mode = mode == "record"   ? CassetteMode::kRecord
                          : mode == "replay" ? CassetteMode::kReplay
                                             : CassetteMode::kOff;
  return {};
}

}  // namespace

Result<LlmOptions> ReadLlmOptions(const ExtensionSettings& settings) {
  static constexpr std::array<std::string_view, 15> kNames = {
      "providers",   "runTokens",      "panelDayTokens", "runUsd",       "panelDayUsd",
      "budgetFile",  "cassette",       "cassetteMode",   "timeoutMs",    "deadlineMs",
      "maxAttempts", "maxRetryWaitMs", "maxTokens",      "maxTokensMax", "maxCalls"};
  NEXUS_TRY_STATUS(settings.CheckNames(kNames));
  LlmOptions options;
  NEXUS_TRY(const std::vector<ExtensionSettings> providers, settings.Tables("providers"));
  for (const ExtensionSettings& each : providers) {
    NEXUS_TRY(LlmProvider provider, ReadProvider(each));
    const bool taken = std::any_of(options.providers.begin(), options.providers.end(),
                                   [&](const auto& other) { return other.name == provider.name; });
    if (taken)
      return each.Wrong(
          "name", fmt::format("'{}' is taken: name each provider differently", provider.name));
    options.providers.push_back(std::move(provider));
  }
  LlmBudget& budget = options.budget;
  NEXUS_TRY_STATUS(settings.ReadNumber("runTokens", budget.run_tokens));
  NEXUS_TRY_STATUS(settings.ReadNumber("panelDayTokens", budget.panel_day_tokens));
  NEXUS_TRY_STATUS(settings.Read("runUsd", budget.run_usd, 1e-6, kUsdMost));
  NEXUS_TRY_STATUS(settings.Read("panelDayUsd", budget.panel_day_usd, 1e-6, kUsdMost));
  NEXUS_TRY_STATUS(settings.Read("budgetFile", budget.file));
  NEXUS_TRY_STATUS(ReadCassette(settings, options));
  NEXUS_TRY_STATUS(settings.ReadNumber("timeoutMs", options.timeout_ms));
  NEXUS_TRY_STATUS(settings.ReadNumber("deadlineMs", options.deadline_ms));
  NEXUS_TRY_STATUS(settings.ReadNumber("maxAttempts", options.attempts_max));
  NEXUS_TRY_STATUS(settings.ReadNumber("maxRetryWaitMs", options.retry_wait_ms_max));
  NEXUS_TRY_STATUS(settings.ReadNumber("maxTokens", options.max_tokens));
  NEXUS_TRY_STATUS(settings.ReadNumber("maxTokensMax", options.max_tokens_max));
  NEXUS_TRY_STATUS(settings.ReadNumber("maxCalls", options.calls_max));
  return options;
}

}  // namespace nexus
