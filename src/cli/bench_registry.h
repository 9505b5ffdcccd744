#pragma once
/// Where benchmark suites are registered: `nexus bench SUITE`.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/value.h"

namespace nexus {

struct BenchFigure {
  std::string name;
  double value = 0;
  std::string unit;
  std::string op;  ///< "<=" or ">=": how `value` should stand to `bar`; empty: no bar.
  double bar = 0;
  std::string what;  ///< How it was measured, for people.
  Value details;     ///< Optional object with what else is worth knowing.
};

struct BenchOptions {
  bool quick = false;             ///< A tenth of the work: for tests.
  bool setup = false;             ///< Install what the suite compares with, and measure nothing.
  std::vector<std::string> only;  ///< Names of figures; empty: all.
  std::string cache_dir;
};

/// Takes figures as they come. Called on the suite's thread.
using BenchSink = std::function<void(const BenchFigure&)>;

struct BenchSuite {
  std::string name;
  std::string summary;
  /// Exit code of the command.
  std::function<int(const BenchOptions&, const BenchSink&)> run;
};

/// Suites in the order they were added. Thread-compatible.
class BenchRegistry {
 public:
  void Add(BenchSuite suite) { suites_.push_back(std::move(suite)); }
  const std::vector<BenchSuite>& suites() const { return suites_; }

 private:
  std::vector<BenchSuite> suites_;
};

/// Defined by the module cli/bench when it is part of the build.
void RegisterBenchmarks(BenchRegistry& registry);

}  // namespace nexus
