// What is named but not there, and what is there but never used.
#include <algorithm>
#include <utility>

#include "panel/nxml/internal/reader.h"

namespace nexus::internal {

std::string Reader::StateHint(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const StateDefinition& state : panel_.states) names.push_back(state.name);
  for (const ComputedDefinition& computed : panel_.computed) names.push_back(computed.name);
  return DidYouMean(name, names);
}

void Reader::CheckUses() {
  for (const StateDefinition& state : panel_.states) data_names_.emplace(state.name, false);
  for (const ComputedDefinition& computed : panel_.computed) {
    data_names_.emplace(computed.name, true);
  }
  for (const ToolDefinition& tool : panel_.tools) tool_names_.insert(tool.name);
  CheckExpressions();
  CheckReferences();
  // Extensions are named by alias in code and by their registered names in tokens.
  const auto register_names = [this](HandlerDefinition& handler) {
    if (handler.declared) return;
    for (CapabilityToken& token : handler.requested) {
      if (token.type != "ext") continue;
      const std::string alias = token.scope.substr(0, token.scope.find('.'));
      for (const ExtensionUse& use : panel_.extensions) {
        if (use.alias == alias) token.scope = use.name + token.scope.substr(alias.size());
      }
    }
  };
  for (ToolDefinition& tool : panel_.tools) register_names(tool.handler);
  for (LifecycleDefinition& lifecycle : panel_.lifecycles) register_names(lifecycle.handler);
  CheckUnused();
  const auto by_place = [](const NxmlProblem& a, const NxmlProblem& b) {
    return std::pair(a.position.line, a.position.column) <
           std::pair(b.position.line, b.position.column);
  };
  std::stable_sort(report_.errors.begin(), report_.errors.end(), by_place);
  std::stable_sort(report_.warnings.begin(), report_.warnings.end(), by_place);
}

void Reader::CheckExpressions() {
  for (std::size_t i = 0; i < panel_.computed.size(); ++i) {
    const ComputedDefinition& computed = panel_.computed[i];
    if (computed.expression.empty()) continue;
    const Binding binding{.expression = computed.expression, .begin = computed_offsets_[i]};
    const std::string path = "data/computed/" + computed.name;
    const ExpressionFacts facts = ReadExpression(computed.expression);
    if (!facts.error.empty()) {
      AddError("INVALID_EXPRESSION", PlaceIn(binding, facts.error_offset), facts.error, path);
    }
    for (const ExpressionUse& use : facts.uses) {
      if (use.global != "$state") {
        AddError("INVALID_EXPRESSION", PlaceIn(binding, use.offset),
                 "a computed value reads $state and nothing else, not " + use.global, path);
      } else if (!use.member.empty()) {
        state_uses_.push_back(
            {.name = use.member, .position = PlaceIn(binding, use.offset), .path = path});
      }
    }
  }
}

void Reader::CheckReferences() {
  for (const StateUse& use : state_uses_) {
    used_state_.insert(use.name);
    if (const auto known = data_names_.find(use.name); known != data_names_.end()) {
      if (!use.is_write || !known->second) continue;
      AddError("INVALID_BINDING", use.position,
               "'" + use.name + "' is computed: it follows from the state and cannot be written",
               use.path);
      continue;
    }
    // A hint costs a comparison with every name: not for what is not reported.
    const auto& reported = use.is_error ? report_.errors : report_.warnings;
    if (reported.size() >= options_.limits.problems_max) continue;
    std::string message = "there is no state '" + use.name + "'" + StateHint(use.name) +
                          ": declare it with <State name=\"" + use.name + "\"/>";
    if (use.is_error) {
      AddError("UNDEFINED_STATE_REFERENCE", use.position, std::move(message), use.path);
    } else {
      // Code may only ask whether it is there; a write to it fails when it runs.
      Warn("UNDEFINED_STATE_REFERENCE", use.position, std::move(message), use.path);
    }
  }
  for (const TriggerUse& use : tool_uses_) {
    used_tools_.insert(use.tool);
    if (tool_names_.contains(use.tool) || report_.errors.size() >= options_.limits.problems_max) {
      continue;
    }
    std::vector<std::string_view> names;
    for (const ToolDefinition& tool : panel_.tools) names.push_back(tool.name);
    AddError("UNDEFINED_TOOL_REFERENCE", use.position,
             "there is no tool '" + use.tool + "'" + DidYouMean(use.tool, names), use.path);
  }
  for (const ExtensionCall& use : extension_uses_) {
    std::vector<std::string_view> aliases;
    for (const ExtensionUse& extension : panel_.extensions) aliases.push_back(extension.alias);
    if (std::find(aliases.begin(), aliases.end(), use.alias) != aliases.end()) continue;
    AddError("UNDECLARED_EXTENSION", use.position,
             "the extension '" + use.alias + "' is not declared" + DidYouMean(use.alias, aliases) +
                 ": add <Extension name=\"" + use.alias + "\"/> to <Logic>",
             use.path);
  }
}

void Reader::CheckUnused() {
  const bool all_used = used_state_.contains("*");
  for (const StateDefinition& state : panel_.states) {
    if (all_used || used_state_.contains(state.name)) continue;
    Warn("UNUSED_STATE", state.position, "the state '" + state.name + "' is never used",
         "data/states/" + state.name);
  }
  for (const ToolDefinition& tool : panel_.tools) {
    if (used_tools_.contains(tool.name) || used_tools_.contains("*") || !panel_.view) continue;
    Warn("UNUSED_TOOL", tool.position,
         "nothing in the panel calls the tool '" + tool.name + "'; agents and people still can",
         "logic/tools/" + tool.name);
  }
  const bool mounts =
      std::any_of(panel_.lifecycles.begin(), panel_.lifecycles.end(),
                  [](const auto& lifecycle) { return lifecycle.on == LifecycleEvent::kMount; });
  if (!panel_.extensions.empty() && !mounts) {
    Warn("NO_MOUNT_WITH_EXTENSIONS", panel_.extensions.front().position,
         "extensions are used and there is no handler on mount that would check them first",
         "logic/extensions");
  }
}

}  // namespace nexus::internal
