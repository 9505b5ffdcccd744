#include "sandbox/run_result.h"

#include <cstdint>

#include "base/check.h"
#include "base/json.h"

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

// ParseJson of what is written here: values of the sandbox are at most kValueDepthMax deep, and a
// Map is two levels of JSON.
constexpr JsonLimits kOwnText = {.bytes_max = SIZE_MAX, .depth_max = 2'000};

void AppendSuspension(JsonBuilder& json, const Suspension& suspension) {
  json.BeginObject()
      .Member("suspensionId", suspension.suspension_id)
      .Member("extensionName", suspension.extension_name)
      .Member("method", suspension.method);
  json.Key("args").BeginArray();
  for (const Value& arg : suspension.args) json.Add(arg);
  json.EndArray().EndObject();
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

void AppendMetrics(JsonBuilder& json, const RunMetrics& metrics) {
  json.BeginObject()
      .Member("durationUs", metrics.duration_us)
      .Member("cpuUs", metrics.cpu_us)
      .Member("queueUs", metrics.queue_us)
      .Member("memoryUsedBytes", metrics.memory_used_bytes)
      .Member("memoryPeakBytes", metrics.memory_peak_bytes);
  json.Key("hostCalls").BeginObject();
  for (const HostCallCount& call : metrics.host_calls) json.Member(call.name, call.count);
  json.EndObject().Member("suspensions", metrics.suspensions);
  if (metrics.compilation_time_us) json.Member("compilationTimeUs", *metrics.compilation_time_us);
  json.Member("cacheHit", metrics.cache_hit)
      .Member("startKind", StartKindName(metrics.start_kind))
      .Member("dirtyPages", metrics.dirty_pages)
      .EndObject();
}

void AppendError(JsonBuilder& json, const RunError& error) {
  json.BeginObject()
      .Member("code", RunErrorCodeName(error.code))
      .Member("message", error.message)
      .MemberIfAny("stack", error.stack)
      .MemberIfAny("file", error.file);
  if (error.location.known()) {
    json.Key("location")
        .BeginObject()
        .Member("line", error.location.line)
        .Member("column", error.location.column)
        .EndObject();
  }
  json.MemberIfAny("snippet", error.snippet)
      .MemberIfAny("capability", error.capability)
      .MemberIfAny("limit", error.limit)
      .MemberIfAny("cause", error.cause)
      .MemberIfAny("panelId", error.panel_id)
      .MemberIfAny("handlerName", error.handler_name)
      .MemberIfAny("runId", error.run_id)
      .MemberIfAny("step", error.step)
      .EndObject();
}

void AppendEffects(JsonBuilder& json, const RunResult& result) {
  json.Key("stateMutations").BeginArray();
  for (const StateMutation& mutation : result.state_mutations) AppendMutationJson(json, mutation);
  json.EndArray().Key("events").BeginArray();
  for (const EmittedEvent& event : result.events) {
    json.BeginObject().Member("name", event.name);
    if (!event.payload.is_undefined()) json.Key("payload").Add(event.payload);
    json.EndObject();
  }
  json.EndArray().Key("viewCommands").BeginArray();
  for (const ViewCommand& command : result.view_commands) {
    json.BeginObject()
        .Member("type", command.type)
        .MemberIfAny("componentId", command.component_id);
    if (!command.args.is_undefined()) json.Key("args").Add(command.args);
    json.EndObject();
  }
  json.EndArray();
}

}  // namespace

void AppendPathJson(JsonBuilder& json, const std::vector<PathStep>& path) {
  json.BeginArray();
  for (const PathStep& step : path) {
    if (const auto* name = std::get_if<std::string>(&step)) {
      json.String(*name);
    } else {
      json.Number(std::get<std::uint32_t>(step));
    }
  }
  json.EndArray();
}

void AppendMutationJson(JsonBuilder& json, const StateMutation& mutation) {
  const bool is_set = mutation.operation == StateMutation::Operation::kSet;
  json.BeginObject()
      .Member("operation", std::string_view(is_set ? "set" : "delete"))
      .Member("key", mutation.key);
  if (!mutation.path.empty()) {
    json.Key("path");
    AppendPathJson(json, mutation.path);
  }
  json.Key("value").Add(is_set ? mutation.value : Value(nullptr));
  json.Member("revision", mutation.revision).EndObject();
}

Value RunErrorToValue(const RunError& error) {
  std::string text;
  JsonBuilder json(text);
  AppendError(json, error);
  return ParseJson(text, kOwnText).value();
}

void RunResult::AppendJson(std::string& out) const {
  JsonBuilder json(out);
  json.BeginObject().Member("runId", run_id).Member("status", RunStatusName(status));
  if (!return_value.is_undefined()) json.Key("returnValue").Add(return_value);
  AppendEffects(json, *this);
  json.Key("suspensions").BeginArray();
  for (const Suspension& suspension : suspensions) AppendSuspension(json, suspension);
  json.EndArray();
  if (!suspensions.empty()) {
    json.Key("suspension");
    AppendSuspension(json, suspensions.front());
  }
  json.Key("logs").BeginArray();
  for (const LogEntry& entry : logs) {
    json.BeginObject()
        .Member("level", LogLevelName(entry.level))
        .Member("message", entry.message)
        .Member("unixMs", entry.unix_ms)
        .EndObject();
  }
  json.EndArray();
  if (error) {
    json.Key("error");
    AppendError(json, *error);
  }
  json.Key("metrics");
  AppendMetrics(json, metrics);
  json.EndObject();
}

Value RunResult::ToValue() const {
  std::string text;
  AppendJson(text);
  return ParseJson(text, kOwnText).value();
}

}  // namespace nexus
