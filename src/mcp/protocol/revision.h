#pragma once
/// The published revisions of the Model Context Protocol, and the two eras they fall into.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace nexus::mcp {

/// In order of publication, so that `<` means "older".
enum class Revision : std::uint8_t { k20241105, k20250326, k20250618, k20251125, k20260728 };

/// What `initialize` offers when the client asks for a revision that is not known here.
inline constexpr Revision kNewestLegacy = Revision::k20251125;
inline constexpr Revision kNewest = Revision::k20260728;

/// "2025-11-25"
std::string_view RevisionName(Revision revision);
std::optional<Revision> RevisionFromName(std::string_view name);
/// Oldest first.
std::span<const std::string_view> RevisionNames();

/// Modern: every request stands alone and says in `_meta` what it needs. Legacy: `initialize`
/// begins a session.
constexpr bool IsModern(Revision revision) { return revision >= Revision::k20260728; }

}  // namespace nexus::mcp
