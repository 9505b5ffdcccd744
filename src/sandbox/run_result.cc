#include "sandbox/run_result.h"

#include "base/check.h"

namespace nexus {

std::string_view RunStatusName(RunStatus status) {
  switch (status) {
    case RunStatus::kSuccess:
      return "success";
    case RunStatus::kError:
      return "error";
    case RunStatus::kSuspended:
      return "suspended";
    case RunStatus::kCancelled:
      return "cancelled";
  }
  NEXUS_CHECK(false, "unknown run status");
}

std::string_view RunErrorCodeName(RunErrorCode code) {
  switch (code) {
    case RunErrorCode::kTimeout:
      return "TIMEOUT";
    case RunErrorCode::kCpuLimit:
      return "CPU_LIMIT";
    case RunErrorCode::kMemoryLimit:
      return "MEMORY_LIMIT";
    case RunErrorCode::kStackOverflow:
      return "STACK_OVERFLOW";
    case RunErrorCode::kResourceLimit:
      return "RESOURCE_LIMIT";
    case RunErrorCode::kPermissionDenied:
      return "PERMISSION_DENIED";
    case RunErrorCode::kExecutionError:
      return "EXECUTION_ERROR";
    case RunErrorCode::kCompilationError:
      return "COMPILATION_ERROR";
    case RunErrorCode::kInvalidHandler:
      return "INVALID_HANDLER";
    case RunErrorCode::kInvalidArgument:
      return "INVALID_ARGUMENT";
    case RunErrorCode::kConflict:
      return "CONFLICT";
    case RunErrorCode::kUnavailable:
      return "UNAVAILABLE";
    case RunErrorCode::kExtensionNotFound:
      return "EXTENSION_NOT_FOUND";
    case RunErrorCode::kMethodNotFound:
      return "METHOD_NOT_FOUND";
    case RunErrorCode::kExtensionError:
      return "EXTENSION_ERROR";
    case RunErrorCode::kSuspensionNotFound:
      return "SUSPENSION_NOT_FOUND";
    case RunErrorCode::kCancelled:
      return "CANCELLED";
    case RunErrorCode::kOverloaded:
      return "OVERLOADED";
    case RunErrorCode::kQuotaExceeded:
      return "QUOTA_EXCEEDED";
    case RunErrorCode::kInternalError:
      return "INTERNAL_ERROR";
  }
  NEXUS_CHECK(false, "unknown run error code");
}

std::optional<RunErrorCode> RunErrorCodeFromName(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(RunErrorCode::kInternalError); ++i) {
    const auto code = static_cast<RunErrorCode>(i);
    if (RunErrorCodeName(code) == name) return code;
  }
  return std::nullopt;
}

bool IsLimitError(RunErrorCode code) {
  switch (code) {
    case RunErrorCode::kTimeout:
    case RunErrorCode::kCpuLimit:
    case RunErrorCode::kMemoryLimit:
    case RunErrorCode::kStackOverflow:
    case RunErrorCode::kResourceLimit:
    case RunErrorCode::kQuotaExceeded:
      return true;
    default:
      return false;
  }
}

std::string_view LogLevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  NEXUS_CHECK(false, "unknown log level");
}

namespace {

Value PathToValue(const std::vector<PathStep>& path) {
  ValueArray steps;
  for (const PathStep& step : path) {
    if (const auto* name = std::get_if<std::string>(&step)) {
      steps.emplace_back(*name);
    } else {
      steps.emplace_back(std::get<std::uint32_t>(step));
    }
  }
  return steps;
}

Value MutationToValue(const StateMutation& mutation) {
  const bool is_set = mutation.operation == StateMutation::Operation::kSet;
  ValueObject object;
  object.Append("operation", is_set ? "set" : "delete");
  object.Append("key", mutation.key);
  if (!mutation.path.empty()) object.Append("path", PathToValue(mutation.path));
  object.Append("value", is_set ? mutation.value : Value(nullptr));
  object.Append("revision", mutation.revision);
  return object;
}

Value SuspensionToValue(const Suspension& suspension) {
  return Value::Object({{"suspensionId", suspension.suspension_id},
                        {"extensionName", suspension.extension_name},
                        {"method", suspension.method},
                        {"args", suspension.args}});
}

Value ViewCommandToValue(const ViewCommand& command) {
  ValueObject object;
  object.Append("type", command.type);
  if (!command.component_id.empty()) object.Append("componentId", command.component_id);
  object.Append("args", command.args);
  return object;
}

std::string_view StartKindName(StartKind kind) {
  switch (kind) {
    case StartKind::kPooled:
      return "pooled";
    case StartKind::kFresh:
      return "fresh";
    case StartKind::kRestored:
      return "restored";
  }
  NEXUS_CHECK(false, "unknown start kind");
}

Value MetricsToValue(const RunMetrics& metrics) {
  ValueObject host_calls;
  for (const auto& [name, count] : metrics.host_calls) host_calls.Append(name, count);
  ValueObject object;
  object.Append("durationUs", metrics.duration_us);
  object.Append("cpuUs", metrics.cpu_us);
  object.Append("queueUs", metrics.queue_us);
  object.Append("memoryUsedBytes", metrics.memory_used_bytes);
  object.Append("memoryPeakBytes", metrics.memory_peak_bytes);
  object.Append("hostCalls", std::move(host_calls));
  object.Append("suspensions", metrics.suspensions);
  if (metrics.compilation_time_us) {
    object.Append("compilationTimeUs", *metrics.compilation_time_us);
  }
  object.Append("cacheHit", metrics.cache_hit);
  object.Append("startKind", std::string(StartKindName(metrics.start_kind)));
  object.Append("dirtyPages", metrics.dirty_pages);
  return object;
}

template <typename T, typename F>
Value ListToValue(const std::vector<T>& items, F&& to_value) {
  ValueArray array;
  array.reserve(items.size());
  for (const T& item : items) array.push_back(to_value(item));
  return array;
}

void AppendIfAny(ValueObject& object, const char* key, const std::string& text) {
  if (!text.empty()) object.Append(key, text);
}

}  // namespace

Value RunErrorToValue(const RunError& error) {
  ValueObject object;
  object.Append("code", std::string(RunErrorCodeName(error.code)));
  object.Append("message", error.message);
  AppendIfAny(object, "stack", error.stack);
  AppendIfAny(object, "file", error.file);
  if (error.location.known()) {
    object.Append("location", Value::Object({{"line", error.location.line},
                                             {"column", error.location.column}}));
  }
  AppendIfAny(object, "snippet", error.snippet);
  AppendIfAny(object, "capability", error.capability);
  AppendIfAny(object, "limit", error.limit);
  AppendIfAny(object, "cause", error.cause);
  AppendIfAny(object, "panelId", error.panel_id);
  AppendIfAny(object, "handlerName", error.handler_name);
  AppendIfAny(object, "runId", error.run_id);
  AppendIfAny(object, "step", error.step);
  return object;
}

Value RunResult::ToValue() const {
  ValueObject object;
  object.Append("runId", run_id);
  object.Append("status", std::string(RunStatusName(status)));
  object.Append("returnValue", return_value);
  object.Append("stateMutations", ListToValue(state_mutations, MutationToValue));
  object.Append("events", ListToValue(events, [](const EmittedEvent& event) {
                  return Value::Object({{"name", event.name}, {"payload", event.payload}});
                }));
  object.Append("viewCommands", ListToValue(view_commands, ViewCommandToValue));
  object.Append("suspensions", ListToValue(suspensions, SuspensionToValue));
  if (!suspensions.empty()) object.Append("suspension", SuspensionToValue(suspensions.front()));
  object.Append("logs", ListToValue(logs, [](const LogEntry& entry) {
                  return Value::Object({{"level", std::string(LogLevelName(entry.level))},
                                        {"message", entry.message},
                                        {"unixMs", entry.unix_ms}});
                }));
  if (error) object.Append("error", RunErrorToValue(*error));
  object.Append("metrics", MetricsToValue(metrics));
  return object;
}

}  // namespace nexus
