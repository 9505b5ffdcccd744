#include "bench/internal/suite_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "base/check.h"
#include "base/json.h"
#include "bench/internal/measure.h"
#include "bench/internal/places.h"

namespace nexus::bench {
namespace {

/// Set in the processes a suite starts of this program.
constexpr const char* kChildVariable = "NEXUS_BENCH_CHILD";

void Note(std::string_view text) { fmt::print(stderr, "bench: {}\n", text); }

class SuiteRun {
 public:
  SuiteRun(const SuitePlan& plan, const Options& options, const Sink& sink)
      : plan_(plan),
        options_(options),
        sink_(sink),
        machine_(DescribeMachine()),
        bench_{.options = options_,
               .emit = [this](std::string_view name, double value,
                              ValueObject details) { Emit(name, value, std::move(details)); },
               .wanted = [this](std::string_view name) { return Wanted(name); },
               .note = Note} {}

  int Run() {
    if (options_.setup) {
      return plan_.set_up == nullptr ? 0 : Report("setup", plan_.set_up(bench_));
    }
    if (plan_.is_part != nullptr && plan_.is_part()) return Report("part", plan_.do_part(bench_));
    if (!CheckNames()) return 2;
    const bool child = std::getenv(kChildVariable) != nullptr;
    int exit_code = 0;
    for (const Group& group : plan_.groups) {
      if (std::none_of(group.names.begin(), group.names.end(),
                       [this](std::string_view name) { return Wanted(name); })) {
        continue;
      }
      const Status measured =
          group.own_process && !child ? MeasureInChild(group) : group.measure(bench_);
      exit_code = std::max(exit_code, Report(group.names.front(), measured));
    }
    return exit_code;
  }

 private:
  static int Report(std::string_view what, const Status& status) {
    if (status) return 0;
    Note(fmt::format("{}: {}", what, status.error().message()));
    return 1;
  }

  bool CheckNames() const {
    for (const std::string& name : options_.only) {
      if (Find(name) == nullptr) {
        Note(fmt::format("--only {}: the suite {} has no such figure", name, plan_.name));
        return false;
      }
    }
    return true;
  }

  bool Wanted(std::string_view name) const {
    return options_.only.empty() ||
           std::find(options_.only.begin(), options_.only.end(), name) != options_.only.end();
  }

  void Emit(std::string_view name, double value, ValueObject details) {
    if (!Wanted(name)) return;
    const Promise* const promise = Find(name);
    NEXUS_CHECK(promise != nullptr);
    if (options_.quick) details.Set("quick", true);
    if (details.Find("machine") == nullptr) details.Append("machine", Value(machine_));
    sink_({.name = std::string(name),
           .value = value,
           .unit = std::string(promise->unit),
           .op = std::string(promise->op),
           .bar = promise->bar,
           .what = std::string(promise->what),
           .details = std::move(details)});
  }

  // Runs the group in a process of its own and hands its figures on.
  Status MeasureInChild(const Group& group) {
    std::vector<std::string> arguments = {"/proc/self/exe", "bench", std::string(plan_.name),
                                          "--json"};
    if (options_.quick) arguments.emplace_back("--quick");
    for (const std::string_view name : group.names) {
      arguments.insert(arguments.end(), {"--only", std::string(name)});
    }
    NEXUS_TRY(Process child, Process::Start(arguments, {std::string(kChildVariable) + "=1"}));
    for (;;) {
      const Result<std::string> line = child.ReadLine();
      if (!line) break;
      NEXUS_TRY(const Value figure, ParseJson(*line));
      const ValueObject* const fields = figure.As<ValueObject>();
      if (fields == nullptr) return Fail(Code::kInternal, "a figure is no object: " + *line);
      ValueObject details;
      for (const auto& [key, value] : *fields) {
        constexpr std::array kOwn = {"suite", "name", "value", "unit", "op", "bar", "ok", "what"};
        if (std::find(kOwn.begin(), kOwn.end(), key) == kOwn.end()) details.Append(key, value);
      }
      Emit(figure.StringOr("name", ""), figure.NumberOr("value", 0), std::move(details));
    }
    const int status = child.Wait();
    if (status == 0) return {};
    return Fail(Code::kInternal, fmt::format("the process that measures it ended with {}", status));
  }

  const Promise* Find(std::string_view name) const {
    const auto found = std::find_if(plan_.promises.begin(), plan_.promises.end(),
                                    [name](const Promise& p) { return p.name == name; });
    return found == plan_.promises.end() ? nullptr : &*found;
  }

  const SuitePlan& plan_;
  const Options& options_;
  const Sink& sink_;
  const ValueObject machine_;
  const Bench bench_;
};

}  // namespace

int RunSuite(const SuitePlan& plan, const Options& options, const Sink& sink) {
  return SuiteRun(plan, options, sink).Run();
}

}  // namespace nexus::bench
