#pragma once
/// Which name stands for which panel's tool or prompt.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "panel/host/panel_host.h"

namespace nexus::mcp::internal {

/// Immutable; made anew when panels change.
class Names {
 public:
  struct ToolEntry {
    std::weak_ptr<Panel> panel;
    const PanelDefinition* definition = nullptr;  ///< As good as the panel.
    const ToolDefinition* tool = nullptr;
    std::string name;
  };
  struct PromptEntry {
    std::weak_ptr<Panel> panel;
    const PanelDefinition* definition = nullptr;
    const PromptDefinition* prompt = nullptr;
    std::string name;
  };

  Names(const std::vector<std::shared_ptr<Panel>>& panels, bool flat);

  const ToolEntry* FindTool(std::string_view name) const;
  const PromptEntry* FindPrompt(std::string_view name) const;
  const std::vector<ToolEntry>& tools() const { return tools_; }
  const std::vector<PromptEntry>& prompts() const { return prompts_; }
  /// Made from exactly these panels and definitions.
  bool IsOf(const std::vector<std::shared_ptr<Panel>>& panels) const;

 private:
  std::vector<const PanelDefinition*> definitions_;
  std::vector<ToolEntry> tools_;
  std::vector<PromptEntry> prompts_;
  std::unordered_map<std::string_view, std::size_t> tool_at_, prompt_at_;  // Views of the names.
};

}  // namespace nexus::mcp::internal
