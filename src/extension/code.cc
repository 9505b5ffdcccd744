#include "extension/code.h"

#include <utility>

#include "extension/internal/call_arguments.h"
#include "extension/internal/file_schemas.h"
#include "extension/internal/walk_thread.h"
#include "extension/internal/workspace.h"

namespace nexus {
namespace {

const MethodDescriptor kMethods[] = {
    internal::ReadFileMethod(),
    internal::WriteFileMethod(),
    internal::ListFilesMethod("Entries of a folder"),
    internal::StatMethod(),
    internal::ExistsMethod(),
    {.name = "search",
     .summary = "Lines that match a pattern",
     .idempotent = true,
     .path_argument = 1,
     .parameters = R"({"prefixItems": [
       {"title": "pattern", "type": "string"}, {"title": "path", "type": "string"},
       {"title": "options", "type": ["object", "null"], "additionalProperties": false,
        "properties": {"regex": {"type": "boolean"}, "ignoreCase": {"type": "boolean"},
          "max": {"type": "integer", "minimum": 1},
          "exclude": {"type": "array", "items": {"type": "string"}}}}], "minItems": 1})",
     .result = R"({"type": "array", "items": {"type": "object", "properties": {
       "path": {"type": "string"}, "line": {"type": "integer"}, "column": {"type": "integer"},
       "text": {"type": "string"}}, "required": ["path", "line", "column", "text"]}})"},
    internal::RemoveFileMethod(),
};

}  // namespace

struct CodeExtension::State {
  State(CodeOptions options, internal::Beneath folder)
      : workspace(std::move(options), std::move(folder),
                  "the operator can give it with --workspace DIR instead of DIR:ro") {}

  internal::Workspace workspace;
  internal::WalkThread walks;  // Goes first: its work uses the workspace.
};

CodeExtension::CodeExtension(std::unique_ptr<State> state) : state_(std::move(state)) {}
CodeExtension::~CodeExtension() = default;

Result<std::shared_ptr<CodeExtension>> CodeExtension::Create(CodeOptions options) {
  NEXUS_TRY(internal::Beneath folder, internal::Beneath::Open(options.root, options.follow_links));
  auto state = std::make_unique<State>(std::move(options), std::move(folder));
  return std::shared_ptr<CodeExtension>(new CodeExtension(std::move(state)));
}

std::span<const MethodDescriptor> CodeExtension::methods() const { return kMethods; }

void CodeExtension::Call(ExtensionCall call, AnswerFunction done) {
  if (internal::Workspace::IsWalk(call)) {
    std::string place = internal::CallArguments(call).Place();
    std::string run_id = call.run_id;
    return state_->walks.Submit(
        std::move(place), std::move(run_id),
        [this, call = std::move(call)](const internal::WalkThread::Wanted& wanted) {
          return state_->workspace.Call(call, wanted);
        },
        std::move(done));
  }
  Result<Value> result = state_->workspace.Call(call, [] { return true; });
  done(result ? Answer::Ok(*std::move(result)) : internal::ToAnswer(result.error()));
}

void CodeExtension::Abandon(std::string_view run_id) { state_->walks.Abandon(run_id); }

}  // namespace nexus
