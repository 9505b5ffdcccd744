#pragma once
/// `nexus serve` of this very program, in a process of its own, with panels made for a measurement.

#include <cstdint>
#include <optional>
#include <string>

#include "bench/internal/places.h"
#include "bench/internal/suite_runner.h"

namespace nexus::bench {

class ServedPanels {
 public:
  /// Panels p0, p1, ... as CounterPanel. `journaled`: synced, in a temporary folder beside the
  /// user's state, because that is on a real disk and /tmp may not be.
  static Result<ServedPanels> Start(int panels, bool journaled);
  ServedPanels(ServedPanels&&) noexcept = default;
  ServedPanels& operator=(ServedPanels&&) = delete;
  ~ServedPanels() = default;

  std::uint16_t port() const { return port_; }
  /// CPU time of the server so far, user and system, in microseconds.
  Result<double> CpuUs() const;
  /// Resident memory in KB.
  Result<double> ResidentKb() const;

 private:
  ServedPanels(TemporaryDir folder, Process process, std::uint16_t port)
      : folder_(std::move(folder)), process_(std::move(process)), port_(port) {}
  TemporaryDir folder_;  // Goes last.
  Process process_;
  std::uint16_t port_;
};

/// Commits of one small row a second that SQLite makes on the disk of the measurement, synced:
/// what stands beside figures of journaled work.
Result<double> RawCommitsPerS(const Bench& bench);

}  // namespace nexus::bench
