#pragma once
/// What calls with an idempotency key came to, so that the same call again does nothing again.

#include <cstddef>
#include <list>
#include <map>
#include <optional>
#include <string>

#include "panel/host/internal/live_run.h"

namespace nexus::internal {

inline constexpr std::size_t kIdempotencyKeysMax = 4096;
inline constexpr std::size_t kIdempotencyBytesMax = std::size_t{16} << 20;

/// What a result holds, about: its values and lists.
std::size_t ResultBytes(const RunResult& result);

/// Of one panel. The oldest keys go when there are more than kIdempotencyKeysMax, or their results
/// take more than kIdempotencyBytesMax. Not thread-safe.
class IdempotencyKeys {
 public:
  struct Entry {
    LiveRunPtr run;                   ///< While it lives.
    std::optional<RunResult> result;  ///< When it has ended.
  };

  /// The call that has `key` already; nullptr: none had, and now `run` has it.
  const Entry* Claim(const std::string& key, const LiveRunPtr& run);
  /// The call of `key` came to this. A key that is not known any more stays forgotten, unless
  /// `restored`.
  void Ended(const std::string& key, RunResult result, bool restored = false);
  /// The call of `key` came to nothing: it may be made again.
  void Release(const std::string& key);
  void Clear();

 private:
  struct Kept {
    Entry entry;
    std::size_t bytes = 0;
    std::list<std::string>::iterator place;
  };
  using Map = std::map<std::string, Kept, std::less<>>;

  Map::iterator Add(const std::string& key);
  void Remove(Map::iterator at);
  void Trim();

  Map keys_;
  std::list<std::string> order_;  ///< Oldest first.
  std::size_t bytes_ = 0;
};

}  // namespace nexus::internal
