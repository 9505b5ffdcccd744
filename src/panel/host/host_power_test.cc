// Goal: when power is cut, what was acknowledged stays, nothing is done twice, and the journal
// opens without complaint. Method: a workload over a disk in memory that loses and tears what was
// not synced, cut at every sync (before and after it) and at random writes; NEXUS_LONG=1 tries
// more.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <set>
#include <string>

#include "panel/host/testing/test_host.h"
#include "store/sqlite.h"
#include "store/testing/fault_vfs.h"

namespace nexus {
namespace {

using testing::Call;
using testing::Eventually;
using testing::FaultVfs;
using testing::PanelText;
using testing::ReadPanel;
using testing::Settles;
using testing::Start;
using testing::StateText;
using testing::TempFolder;
using testing::TestHost;
using testing::ToolText;

const std::string kArg = "<Arg name=\"k\" type=\"number\"/>";
const std::string kPanel = PanelText(
    "<State name=\"seen\" type=\"object\" default=\"{}\"/><State name=\"text\" type=\"string\" "
    "default=\"\"/>",
    "<Extension name=\"fake\"/>" +
        ToolText("once", "$state.seen['k' + $args.k] = ($state.seen['k' + $args.k] ?? 0) + 2", "",
                 kArg) +
        ToolText("twice",
                 "$state.seen['k' + $args.k] = ($state.seen['k' + $args.k] ?? 0) + 1;"
                 "const more = await $ext.fake.echo(1);"
                 "$state.seen['k' + $args.k] += more",
                 "", kArg) +
        ToolText("all",
                 "await $ext.fake.echo(1);"
                 "$state.seen['k' + $args.k] = ($state.seen['k' + $args.k] ?? 0) + 2",
                 "atomic=\"true\"", kArg) +
        ToolText("big", "$state.text = 'x'.repeat(300000)") +
        ToolText("wait", "const v = await $ext.fake.never(1); $state.text = v"));
constexpr const char* kTools[] = {"once", "twice", "all"};

struct Acknowledged {
  bool mounted = false;
  std::set<int> calls;
};

PanelHostOptions OptionsAt(const TempFolder& folder) {
  PanelHostOptions options;
  options.data_dir = folder.path();
  options.sandbox = &testing::SharedSandbox();
  options.workers = 2;
  return options;
}

// Two lives of a node. Each call waits for the one before, so that syncs can be counted.
Acknowledged Work(const TempFolder& folder, const FaultVfs& disk) {
  Acknowledged acknowledged;
  int number = 0;
  for (int life = 0; life < 2; ++life) {
    const auto extension = std::make_shared<testing::FakeExtension>();
    PanelHostOptions options = OptionsAt(folder);
    options.find_extension = [&](std::string_view) { return extension; };
    auto host = PanelHost::Create(std::move(options));
    if (!host) return acknowledged;
    std::shared_ptr<Panel> panel = (*host)->Find("p");
    if (panel == nullptr) {
      auto mounted = (*host)->Mount(ReadPanel(kPanel), kPanel, "tester");
      if (!mounted) return acknowledged;
      acknowledged.mounted = true;
      panel = *mounted;
    }
    for (int i = 0; i < 6 && !disk.cut(); ++i) {
      const int k = ++number;
      auto result = Start(*panel, {.tool = kTools[k % 3], .args = Value::Object({{"k", k}})});
      // After a cut a run may wait for ever for a disk that takes its answer.
      while (result.wait_for(std::chrono::milliseconds(2)) != std::future_status::ready) {
        if (disk.cut()) break;
      }
      if (result.wait_for(std::chrono::milliseconds(0)) != std::future_status::ready) break;
      if (result.get().status == RunStatus::kSuccess) acknowledged.calls.insert(k);
    }
  }
  return acknowledged;
}

void Check(const TempFolder& folder, const Acknowledged& acknowledged) {
  {
    auto file = SqliteFile::Open((folder.path() / "panels.db").string());
    ASSERT_TRUE(file.has_value()) << file.error().message();
    auto check = file->Prepare("PRAGMA integrity_check");
    ASSERT_TRUE(check.has_value() && check->Reset().Step(*file).value_or(false));
    ASSERT_EQ(check->Text(0), "ok");
  }
  TestHost test(OptionsAt(folder));
  const Status ready = test.host->Ready();
  ASSERT_TRUE(ready.has_value()) << ready.error().message();
  const auto panel = test.host->Find("p");
  if (panel == nullptr) {
    ASSERT_FALSE(acknowledged.mounted) << "the panel is lost";
    return;
  }
  ASSERT_TRUE(Settles(*test.host));
  const ValueObject state = panel->State().state;
  const auto& seen = *state.Find("seen")->As<ValueObject>();
  for (const auto& [key, count] : seen) {
    ASSERT_EQ(count, Value(2)) << key << ": done in part, or again";
  }
  for (const int k : acknowledged.calls) {
    ASSERT_NE(seen.Find("k" + std::to_string(k)), nullptr) << "call " << k << " is lost";
  }
  ASSERT_EQ(Call(*panel, "once", Value::Object({{"k", 1000}})).status, RunStatus::kSuccess);
}

bool Long() {
  const char* const text = std::getenv("NEXUS_LONG");
  return text != nullptr && *text == '1';
}

TEST(PowerCut, AtEverySyncTheAcknowledgedStays) {
  std::uint64_t syncs = 0;
  {
    const TempFolder folder;
    FaultVfs disk(1);
    EXPECT_EQ(Work(folder, disk).calls.size(), 12u);
    syncs = disk.syncs();
    disk.Reboot();
    Check(folder, {.mounted = true, .calls = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}});
  }
  ASSERT_GT(syncs, 30u);
  const std::uint64_t seeds = Long() ? 20 : 1;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    for (std::uint64_t sync = 1; sync <= syncs; ++sync) {
      for (const auto when : {FaultVfs::When::kBefore, FaultVfs::When::kAfter}) {
        SCOPED_TRACE("seed " + std::to_string(seed) + ", sync " + std::to_string(sync) +
                     (when == FaultVfs::When::kBefore ? " before" : " after"));
        const TempFolder folder;
        FaultVfs disk(seed * 10'000 + sync);
        disk.CutAtSync(sync, when);
        const Acknowledged acknowledged = Work(folder, disk);
        disk.Reboot();
        Check(folder, acknowledged);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(PowerCut, AtAnyWriteTheAcknowledgedStays) {
  std::uint64_t points = 0;
  {
    const TempFolder folder;
    FaultVfs disk(1);
    Work(folder, disk);
    points = disk.points();
  }
  const std::uint64_t seeds = Long() ? 2000 : 40;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const TempFolder folder;
    FaultVfs disk(seed);
    disk.CutAtPoint(1 + seed * 7919 % points);
    const Acknowledged acknowledged = Work(folder, disk);
    disk.Reboot();
    Check(folder, acknowledged);
    if (HasFatalFailure()) return;
  }
}

TEST(FailingDisk, ASyncThatFailsRefusesWritesReadingGoesOnAndItRecovers) {
  const TempFolder folder;
  FaultVfs disk(3);
  {
    TestHost test(OptionsAt(folder));
    const auto panel = test.Mount(kPanel);
    ASSERT_EQ(Call(*panel, "once", Value::Object({{"k", 1}})).status, RunStatus::kSuccess);
    const std::string before = StateText(*panel);
    disk.FailSyncs(true);
    const RunResult refused = Call(*panel, "once", Value::Object({{"k", 2}}));
    ASSERT_TRUE(refused.error);
    EXPECT_EQ(refused.error->code, RunErrorCode::kUnavailable);
    EXPECT_THAT(refused.error->message, ::testing::HasSubstr("taken back"));
    EXPECT_EQ(StateText(*panel), before);
    EXPECT_FALSE(test.host->Ready().has_value());
    disk.FailSyncs(false);
    ASSERT_EQ(Call(*panel, "twice", Value::Object({{"k", 3}})).status, RunStatus::kSuccess);
    EXPECT_TRUE(test.host->Ready().has_value());
  }
  disk.Reboot();
  Check(folder, {.mounted = true, .calls = {1, 3}});
}

TEST(FailingDisk, AFullDiskRefusesWritesAndAWaitingRunLosesNothing) {
  const TempFolder folder;
  FaultVfs disk(4);
  {
    TestHost test(OptionsAt(folder));
    const auto panel = test.Mount(kPanel);
    ASSERT_EQ(Call(*panel, "once", Value::Object({{"k", 1}})).status, RunStatus::kSuccess);
    auto waiting = Start(*panel, {.tool = "wait", .args = {}});
    ASSERT_TRUE(Eventually([&] { return test.extension->calls().size() == 1; }));
    const std::string before = StateText(*panel);
    disk.SetFull(true);
    const RunResult refused = Call(*panel, "big");
    ASSERT_TRUE(refused.error);
    EXPECT_EQ(refused.error->code, RunErrorCode::kUnavailable);
    EXPECT_THAT(refused.error->message, ::testing::HasSubstr("free some space"));
    EXPECT_EQ(StateText(*panel), before);
    EXPECT_FALSE(test.host->Ready().has_value());
    // Its answer comes while there is no room for it: the run goes on when there is.
    test.extension->AnswerKept(Value("there"));
    EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
    disk.SetFull(false);
    EXPECT_EQ(waiting.get().status, RunStatus::kSuccess);
    EXPECT_THAT(StateText(*panel), ::testing::HasSubstr("there"));
    EXPECT_TRUE(test.host->Ready().has_value());
  }
  disk.Reboot();
  Check(folder, {.mounted = true, .calls = {1}});
}

// Its caller was told that it is lost; after a restart it must not come back and go on.
TEST(FailingDisk, ARunThatWasLostIsForgotten) {
  const TempFolder folder;
  FaultVfs disk(5);
  {
    TestHost test(OptionsAt(folder));
    const auto panel = test.Mount(kPanel);
    auto waiting = Start(*panel, {.tool = "wait", .args = {}});
    ASSERT_TRUE(Eventually([&] { return test.extension->calls().size() == 1; }));
    disk.FailSyncs(true);
    ASSERT_TRUE(panel->Cancel(panel->Runs(1).at(0).run_id).has_value());
    const RunResult lost = waiting.get();
    ASSERT_TRUE(lost.error);
    EXPECT_EQ(lost.error->code, RunErrorCode::kUnavailable);
    disk.FailSyncs(false);
    ASSERT_TRUE(Eventually([&] { return test.host->Ready().has_value(); }));
  }
  disk.Reboot();
  TestHost test(OptionsAt(folder));
  EXPECT_EQ(test.host->GetStats().suspended, 0u);
  EXPECT_TRUE(test.extension->calls().empty());
}

}  // namespace
}  // namespace nexus
