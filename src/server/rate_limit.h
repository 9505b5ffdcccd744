#pragma once
/// Token buckets by name: so many requests a second, with a burst.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace nexus {

struct RateLimitOptions {
  double per_second = 0;  ///< 0 in code: no limit. Configuration says "none".
  double burst = 0;
  std::size_t names_max = 100'000;
};

/// Thread-compatible: the listener's thread owns it.
class RateLimiter {
 public:
  explicit RateLimiter(RateLimitOptions options) : options_(options) {}
  /// 0 when the request may go on (and is counted), else after how many seconds to try again.
  std::int64_t Take(std::string_view name, std::int64_t now_ms);
  /// Whether Take would refuse, without counting.
  bool IsSpent(std::string_view name, std::int64_t now_ms) const;

 private:
  struct Bucket {
    double tokens = 0;
    std::int64_t at_ms = 0;
  };
  double TokensAt(const Bucket& bucket, std::int64_t now_ms) const;
  void Forget(std::int64_t now_ms);
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  RateLimitOptions options_;
  std::unordered_map<std::string, Bucket, Hash, std::equal_to<>> buckets_;
};

}  // namespace nexus
