#include "mcp/protocol/revision.h"

#include <algorithm>
#include <array>

namespace nexus::mcp {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"2024-11-05", "2025-03-26", "2025-06-18",
                                                    "2025-11-25", "2026-07-28"};

}  // namespace

std::string_view RevisionName(Revision revision) {
  return kNames[static_cast<std::size_t>(revision)];
}

std::optional<Revision> RevisionFromName(std::string_view name) {
  const auto* const found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Revision>(found - kNames.begin());
}

std::span<const std::string_view> RevisionNames() { return kNames; }

}  // namespace nexus::mcp
