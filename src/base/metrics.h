#pragma once
/// Counting and measuring, cheap enough for the hot path.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace nexus {

/// Thread-safe. Cost: one relaxed atomic addition.
class Counter {
 public:
  void Add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Thread-safe.
class Gauge {
 public:
  void Set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void Add(std::int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

/// Distribution of whole numbers (nanoseconds, bytes). Buckets are log-linear: exact below 32, then
/// 16 to each power of two, so a percentile is at most 1/16 above the true value.
/// Thread-safe; a reading during writes is a mix of before and after. Size: about 8 KB.
class Histogram {
 public:
  void Record(std::uint64_t value);
  std::uint64_t count() const;
  std::uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }
  std::uint64_t max() const { return max_.load(std::memory_order_relaxed); }
  double Mean() const;
  /// The upper bound of the bucket that holds quantile `q` (0..1), at most max(); 0 when empty.
  std::uint64_t Percentile(double q) const;

 private:
  static constexpr std::size_t kLinear = 32;
  static constexpr std::size_t kBuckets = kLinear + (64 - 5) * 16;
  static std::size_t BucketOf(std::uint64_t value);
  static std::uint64_t UpperBound(std::size_t bucket);

  std::array<std::atomic<std::uint64_t>, kBuckets> buckets_{};
  std::atomic<std::uint64_t> sum_{0};
  std::atomic<std::uint64_t> max_{0};
};

}  // namespace nexus
