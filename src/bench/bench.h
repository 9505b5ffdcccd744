#pragma once
/// The figures the project promises, measured the way a user would get them: arguments in, result
/// out, checks on, everything undone, every answer verified.
///
///   for (const bench::Suite& suite : bench::Suites()) suite.run({.quick = true}, print);
///
/// Ratios are taken within one run, the two sides in turns, because absolute times depend on what
/// else the machine does.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/value.h"

namespace nexus::bench {

struct Figure {
  std::string name;
  double value = 0;
  std::string unit;
  std::string op;  ///< "<=" or ">=": how `value` should stand to `bar`; empty: no bar.
  double bar = 0;
  std::string what;     ///< One line for people.
  ValueObject details;  ///< samples, p50, p99, min, both sides of a ratio, the machine.

  bool Holds() const { return op == ">=" ? value >= bar : op != "<=" || value <= bar; }
};

struct Options {
  bool quick = false;             ///< A tenth of the work: for tests.
  bool setup = false;             ///< Install what the suite compares with; measure nothing.
  std::vector<std::string> only;  ///< Figures wanted; empty: all.
  std::string cache_dir;          ///< What can be made again; empty: the user's cache folder.
};

/// Takes figures as they come, on the suite's thread.
using Sink = std::function<void(const Figure&)>;

struct Suite {
  std::string name;
  std::string summary;
  /// 0 when everything asked for was measured and every answer was right; a figure short of its bar
  /// is no failure. What goes wrong is told on stderr and its figures are left out. Blocks for
  /// minutes; starts processes of this program (/proc/self/exe), so it must not be called before
  /// main.
  std::function<int(const Options&, const Sink&)> run;
};

const std::vector<Suite>& Suites();

}  // namespace nexus::bench
