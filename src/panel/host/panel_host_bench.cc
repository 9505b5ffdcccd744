// Budget: a call of a small tool, journaled in groups, 30 us of CPU; in memory, 25 us.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/testing/temp_folder.h"
#include "panel/host/panel_host.h"
#include "panel/nxml/nxml.h"
#include "sandbox/sandbox.h"

namespace nexus {
namespace {

constexpr int kOutstanding = 64;

std::string PanelText(int number) {
  return "<NexusPanel id=\"p" + std::to_string(number) +
         R"("><Data><State name="n" type="number" default="0"/></Data><Logic>
  <Tool name="add"><Arg name="by" type="number"/>
    <Handler>$state.n += $args.by; return $state.n</Handler></Tool></Logic></NexusPanel>)";
}

// Keeps kOutstanding calls under way, spread over the panels, until `calls` have ended.
class Load {
 public:
  explicit Load(std::vector<std::shared_ptr<Panel>> panels) : panels_(std::move(panels)) {}

  bool Run(std::int64_t calls) {
    std::unique_lock lock(mutex_);
    left_to_start_ = left_to_end_ = calls;
    lock.unlock();
    for (int i = 0; i < kOutstanding; ++i) Next(static_cast<std::size_t>(i));
    lock.lock();
    done_.wait(lock, [this] { return left_to_end_ == 0; });
    return failures_ == 0;
  }

 private:
  void Next(std::size_t lane) {
    {
      const std::lock_guard lock(mutex_);
      if (left_to_start_ == 0) return;
      --left_to_start_;
    }
    panels_[lane % panels_.size()]->CallTool({.tool = "add", .args = Value::Object({{"by", 1}})},
                                             [this, lane](const RunResult& result) {
                                               {
                                                 const std::lock_guard lock(mutex_);
                                                 failures_ += result.status != RunStatus::kSuccess;
                                                 if (--left_to_end_ == 0) done_.notify_all();
                                               }
                                               Next(lane);
                                             });
  }

  const std::vector<std::shared_ptr<Panel>> panels_;
  std::mutex mutex_;
  std::condition_variable done_;
  std::int64_t left_to_start_ = 0;
  std::int64_t left_to_end_ = 0;
  int failures_ = 0;
};

void Calls(benchmark::State& state, bool journaled, int panel_count) {
  auto sandbox = Sandbox::Create({.signing_key = "bench"});
  const testing::TempFolder folder;
  PanelHostOptions options;
  options.sandbox = sandbox->get();
  if (journaled) options.data_dir = folder.path();
  {
    auto host = PanelHost::Create(std::move(options));
    std::vector<std::shared_ptr<Panel>> panels;
    for (int i = 0; i < panel_count; ++i) {
      const std::string text = PanelText(i);
      panels.push_back(*(*host)->Mount(*ReadNxml(text).panel, text, "bench"));
    }
    Load load(panels);
    for (auto _ : state) {
      if (!load.Run(20'000)) state.SkipWithError("a call failed");
    }
    state.SetItemsProcessed(state.iterations() * 20'000);
    state.counters["commits"] = static_cast<double>((*host)->GetStats().journal_commits);
  }
}

void BM_JournaledCalls(benchmark::State& state) {
  Calls(state, true, static_cast<int>(state.range(0)));
}
BENCHMARK(BM_JournaledCalls)->Arg(64)->Arg(1)->MeasureProcessCPUTime()->UseRealTime();

void BM_MemoryCalls(benchmark::State& state) {
  Calls(state, false, static_cast<int>(state.range(0)));
}
BENCHMARK(BM_MemoryCalls)->Arg(64)->Arg(1)->MeasureProcessCPUTime()->UseRealTime();

}  // namespace
}  // namespace nexus
