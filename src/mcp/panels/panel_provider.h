#pragma once
/// Panels as a Model Context Protocol server sees them (contract 9): tools, resources, prompts and
/// completion, cut to what the caller's capability set allows.
///
/// A tool is `<panelId>__<tool>`, whatever other panels there are; a resource is
/// `nexus://<panelId>/state` and what stands beside it; a prompt is `<panelId>__<prompt>`.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "mcp/server/provider.h"
#include "panel/host/panel_host.h"

namespace nexus::mcp {

struct PanelProviderOptions {
  /// Bare names. A name that an earlier panel (by id) has is `<panelId>__<name>` all the same.
  bool flat = false;
  std::size_t log_lines_max = 200;    ///< Of `nexus://<panelId>/log`.
  std::size_t slow_jobs_max = 1'000;  ///< Reads that wait for computed values; above: refused.
};

/// `<panelId>__<name>`: at most 64 characters of [A-Za-z0-9_-]. Other characters become `_`, and a
/// name that was changed or is too long ends in `_` and 8 hexadecimal digits of its hash.
std::string QualifiedName(std::string_view panel_id, std::string_view name);
/// "nexus://tasks/state/items", each part percent-encoded.
std::string PanelUri(std::string_view panel_id, std::string_view part, std::string_view key = {});

class PanelProvider : public Provider {
 public:
  /// Borrows `host`.
  static std::unique_ptr<PanelProvider> Create(PanelHost& host, PanelProviderOptions options);
  /// Panels came, went or were changed: whoever wants to know is told.
  virtual void PanelsChanged() = 0;
};

}  // namespace nexus::mcp
