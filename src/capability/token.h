#pragma once
/// Capability tokens: the words in which rights are declared, granted and denied (contract 4).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace nexus {

/// What a token is about. The wire word is in brackets.
enum class Right : std::uint8_t {
  kStateRead,   ///< "state:read", scope: a state key
  kStateWrite,  ///< "state:write", scope: a state key; covers delete, not read
  kEventEmit,   ///< "events:emit", scope: an event name
  kViewUpdate,  ///< "view:update", scope: a component id
  kExtension,   ///< "ext", scope: NAME or NAME.METHOD
  kToolCall,    ///< "tools:call", scope: a tool name
};
inline constexpr int kRightCount = 6;

std::string_view RightWord(Right right);

/// A right as people write it. `scope` is a name or "*" (all names); `*` counts only as the whole
/// last segment, so "ext:http.*" is http's every method and "ext:ht*" is an error.
struct CapabilityToken {
  std::string type;   ///< "state:read", "ext", ... one of RightWord
  std::string scope;  ///< "count", "*", "http.get"

  /// Reads "state:read:count", "ext:http", "tools:call:*".
  /// Errors: kInvalidArgument with the word that is wrong and, when one is near, what was meant.
  static Result<CapabilityToken> Parse(std::string_view text);
  /// Reads the {type, scope} form in all spellings in circulation: {"ext","http"},
  /// {"ext:http","*"}; a comma list in scope is the caller's to split (ParseCapabilityList).
  static Result<CapabilityToken> FromTypeAndScope(std::string_view type, std::string_view scope);

  Right right() const;  ///< Of a parsed token.
  std::string ToString() const;
  friend bool operator==(const CapabilityToken&, const CapabilityToken&) = default;
  friend auto operator<=>(const CapabilityToken&, const CapabilityToken&) = default;
};

/// FromTypeAndScope for each name of a comma list: {"state:read", "count, items"}.
Result<std::vector<CapabilityToken>> ParseCapabilityList(std::string_view type,
                                                         std::string_view scopes);

}  // namespace nexus
