#include "mcp/panels/internal/tools.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/json.h"

namespace nexus::mcp::internal {
namespace {

LogLevel LevelOf(nexus::LogLevel level) {
  switch (level) {
    case nexus::LogLevel::kDebug:
      return LogLevel::kDebug;
    case nexus::LogLevel::kInfo:
      return LogLevel::kInfo;
    case nexus::LogLevel::kWarn:
      return LogLevel::kWarning;
    case nexus::LogLevel::kError:
      break;
  }
  return LogLevel::kError;
}

// What the handler asks for is all it is given, so what it cannot do is known, not guessed.
bool Asks(const ToolDefinition& tool, std::initializer_list<Right> rights) {
  return std::any_of(tool.handler.requested.begin(), tool.handler.requested.end(),
                     [&](const CapabilityToken& token) {
                       return std::find(rights.begin(), rights.end(), token.right()) !=
                              rights.end();
                     });
}

ToolAnnotations AnnotationsOf(const ToolDefinition& tool) {
  ToolAnnotations hints;
  hints.read_only = tool.read_only;
  hints.destructive = tool.destructive;
  hints.idempotent = tool.idempotent;
  hints.open_world = tool.open_world;
  const bool reaches_out = Asks(tool, {Right::kExtension, Right::kToolCall});
  if (!hints.read_only && !reaches_out &&
      !Asks(tool, {Right::kStateWrite, Right::kEventEmit, Right::kViewUpdate})) {
    hints.read_only = true;
  }
  if (!hints.open_world && !reaches_out) hints.open_world = false;
  return hints;
}

std::string ErrorWords(const RunError& error) {
  std::string text(RunErrorCodeName(error.code));
  text += ": ";
  text += error.message;
  if (!error.capability.empty()) text += "\nmissing capability: " + error.capability;
  if (error.location.line != 0) {
    text += "\nat " + (error.file.empty() ? error.handler_name : error.file) + ":" +
            std::to_string(error.location.line) + ":" + std::to_string(error.location.column);
  }
  return text;
}

std::string TextOf(const Value& value) {
  if (value.is_undefined()) return "done";
  if (const auto* text = value.As<std::string>()) return *text;
  return ToJson(value);
}

CallToolResult ResultOf(const RunResult& run, bool structured) {
  CallToolResult result;
  if (run.error) {
    result = ToolFailure(ErrorWords(*run.error));
  } else {
    result.content.push_back(TextContent(TextOf(run.return_value)));
    if (structured) result.structured = run.return_value;
  }
  result.meta.Append("nexus/runId", run.run_id);
  return result;
}

}  // namespace

Tool ToolOf(const PanelDefinition& panel, const ToolDefinition& tool, std::string name) {
  Tool shown;
  shown.name = std::move(name);
  shown.title = panel.title + ": " + tool.name;
  shown.description =
      tool.description.empty() ? "Tool " + tool.name + " of " + panel.title : tool.description;
  shown.input_schema = ToolInputSchema(tool);
  // A schema that is true or false says nothing a client could use.
  if (tool.output_schema && tool.output_schema->As<ValueObject>() != nullptr) {
    shown.output_schema = *tool.output_schema;
  }
  shown.annotations = AnnotationsOf(tool);
  return shown;
}

void RunTool(const std::shared_ptr<Panel>& panel, const ToolDefinition& tool,
             const std::shared_ptr<Call>& call, Value arguments) {
  ToolCall request;
  request.tool = tool.name;
  request.args = std::move(arguments);
  request.principal = call->caller().principal;
  request.traceparent = call->traceparent();
  // What was logged in earlier slices comes again with the end.
  auto observer = [call, weak = std::weak_ptr(panel), structured = tool.output_schema.has_value(),
                   logged = std::size_t{0}, slices = 0,
                   name = tool.name](const RunResult& flush) mutable {
    const bool ended = flush.status != RunStatus::kSuspended;
    const std::size_t known = ended ? std::min(logged, flush.logs.size()) : 0;
    for (std::size_t i = known; i < flush.logs.size(); ++i) {
      call->Log(LevelOf(flush.logs[i].level), name, Value(flush.logs[i].message));
    }
    logged += flush.logs.size();
    if (ended) {
      const auto alive = weak.lock();
      if (alive != nullptr && alive->waiting() != 0) call->MoreFollows();
      return call->Finish(ResultOf(flush, structured));
    }
    if (!call->wants_progress() || flush.suspensions.empty()) return;
    const Suspension& waits = flush.suspensions.front();
    call->Progress(++slices, std::nullopt,
                   "waits for " + waits.extension_name + "." + waits.method);
  };
  const std::string run_id = panel->CallTool(std::move(request), std::move(observer));
  const bool goes_on = tool.on_disconnect == OnDisconnect::kContinue;
  // The panel may be gone by then, and the call holds what it is given: a weak hold suffices.
  call->OnCancel([weak = std::weak_ptr(panel), run_id, goes_on, raw = call.get()] {
    if (goes_on && raw->gone()) return;
    if (const auto alive = weak.lock()) (void)alive->Cancel(run_id);
  });
}

}  // namespace nexus::mcp::internal
