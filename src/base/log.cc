#include "base/log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include "base/clock.h"
#include "base/js_text.h"
#include "base/json.h"

namespace nexus {
namespace {

std::atomic<Severity> log_severity{Severity::kWarn};
std::atomic<LogForm> log_form{LogForm::kText};

struct Sink {
  std::mutex mutex;
  std::function<void(std::string_view)> function;
};
Sink& TheSink() {
  // Never destroyed: threads may log while the process ends.
  static Sink* const sink = new Sink;
  return *sink;
}

std::string Now() {
  std::string text;
  AppendIsoDate(text, static_cast<double>(SystemClock().UnixMs()));
  return text;
}

/// A text that stays one word on the line stands bare, everything else as JSON.
void AppendTextValue(std::string& line, const Value& value) {
  const std::string* text = value.As<std::string>();
  const bool bare =
      text != nullptr && !text->empty() && std::all_of(text->begin(), text->end(), [](char c) {
        return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
      });
  if (bare) {
    line += *text;
  } else {
    AppendJson(line, value);
  }
}

std::string TextLine(Severity severity, std::string_view event,
                     std::initializer_list<LogField> fields) {
  std::string line = fmt::format("{} {:<5} {}", Now(), SeverityName(severity), event);
  for (const LogField& field : fields) {
    line.append(1, ' ').append(field.key).push_back('=');
    AppendTextValue(line, field.value);
  }
  line.push_back('\n');
  return line;
}

std::string JsonLine(Severity severity, std::string_view event,
                     std::initializer_list<LogField> fields) {
  ValueObject object;
  object.Append("time", Value(Now()));
  object.Append("level", Value(SeverityName(severity)));
  object.Append("event", Value(event));
  for (const LogField& field : fields) object.Append(std::string(field.key), field.value);
  std::string line = ToJson(Value(std::move(object)));
  line.push_back('\n');
  return line;
}

}  // namespace

bool LogEnabled(Severity severity) {
  return severity != Severity::kOff && severity >= log_severity.load(std::memory_order_relaxed);
}

void Log(Severity severity, std::string_view event, std::initializer_list<LogField> fields) {
  if (!LogEnabled(severity)) return;
  const std::string line = log_form.load(std::memory_order_relaxed) == LogForm::kJson
                               ? JsonLine(severity, event, fields)
                               : TextLine(severity, event, fields);
  Sink& sink = TheSink();
  const std::lock_guard lock(sink.mutex);
  if (sink.function) return sink.function(line);
  // One write a line; a log that cannot be written is not worth failing for.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

void SetLogSeverity(Severity severity) { log_severity.store(severity); }
void SetLogForm(LogForm form) { log_form.store(form); }
void SetLogSink(std::function<void(std::string_view line)> function) {
  Sink& sink = TheSink();
  const std::lock_guard lock(sink.mutex);
  sink.function = std::move(function);
}

std::string_view SeverityName(Severity severity) {
  switch (severity) {
    case Severity::kDebug:
      return "debug";
    case Severity::kInfo:
      return "info";
    case Severity::kWarn:
      return "warn";
    case Severity::kError:
      return "error";
    case Severity::kOff:
      return "off";
  }
  return "unknown";
}

}  // namespace nexus
