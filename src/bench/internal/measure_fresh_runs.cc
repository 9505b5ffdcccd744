// Fresh runs of a trivial handler: through the public API, and beside them the least that any
// sandbox on this engine must do, which is to call the guest and undo what it wrote.
#include <fmt/format.h>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>

#include "base/codec.h"
#include "bench/internal/measure.h"
#include "bench/internal/sandbox_measures.h"
#include "guest/abi.h"
#include "sandbox/internal/sandbox_impl.h"

namespace nexus::bench {
namespace {

Status RunOnce(Sandbox& sandbox, const ProgramPtr& program, int i) {
  return ExpectResult(sandbox.Execute(program, AddContext(i, 2)), Value(i + 2));
}

/// The guest in the program's image, driven without anything of the sandbox around it.
class BareEngine {
 public:
  static Result<BareEngine> Create(Sandbox& sandbox, const Program& program) {
    const auto& impl = dynamic_cast<internal::SandboxImpl&>(sandbox);
    const auto& own = dynamic_cast<const internal::ProgramImpl&>(program);
    NEXUS_TRY(internal::DirtyPages dirty, internal::DirtyPages::Open(std::nullopt));
    BareEngine bare(impl, std::move(dirty));
    NEXUS_TRY(auto instance, bare.group_->CreateInstance(own.image()->base().memory_bytes()));
    NEXUS_TRY(bare.slot_, internal::Slot::Create(std::move(instance), own.image()));
    const Value input = Value::Object(
        {{"args", Value::Object({{"a", 40}, {"b", 2}})}, {"seed", BigInt{"1234567890abcdef"}}});
    NEXUS_TRY_STATUS(EncodeValue(input, bare.input_));
    NEXUS_TRY_STATUS(EncodeValue(Value(42), bare.expected_));
    bare.mailbox_ = own.image()->base().mailbox();
    // As a program that runs often: mapped in one piece.
    for (int i = 0; i < 16; ++i) bare.slot_->NoteReuse();
    return bare;
  }

  /// One call and reset; false when the answer was wrong.
  bool Run() {
    std::uint8_t* const memory = slot_->memory();
    const std::uint32_t address = mailbox_ + offsetof(nx_mailbox, in);
    std::memcpy(memory + address, input_.data(), input_.size());
    const internal::CallOutcome outcome =
        slot_->instance().Call(internal::Export::kRun, static_cast<std::int32_t>(address),
                               static_cast<std::int32_t>(input_.size()));
    const auto& box = *reinterpret_cast<const nx_mailbox*>(memory + mailbox_);
    const bool right = !outcome.trapped && outcome.value == NX_DONE &&
                       std::string_view(reinterpret_cast<const char*>(memory) + box.out_ptr,
                                        box.out_len) == expected_;
    slot_->Undo(*dirty_);
    return right;
  }

 private:
  BareEngine(const internal::SandboxImpl& sandbox, internal::DirtyPages dirty)
      : dirty_(std::make_unique<internal::DirtyPages>(std::move(dirty))),
        group_(std::make_unique<internal::InstanceGroup>(sandbox.engine())) {}

  std::unique_ptr<internal::DirtyPages> dirty_;
  std::unique_ptr<internal::InstanceGroup> group_;
  std::unique_ptr<internal::Slot> slot_;
  std::string input_;
  std::string expected_;
  std::uint32_t mailbox_ = 0;
};

Status MeasureLatency(const Bench& bench, Sandbox& sandbox, const ProgramPtr& program) {
  NEXUS_TRY(BareEngine bare, BareEngine::Create(sandbox, *program));
  constexpr int kBlock = 500;
  const int blocks = bench.Scaled(60);
  Samples ours;
  Samples engine;
  for (int block = -1; block < blocks; ++block) {  // The first block warms up.
    for (int i = 0; i < kBlock; ++i) {
      const std::int64_t start = NowNs();
      const RunResult result = sandbox.Execute(program, AddContext(i, 2));
      const std::int64_t end = NowNs();
      NEXUS_TRY_STATUS(ExpectResult(result, Value(i + 2)));
      if (block >= 0) ours.Add(static_cast<double>(end - start) / 1e3);
    }
    for (int i = 0; i < kBlock; ++i) {
      const std::int64_t start = NowNs();
      const bool right = bare.Run();
      const std::int64_t end = NowNs();
      if (!right) return Fail(Code::kInternal, "the bare engine call gave a wrong answer");
      if (block >= 0) engine.Add(static_cast<double>(end - start) / 1e3);
    }
  }
  bench.emit("fresh_run_vs_engine", ours.Median() / engine.Median(),
             {{"ours_us", Value(ours.Summary())}, {"engine_us", Value(engine.Summary())}});
  bench.emit("fresh_run_p50", ours.Median(), ours.Summary());
  bench.emit("fresh_run_p99", ours.Quantile(0.99), ours.Summary());
  return {};
}

Status MeasureManyHandlers(const Bench& bench, Sandbox& sandbox) {
  constexpr int kHandlers = 500;
  std::vector<ProgramPtr> programs;
  for (int i = 0; i < kHandlers; ++i) {
    NEXUS_TRY(ProgramPtr program,
              LoadProgram(sandbox, fmt::format("handler{}.js", i),
                          fmt::format("export default ({{ args }}) => args.a + args.b + {}", i)));
    programs.push_back(std::move(program));
  }
  Samples times;
  for (int round = -1; round < bench.Scaled(10); ++round) {
    for (int i = 0; i < kHandlers; ++i) {
      const std::int64_t start = NowNs();
      const RunResult result =
          sandbox.Execute(programs[static_cast<std::size_t>(i)], AddContext(round, 2));
      const std::int64_t end = NowNs();
      NEXUS_TRY_STATUS(ExpectResult(result, Value(round + 2 + i)));
      if (round >= 0) times.Add(static_cast<double>(end - start) / 1e3);
    }
  }
  bench.emit("fresh_run_500_handlers_p50", times.Median(), times.Summary());
  return {};
}

// Runs a second on `threads` threads that all call the same sandbox.
Result<double> Rate(Sandbox& sandbox, const ProgramPtr& program, int threads, std::int64_t for_ns) {
  std::atomic<int> ready{0};
  std::atomic<bool> wrong{false};
  std::atomic<std::int64_t> runs{0};
  std::atomic<std::int64_t> longest_ns{0};
  const auto work = [&] {
    bool good =
        RunOnce(sandbox, program, 1).has_value();  // The thread's own instance is made here.
    ready.fetch_add(1);
    while (ready.load() < threads) std::this_thread::yield();
    const std::int64_t start = NowNs();
    std::int64_t mine = 0;
    while (good && NowNs() - start < for_ns) {
      for (int i = 0; i < 64 && good; ++i, ++mine) good = RunOnce(sandbox, program, i).has_value();
    }
    if (!good) wrong = true;
    runs += mine;
    const std::int64_t took = NowNs() - start;
    std::int64_t before = longest_ns.load();
    while (before < took && !longest_ns.compare_exchange_weak(before, took)) {
    }
  };
  {
    std::vector<std::jthread> others;
    for (int i = 0; i < threads; ++i) others.emplace_back(work);
  }
  if (wrong) return Fail(Code::kInternal, "a run under load gave a wrong answer");
  return static_cast<double>(runs.load()) * 1e9 / static_cast<double>(longest_ns.load());
}

Status MeasureRates(const Bench& bench, Sandbox& sandbox, const ProgramPtr& program) {
  const std::int64_t for_ns = bench.options.quick ? 100'000'000 : 500'000'000;
  Samples one;
  Samples two;
  Samples scale;
  for (int round = 0; round < bench.Scaled(9); ++round) {
    NEXUS_TRY(const double alone, Rate(sandbox, program, 1, for_ns));
    NEXUS_TRY(const double both, Rate(sandbox, program, 2, for_ns));
    one.Add(alone);
    two.Add(both);
    scale.Add(both / alone);
  }
  bench.emit("fresh_runs_per_s_1", one.Median(),
             {{"rounds", std::uint64_t{one.size()}}, {"min", one.Min()}, {"max", one.Max()}});
  bench.emit("fresh_runs_scale_2", scale.Median(),
             {{"rounds", std::uint64_t{scale.size()}},
              {"max", scale.Max()},
              {"one_thread", one.Median()},
              {"two_threads", two.Median()}});
  return {};
}

}  // namespace

Status MeasureFreshRuns(const Bench& bench) {
  NEXUS_TRY(const std::unique_ptr<Sandbox> sandbox, MakeBenchSandbox());
  NEXUS_TRY(const ProgramPtr program, LoadProgram(*sandbox, "add.js", kAddProgram));
  if (bench.wanted("fresh_run_vs_engine") || bench.wanted("fresh_run_p50") ||
      bench.wanted("fresh_run_p99")) {
    NEXUS_TRY_STATUS(MeasureLatency(bench, *sandbox, program));
  }
  if (bench.wanted("fresh_run_500_handlers_p50"))
    NEXUS_TRY_STATUS(MeasureManyHandlers(bench, *sandbox));
  if (bench.wanted("fresh_runs_per_s_1") || bench.wanted("fresh_runs_scale_2")) {
    NEXUS_TRY_STATUS(MeasureRates(bench, *sandbox, program));
  }
  return {};
}

}  // namespace nexus::bench
