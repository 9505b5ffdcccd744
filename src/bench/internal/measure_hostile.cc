// Hostile programs: how long past its deadline each is still there, and what they leave behind.
#include <fmt/format.h>

#include <algorithm>

#include "bench/internal/measure.h"
#include "bench/internal/memory_extension.h"
#include "bench/internal/sandbox_measures.h"
#include "sandbox/testing/hostile_programs.h"

namespace nexus::bench {
namespace {

using testing::HostileProgram;

constexpr int kWallMs = 100;

struct Loaded {
  const HostileProgram* hostile = nullptr;
  ProgramPtr program;  ///< Null: it is hostile to the compiler and was refused, as it should be.
};

class Arena {
 public:
  static Result<Arena> Create() {
    Arena arena;
    NEXUS_TRY(arena.sandbox_, MakeBenchSandbox());
    NEXUS_TRY(arena.healthy_, LoadProgram(*arena.sandbox_, "add.js", kAddProgram));
    NEXUS_TRY_STATUS(arena.CheckHealthy());
    return arena;
  }

  Result<Loaded> Load(const HostileProgram& hostile) {
    auto program = sandbox_->Load({.name = "hostile.js", .text = hostile.Text()});
    if (program) return Loaded{&hostile, *std::move(program)};
    if (!hostile.Expects(program.error().error.code)) {
      return Fail(Code::kInternal, fmt::format("{}: load ended with {}: {}", hostile.name,
                                               RunErrorCodeName(program.error().error.code),
                                               program.error().error.message));
    }
    return Loaded{&hostile, nullptr};
  }

  /// Milliseconds past the deadline: negative when the program ended before it.
  Result<double> Run(const Loaded& loaded, double wall_ms) {
    Limits limits;
    // Running time alone would not count what a program spends waiting for answers.
    limits.Set(Limit::kWall, static_cast<std::uint64_t>(wall_ms));
    limits.Set(Limit::kDeadline, static_cast<std::uint64_t>(wall_ms));
    ExecutionContext context;
    context.args = Value::Object();
    context.capabilities = granted_;
    context.limits = limits;
    context.extensions = {{"memory", extension_}};
    const std::int64_t start = NowNs();
    const RunResult result = sandbox_->Execute(loaded.program, std::move(context));
    const std::int64_t end = NowNs();
    const bool right = result.error ? loaded.hostile->Expects(result.error->code) ||
                                          result.error->code == RunErrorCode::kTimeout
                                    : loaded.hostile->may_succeed;
    if (!right) {
      return Fail(
          Code::kInternal,
          fmt::format("{}: ended with {}", loaded.hostile->name,
                      result.error ? fmt::format("{}: {}", RunErrorCodeName(result.error->code),
                                                 result.error->message)
                                   : "a result"));
    }
    return static_cast<double>(end - start) / 1e6 - wall_ms;
  }

  Status CheckHealthy() {
    return ExpectResult(sandbox_->Execute(healthy_, AddContext(20, 22)), Value(42));
  }
  SandboxStats Stats() const { return sandbox_->Stats(); }

 private:
  std::unique_ptr<Sandbox> sandbox_;
  ProgramPtr healthy_;
  CapabilitySet granted_ =
      *CapabilitySet::Parse({"state:read:*", "state:write:*", "events:emit:*", "ext:memory"});
  std::shared_ptr<Extension> extension_ = std::make_shared<MemoryExtension>();
};

}  // namespace

Status MeasureHostile(const Bench& bench) {
  NEXUS_TRY(Arena arena, Arena::Create());
  // What the programs' images take is the cache's affair: they are there before the first run.
  for (const HostileProgram& hostile : testing::HostilePrograms()) {
    if (!hostile.whole) NEXUS_TRY_STATUS(arena.Load(hostile));
  }
  NEXUS_TRY_STATUS(ResetPeak());
  NEXUS_TRY(const std::int64_t before, MemoryKb("Rss"));
  std::vector<Loaded> runnable;
  Samples overshoot;
  double worst = -kWallMs;
  std::string worst_name;
  int wrong = 0;
  // Ends as it should, and the next run on the same worker is healthy.
  const auto survive = [&](const HostileProgram& hostile, bool keep) {
    const Result<Loaded> loaded = arena.Load(hostile);
    Result<double> past = -double{kWallMs};
    if (!loaded) past = std::unexpected(loaded.error());
    if (loaded && loaded->program != nullptr) past = arena.Run(*loaded, kWallMs);
    if (const Status healthy = arena.CheckHealthy(); past && !healthy) {
      past = std::unexpected(Error(healthy.error()).Context(fmt::format("after {}", hostile.name)));
    }
    if (!past) {
      ++wrong;
      return bench.note(past.error().message());
    }
    if (!keep || loaded->program == nullptr) return;
    runnable.push_back(*loaded);
    overshoot.Add(*past);
    if (*past <= worst) return;
    worst = *past;
    worst_name = hostile.name;
  };
  for (const HostileProgram& hostile : testing::HostilePrograms()) {
    if (!hostile.whole) survive(hostile, true);
  }
  if (wrong != 0)
    return Fail(Code::kInternal, fmt::format("{} hostile programs ended wrongly", wrong));
  bench.emit("kill_overshoot_ms_max", worst,
             {{"programs", std::uint64_t{runnable.size()}},
              {"worst", worst_name},
              {"p50", overshoot.Median()},
              {"p90", overshoot.Quantile(0.9)},
              {"wall_ms", kWallMs}});

  // Again and again, with a short deadline: what one run leaves behind would add up.
  const int runs = bench.options.quick ? 500 : 10'000;
  constexpr double kShortWallMs = 3;
  for (int i = 0; i < runs; ++i) {
    NEXUS_TRY_STATUS(
        arena.Run(runnable[static_cast<std::size_t>(i) % runnable.size()], kShortWallMs));
    if (i % 20 == 0) NEXUS_TRY_STATUS(arena.CheckHealthy());
  }
  NEXUS_TRY_STATUS(arena.CheckHealthy());
  NEXUS_TRY(const std::int64_t peak, PeakKb());
  NEXUS_TRY(const std::int64_t after, MemoryKb("Rss"));

  // Text that is hard on the compiler and on what reads programs before it: not runs, so told
  // apart.
  NEXUS_TRY_STATUS(ResetPeak());
  double slowest_load_ms = 0;
  for (const HostileProgram& hostile : testing::HostilePrograms()) {
    if (!hostile.whole) continue;
    const std::int64_t start = NowNs();
    survive(hostile, false);
    slowest_load_ms = std::max(slowest_load_ms, static_cast<double>(NowNs() - start) / 1e6);
  }
  if (wrong != 0)
    return Fail(Code::kInternal, fmt::format("{} hostile sources ended wrongly", wrong));
  NEXUS_TRY(const std::int64_t compiler_peak, PeakKb());
  const auto mb = [](std::int64_t kb) { return static_cast<double>(kb) / 1024; };
  bench.emit("hostile_rss_growth_mb", mb(peak - before),
             {{"before_mb", mb(before)},
              {"peak_mb", mb(peak)},
              {"after_mb", mb(after)},
              {"runs", runs},
              {"hard_stops", arena.Stats().hard_stops},
              {"soft_stops", arena.Stats().soft_stops},
              {"loading_hostile_sources_mb", mb(compiler_peak - after)},
              {"slowest_load_ms", slowest_load_ms}});
  return {};
}

}  // namespace nexus::bench
