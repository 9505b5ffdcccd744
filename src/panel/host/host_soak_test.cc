// Goal: a node that runs for long neither grows nor fails. Method: runs of every kind, many at
// once, for as many as NEXUS_SOAK_RUNS says (tests/long/soak_panels.sh: ten million); what the
// process holds is compared with what it held when it was warm.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "panel/host/testing/test_host.h"

namespace nexus {
namespace {

using testing::PanelText;
using testing::TempFolder;
using testing::TestHost;
using testing::ToolText;

constexpr int kPanels = 16;
constexpr int kAtOnce = 64;
constexpr double kGrowthMax = 0.02;

/// Answers at once and keeps nothing, unlike the tests' usual one.
class SoakExtension final : public Extension {
 public:
  std::string_view name() const override { return "soak"; }
  std::span<const MethodDescriptor> methods() const override { return methods_; }
  void Call(ExtensionCall call, AnswerFunction done) override {
    if (call.method == "fail") return done(Answer::Failed("on purpose"));
    done(Answer::Ok(call.args.empty() ? Value() : std::move(call.args.front())));
  }

 private:
  const std::vector<MethodDescriptor> methods_ = {
      {.name = "echo", .summary = "", .idempotent = true}, {.name = "fail", .summary = ""}};
};

std::string SoakPanel(int number) {
  const std::string list =
      "$state.list.push($state.n); if ($state.list.length > 50) $state.list = []";
  return PanelText(
      R"(<State name="n" type="number" default="0"/><State name="list" type="list" default="[]"/>)"
      R"(<State name="map" type="object" default="{}"/>)"
      R"(<Computed name="double" value="$state.n * 2"/>)",
      "<Extension name=\"soak\"/>" + ToolText("add", "$state.n += 1; return $state.n") +
          ToolText("list", list) +
          ToolText("map", "$state.map['k' + $state.n % 100] = { at: $state.n }; $emit('set', 1)") +
          ToolText("read", "return [$state.n, $state.double, $state.list.length]") +
          ToolText("throw", "$state.n += 1; throw new Error('on purpose')") +
          ToolText("wait", "$state.n += await $ext.soak.echo(1)") +
          ToolText("caught", "try { await $ext.soak.fail() } catch (e) { $state.n += 1 }") +
          ToolText("whole", "$state.n += 1; await $ext.soak.echo(1); $state.list = []",
                   "atomic=\"true\"") +
          ToolText("call", "return await $tools.add({})"),
      "p" + std::to_string(number));
}

constexpr const char* kTools[] = {"add",  "add",  "add",    "list",  "map",  "read",
                                  "read", "wait", "caught", "whole", "call", "throw"};

double ResidentMb() {
  std::ifstream file("/proc/self/statm");
  double whole = 0;
  double resident = 0;
  file >> whole >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

/// Calls that follow each other in kAtOnce chains until there were enough.
class Soak {
 public:
  Soak(std::vector<std::shared_ptr<Panel>> panels, std::uint64_t runs)
      : panels_(std::move(panels)), runs_(runs) {}

  void Begin() {
    for (int i = 0; i < kAtOnce; ++i) Next();
  }
  std::uint64_t ended() const { return ended_; }
  std::uint64_t unexpected() const { return unexpected_; }

 private:
  void Next() {
    const std::uint64_t number = begun_++;
    if (number >= runs_) return;
    const std::string tool = kTools[number % std::size(kTools)];
    ToolCall call{.tool = tool, .args = {}};
    const std::size_t panel = number / std::size(kTools) % panels_.size();
    // On one panel, so that what is kept of keys reaches its limit soon.
    if (panel == 0) call.idempotency_key = std::to_string(number);
    panels_[panel]->CallTool(
        std::move(call), [this, fails = tool == "throw"](const RunResult& result) {
          if (result.status == RunStatus::kSuspended) return;
          // An atomic run may give up after conflicts; nothing else may fail.
          const bool conflict = result.error && result.error->code == RunErrorCode::kConflict;
          if (result.error.has_value() != fails && !conflict) ++unexpected_;
          ++ended_;
          Next();
        });
  }

  const std::vector<std::shared_ptr<Panel>> panels_;
  const std::uint64_t runs_;
  std::atomic<std::uint64_t> begun_{0}, ended_{0}, unexpected_{0};
};

// Not for every test run: soak_panels.sh starts it.
TEST(PanelSoak, DISABLED_Runs) {
  const char* const text = std::getenv("NEXUS_SOAK_RUNS");
  const std::uint64_t runs = text != nullptr ? std::strtoull(text, nullptr, 10) : 200'000;
  const TempFolder folder;
  PanelHostOptions options;
  options.data_dir = folder.path();
  options.revisions_kept = 20'000;
  const auto extension = std::make_shared<SoakExtension>();
  options.find_extension = [extension](std::string_view) { return extension; };
  TestHost test(std::move(options));
  std::vector<std::shared_ptr<Panel>> panels;
  for (int i = 0; i < kPanels; ++i) panels.push_back(test.Mount(SoakPanel(i)));
  std::uint64_t updates = 0;
  ASSERT_TRUE(panels[0]->Subscribe(std::nullopt, [&](const auto&) { ++updates; }).has_value());
  Soak soak(panels, runs);
  const auto begun = std::chrono::steady_clock::now();
  soak.Begin();
  // Warm: every panel has written a checkpoint, histories, logs and idempotency keys have reached
  // their limits, old revisions go.
  const std::uint64_t warm_after = std::max(runs / 4, std::min<std::uint64_t>(runs / 2, 400'000));
  double warm_mb = 0;
  double most_mb = 0;
  std::uint64_t told = 0;
  while (soak.ended() < runs) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const std::uint64_t ended = soak.ended();
    const double mb = ResidentMb();
    if (ended < warm_after) {
      warm_mb = std::max(warm_mb, mb);
    } else {
      most_mb = std::max(most_mb, mb);
    }
    if (ended / (runs / 20 + 1) != told) {
      told = ended / (runs / 20 + 1);
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
      std::printf("%llu runs, %.0f/s, %.1f MB\n", static_cast<unsigned long long>(ended),
                  static_cast<double>(ended) / took.count(), mb);
      std::fflush(stdout);
    }
    // A chain that broke would end nothing any more.
    ASSERT_EQ(soak.unexpected(), 0u);
  }
  EXPECT_GT(updates, 0u);
  EXPECT_LE(most_mb, warm_mb * (1 + kGrowthMax)) << "warm: " << warm_mb << " MB";
  EXPECT_EQ(test.host->GetStats().suspended, 0u);
}

}  // namespace
}  // namespace nexus
