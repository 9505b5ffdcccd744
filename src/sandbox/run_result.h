#pragma once
/// What a run gives back: one schema on every wire (contract 6).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/value.h"
#include "source/position.h"

namespace nexus {

enum class RunStatus : std::uint8_t { kSuccess, kError, kSuspended, kCancelled };
std::string_view RunStatusName(RunStatus status);  // "success", ...

/// Error codes of contract 6. On the wire: SCREAMING_SNAKE of the name without `k`.
enum class RunErrorCode : std::uint8_t {
  kTimeout,
  kCpuLimit,
  kMemoryLimit,
  kStackOverflow,
  kResourceLimit,
  kPermissionDenied,
  kExecutionError,
  kCompilationError,
  kInvalidHandler,
  kInvalidArgument,
  kConflict,
  kUnavailable,
  kExtensionNotFound,
  kMethodNotFound,
  kExtensionError,
  kSuspensionNotFound,
  kCancelled,
  kOverloaded,
  kQuotaExceeded,
  kInternalError,
};
std::string_view RunErrorCodeName(RunErrorCode code);  // "TIMEOUT", ...
std::optional<RunErrorCode> RunErrorCodeFromName(std::string_view name);
/// True for the codes by which a limit ended the run.
bool IsLimitError(RunErrorCode code);

struct RunError {
  RunErrorCode code = RunErrorCode::kInternalError;
  std::string message;
  std::string stack;        ///< Frames in the author's files, newest first; may be empty.
  std::string file;         ///< The author's file that `location` is in.
  SourcePosition location;  ///< In the author's file; line 0 when not known.
  std::string snippet;      ///< The lines around `location` with a caret; may be empty.
  std::string capability;   ///< For kPermissionDenied: the token to declare.
  std::string limit;        ///< For limit errors: the limit's name.
  std::string cause;        ///< Error.cause, as text.
  std::string panel_id, handler_name, run_id, step;
};

/// One step of a path into a state value: a property name or an array index.
using PathStep = std::variant<std::string, std::uint32_t>;

struct StateMutation {
  enum class Operation : std::uint8_t { kSet, kDelete } operation = Operation::kSet;
  std::string key;
  std::vector<PathStep> path;  ///< Empty: the whole value of `key`.
  Value value;                 ///< Undefined for kDelete.
  std::uint64_t revision = 0;
};
struct EmittedEvent {
  std::string name;
  Value payload;
};
struct ViewCommand {
  std::string type;  ///< setFilter, scrollTo, focus, setProp, call, or a command's own name
  std::string component_id;
  Value args;  ///< object
};
struct Suspension {
  std::string suspension_id;   ///< "<runId>.<n>", n from 1; what Resume is called with.
  std::string extension_name;  ///< Registered name, or "$tools".
  std::string method;
  ValueArray args;
};
enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError };
std::string_view LogLevelName(LogLevel level);
struct LogEntry {
  LogLevel level = LogLevel::kInfo;
  std::string message;
  std::int64_t unix_ms = 0;
};

enum class StartKind : std::uint8_t { kPooled, kFresh, kRestored };

struct HostCallCount {
  std::string_view name;  ///< Of guest/host_calls.def; lives as long as the program.
  std::uint64_t count = 0;
};

struct RunMetrics {
  std::uint64_t duration_us = 0;  ///< Start to end, suspended time included.
  std::uint64_t cpu_us = 0;       ///< Of the thread while the guest ran.
  std::uint64_t queue_us = 0;
  std::uint64_t memory_used_bytes = 0;  ///< Guest heap at the end.
  std::uint64_t memory_peak_bytes = 0;
  std::vector<HostCallCount> host_calls;  ///< In the order of the table; zero counts absent.
  std::uint64_t suspensions = 0;
  std::optional<std::uint64_t> compilation_time_us;
  bool cache_hit = false;  ///< The program's bytecode came from a cache.
  StartKind start_kind = StartKind::kPooled;
  std::uint64_t dirty_pages = 0;
};

/// After a suspension the effect lists hold exactly what happened since the last flush.
struct RunResult {
  std::string run_id;  ///< ULID.
  RunStatus status = RunStatus::kSuccess;
  Value return_value;
  std::vector<StateMutation> state_mutations;
  std::vector<EmittedEvent> events;
  std::vector<ViewCommand> view_commands;
  std::vector<Suspension> suspensions;
  std::vector<LogEntry> logs;
  std::optional<RunError> error;
  RunMetrics metrics;

  /// The wire form: camelCase, absent fields absent, `suspension` = the first of `suspensions`.
  void AppendJson(std::string& out) const;
  /// AppendJson as a Value: what JSON cannot hold is what contract 3 says of JSON wires.
  Value ToValue() const;
};

/// [name or index, ...]
void AppendPathJson(JsonBuilder& json, const std::vector<PathStep>& path);
/// {operation, key, path?, value, revision}
void AppendMutationJson(JsonBuilder& json, const StateMutation& mutation);

Value RunErrorToValue(const RunError& error);

}  // namespace nexus
