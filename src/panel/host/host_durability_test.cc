// Goal: what a panel acknowledged is there after a restart, after damage as far as it can be, and
// nothing is there twice. Method: hosts over one folder after another, a journal file that is
// damaged on purpose. Processes that are killed: host_kill_test.cc; power that is cut:
// host_power_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "panel/host/testing/test_host.h"
#include "store/sqlite.h"

namespace nexus {
namespace {

using testing::Call;
using testing::Eventually;
using testing::PanelText;
using testing::ReadPanel;
using testing::Shown;
using testing::Start;
using testing::StateText;
using testing::TempFolder;
using testing::TestHost;
using testing::ToolText;

const std::string kData =
    R"(<State name="n" type="number" default="0"/><State name="list" type="list" default="[]"/>)";
const std::string kPanel = PanelText(
    kData,
    "<Extension name=\"fake\"/>" +
        ToolText("add", "$state.n += 1; $state.list.push({n: $state.n}); return $state.n") +
        ToolText("big", "$state.list.push('x'.repeat(200000))") +
        ToolText("cut", "$state.list.length = 1; delete $state.list[0].n; $state.list[0].x = 'y'") +
        ToolText("wait",
                 "$state.n = 100; const v = await $ext.fake.never(1); $state.n = 101; "
                 "return v") +
        ToolText("waitOnce",
                 "$state.n = 200; try { await $ext.fake.once(1) } catch (e) { "
                 "$state.list.push(e.message) } return 'done'"));

PanelHostOptions OptionsAt(const TempFolder& folder) {
  PanelHostOptions options;
  options.data_dir = folder.path();
  options.compact_suspended_after_ms = 10;
  return options;
}

const std::string kManyPanel = PanelText(
    kData, ToolText("many", "for (let i = 0; i < 1000; ++i) $state.n += 1; return $state.n"));

void Damage(const TempFolder& folder, const char* sql) {
  auto file = SqliteFile::Open((folder.path() / "panels.db").string());
  ASSERT_TRUE(file.has_value());
  const Status done = file->Execute(sql);
  ASSERT_TRUE(done.has_value()) << done.error().message();
}

std::int64_t RowsIn(const TempFolder& folder, const std::string& table) {
  auto file = SqliteFile::Open((folder.path() / "panels.db").string());
  auto count = file->Prepare(("SELECT count(*) FROM " + table).c_str());
  if (!count || !count->Reset().Step(*file)) return -1;
  return count->Integer(0);
}

TEST(Durability, StateHistoryAndIdempotencyKeysOutliveARestart) {
  const TempFolder folder;
  std::string before;
  std::string run_id;
  {
    TestHost test(OptionsAt(folder));
    const auto panel = test.Mount(kPanel);
    for (int i = 0; i < 5; ++i) Call(*panel, "add");
    Call(*panel, "cut");
    run_id = Start(*panel, {.tool = "add", .args = {}, .idempotency_key = "once"}).get().run_id;
    before = StateText(*panel);
  }
  TestHost test(OptionsAt(folder));
  const auto panel = test.host->Find("p");
  ASSERT_NE(panel, nullptr);
  EXPECT_EQ(panel->owner(), "tester");
  EXPECT_EQ(StateText(*panel), before);
  EXPECT_EQ(before, R"({"n":6,"list":[{"x":"y"},{"n":6}]})");
  const RunResult again =
      Start(*panel, {.tool = "add", .args = {}, .idempotency_key = "once"}).get();
  EXPECT_EQ(again.run_id, run_id);
  EXPECT_EQ(again.return_value, Value(6));
  EXPECT_EQ(StateText(*panel), before);
  ASSERT_TRUE(panel->FindRun(run_id).has_value());
  EXPECT_EQ(panel->FindRun(run_id)->result.state_mutations.size(), 2u);
  EXPECT_EQ(Call(*panel, "add").return_value, Value(7));
}

TEST(Durability, EveryPastRevisionCanBeRead) {
  const TempFolder folder;
  TestHost test(OptionsAt(folder));
  const auto panel = test.Mount(kPanel);
  std::vector<std::string> states = {StateText(*panel)};
  for (int i = 0; i < 4; ++i) {
    Call(*panel, "add");
    states.push_back(StateText(*panel));
  }
  for (std::size_t i = 0; i < states.size(); ++i) {
    const auto past = panel->StateAt(2 * i);  // Two writes a call.
    ASSERT_TRUE(past.has_value()) << past.error().message();
    EXPECT_EQ(ToJson(Value(*past)), states[i]);
  }
  const auto between = panel->StateAt(3);
  ASSERT_TRUE(between.has_value());
  EXPECT_EQ(ToJson(Value(*between)), R"({"n":2,"list":[{"n":1}]})");
  EXPECT_FALSE(panel->StateAt(99).has_value());
}

TEST(Durability, AWatcherThatComesBackGetsWhatItMissed) {
  const TempFolder folder;
  TestHost test(OptionsAt(folder));
  const auto panel = test.Mount(kPanel);
  for (int i = 0; i < 3; ++i) Call(*panel, "add");
  std::vector<std::uint64_t> seen;
  const auto subscription =
      panel->Subscribe(2, [&](const auto& update) { seen.push_back(update->revision); });
  ASSERT_TRUE(subscription.has_value()) << subscription.error().message();
  Call(*panel, "add");
  EXPECT_THAT(seen, ::testing::ElementsAre(4, 6, 8));
  panel->Unsubscribe(*subscription);
}

TEST(Durability, ASuspendedRunGoesOnAfterARestart) {
  const TempFolder folder;
  std::string run_id;
  {
    TestHost test(OptionsAt(folder));
    const auto panel = test.Mount(kPanel);
    run_id = panel->CallTool({.tool = "wait", .args = {}}, [](const RunResult&) {});
    ASSERT_TRUE(Eventually([&] { return test.extension->calls().size() == 1; }));
    test.host->Drain(1000);
  }
  TestHost test(OptionsAt(folder));
  const auto panel = test.host->Find("p");
  ASSERT_NE(panel, nullptr);
  EXPECT_EQ(StateText(*panel), R"({"n":100,"list":[]})");
  // The call is made again, with the same key.
  ASSERT_TRUE(Eventually([&] { return test.extension->calls().size() == 1; }));
  ASSERT_EQ(panel->Runs(5).size(), 1u);
  EXPECT_EQ(panel->Runs(5)[0].run_id, run_id);
  EXPECT_EQ(panel->Runs(5)[0].result.status, RunStatus::kSuspended);
  test.extension->AnswerKept(Value(7));
  ASSERT_TRUE(Eventually([&] { return StateText(*panel) == R"({"n":101,"list":[]})"; }));
  ASSERT_TRUE(Eventually([&] {
    const auto run = panel->FindRun(run_id);
    return run && run->result.status == RunStatus::kSuccess;
  }));
  EXPECT_EQ(panel->FindRun(run_id)->result.return_value, Value(7));
}

TEST(Durability, ACallThatMayNotBeRepeatedFailsAfterARestart) {
  const TempFolder folder;
  {
    TestHost test(OptionsAt(folder));
    const auto panel = test.Mount(kPanel);
    panel->CallTool({.tool = "waitOnce", .args = {}}, [](const RunResult&) {});
    ASSERT_TRUE(Eventually([&] { return test.extension->calls().size() == 1; }));
    test.host->Drain(1000);
  }
  TestHost test(OptionsAt(folder));
  const auto panel = test.host->Find("p");
  ASSERT_TRUE(Eventually([&] { return panel->State().revision == 2; }));
  EXPECT_THAT(StateText(*panel), ::testing::HasSubstr("outcome unknown"));
  EXPECT_TRUE(test.extension->calls().empty());
}

TEST(Durability, TheFolderIsHeldByOneProcess) {
  const TempFolder folder;
  TestHost test(OptionsAt(folder));
  PanelHostOptions options = OptionsAt(folder);
  options.sandbox = &testing::SharedSandbox();
  const auto second = PanelHost::Create(std::move(options));
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().message(), ::testing::HasSubstr("another process holds it"));
}

TEST(Durability, AnUnmountedPanelIsGoneForGood) {
  const TempFolder folder;
  {
    TestHost test(OptionsAt(folder));
    const auto panel = test.Mount(kPanel);
    Call(*panel, "add");
    ASSERT_TRUE(test.host->Unmount("p").has_value());
    const auto fresh = test.Mount(kPanel);
    EXPECT_EQ(StateText(*fresh), R"({"n":0,"list":[]})");
  }
  TestHost test(OptionsAt(folder));
  EXPECT_EQ(StateText(*test.host->Find("p")), R"({"n":0,"list":[]})");
}

TEST(Durability, ADamagedRecordEndsWhatIsRecoveredAndIsNamed) {
  const TempFolder folder;
  {
    TestHost test(OptionsAt(folder));
    const auto panel = test.Mount(kPanel);
    for (int i = 0; i < 5; ++i) Call(*panel, "add");
  }
  Damage(folder, "UPDATE journal SET body = substr(body, 1, length(body) - 1) WHERE revision = 6");
  TestHost test(OptionsAt(folder));
  const auto panel = test.host->Find("p");
  ASSERT_NE(panel, nullptr);
  EXPECT_EQ(StateText(*panel), R"({"n":2,"list":[{"n":1},{"n":2}]})");
  const Status ready = test.host->Ready();
  ASSERT_FALSE(ready.has_value());
  EXPECT_THAT(ready.error().message(), ::testing::HasSubstr("after revision 4 is lost"));
  EXPECT_THAT(panel->Logs(5).back().message, ::testing::HasSubstr("recovered in part"));
}

TEST(Durability, ADiskThatIsFullRefusesWritesKeepsReadingAndRecovers) {
  const TempFolder folder;
  std::atomic<std::int64_t> disk_pages_max{0};
  PanelHostOptions options = OptionsAt(folder);
  options.journal_pages_max = [&disk_pages_max] { return disk_pages_max.load(); };
  TestHost test(std::move(options));
  const auto panel = test.Mount(kPanel);
  Call(*panel, "add");
  const std::string before = StateText(*panel);
  // A page limit stands in for the disk: SQLite answers SQLITE_FULL either way.
  disk_pages_max = 1;
  const RunResult refused = Call(*panel, "big");
  ASSERT_TRUE(refused.error) << Shown(refused);
  EXPECT_EQ(refused.error->code, RunErrorCode::kUnavailable);
  EXPECT_THAT(refused.error->message, ::testing::HasSubstr("free some space"));
  EXPECT_EQ(StateText(*panel), before);
  EXPECT_FALSE(test.host->Ready().has_value());
  disk_pages_max = 0;
  EXPECT_EQ(Call(*panel, "add").return_value, Value(2));
  EXPECT_TRUE(test.host->Ready().has_value());
}

TEST(Durability, CheckpointsBoundWhatARestartReads) {
  const TempFolder folder;
  PanelHostOptions options = OptionsAt(folder);
  options.revisions_kept = 15'000;
  {
    TestHost test(std::move(options));
    const auto panel = test.Mount(kManyPanel);
    for (int i = 0; i < 40; ++i) ASSERT_EQ(Call(*panel, "many").status, RunStatus::kSuccess);
    EXPECT_TRUE(panel->StateAt(39'500).has_value());
    EXPECT_FALSE(panel->StateAt(100).has_value());
  }
  TestHost test(OptionsAt(folder));
  EXPECT_EQ(test.host->Find("p")->State().revision, 40'000u);
}

TEST(Durability, WhatIsWrittenAfterDamageOutlivesTheNextRestart) {
  const TempFolder folder;
  {
    TestHost test(OptionsAt(folder));
    const auto panel = test.Mount(kPanel);
    for (int i = 0; i < 3; ++i) Call(*panel, "add");
  }
  Damage(folder, "UPDATE journal SET body = x'00' WHERE revision = 4");
  {
    TestHost test(OptionsAt(folder));
    const auto panel = test.host->Find("p");
    EXPECT_EQ(StateText(*panel), R"({"n":1,"list":[{"n":1}]})");
    EXPECT_FALSE(test.host->Ready().has_value());
    EXPECT_EQ(Call(*panel, "add").return_value, Value(2));
  }
  TestHost test(OptionsAt(folder));
  EXPECT_EQ(StateText(*test.host->Find("p")), R"({"n":2,"list":[{"n":1},{"n":2}]})");
  EXPECT_TRUE(test.host->Ready().has_value());
}

// The call that makes a checkpoint due is the last before it; its answer may be lost on the way.
TEST(Durability, AKeyIsKnownAcrossACheckpointAndARestart) {
  const TempFolder folder;
  const auto keyed = [](Panel& panel) {
    return Start(panel, {.tool = "many", .args = {}, .idempotency_key = "k"}).get();
  };
  std::string run_id;
  {
    TestHost test(OptionsAt(folder));
    const auto panel = test.Mount(kManyPanel);
    for (int i = 0; i < 9; ++i) Call(*panel, "many");
    run_id = keyed(*panel).run_id;
    EXPECT_EQ(panel->State().revision, 10'000u);
  }
  ASSERT_EQ(RowsIn(folder, "chunks"), 1);
  TestHost test(OptionsAt(folder));
  const auto panel = test.host->Find("p");
  const RunResult again = keyed(*panel);
  EXPECT_EQ(again.run_id, run_id);
  EXPECT_EQ(again.return_value, Value(10'000));
  EXPECT_EQ(panel->State().revision, 10'000u);
}

TEST(Durability, ATornCheckpointGivesWayToTheOneBefore) {
  const TempFolder folder;
  {
    TestHost test(OptionsAt(folder));
    const auto panel = test.Mount(kManyPanel);
    for (int i = 0; i < 12; ++i) ASSERT_EQ(Call(*panel, "many").status, RunStatus::kSuccess);
  }
  Damage(folder,
         "UPDATE checkpoints SET state = substr(state, 1, length(state) - 1) WHERE revision > 0");
  TestHost test(OptionsAt(folder));
  const auto panel = test.host->Find("p");
  EXPECT_EQ(panel->State().revision, 12'000u);
  EXPECT_EQ(*panel->State().state.Find("n"), Value(12'000));
  EXPECT_TRUE(test.host->Ready().has_value());
  const auto past = panel->StateAt(11'000);
  ASSERT_TRUE(past.has_value()) << past.error().message();
  EXPECT_EQ(*past->Find("n"), Value(11'000));
}

TEST(Durability, ATornFirstCheckpointIsNamed) {
  const TempFolder folder;
  {
    TestHost test(OptionsAt(folder));
    const auto panel = test.Mount(kPanel);
    Call(*panel, "add");
  }
  Damage(folder, "UPDATE checkpoints SET state = x'00'");
  {
    TestHost test(OptionsAt(folder));
    EXPECT_EQ(StateText(*test.host->Find("p")), R"({"n":1,"list":[{"n":1}]})");
    const Status ready = test.host->Ready();
    ASSERT_FALSE(ready.has_value());
    EXPECT_THAT(ready.error().message(), ::testing::HasSubstr("checkpoint is damaged"));
  }
  TestHost test(OptionsAt(folder));
  EXPECT_EQ(StateText(*test.host->Find("p")), R"({"n":1,"list":[{"n":1}]})");
  EXPECT_TRUE(test.host->Ready().has_value());
}

// A checkpoint says with a row number what is older than itself: no number may come twice.
TEST(Durability, APanelThatGoesTakesNothingOfAnother) {
  const TempFolder folder;
  {
    TestHost test(OptionsAt(folder));
    const auto other = test.Mount(PanelText(kData, ToolText("add", "$state.n += 1"), "other"));
    const auto panel = test.Mount(kManyPanel);
    for (int i = 0; i < 50; ++i) Call(*other, "add");
    for (int i = 0; i < 10; ++i) Call(*panel, "many");  // Writes a checkpoint.
    for (int i = 0; i < 5; ++i) Call(*other, "add");
    ASSERT_TRUE(test.host->Unmount("other").has_value());
  }
  {
    TestHost test(OptionsAt(folder));
    for (int i = 0; i < 3; ++i) Call(*test.host->Find("p"), "many");
  }
  TestHost test(OptionsAt(folder));
  EXPECT_EQ(test.host->Find("p")->State().revision, 13'000u);
  EXPECT_EQ(RowsIn(folder, "journal"), 13);
  EXPECT_EQ(RowsIn(folder, "chunks"), 1);
}

TEST(Durability, OldRecordsAreFoundWithoutAScan) {
  const TempFolder folder;
  PanelHostOptions options = OptionsAt(folder);
  options.revisions_kept = 15'000;
  {
    TestHost test(std::move(options));
    const auto panel = test.Mount(kManyPanel);
    for (int i = 0; i < 40; ++i) Call(*panel, "many");
  }
  // Records up to 20,000 are gone; 25,000 and newer can be asked for.
  EXPECT_EQ(RowsIn(folder, "journal"), 20);
  auto file = SqliteFile::Open((folder.path() / "panels.db").string());
  auto plan = file->Prepare(
      "EXPLAIN QUERY PLAN DELETE FROM journal WHERE seq = ? AND panel = ? AND revision <= ?");
  ASSERT_TRUE(plan.has_value());
  ASSERT_TRUE(plan->Reset().Step(*file).value());
  EXPECT_THAT(plan->Text(3), ::testing::StartsWith("SEARCH journal USING INTEGER PRIMARY KEY"));
}

TEST(Durability, AJournalOfANewerVersionIsRefused) {
  const TempFolder folder;
  {
    TestHost test(OptionsAt(folder));
  }
  Damage(folder, "PRAGMA user_version = 99");
  PanelHostOptions options = OptionsAt(folder);
  options.sandbox = &testing::SharedSandbox();
  const auto host = PanelHost::Create(std::move(options));
  ASSERT_FALSE(host.has_value());
  EXPECT_THAT(host.error().message(), ::testing::HasSubstr("newer version"));
}

}  // namespace
}  // namespace nexus
