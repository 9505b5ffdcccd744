// What instances and suspended runs cost in memory. Each runs in a process of its own, because what
// earlier measurements freed would hide what these take.
#include <fmt/format.h>

#include <atomic>
#include <barrier>
#include <thread>

#include "bench/internal/measure.h"
#include "bench/internal/memory_extension.h"
#include "bench/internal/sandbox_measures.h"
#include "bench/internal/suspended_program.h"

namespace nexus::bench {

// An instance belongs to a thread, so this many instances of one program take as many threads; what
// each thread itself takes is counted in.
Status MeasureIdleInstances(const Bench& bench) {
  const int instances = bench.options.quick ? 40 : 200;
  constexpr int kRuns = 100;
  // Each page is written from end to end.
  constexpr const char* kDirty = R"(export default ({ args }) => {
  const pages = [];
  for (let i = 0; i < 40; i++) pages.push(new Uint8Array(4096).fill(i + 1));
  return pages.length + args.a;
})";
  NEXUS_TRY(const std::unique_ptr<Sandbox> sandbox, MakeBenchSandbox());
  NEXUS_TRY(const ProgramPtr program, LoadProgram(*sandbox, "dirty.js", kDirty));
  for (int run = 0; run < kRuns; ++run) {
    NEXUS_TRY_STATUS(ExpectResult(sandbox->Execute(program, AddContext(run, 2)), Value(40 + run)));
  }
  sandbox->TrimIdle();

  const std::size_t live_before = sandbox->Stats().instances_live;
  NEXUS_TRY(const std::int64_t before, MemoryKb("Pss"));
  std::atomic<int> wrong{0};
  std::atomic<std::uint64_t> pages{0};
  std::barrier phases(instances + 1);
  std::vector<std::jthread> threads;
  for (int i = 0; i < instances; ++i) {
    threads.emplace_back([&] {
      for (int run = 0; run < kRuns; ++run) {
        const RunResult result = sandbox->Execute(program, AddContext(run, 2));
        if (!ExpectResult(result, Value(40 + run))) ++wrong;
        pages = result.metrics.dirty_pages;
      }
      phases.arrive_and_wait();  // All have run.
      phases.arrive_and_wait();  // What busy instances take has been measured.
      sandbox->TrimIdle();
      phases.arrive_and_wait();  // All are idle.
      phases.arrive_and_wait();  // Measured: the end.
    });
  }
  phases.arrive_and_wait();
  const Result<std::int64_t> busy = MemoryKb("Pss");
  phases.arrive_and_wait();
  phases.arrive_and_wait();
  const Result<std::int64_t> idle = MemoryKb("Pss");
  const std::size_t live = sandbox->Stats().instances_live - live_before;
  phases.arrive_and_wait();
  threads.clear();
  if (wrong != 0)
    return Fail(Code::kInternal, fmt::format("{} runs gave a wrong answer", wrong.load()));
  if (live != static_cast<std::size_t>(instances)) {
    return Fail(Code::kInternal, fmt::format("{} instances are live, not {}", live, instances));
  }
  if (!busy || !idle) return Fail(Code::kUnavailable, "memory cannot be measured");
  const auto each = [&](std::int64_t kb) { return static_cast<double>(kb - before) / instances; };
  bench.emit("idle_instance_kb", each(*idle),
             {{"instances", instances},
              {"runs_each", kRuns},
              {"dirty_pages", pages.load()},
              {"before_trim_kb", each(*busy)}});
  return {};
}

Status MeasureSuspended(const Bench& bench) {
  constexpr int kPromised = 100'000;
  const int count = bench.options.quick ? 2'000 : kPromised;
  NEXUS_TRY(const std::unique_ptr<Sandbox> sandbox, MakeBenchSandbox());
  NEXUS_TRY(const ProgramPtr program, LoadProgram(*sandbox, "waits.js", kSuspendedProgram));
  const auto extension = std::make_shared<MemoryExtension>();
  {
    NEXUS_TRY(const SuspendedRun warm, Suspend(*sandbox, program, extension, 0));
    NEXUS_TRY_STATUS(warm.run->Compact());
  }
  std::vector<SuspendedRun> held;
  held.reserve(static_cast<std::size_t>(count));
  NEXUS_TRY(const std::int64_t before, MemoryKb("Rss"));
  const std::int64_t start = NowNs();
  for (int i = 0; i < count; ++i) {
    NEXUS_TRY(SuspendedRun run, Suspend(*sandbox, program, extension, i));
    NEXUS_TRY_STATUS(run.run->Compact());
    held.push_back(std::move(run));
  }
  const double us_each = static_cast<double>(NowNs() - start) / 1e3 / count;
  NEXUS_TRY(const std::int64_t after, MemoryKb("Rss"));
  std::size_t held_bytes = 0;
  for (const SuspendedRun& run : held) held_bytes += run.run->held_bytes();
  for (int i = 0; i < count; i += std::max(count / 200, 1)) {
    NEXUS_TRY_STATUS(FinishSuspended(*held[static_cast<std::size_t>(i)].run, i));
  }
  const double kb_each = static_cast<double>(after - before) / count;
  bench.emit("suspended_100k_mb", kb_each * kPromised / 1024,
             {{"held", count},
              {"kb_each", kb_each},
              {"state_bytes_each", static_cast<double>(held_bytes) / count},
              {"suspend_and_compact_us", us_each}});
  return {};
}

}  // namespace nexus::bench
