// The suite `sandbox`: its figures with their bars, and the order in which they are measured.
#include "bench/internal/sandbox_measures.h"
#include "bench/internal/suites.h"

namespace nexus::bench {
namespace {

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

}  // namespace

Suite SandboxSuite() {
  return {
      .name = "sandbox",
      .summary = "fresh runs, calls, snapshots, memory, CPU kernels, hostile programs, npm peers",
      .run = [](const Options& options, const Sink& sink) {
        return RunSuite({.name = "sandbox",
                         .promises = kPromises,
                         .groups = Groups(),
                         .set_up = InstallPeers,
                         .is_part = RestoresInThisProcess,
                         .do_part = RestoreInThisProcess},
                        options, sink);
      }};
}

}  // namespace nexus::bench
