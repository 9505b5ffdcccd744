#include "mcp/panels/internal/names.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "base/hash.h"
#include "mcp/panels/panel_provider.h"

namespace nexus::mcp {
namespace {

constexpr std::size_t kNameMax = 64;
constexpr std::size_t kHashDigits = 8;

bool IsPlain(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
}

}  // namespace

std::string QualifiedName(std::string_view panel_id, std::string_view name) {
  std::string whole(panel_id);
  whole += "__";
  whole += name;
  std::string plain = whole;
  for (char& c : plain) {
    if (!IsPlain(c)) c = '_';
  }
  if (plain == whole && plain.size() <= kNameMax) return plain;
  plain.resize(std::min(plain.size(), kNameMax - kHashDigits - 1));
  plain += '_';
  plain += Sha256Hex(whole).substr(0, kHashDigits);
  return plain;
}

std::string PanelUri(std::string_view panel_id, std::string_view part, std::string_view key) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string uri = "nexus://";
  const auto append = [&uri](std::string_view text) {
    for (const char c : text) {
      if (IsPlain(c) || c == '.' || c == '~') {
        uri += c;
        continue;
      }
      const auto byte = static_cast<unsigned char>(c);
      uri += '%';
      uri += kDigits[byte >> 4];
      uri += kDigits[byte & 15];
    }
  };
  append(panel_id);
  uri += '/';
  uri += part;
  if (!key.empty()) {
    uri += '/';
    append(key);
  }
  return uri;
}

namespace internal {
namespace {

std::string NameFor(const PanelDefinition& panel, const std::string& name, bool flat,
                    std::set<std::string>& taken) {
  std::string chosen;
  const bool bare = flat && !name.empty() && name.size() <= kNameMax &&
                    std::all_of(name.begin(), name.end(), &IsPlain) && !taken.contains(name);
  chosen = bare ? name : QualifiedName(panel.id, name);
  taken.insert(chosen);
  return chosen;
}

}  // namespace

Names::Names(const std::vector<std::shared_ptr<Panel>>& panels, bool flat) {
  std::set<std::string> tool_names, prompt_names;
  for (const auto& panel : panels) {
    const PanelDefinition& definition = panel->definition();
    definitions_.push_back(&definition);
    for (const ToolDefinition& tool : definition.tools) {
      tools_.push_back({.panel = panel,
                        .definition = &definition,
                        .tool = &tool,
                        .name = NameFor(definition, tool.name, flat, tool_names)});
    }
    for (const PromptDefinition& prompt : definition.prompts) {
      prompts_.push_back({.panel = panel,
                          .definition = &definition,
                          .prompt = &prompt,
                          .name = NameFor(definition, prompt.name, flat, prompt_names)});
    }
  }
  for (std::size_t i = 0; i < tools_.size(); ++i) tool_at_.emplace(tools_[i].name, i);
  for (std::size_t i = 0; i < prompts_.size(); ++i) prompt_at_.emplace(prompts_[i].name, i);
}

const Names::ToolEntry* Names::FindTool(std::string_view name) const {
  const auto found = tool_at_.find(name);
  return found == tool_at_.end() ? nullptr : &tools_[found->second];
}

const Names::PromptEntry* Names::FindPrompt(std::string_view name) const {
  const auto found = prompt_at_.find(name);
  return found == prompt_at_.end() ? nullptr : &prompts_[found->second];
}

bool Names::IsOf(const std::vector<std::shared_ptr<Panel>>& panels) const {
  if (panels.size() != definitions_.size()) return false;
  for (std::size_t i = 0; i < panels.size(); ++i) {
    if (&panels[i]->definition() != definitions_[i]) return false;
  }
  return true;
}

}  // namespace internal
}  // namespace nexus::mcp
