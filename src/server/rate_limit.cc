#include "server/rate_limit.h"

#include <algorithm>
#include <cmath>

namespace nexus {

double RateLimiter::TokensAt(const Bucket& bucket, std::int64_t now_ms) const {
  const double passed_s = static_cast<double>(now_ms - bucket.at_ms) / 1000;
  return std::min(options_.burst, bucket.tokens + std::max(0.0, passed_s) * options_.per_second);
}

std::int64_t RateLimiter::Take(std::string_view name, std::int64_t now_ms) {
  if (options_.per_second <= 0) return 0;
  auto found = buckets_.find(name);
  if (found == buckets_.end()) {
    if (buckets_.size() >= options_.names_max) Forget(now_ms);
    const Bucket full{.tokens = options_.burst, .at_ms = now_ms};
    found = buckets_.emplace(std::string(name), full).first;
  }
  Bucket& bucket = found->second;
  bucket.tokens = TokensAt(bucket, now_ms);
  bucket.at_ms = now_ms;
  if (bucket.tokens >= 1) {
    bucket.tokens -= 1;
    return 0;
  }
  const double wait_s = (1 - bucket.tokens) / options_.per_second;
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(wait_s)));
}

bool RateLimiter::IsSpent(std::string_view name, std::int64_t now_ms) const {
  if (options_.per_second <= 0) return false;
  const auto found = buckets_.find(name);
  return found != buckets_.end() && TokensAt(found->second, now_ms) < 1;
}

// A full bucket is as good as none. When all are in use the table starts anew: a moment of mercy
// costs less than memory without bound.
void RateLimiter::Forget(std::int64_t now_ms) {
  std::erase_if(buckets_, [&](const auto& entry) {
    return TokensAt(entry.second, now_ms) >= options_.burst;
  });
  if (buckets_.size() >= options_.names_max) buckets_.clear();
}

}  // namespace nexus
