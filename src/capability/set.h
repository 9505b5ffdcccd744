#pragma once
/// A set of granted rights, compiled so that a check costs one hash look-up, and the rule by which
/// sets shrink from panel to session to role to agent to run.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/value.h"
#include "capability/token.h"

namespace nexus {

/// A number of uses that several grants may draw on together: when attenuation splits
/// "ext:http, 3 calls" into http.get and http.post, the two still share three calls.
struct CallBudget {
  std::string id;  ///< Of the grant it was declared on: "ext:http#3".
  std::uint32_t calls_max = 0;
  friend bool operator==(const CallBudget&, const CallBudget&) = default;
};

/// Restricts one grant further. An empty condition restricts nothing.
struct GrantConditions {
  std::optional<std::int64_t> expires_unix_ms;  ///< Not valid at or after this time.
  /// Only calls that name a path, and one at or below this: whole segments ("src" covers "src/a",
  /// not "srcx"), "" every relative path. A path with ".." is below nothing. A call that names no
  /// path is denied, because what it would touch is not known.
  std::optional<std::string> path_prefix;
  std::optional<std::uint32_t> calls_max;  ///< Uses in one run.
  /// Filled by CapabilitySet from calls_max; leave it empty.
  std::vector<CallBudget> budgets;

  bool empty() const { return !expires_unix_ms && !path_prefix && !calls_max; }
  /// As declared: budgets do not count.
  friend bool operator==(const GrantConditions& a, const GrantConditions& b) {
    return a.expires_unix_ms == b.expires_unix_ms && a.path_prefix == b.path_prefix &&
           a.calls_max == b.calls_max;
  }
};

/// Segments joined by "/", without empty and "." segments, a leading "/" kept: "./src//a" ->
/// "src/a". nullopt when a segment is ".." or the path holds a NUL byte: such a path could name
/// anything.
std::optional<std::string> NormalizePath(std::string_view path);
/// Both normalised. "" is above every relative path, "/" above every absolute one.
bool IsAtOrBelow(std::string_view path, std::string_view prefix);

struct Grant {
  CapabilityToken token;
  GrantConditions conditions;
  friend bool operator==(const Grant&, const Grant&) = default;
};

/// `[{type, scope, expires?, pathPrefix?, calls?}]`, as CapabilitySet::FromValue reads it.
Value GrantsToValue(const std::vector<Grant>& grants);

/// What a look-up says: kConditional means the gate has to judge the covering grants.
enum class Coverage : std::uint8_t { kNone, kConditional, kAlways };

/// Immutable once built. Thread-safe to read. Copy is cheap (shared, immutable content).
class CapabilitySet {
 public:
  CapabilitySet();  ///< Grants nothing.
  /// Grants that another one of the same token makes superfluous are dropped, and those whose path
  /// prefix has no meaning ("..") as well: they could never be used.
  explicit CapabilitySet(std::vector<Grant> grants);
  static CapabilitySet Of(const std::vector<CapabilityToken>& tokens);
  /// Parses each text; on the first bad one its error.
  static Result<CapabilitySet> Parse(const std::vector<std::string>& tokens);
  /// Reads an array of strings and {type, scope, expires?, pathPrefix?, calls?} objects. `scope`
  /// may be a comma list, `expires` is a number (Unix ms) or a Date. Errors name the index.
  static Result<CapabilitySet> FromValue(const Value& value);

  /// The grants that cover `name` (and, for kExtension, `method`: a grant of NAME covers all its
  /// methods, NAME.METHOD one). Conditions are the gate's to judge. nullptr when none does; several
  /// grants may cover: each is offered in order of declaration.
  std::vector<const Grant*> Covering(Right right, std::string_view name,
                                     std::string_view method = {}) const;
  /// One or two hash look-ups, no allocation: the hot path.
  Coverage CoverageOf(Right right, std::string_view name, std::string_view method = {}) const;
  /// Covered by at least one grant, conditions aside. No allocation.
  bool Covers(Right right, std::string_view name, std::string_view method = {}) const;
  /// As Covering, for some method of the extension: what lists of extensions are filtered by.
  std::vector<const Grant*> CoveringPartOf(std::string_view extension) const;
  /// False when no grant carries a condition, so that Covers alone decides.
  bool HasConditions() const;

  /// What both allow: every right of the result is covered by `this` and by `ceiling`, and carries
  /// the conditions of both. Laws (property-tested): result <= each side; commutative in what it
  /// covers; idempotent.
  CapabilitySet AttenuatedBy(const CapabilitySet& ceiling) const;
  /// Every grant here is covered by one of `other` that is no stricter.
  bool IsSubsetOf(const CapabilitySet& other) const;

  const std::vector<Grant>& grants() const;
  std::vector<std::string> ToStrings() const;
  bool empty() const { return grants().empty(); }

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace nexus
