#pragma once
/// The process's own log, on stderr: one line an entry, key=value or JSON. What programs in the
/// sandbox log is no part of it.

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/value.h"

namespace nexus {

enum class Severity : std::uint8_t { kDebug, kInfo, kWarn, kError, kOff };
enum class LogForm : std::uint8_t { kText, kJson };

struct LogField {
  std::string_view key;
  Value value;
};

/// Writes when `severity` is at least the process's (kWarn at first). `event` is a constant phrase
/// ("cache file discarded"); what varies goes in fields, so that logs can be searched.
/// Threads: any; lines never mix. Cost: one comparison when it is not written.
void Log(Severity severity, std::string_view event, std::initializer_list<LogField> fields = {});
bool LogEnabled(Severity severity);

/// Process-wide; main and tests set them.
void SetLogSeverity(Severity severity);
void SetLogForm(LogForm form);
/// Takes finished lines instead of stderr; null: stderr again. Called under a lock.
void SetLogSink(std::function<void(std::string_view line)> sink);

/// "debug", "info", "warn", "error", "off".
std::string_view SeverityName(Severity severity);

}  // namespace nexus
