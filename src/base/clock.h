#pragma once
/// Time comes in through an interface, so that a whole node can run on simulated time.

#include <atomic>
#include <cstdint>

namespace nexus {

/// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Milliseconds since 1970-01-01T00:00:00Z. May jump when someone sets the machine's clock.
  virtual std::int64_t UnixMs() const = 0;
  /// Nanoseconds since some fixed moment. Never goes back.
  virtual std::uint64_t MonotonicNs() const = 0;
};

class SystemClock final : public Clock {
 public:
  std::int64_t UnixMs() const override;
  std::uint64_t MonotonicNs() const override;
};

/// Stands still until told otherwise.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(std::int64_t unix_ms = 0) : unix_ms_(unix_ms) {}
  std::int64_t UnixMs() const override { return unix_ms_.load(); }
  std::uint64_t MonotonicNs() const override { return monotonic_ns_.load(); }
  void AdvanceMs(std::int64_t ms) {
    unix_ms_ += ms;
    monotonic_ns_ += static_cast<std::uint64_t>(ms) * 1'000'000;
  }
  /// As an operator who sets the clock: MonotonicNs is not moved.
  void SetUnixMs(std::int64_t unix_ms) { unix_ms_ = unix_ms; }

 private:
  std::atomic<std::int64_t> unix_ms_;
  std::atomic<std::uint64_t> monotonic_ns_{0};
};

}  // namespace nexus
