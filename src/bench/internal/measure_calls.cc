// Calls out of the sandbox: synchronous ones, and awaits of an extension in memory.
#include "bench/internal/measure.h"
#include "bench/internal/memory_extension.h"
#include "bench/internal/sandbox_measures.h"

namespace nexus::bench {
namespace {

constexpr const char* kStateLoop = R"(export default ({ args, state }) => {
  let sum = 0;
  for (let i = 0; i < args.n; i++) sum += args.call ? state.get("count") : 3;
  return sum;
})";

constexpr const char* kAwaitLoop = R"(export default async ({ args, ext }) => {
  let sum = 0;
  for (let i = 0; i < args.n; i++) sum += await ext.memory.echo(i);
  return sum;
})";

// Time of one run in us, its answer checked.
Result<double> TimedRun(Sandbox& sandbox, const ProgramPtr& program, ExecutionContext context,
                        const Value& expected) {
  const std::int64_t start = NowNs();
  const RunResult result = sandbox.Execute(program, std::move(context));
  const std::int64_t end = NowNs();
  NEXUS_TRY_STATUS(ExpectResult(result, expected));
  return static_cast<double>(end - start) / 1e3;
}

Status MeasureHostCalls(const Bench& bench, Sandbox& sandbox) {
  constexpr int kCalls = 500;
  NEXUS_TRY(const ProgramPtr program, LoadProgram(sandbox, "state-loop.js", kStateLoop));
  NEXUS_TRY(const CapabilitySet granted, CapabilitySet::Parse({"state:read:count"}));
  MemoryState state(ValueObject{{"count", 3}});
  const auto context = [&](bool call) {
    ExecutionContext c;
    c.args = Value::Object({{"n", kCalls}, {"call", call}});
    c.capabilities = granted;
    c.state = &state;
    c.limits = NamedLimits({{"hostCalls", "1000"}});
    return c;
  };
  Samples per_call;
  Samples with;
  Samples without;
  for (int round = -10; round < bench.Scaled(1000); ++round) {
    NEXUS_TRY(const double full, TimedRun(sandbox, program, context(true), Value(3 * kCalls)));
    NEXUS_TRY(const double empty, TimedRun(sandbox, program, context(false), Value(3 * kCalls)));
    if (round < 0) continue;
    with.Add(full);
    without.Add(empty);
    per_call.Add((full - empty) / kCalls);
  }
  ValueObject details = per_call.Summary();
  details.Append("calls_a_run", kCalls);
  details.Append("loop_us", with.Median());
  details.Append("empty_loop_us", without.Median());
  bench.emit("host_call_p50", per_call.Median(), details);
  return {};
}

Status MeasureAwaits(const Bench& bench, Sandbox& sandbox) {
  constexpr int kAwaits = 100;
  NEXUS_TRY(const ProgramPtr program, LoadProgram(sandbox, "await-loop.js", kAwaitLoop));
  NEXUS_TRY(const CapabilitySet granted, CapabilitySet::Parse({"ext:memory"}));
  const auto extension = std::make_shared<MemoryExtension>();
  const auto context = [&](int n) {
    ExecutionContext c;
    c.args = Value::Object({{"n", n}});
    c.capabilities = granted;
    c.extensions = {{"memory", extension}};
    return c;
  };
  Samples per_await;
  for (int round = -5; round < bench.Scaled(500); ++round) {
    NEXUS_TRY(const double full,
              TimedRun(sandbox, program, context(kAwaits), Value(kAwaits * (kAwaits - 1) / 2)));
    NEXUS_TRY(const double empty, TimedRun(sandbox, program, context(0), Value(0)));
    if (round >= 0) per_await.Add((full - empty) / kAwaits);
  }
  ValueObject details = per_await.Summary();
  details.Append("awaits_a_run", kAwaits);
  bench.emit("async_call_p50", per_await.Median(), details);
  return {};
}

}  // namespace

Status MeasureCalls(const Bench& bench) {
  NEXUS_TRY(const std::unique_ptr<Sandbox> sandbox, MakeBenchSandbox());
  if (bench.wanted("host_call_p50")) NEXUS_TRY_STATUS(MeasureHostCalls(bench, *sandbox));
  if (bench.wanted("async_call_p50")) NEXUS_TRY_STATUS(MeasureAwaits(bench, *sandbox));
  return {};
}

}  // namespace nexus::bench
