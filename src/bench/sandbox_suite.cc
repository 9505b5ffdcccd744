// The suite `sandbox`: its figures with their bars, and the order in which they are measured.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

#include "base/json.h"
#include "bench/bench.h"
#include "bench/internal/measure.h"
#include "bench/internal/places.h"
#include "bench/internal/sandbox_measures.h"

namespace nexus::bench {
namespace {

struct Promise {
  std::string_view name;
  std::string_view op;
  double bar;
  std::string_view unit;
  std::string_view what;
};

constexpr Promise kPromises[] = {
    {"fresh_run_vs_engine", "<=", 1.6, "ratio",
     "fresh run through the public API / bare engine call + reset"},
    {"fresh_run_p50", "<=", 15, "us",
     "fresh run of args.a + args.b: arguments in, result out, recorded, undone"},
    {"fresh_run_p99", "<=", 60, "us", "the same"},
    {"fresh_run_500_handlers_p50", "<=", 60, "us", "500 different handlers, round robin"},
    {"fresh_runs_per_s_1", ">=", 60'000, "1/s", "one thread"},
    {"fresh_runs_scale_2", ">=", 1.6, "ratio", "two threads / one"},
    {"new_agent_p50", "<=", 1000, "us", "source text never seen to first result"},
    {"cached_agent_p50", "<=", 500, "us", "bytecode from the disk cache to first result"},
    {"host_call_p50", "<=", 0.8, "us", "$state.get of a small value, gate checked, recorded"},
    {"async_call_p50", "<=", 10, "us", "await of an in-memory extension"},
    {"idle_instance_kb", "<=", 400, "KB",
     "PSS of a live idle instance after 100 runs that dirty 40 pages"},
    {"snapshot_bytes", "<=", 5120, "bytes",
     "run suspended with a Map, closures and 40 locals alive"},
    {"snapshot_restore_p50", "<=", 300, "us", "restore in another process and resume"},
    {"suspended_100k_mb", "<=", 1024, "MB", "100,000 suspended runs held"},
    {"kernels_geomean_ratio", "<=", 1.6, "ratio",
     "nine CPU kernels / the same QuickJS built natively, gcc -O2"},
    {"kernels_worst_ratio", "<=", 2.2, "ratio", "the worst of them"},
    {"kill_overshoot_ms_max", "<=", 20, "ms",
     "time past its deadline of the worst hostile program"},
    {"hostile_rss_growth_mb", "<=", 40, "MB",
     "peak memory over the start: each hostile program, then 10,000 runs of them"},
    {"best_npm_peer_ratio", ">=", 20, "ratio",
     "fresh run of the best npm peer with its own instance or isolate / ours"},
};

/// Figures that are measured together.
struct Group {
  std::vector<std::string_view> names;
  Status (*measure)(const Bench&);
  bool own_process = false;
};

const std::vector<Group>& Groups() {
  static const std::vector<Group> groups = {
      {{"fresh_run_vs_engine", "fresh_run_p50", "fresh_run_p99", "fresh_run_500_handlers_p50",
        "fresh_runs_per_s_1", "fresh_runs_scale_2"},
       MeasureFreshRuns},
      {{"best_npm_peer_ratio"}, MeasurePeers},
      {{"new_agent_p50", "cached_agent_p50"}, MeasureAgents},
      {{"host_call_p50", "async_call_p50"}, MeasureCalls},
      {{"idle_instance_kb"}, MeasureIdleInstances, true},
      {{"snapshot_bytes", "snapshot_restore_p50"}, MeasureSnapshots},
      {{"suspended_100k_mb"}, MeasureSuspended, true},
      {{"kernels_geomean_ratio", "kernels_worst_ratio"}, MeasureKernels},
      {{"kill_overshoot_ms_max", "hostile_rss_growth_mb"}, MeasureHostile, true}};
  return groups;
}

/// Set in the processes a suite starts of this program.
constexpr const char* kChildVariable = "NEXUS_BENCH_CHILD";
constexpr const char* kSnapshotsVariable = "NEXUS_BENCH_SNAPSHOTS";

void Note(std::string_view text) { fmt::print(stderr, "bench: {}\n", text); }

class SandboxSuite {
 public:
  SandboxSuite(const Options& options, const Sink& sink)
      : options_(options),
        sink_(sink),
        machine_(DescribeMachine()),
        bench_{.options = options_,
               .emit = [this](std::string_view name, double value,
                              ValueObject details) { Emit(name, value, std::move(details)); },
               .wanted = [this](std::string_view name) { return Wanted(name); },
               .note = Note} {}

  int Run() {
    if (options_.setup) return Report("setup", InstallPeers(bench_));
    if (std::getenv(kSnapshotsVariable) != nullptr) {
      return Report("snapshot_restore_p50", RestoreInThisProcess(bench_));
    }
    if (!CheckNames()) return 2;
    const bool child = std::getenv(kChildVariable) != nullptr;
    int exit_code = 0;
    for (const Group& group : Groups()) {
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
      if (std::none_of(std::begin(kPromises), std::end(kPromises),
                       [&](const Promise& promise) { return promise.name == name; })) {
        Note(fmt::format("--only {}: the suite sandbox has no such figure", name));
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
    const auto promise = std::find_if(std::begin(kPromises), std::end(kPromises),
                                      [name](const Promise& p) { return p.name == name; });
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
    std::vector<std::string> arguments = {"/proc/self/exe", "bench", "sandbox", "--json"};
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

  const Options& options_;
  const Sink& sink_;
  const ValueObject machine_;
  const Bench bench_;
};

}  // namespace

const std::vector<Suite>& Suites() {
  static const std::vector<Suite> suites = {
      {.name = "sandbox",
       .summary = "fresh runs, calls, snapshots, memory, CPU kernels, hostile programs, npm peers",
       .run = [](const Options& options, const Sink& sink) {
         return SandboxSuite(options, sink).Run();
       }}};
  return suites;
}

}  // namespace nexus::bench
