#pragma once
/// Clocks, percentiles and memory readings.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/value.h"

namespace nexus::bench {

std::int64_t NowNs();
/// CPU time of the calling thread.
std::int64_t CpuNs();

/// Measured times, in one unit of the caller's choice.
class Samples {
 public:
  void Add(double value) { values_.push_back(value); }
  void Reserve(std::size_t n) { values_.reserve(n); }
  std::size_t size() const { return values_.size(); }
  bool empty() const { return values_.empty(); }
  /// The value below which `fraction` of the samples lie; 0 when there are none.
  double Quantile(double fraction) const;
  double Median() const { return Quantile(0.5); }
  double Min() const { return Quantile(0); }
  double Max() const { return Quantile(1); }
  /// {samples, p50, p99, min}
  ValueObject Summary() const;

 private:
  mutable std::vector<double> values_;
  mutable std::size_t sorted_ = 0;  ///< How many were there when last sorted.
};

/// A field of /proc/self/smaps_rollup in KB: "Pss", "Rss", "Anonymous".
/// `pid` 0: of this process.
Result<std::int64_t> MemoryKb(std::string_view field, int pid = 0);
/// The highest resident size since the last ResetPeak, in KB.
Result<std::int64_t> PeakKb();
Status ResetPeak();

/// {cpu, cores, kernel, load}: what absolute figures depend on.
ValueObject DescribeMachine();

}  // namespace nexus::bench
