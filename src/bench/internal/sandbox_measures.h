#pragma once
/// The measurements of the suite `sandbox`, one function a group of figures.

#include <string>
#include <vector>

#include "base/result.h"
#include "bench/internal/suite_runner.h"
#include "sandbox/sandbox.h"

namespace nexus::bench {

Status MeasureFreshRuns(const Bench& bench);      // fresh_run_*, fresh_runs_*
Status MeasureAgents(const Bench& bench);         // new_agent_p50, cached_agent_p50
Status MeasureCalls(const Bench& bench);          // host_call_p50, async_call_p50
Status MeasureIdleInstances(const Bench& bench);  // idle_instance_kb
Status MeasureSnapshots(const Bench& bench);      // snapshot_bytes, snapshot_restore_p50
Status MeasureSuspended(const Bench& bench);      // suspended_100k_mb
Status MeasureKernels(const Bench& bench);        // kernels_*
Status MeasureHostile(const Bench& bench);        // kill_overshoot_ms_max, hostile_rss_growth_mb
Status MeasurePeers(const Bench& bench);          // best_npm_peer_ratio
/// `--setup`: installs the npm packages MeasurePeers compares with.
Status InstallPeers(const Bench& bench);
/// The other process of snapshot_restore_p50: reads the snapshots in the folder named by the
/// environment, restores and resumes them, emits one figure.
Status RestoreInThisProcess(const Bench& bench);
/// Whether this is that process.
bool RestoresInThisProcess();

/// The handler most figures are about.
inline constexpr const char* kAddProgram = "export default ({ args }) => args.a + args.b";

/// A sandbox whose key is the benchmarks' own, so that a run of them leaves nothing in the user's
/// state.
Result<std::unique_ptr<Sandbox>> MakeBenchSandbox(SandboxOptions options = {});
Result<ProgramPtr> LoadProgram(Sandbox& sandbox, std::string name, std::string text,
                               Limits limits = {});
/// {a, b} with capabilities, limits and a recording, as a host with policies would run it.
ExecutionContext AddContext(int a, int b);
/// kInternal with both values when the run did not return `expected`.
Status ExpectResult(const RunResult& result, const Value& expected);
/// `text` is as in Limits::Set.
Limits NamedLimits(std::initializer_list<std::pair<const char*, const char*>> named);

}  // namespace nexus::bench
