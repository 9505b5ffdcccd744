#pragma once
/// A panel's tool as the protocol shows it, and its run as a call's result.

#include <memory>
#include <string>

#include "mcp/server/provider.h"
#include "panel/host/panel_host.h"

namespace nexus::mcp::internal {

Tool ToolOf(const PanelDefinition& panel, const ToolDefinition& tool, std::string name);
/// Starts the run and brings what becomes of it back through `call`.
void RunTool(const std::shared_ptr<Panel>& panel, const ToolDefinition& tool,
             const std::shared_ptr<Call>& call, Value arguments);

}  // namespace nexus::mcp::internal
