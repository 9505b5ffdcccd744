#pragma once
/// Request targets in parts, and the checks of names a browser could be tricked about.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nexus::internal {

struct Target {
  std::vector<std::string> segments;  ///< Percent-decoded; "/" has none.
  std::string_view query;
};
/// nullopt: malformed (bad percent-encoding, a NUL, no leading slash).
std::optional<Target> ParseTarget(std::string_view target);
/// nullopt: there is no such parameter. Malformed encoding counts as it stands.
std::optional<std::string> QueryValue(std::string_view query, std::string_view name);
/// The whole text is a number below 2^53.
std::optional<std::uint64_t> WholeNumber(std::string_view text);

/// A Host header that no foreign name server could have made: an IP address, localhost or one of
/// `allowed` (RFC 6454, "DNS rebinding").
bool HostIsAllowed(std::string_view host, const std::vector<std::string>& allowed);
/// "" (no browser), the server's own origin, or one of `allowed`.
bool OriginIsAllowed(std::string_view origin, std::string_view host,
                     const std::vector<std::string>& allowed);

}  // namespace nexus::internal
