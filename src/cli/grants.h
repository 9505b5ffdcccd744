#pragma once
/// Capabilities as they are written on the command line.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "capability/set.h"

namespace nexus {

/// "ext:code.read", or with conditions "ext:code.read?path=src/&calls=10&for=5m": only below a
/// path, that many calls, for that long from `now_unix_ms` on. Errors: kInvalidArgument, with a
/// "did you mean".
Result<Grant> ParseGrant(std::string_view text, std::int64_t now_unix_ms);

/// What `nexus run` grants: each `--cap`, and all of the given state.
Result<CapabilitySet> ParseGrants(const std::vector<std::string>& texts, bool with_state,
                                  std::int64_t now_unix_ms);

}  // namespace nexus
