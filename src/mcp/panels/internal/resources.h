#pragma once
/// A panel's resources: what `nexus://<panelId>/...` names, and who may read it.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mcp/server/provider.h"
#include "panel/host/panel_host.h"

namespace nexus::mcp::internal {

/// A URI taken apart: "nexus://tasks/state/items" -> tasks, state, items.
struct PanelPath {
  std::string panel_id, part, key;
};
/// nullopt when it is none of ours.
std::optional<PanelPath> ParsePanelUri(std::string_view uri);

void AppendResources(const Panel& panel, const Caller& caller, std::vector<Resource>& out);
std::vector<ResourceTemplate> PanelTemplates();
/// False for what does not exist too: a caller cannot tell the two apart.
bool MayReadPath(const Panel& panel, const PanelPath& path, const Caller& caller);
/// Reading it may run code: not on a transport's thread.
bool IsSlow(const PanelPath& path);
/// nullopt when there is no such thing (any more). MayReadPath has been asked.
std::optional<ReadResourceResult> ReadPath(Panel& panel, const PanelPath& path,
                                           const std::string& uri, const Caller& caller,
                                           std::size_t log_lines_max);
/// The URIs whose content an update changed.
std::vector<std::string> ChangedUris(const PanelUpdate& update);

}  // namespace nexus::mcp::internal
