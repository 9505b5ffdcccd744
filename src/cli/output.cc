#include "cli/output.h"

#include <fmt/format.h>

#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "base/utf8.h"

namespace nexus {
namespace {

constexpr std::size_t kEffectsShownMax = 20;
constexpr std::size_t kValueShownMax = 160;
constexpr std::size_t kFramesShownMax = 8;

// A value on one line, cut where it gets long.
std::string Brief(const Value& value) {
  std::string text = value.is_undefined() ? "undefined" : ToJson(value);
  if (text.size() > kValueShownMax) text = ToValidUtf8(text.substr(0, kValueShownMax)) + "...";
  return text;
}

std::string ShowPath(const StateMutation& mutation) {
  std::string path = mutation.key;
  for (const PathStep& step : mutation.path) {
    if (const std::string* name = std::get_if<std::string>(&step)) {
      path += "." + *name;
    } else {
      path += fmt::format("[{}]", std::get<std::uint32_t>(step));
    }
  }
  return path;
}

// Prints the lines of one kind of effect, and how many more there are.
template <typename T, typename F>
void PrintEffects(const std::vector<T>& effects, std::string_view label, const Terminal& err,
                  F&& show) {
  for (std::size_t i = 0; i < effects.size() && i < kEffectsShownMax; ++i) {
    err.Line(fmt::format("{} {}", err.Styled(Style::kCyan, label), Printable(show(effects[i]))));
  }
  if (effects.size() > kEffectsShownMax) {
    err.Line(err.Styled(Style::kDim, fmt::format("{} ... and {} more (--json shows all)", label,
                                                 effects.size() - kEffectsShownMax)));
  }
}

std::string Summary(const RunResult& result) {
  const RunMetrics& metrics = result.metrics;
  std::uint64_t calls = 0;
  for (const auto& [name, count] : metrics.host_calls) calls += count;
  std::string text =
      fmt::format("{} in {}", RunStatusName(result.status), FormatDuration(metrics.duration_us));
  if (calls > 0) text += fmt::format(", {} host call{}", calls, calls == 1 ? "" : "s");
  if (metrics.suspensions > 0) text += fmt::format(", {} suspended", metrics.suspensions);
  text += fmt::format(", {} memory", FormatBytes(metrics.memory_peak_bytes));
  if (metrics.compilation_time_us && *metrics.compilation_time_us > 0) {
    text += fmt::format(", compiled in {}", FormatDuration(*metrics.compilation_time_us));
  }
  if (!result.run_id.empty()) text += fmt::format(", run {}", result.run_id);
  return text;
}

}  // namespace

std::string HintFor(const RunError& error) {
  if (error.code == RunErrorCode::kPermissionDenied && !error.capability.empty())
    return "--cap " + error.capability;
  if (error.limit.empty()) return "";
  const bool time = error.limit == "wall" || error.limit == "cpu" || error.limit == "deadline";
  const bool size = error.limit == "memory" || error.limit == "stack" || error.limit == "log" ||
                    error.limit == "result" || error.limit == "snapshot";
  return fmt::format("--limit {}={}", error.limit, time ? "30s" : size ? "128MiB" : "100000");
}

Value ResultToJson(const RunResult& result) {
  Value value = result.ToValue();
  if (!result.error) return value;
  const std::string hint = HintFor(*result.error);
  Value* error = value.As<ValueObject>()->Find("error");
  if (!hint.empty() && error != nullptr) error->As<ValueObject>()->Set("hint", hint);
  return value;
}

RunResult FailedResult(RunError error) {
  RunResult result;
  result.status = RunStatus::kError;
  result.error = std::move(error);
  return result;
}

std::string ShowValue(const Value& value) {
  if (value.is_undefined()) return "";
  if (const std::string* text = value.As<std::string>()) return *text;
  return ToJson(value, {.indent = 2});
}

void PrintLog(const LogEntry& entry, const Terminal& err) {
  const Style style = entry.level == LogLevel::kError  ? Style::kRed
                      : entry.level == LogLevel::kWarn ? Style::kYellow
                                                       : Style::kDim;
  err.Line(fmt::format("{} {}", err.Styled(style, fmt::format("[{}]", LogLevelName(entry.level))),
                       Printable(entry.message)));
}

void PrintError(const RunError& error, const Terminal& err) {
  err.Line(fmt::format(
      "{} {}", err.Styled(Style::kRed, fmt::format("error[{}]:", RunErrorCodeName(error.code))),
      err.Styled(Style::kBold, Printable(error.message))));
  if (error.location.known()) {
    err.Line(fmt::format("{} {}:{}:{}", err.Styled(Style::kBlue, "  -->"), Printable(error.file),
                         error.location.line, error.location.column));
  }
  if (!error.snippet.empty()) {
    std::string_view snippet = error.snippet;
    while (snippet.ends_with('\n')) snippet.remove_suffix(1);
    err.Line(Printable(snippet));
  }
  if (!error.cause.empty()) err.Line("  caused by: " + Printable(error.cause));
  if (!error.stack.empty() && error.code != RunErrorCode::kCompilationError) {
    std::size_t shown = 0;
    for (const std::string_view frame : Split(error.stack, '\n')) {
      if (Trim(frame).empty() || ++shown > kFramesShownMax) continue;
      err.Line(err.Styled(Style::kDim, "    " + Printable(Trim(frame))));
    }
  }
  const std::string hint = HintFor(error);
  if (!hint.empty()) {
    const std::string_view what = error.code == RunErrorCode::kPermissionDenied
                                      ? "to allow it, add"
                                      : "to raise the limit, add for example";
    err.Line(fmt::format("{} {} {}", err.Styled(Style::kGreen, "hint:"), what,
                         err.Styled(Style::kBold, hint)));
  }
}

void PrintResult(const RunResult& result, const Terminal& out, const Terminal& err) {
  const std::string shown = ShowValue(result.return_value);
  if (!shown.empty()) {
    out.Write(shown);
    if (!shown.ends_with('\n')) out.Write("\n");
    out.Flush();  // On one terminal the result stands before what follows on the other stream.
  }
  PrintEffects(result.state_mutations, "state", err, [](const StateMutation& mutation) {
    const bool set = mutation.operation == StateMutation::Operation::kSet;
    return set ? fmt::format("{} = {}", ShowPath(mutation), Brief(mutation.value))
               : "delete " + ShowPath(mutation);
  });
  PrintEffects(result.events, "event", err, [](const EmittedEvent& event) {
    return fmt::format("{} {}", event.name, Brief(event.payload));
  });
  PrintEffects(result.view_commands, "view", err, [](const ViewCommand& command) {
    return fmt::format("{} {} {}", command.type, command.component_id, Brief(command.args));
  });
  if (result.error) PrintError(*result.error, err);
  if (result.run_id.empty()) return;  // There was no run.
  err.Line(err.Styled(Style::kDim, Summary(result)));
}

}  // namespace nexus
