#include "base/ulid.h"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <optional>

namespace nexus {
namespace {

constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::uint64_t kTimeMax = (std::uint64_t{1} << 48) - 1;
constexpr std::uint64_t kHighMask = 0xffff;

/// The parts of a ULID in order: 48 bits of time, 80 random bits.
struct UlidBits {
  std::uint64_t time_ms = 0;
  std::uint64_t high = 0;  // 16 bits
  std::uint64_t low = 0;

  /// The smallest id after this one.
  void Increment() {
    if (++low != 0) return;
    high = (high + 1) & kHighMask;
    if (high == 0) ++time_ms;
  }
};

std::string Format(const UlidBits& bits) {
  std::string text(26, '0');
  std::uint64_t time = bits.time_ms & kTimeMax;
  for (int i = 9; i >= 0; --i, time >>= 5) text[static_cast<std::size_t>(i)] = kDigits[time & 31];
  // 16 digits of 5 bits: the last 12 lie in `low`, the 13th takes its upper 4 bits and 1 of `high`.
  std::uint64_t low = bits.low;
  for (int i = 25; i >= 14; --i, low >>= 5) text[static_cast<std::size_t>(i)] = kDigits[low & 31];
  std::uint64_t rest = low | bits.high << 4;
  for (int i = 13; i >= 10; --i, rest >>= 5) {
    text[static_cast<std::size_t>(i)] = kDigits[rest & 31];
  }
  return text;
}

/// `last` becomes the next id's bits: fresh random ones in a new millisecond, else the successor.
void Advance(UlidBits& last, std::int64_t unix_ms, Rng& rng) {
  const std::uint64_t now =
      std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(unix_ms, 0)), kTimeMax);
  if (now <= last.time_ms && (last.low != 0 || last.high != 0)) return last.Increment();
  last = {.time_ms = now, .high = rng.Next() & kHighMask, .low = rng.Next()};
}

// A forked child has its parent's generators; it must not make its parent's ids.
std::atomic<std::uint32_t> fork_generation{0};

struct ThreadGenerator {
  std::uint32_t generation = fork_generation.load(std::memory_order_relaxed);
  FastRng rng{SystemEntropy64()};
  UlidBits last;
};

}  // namespace

std::string UlidGenerator::Next() {
  UlidBits bits{.time_ms = last_ms_, .high = random_high_, .low = random_low_};
  Advance(bits, clock_.UnixMs(), rng_);
  last_ms_ = bits.time_ms;
  random_high_ = bits.high;
  random_low_ = bits.low;
  return Format(bits);
}

std::string NewUlid(std::int64_t unix_ms) {
  static const int registered = pthread_atfork(
      nullptr, nullptr, [] { fork_generation.fetch_add(1, std::memory_order_relaxed); });
  (void)registered;
  thread_local std::optional<ThreadGenerator> generator;
  if (!generator || generator->generation != fork_generation.load(std::memory_order_relaxed))
      [[unlikely]] {
    generator.emplace();
  }
  // Unlike UlidGenerator this takes the time it is given: a caller's clock may be a simulated one
  // that starts over.
  UlidBits& last = generator->last;
  if (static_cast<std::uint64_t>(unix_ms) != last.time_ms) last = {};
  Advance(last, unix_ms, generator->rng);
  return Format(last);
}

bool IsUlid(std::string_view text) {
  return text.size() == 26 && text[0] <= '7' && std::all_of(text.begin(), text.end(), [](char c) {
           return kDigits.find(c) != std::string_view::npos;
         });
}

std::int64_t UlidUnixMs(std::string_view text) {
  if (!IsUlid(text)) return 0;
  std::uint64_t time = 0;
  for (const char c : text.substr(0, 10)) time = time << 5 | kDigits.find(c);
  return static_cast<std::int64_t>(time);
}

}  // namespace nexus
