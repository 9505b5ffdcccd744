// Snapshots of a suspended run: their size, and how long another process takes to go on from one.
#include <fmt/format.h>

#include <cstdlib>

#include "base/file.h"
#include "base/json.h"
#include "bench/internal/measure.h"
#include "bench/internal/memory_extension.h"
#include "bench/internal/places.h"
#include "bench/internal/sandbox_measures.h"
#include "bench/internal/suspended_program.h"

namespace nexus::bench {
namespace {

constexpr const char* kFolderVariable = "NEXUS_BENCH_SNAPSHOTS";
constexpr int kSnapshots = 50;

std::filesystem::path SnapshotPath(const std::filesystem::path& folder, int i) {
  return folder / fmt::format("{}.snapshot", i);
}

}  // namespace

Status MeasureSnapshots(const Bench& bench) {
  NEXUS_TRY(const TemporaryDir folder, TemporaryDir::Make());
  {
    NEXUS_TRY(const std::unique_ptr<Sandbox> sandbox, MakeBenchSandbox());
    NEXUS_TRY(const ProgramPtr program, LoadProgram(*sandbox, "waits.js", kSuspendedProgram));
    const auto extension = std::make_shared<MemoryExtension>();
    Samples bytes;
    Samples snapshot_us;
    for (int i = 0; i < kSnapshots; ++i) {
      NEXUS_TRY(const SuspendedRun suspended, Suspend(*sandbox, program, extension, i));
      const std::int64_t start = NowNs();
      NEXUS_TRY(const std::string snapshot, suspended.run->Snapshot());
      snapshot_us.Add(static_cast<double>(NowNs() - start) / 1e3);
      bytes.Add(static_cast<double>(snapshot.size()));
      NEXUS_TRY_STATUS(WriteFileAtomic(SnapshotPath(folder.path(), i), snapshot));
      NEXUS_TRY_STATUS(FinishSuspended(*suspended.run, i));  // A snapshot does not end the run.
    }
    bench.emit(
        "snapshot_bytes", bytes.Median(),
        {{"samples", kSnapshots}, {"max", bytes.Max()}, {"snapshot_us", snapshot_us.Median()}});
  }
  std::vector<std::string> arguments = {"/proc/self/exe", "bench",  "sandbox",
                                        "--json",         "--only", "snapshot_restore_p50"};
  if (bench.options.quick) arguments.emplace_back("--quick");
  NEXUS_TRY(
      Process other,
      Process::Start(arguments, {fmt::format("{}={}", kFolderVariable, folder.path().string())}));
  NEXUS_TRY(const std::string line, other.ReadLine());
  NEXUS_TRY(const Value figure, ParseJson(line));
  if (other.Wait() != 0 || figure.NumberOr("value", -1) <= 0) {
    return Fail(Code::kInternal, "the process that restores the snapshots failed");
  }
  ValueObject details;
  for (const char* name : {"samples", "p50", "p99", "min", "restore_us"}) {
    details.Append(name, figure.NumberOr(name, 0));
  }
  bench.emit("snapshot_restore_p50", figure.NumberOr("value", 0), details);
  return {};
}

bool RestoresInThisProcess() { return std::getenv(kFolderVariable) != nullptr; }

Status RestoreInThisProcess(const Bench& bench) {
  const char* const folder = std::getenv(kFolderVariable);
  if (folder == nullptr) return Fail(Code::kInvalidArgument, "no folder with snapshots");
  NEXUS_TRY(const std::unique_ptr<Sandbox> sandbox, MakeBenchSandbox());
  NEXUS_TRY(const ProgramPtr program, LoadProgram(*sandbox, "waits.js", kSuspendedProgram));
  const auto extension = std::make_shared<MemoryExtension>();
  std::vector<std::string> snapshots;
  for (int i = 0; i < kSnapshots; ++i) {
    NEXUS_TRY(std::string bytes, ReadFile(SnapshotPath(folder, i)));
    snapshots.push_back(std::move(bytes));
  }
  Samples restore;
  Samples whole;
  for (int round = -1; round < bench.Scaled(20); ++round) {
    for (int i = 0; i < kSnapshots; ++i) {
      const std::int64_t start = NowNs();
      NEXUS_TRY(const std::unique_ptr<Run> run,
                sandbox->Restore(program, snapshots[static_cast<std::size_t>(i)],
                                 SuspendedContext(extension, i)));
      const std::int64_t restored = NowNs();
      NEXUS_TRY_STATUS(FinishSuspended(*run, i));
      const std::int64_t end = NowNs();
      if (round < 0) continue;
      restore.Add(static_cast<double>(restored - start) / 1e3);
      whole.Add(static_cast<double>(end - start) / 1e3);
    }
  }
  ValueObject details = whole.Summary();
  details.Append("restore_us", restore.Median());
  bench.emit("snapshot_restore_p50", whole.Median(), details);
  return {};
}

}  // namespace nexus::bench
