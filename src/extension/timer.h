#pragma once
/// The extension `timer`: a run waits without holding a thread, an instance or a connection.
///
///   await $ext.timer.sleep(60_000)                    // a minute, across a restart of the host
///   await $ext.timer.until('2030-01-01T00:00:00Z')    // a Date, Unix milliseconds or ISO 8601
///
/// Both answer {dueMs, lateMs}: when the wait was to end, and how much later it did. A call that is
/// repeated with the same idempotency key after a restart waits for the rest of its time only: the
/// moment a sleep ends is chosen when the key is seen first and kept, in `file` when there is one.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "sandbox/bindings.h"

namespace nexus {

struct TimerOptions {
  std::string file;                 ///< Where due times are kept; empty: in memory.
  const Clock* clock = nullptr;     ///< Borrowed; nullptr: the system's.
  std::size_t waits_max = 100'000;  ///< At once; above that a call fails as OVERLOADED.
  /// How long a due time is remembered after it passed, for a repeat of a call whose answer was
  /// lost.
  std::int64_t kept_ms = std::int64_t{24} * 3600 * 1000;
  /// How often the clocks are compared, to notice that someone set the wall clock; also the
  /// longest time a simulated clock goes unnoticed.
  std::uint32_t check_ms = 1000;
};

/// One thread serves all waits; it starts with the first. `sleep` follows the monotonic clock,
/// `until` the wall clock. Thread-safe. Destruction ends the waits with UNAVAILABLE. Cost of a
/// wait: an entry of an ordered map, and with a file one small write.
class TimerExtension final : public Extension {
 public:
  /// Errors: as SqliteFile::Open for a file that cannot be used; kDataLoss for one of another kind.
  static Result<std::shared_ptr<TimerExtension>> Create(TimerOptions options);
  ~TimerExtension() override;

  std::string_view name() const override { return "timer"; }
  std::span<const MethodDescriptor> methods() const override;
  void Call(ExtensionCall call, AnswerFunction done) override;
  void Abandon(std::string_view run_id) override;

 private:
  class Wheel;
  explicit TimerExtension(std::unique_ptr<Wheel> wheel);
  std::unique_ptr<Wheel> wheel_;
};

}  // namespace nexus
