// Opening a journal again: what a panel of many revisions costs a start of the node.
#include <fmt/format.h>

#include <condition_variable>
#include <mutex>

#include "base/json.h"
#include "bench/internal/measure.h"
#include "bench/internal/panel_measures.h"
#include "bench/internal/places.h"
#include "bench/internal/sandbox_measures.h"
#include "panel/host/panel_host.h"
#include "panel/nxml/nxml.h"

namespace nexus::bench {
namespace {

constexpr std::uint64_t kRevisions = 100'000;

Result<std::unique_ptr<PanelHost>> OpenHost(Sandbox& sandbox, const std::filesystem::path& folder,
                                            bool synced) {
  PanelHostOptions options;
  options.sandbox = &sandbox;
  options.data_dir = folder;
  options.synced = synced;
  return PanelHost::Create(std::move(options));
}

// Calls of `add`, one revision each, 256 under way.
Status MakeRevisions(Panel& panel, std::uint64_t count) {
  constexpr std::uint64_t kUnderWay = 256;
  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t started = 0, ended = 0, failed = 0;
  std::unique_lock lock(mutex);
  while (ended < count) {
    changed.wait(
        lock, [&] { return ended == count || (started < count && started - ended < kUnderWay); });
    while (started < count && started - ended < kUnderWay) {
      ++started;
      lock.unlock();
      panel.CallTool({.tool = "add", .args = Value::Object({{"by", 1}})},
                     [&](const RunResult& result) {
                       const std::lock_guard inner(mutex);
                       failed += result.status != RunStatus::kSuccess;
                       ++ended;
                       changed.notify_one();
                     });
      lock.lock();
    }
  }
  if (failed == 0) return {};
  return Fail(Code::kInternal, fmt::format("{} of {} calls failed", failed, count));
}

}  // namespace

Status MeasureRestart(const Bench& bench) {
  NEXUS_TRY(const TemporaryDir folder, TemporaryDir::Make());
  NEXUS_TRY(const std::unique_ptr<Sandbox> sandbox, MakeBenchSandbox());
  {
    NEXUS_TRY(const auto host, OpenHost(*sandbox, folder.path(), false));
    const std::string text = CounterPanel("p0");
    NEXUS_TRY(const auto panel, host->Mount(*ReadNxml(text).panel, text, "bench"));
    // Short of a checkpoint by as much as can be: the most that is ever read again.
    NEXUS_TRY_STATUS(MakeRevisions(*panel, kRevisions - 1));
  }
  Samples ms;
  for (int i = 0; i < bench.Scaled(20); ++i) {
    const std::int64_t start = NowNs();
    NEXUS_TRY(const auto host, OpenHost(*sandbox, folder.path(), true));
    const std::shared_ptr<Panel> panel = host->Find("p0");
    if (panel == nullptr) return Fail(Code::kInternal, "the panel is not there again");
    const PanelSnapshot snapshot = panel->State();
    ms.Add(static_cast<double>(NowNs() - start) / 1e6);
    const Value* const n = snapshot.state.Find("n");
    if (snapshot.revision != kRevisions - 1 || n == nullptr ||
        *n != Value(double{kRevisions - 1})) {
      return Fail(Code::kInternal, fmt::format("revision {}, state {}", snapshot.revision,
                                               ToJson(Value(snapshot.state))));
    }
  }
  ValueObject details = ms.Summary();
  details.Append("revisions", kRevisions - 1);
  bench.emit("restart_100k_revisions_ms", ms.Median(), std::move(details));
  return {};
}

}  // namespace nexus::bench
