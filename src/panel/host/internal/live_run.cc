#include "panel/host/internal/live_run.h"

#include <utility>

namespace nexus::internal {

Value RunState::Get(std::string_view key) {
  if (computed_.Has(key)) {
    if (note_reads_) {
      for (std::string& read : state_.Keys()) touched_.insert(std::move(read));
    }
    return computed_.Evaluate(key, HeadReader(state_)).value;
  }
  Note(key);
  return state_.Get(key);
}

bool RunState::Has(std::string_view key) {
  if (computed_.Has(key)) return true;
  Note(key);
  return state_.Has(key);
}

std::vector<std::string> RunState::Keys() { return state_.Keys(); }

Result<std::uint64_t> RunState::Set(std::string_view key, std::span<const PathStep> path,
                                    const Value& value) {
  Note(key);
  return state_.Set(key, path, value);
}

Result<std::uint64_t> RunState::Delete(std::string_view key, std::span<const PathStep> path) {
  Note(key);
  return state_.Delete(key, path);
}

void PanelToolNames::CallTool(std::string_view, std::string_view name, Value, AnswerFunction done) {
  done(Answer::Failed("$tools." + std::string(name) + ": the panel makes this call itself",
                      RunErrorCode::kInternalError));
}

std::vector<std::string> PanelToolNames::ToolNames() const {
  std::vector<std::string> names;
  for (const ToolDefinition& tool : definition_.tools) names.push_back(tool.name);
  return names;
}

}  // namespace nexus::internal
