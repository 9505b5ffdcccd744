// nexus bench [SUITE]: measures, one figure a line.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "bench/bench.h"
#include "cli/exit_codes.h"
#include "cli/internal/command.h"

namespace nexus::internal {
namespace {

constexpr const char* kFooter = R"(Examples:
  nexus bench --list
  nexus bench sandbox
  nexus bench sandbox --only fresh_run_p50 --json)";

class BenchCommand final : public Command {
 public:
  CLI::App* Declare(CLI::App& root) override {
    CLI::App* app = root.add_subcommand("bench", "Measure, one figure a line");
    app->add_option("SUITE", suite_, "The suite (default: all)");
    app->add_option("--only", options_.only, "Only this figure; repeat")
        ->type_name("NAME")
        ->allow_extra_args(false);
    app->add_flag("--list", list_, "Show the suites");
    app->add_flag("--quick", options_.quick, "A tenth of the work, for a first impression");
    app->add_flag("--setup", options_.setup,
                  "Install what the suite compares with (needs the network)");
    app->add_option("--cache-dir", options_.cache_dir, "Where compiled programs are kept")
        ->type_name("DIR");
    app->add_flag("--json", json_, "Print one JSON object a figure on stdout");
    app->footer(kFooter);
    return app;
  }

  int Run() override {
    if (list_) return List();
    std::vector<std::string_view> names;
    for (const bench::Suite& suite : bench::Suites()) names.push_back(suite.name);
    if (!suite_.empty() && std::find(names.begin(), names.end(), suite_) == names.end()) {
      return FailWith(
          Error(Code::kInvalidArgument,
                fmt::format("bench: there is no suite '{}'{}: nexus bench --list shows them",
                            suite_, DidYouMean(suite_, names))),
          json_);
    }
    int exit_code = kExitSuccess;
    for (const bench::Suite& suite : bench::Suites()) {
      if (!suite_.empty() && suite.name != suite_) continue;
      const int one =
          suite.run(options_, [&](const bench::Figure& figure) { Print(suite.name, figure); });
      exit_code = exit_code == kExitSuccess ? one : exit_code;
    }
    return exit_code;
  }

 private:
  int List() const {
    for (const bench::Suite& suite : bench::Suites()) {
      if (json_) {
        PrintJson(Value::Object({{"suite", suite.name}, {"summary", suite.summary}}));
      } else {
        Terminal(stdout).Line(fmt::format("{:<12} {}", suite.name, suite.summary));
      }
    }
    return kExitSuccess;
  }

  void Print(const std::string& suite, const bench::Figure& figure) const {
    const bool holds = figure.Holds();
    if (json_) {
      ValueObject object = {
          {"suite", suite}, {"name", figure.name}, {"value", figure.value}, {"unit", figure.unit}};
      if (!figure.op.empty()) {
        object.Append("op", figure.op);
        object.Append("bar", figure.bar);
        object.Append("ok", holds);
      }
      if (!figure.what.empty()) object.Append("what", figure.what);
      for (const auto& [name, value] : figure.details) object.Set(name, value);
      PrintJson(Value(std::move(object)));
    } else {
      const std::string bar =
          figure.op.empty() ? "" : fmt::format("{} {:g}", figure.op, figure.bar);
      const char* const verdict = figure.op.empty() ? "" : holds ? "ok" : "SHORT";
      Terminal(stdout).Line(fmt::format("{:<6} {}.{:<28} {:>10.5g} {:<6} {:<11} {}", verdict, suite,
                                        figure.name, figure.value, figure.unit, bar, figure.what));
    }
    std::fflush(stdout);
  }

  std::string suite_;
  bench::Options options_;
  bool list_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeBenchCommand() { return std::make_unique<BenchCommand>(); }

}  // namespace nexus::internal
