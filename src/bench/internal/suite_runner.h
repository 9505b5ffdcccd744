#pragma once
/// What every suite does the same: it knows its figures with their bars, measures them in groups,
/// some in a process of their own, and emits what was asked for.

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/bench.h"

namespace nexus::bench {

/// A figure of a suite, and where it should be.
struct Promise {
  std::string_view name;
  std::string_view op;  ///< "<=" or ">="
  double bar;
  std::string_view unit;
  std::string_view what;  ///< One line for people.
};

/// What a group of figures is given.
struct Bench {
  const Options& options;
  /// Emits the figure `name` with its bar, when it was asked for.
  std::function<void(std::string_view name, double value, ValueObject details)> emit;
  std::function<bool(std::string_view name)> wanted;
  /// A line for people, on stderr.
  std::function<void(std::string_view text)> note;

  /// `full`, or about a tenth of it in a quick run.
  int Scaled(int full) const { return options.quick ? (full + 9) / 10 : full; }
};

/// Figures that are measured together.
struct Group {
  std::vector<std::string_view> names;
  Status (*measure)(const Bench&);
  /// Measured in a process of this program started for it: memory of earlier groups does not
  /// count, and nothing it spoils is used again.
  bool own_process = false;
};

struct SuitePlan {
  std::string_view name;
  std::span<const Promise> promises;
  std::span<const Group> groups;
  /// `--setup`; nullptr: the suite compares with nothing that would have to be installed.
  Status (*set_up)(const Bench&) = nullptr;
  /// Asked first: a process that a measurement started does its part and nothing else. nullptr:
  /// there are none.
  bool (*is_part)() = nullptr;
  Status (*do_part)(const Bench&) = nullptr;
};

/// Exit code, as Suite::run.
int RunSuite(const SuitePlan& plan, const Options& options, const Sink& sink);

}  // namespace nexus::bench
