#pragma once
/// What the server counts, and how Prometheus reads it.

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "panel/host/panel_host.h"
#include "sandbox/run_result.h"
#include "server/listener.h"

namespace nexus::internal {

/// Thread-safe.
class ServerMetrics {
 public:
  void CountRun(const std::string& panel_id, const RunResult& result);
  void CountResponse(int status) {
    const auto kind = static_cast<std::size_t>(status / 100);
    if (kind < responses_.size()) responses_[kind].fetch_add(1, std::memory_order_relaxed);
  }
  /// Prometheus text format 0.0.4.
  std::string Render(const PanelHost::Stats& host, const Listener::Stats& listener) const;
  std::uint64_t cache_hits_permille() const;
  std::uint64_t peak_memory_bytes() const { return peak_memory_bytes_; }

 private:
  static constexpr std::array<double, 11> kBounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                                     0.05,   0.1,   0.5,    1,     5};
  static constexpr std::size_t kPanelsMax = 1'000;
  struct PanelFigures {
    std::uint64_t runs = 0, duration_us = 0;
    std::array<std::uint64_t, kBounds.size()> buckets{};
  };
  std::array<std::atomic<std::uint64_t>, 6> responses_{};
  std::atomic<std::uint64_t> peak_memory_bytes_{0}, runs_ok_{0}, runs_failed_{0}, duration_us_{0},
      cache_hits_{0}, runs_{0};
  mutable std::mutex mutex_;
  std::map<std::string, PanelFigures, std::less<>> panels_;  // guarded by mutex_
  // Names of code, so there are few and they live as long as the program.
  std::map<std::string_view, std::uint64_t> calls_, errors_;  // guarded by mutex_
};

}  // namespace nexus::internal
