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
    limits.Set(Limit::kWall, static_cast<std::uint64_t>(wall_ms));
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
      return Fail(Code::kInternal,
                  fmt::format("{}: ended with {}", loaded.hostile->name,
                              result.error ? fmt::format("{}: {}", RunErrorCodeName(result.error->code),
                                                         result.error->message)
                                           : "a result"));
    }
    return static_cast<double>(end - start) / 1e6 - wall_ms;
  }

  Status CheckHealthy() { return ExpectResult(sandbox_->Execute(healthy_, AddContext(20, 22)), Value(42)); }
  SandboxStats Stats() const { return sandbox_->Stats(); }

 private:
  std::unique_ptr<Sandbox> sandbox_;
  ProgramPtr healthy_;
  CapabilitySet granted_ = *CapabilitySet::Parse({"state:read:*", "state:write:*", "events:emit:*", "ext:memory"});
  std::shared_ptr<Extension> extension_ = std::make_shared<MemoryExtension>();
};

}  // namespace

Status MeasureHostile(const Bench& bench) {
  NEXUS_TRY(Arena arena, Arena::Create());
  NEXUS_TRY_STATUS(ResetPeak());
  NEXUS_TRY(const std::int64_t before, MemoryKb("Rss"));
  std::vector<Loaded> runnable;
  Samples overshoot;
  double worst = -kWallMs;
  std::string worst_name;
  int wrong = 0;
  double slowest_refusal_ms = 0;
  for (const HostileProgram& hostile : testing::HostilePrograms()) {
    const std::int64_t start = NowNs();
    const Result<Loaded> loaded = arena.Load(hostile);
    const double load_ms = static_cast<double>(NowNs() - start) / 1e6;
    slowest_refusal_ms = std::max(slowest_refusal_ms, load_ms);
    Result<double> past = loaded ? 0.0 : Result<double>(std::unexpected(loaded.error()));
    if (loaded && loaded->program != nullptr) past = arena.Run(*loaded, kWallMs);
    if (const Status healthy = arena.CheckHealthy(); past && !healthy) {
      past = std::unexpected(Error(healthy.error()).Context(fmt::format("after {}", hostile.name)));
    }
    if (!past) {
      ++wrong;
      bench.note(past.error().message());
      continue;
    }
    if (loaded->program == nullptr) continue;
    runnable.push_back(*loaded);
    overshoot.Add(*past);
    if (*past > worst) {
      worst = *past;
      worst_name = hostile.name;
    }
  }
  if (wrong != 0) return Fail(Code::kInternal, fmt::format("{} hostile programs ended wrongly", wrong));
  bench.emit("kill_overshoot_ms_max", worst,
             {{"programs", std::uint64_t{testing::HostilePrograms().size()}},
              {"worst", worst_name},
              {"p90", overshoot.Quantile(0.9)},
              {"wall_ms", kWallMs},
              {"slowest_load_ms", slowest_refusal_ms}});

  // Again and again, with a short deadline: what one run leaves behind would add up.
  const int runs = bench.options.quick ? 500 : 10'000;
  constexpr double kShortWallMs = 3;
  for (int i = 0; i < runs; ++i) {
    NEXUS_TRY_STATUS(arena.Run(runnable[static_cast<std::size_t>(i) % runnable.size()], kShortWallMs));
    if (i % 20 == 0) NEXUS_TRY_STATUS(arena.CheckHealthy());
  }
  NEXUS_TRY_STATUS(arena.CheckHealthy());
  NEXUS_TRY(const std::int64_t peak, PeakKb());
  NEXUS_TRY(const std::int64_t after, MemoryKb("Rss"));
  bench.emit("hostile_rss_growth_mb", static_cast<double>(peak - before) / 1024,
             {{"before_mb", static_cast<double>(before) / 1024},
              {"peak_mb", static_cast<double>(peak) / 1024},
              {"after_mb", static_cast<double>(after) / 1024},
              {"runs", runs},
              {"hard_stops", arena.Stats().hard_stops},
              {"soft_stops", arena.Stats().soft_stops}});
  return {};
}

}  // namespace nexus::bench
