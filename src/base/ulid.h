#pragma once
/// ULIDs: ids of 26 characters (Crockford base 32) that sort by time of creation.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"

namespace nexus {

/// Makes ids from an injected clock and generator. Ids grow even within one millisecond and when
/// the clock goes back. Borrows both. Thread-compatible.
class UlidGenerator {
 public:
  UlidGenerator(const Clock& clock, Rng& rng) : clock_(clock), rng_(rng) {}
  std::string Next();

 private:
  const Clock& clock_;
  Rng& rng_;
  std::uint64_t last_ms_ = 0;
  std::uint64_t random_high_ = 0;  // 16 bits
  std::uint64_t random_low_ = 0;
};

/// An id for `unix_ms` from this thread's own generator, seeded by the kernel. Ids of one
/// thread grow within a millisecond. They are unique, not secret: an id is no proof of a right.
/// Cost: below 100 ns.
std::string NewUlid(std::int64_t unix_ms);

/// 26 Crockford digits in capitals, the first at most '7'.
bool IsUlid(std::string_view text);
/// The time in a ULID; 0 when `text` is none.
std::int64_t UlidUnixMs(std::string_view text);

}  // namespace nexus
