#pragma once
/// The limits of a run: names, defaults, and how several levels combine (contract 5).

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/value.h"

namespace nexus {

enum class Limit : std::uint8_t {
  kMemory,        ///< "memory", bytes of linear memory; 32 MiB
  kStack,         ///< "stack", bytes of guest stack; 1 MiB
  kWall,          ///< "wall" (alias "timeout"), ms of running time; suspended time is free; 5,000
  kDeadline,      ///< "deadline", ms from start to end, suspended time included; none
  kCpu,           ///< "cpu", ms of CPU; 5,000
  kHostCalls,     ///< "hostCalls"; 10,000
  kMutations,     ///< "mutations", of state; 1,000
  kEvents,        ///< "events"; 100
  kViewCommands,  ///< "viewCommands"; 100
  kLog,           ///< "log", bytes; 256 KiB
  kResult,        ///< "result", bytes of encoded return value; 1 MiB
  kSuspensions,   ///< "suspensions", at once; 64
  kSnapshot,      ///< "snapshot", bytes; 8 MiB
};
inline constexpr int kLimitCount = 13;
inline constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};

std::string_view LimitName(Limit limit);
/// What one unit of the limit is, for messages: "bytes", "ms", "" for counts.
std::string_view LimitUnit(Limit limit);

/// The limits one level (node, tenant, role, agent, handler, run) names. A level that does not name
/// a limit does not raise it.
class Limits {
 public:
  /// `text` is "100ms", "2s", "32MiB", "64KiB", "500", or "none" where allowed (wall, deadline,
  /// cpu). Errors: kInvalidArgument naming the limit and the form expected; unknown names with a
  /// "did you mean"; 0 is refused, since it never means unlimited.
  Status Set(std::string_view name, std::string_view text);
  void Set(Limit limit, std::uint64_t value) { values_[Index(limit)] = value; }
  std::optional<std::uint64_t> Get(Limit limit) const { return values_[Index(limit)]; }
  /// Reads {"wall": "100ms", "hostCalls": 5}.
  static Result<Limits> FromValue(const Value& value);

  /// The lowest named value of both, limit by limit.
  Limits LowestWith(const Limits& other) const;

 private:
  static std::size_t Index(Limit limit) { return static_cast<std::size_t>(limit); }
  std::array<std::optional<std::uint64_t>, kLimitCount> values_{};
};

/// Every limit with a number: what is named, else the default of contract 5.
class ResolvedLimits {
 public:
  ResolvedLimits() : ResolvedLimits(Limits{}) {}
  explicit ResolvedLimits(const Limits& named);
  std::uint64_t operator[](Limit limit) const { return values_[static_cast<std::size_t>(limit)]; }

 private:
  std::array<std::uint64_t, kLimitCount> values_;
};

/// "32 MiB", "100 ms", "10000": for messages.
std::string FormatLimit(Limit limit, std::uint64_t value);

}  // namespace nexus
