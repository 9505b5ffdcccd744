#include "base/metrics.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace nexus {

std::size_t Histogram::BucketOf(std::uint64_t value) {
  if (value < kLinear) return static_cast<std::size_t>(value);
  const int exponent = std::bit_width(value) - 1;  // 5 or more
  const auto within = static_cast<std::size_t>(value >> (exponent - 4)) & 15;
  return kLinear + static_cast<std::size_t>(exponent - 5) * 16 + within;
}

std::uint64_t Histogram::UpperBound(std::size_t bucket) {
  if (bucket < kLinear) return bucket;
  const std::size_t exponent = (bucket - kLinear) / 16 + 5;
  const std::uint64_t within = (bucket - kLinear) % 16;
  return ((16 + within) << (exponent - 4)) + ((std::uint64_t{1} << (exponent - 4)) - 1);
}

void Histogram::Record(std::uint64_t value) {
  buckets_[BucketOf(value)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
  std::uint64_t seen = max_.load(std::memory_order_relaxed);
  while (value > seen && !max_.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

std::uint64_t Histogram::count() const {
  std::uint64_t total = 0;
  for (const auto& bucket : buckets_) total += bucket.load(std::memory_order_relaxed);
  return total;
}

double Histogram::Mean() const {
  const std::uint64_t total = count();
  return total == 0 ? 0 : static_cast<double>(sum()) / static_cast<double>(total);
}

std::uint64_t Histogram::Percentile(double q) const {
  std::array<std::uint64_t, kBuckets> counts;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    counts[i] = buckets_[i].load(std::memory_order_relaxed);
    total += counts[i];
  }
  if (total == 0) return 0;
  const double wanted = std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(total));
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += counts[i];
    if (seen >= rank) return std::min(UpperBound(i), max());
  }
  return max();
}

}  // namespace nexus
