// Goal: a run that waits goes on after a crash from exactly where it was: nothing it did is done
// again, an answer it had is not asked for again, and a call whose outcome nobody knows is repeated
// only where that is declared to be safe. Method: hosts over one folder after another, and children
// that are killed between an answer and the next suspension.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "panel/host/testing/killed_child.h"
#include "panel/host/testing/test_host.h"
#include "store/sqlite.h"

namespace nexus {
namespace {

using testing::Call;
using testing::ChildArgument;
using ::testing::ElementsAre;
using testing::Eventually;
using ::testing::HasSubstr;
using testing::KilledChild;
using testing::PanelText;
using testing::Report;
using testing::Settles;
using testing::Shown;
using testing::Start;
using testing::StateText;
using testing::TempFolder;
using testing::TestHost;
using testing::ToolText;

const std::string kPanel = PanelText(
    R"(<State name="n" type="number" default="0"/><State name="list" type="list" default="[]"/>)",
    "<Extension name=\"fake\"/>" +
        // The loop takes a while: long enough to be killed in.
        ToolText("slow",
                 "$state.n += 1; const v = await $ext.fake.never(1);"
                 "for (let i = 0; i < 20000000; ++i);"
                 "$state.n += v; return $state.n") +
        ToolText("wait", "$state.n += 1; $state.list.push(await $ext.fake.never(1))") +
        ToolText("once",
                 "$state.n += 1; try { await $ext.fake.once(1) } catch (e) {"
                 "$state.list.push(e.code + ': ' + e.message) }") +
        ToolText("two",
                 "$state.n += 1; await $ext.fake.never(1); $state.n += 10;"
                 "await $ext.fake.never(2); $state.n += 100; return $state.n") +
        ToolText("three",
                 "const order = []; await Promise.all([1, 2, 3].map(async (i) => {"
                 "order.push(await $ext.fake.never(i)) })); $state.list = order") +
        ToolText("exclusive",
                 "const n = $state.n; $emit('begun', n); await $ext.fake.never(1);"
                 "$state.n = n + 1; return $state.n",
                 "atomic=\"true\"") +
        ToolText("add", "$state.n += 1") +
        ToolText("hurry", "await $ext.fake.never(1); return 'in time'"));

PanelHostOptions OptionsAt(const std::filesystem::path& folder) {
  PanelHostOptions options;
  options.data_dir = folder;
  options.compact_suspended_after_ms = 10;
  return options;
}

std::int64_t AnswersIn(const TempFolder& folder) {
  auto file = SqliteFile::Open((folder.path() / "panels.db").string());
  auto count = file->Prepare("SELECT count(*) FROM answers");
  if (!count || !count->Reset().Step(*file)) return -1;
  return count->Integer(0);
}

TEST(Suspended, AnAnswerBeforeAKillIsDeliveredAgainAndNotAskedForAgain) {
  const TempFolder folder;
  {
    KilledChild child("SuspendedChild.DISABLED_IsAnswered", folder.path());
    int number = 0;
    ASSERT_TRUE(child.Next(number));
  }
  TestHost test(OptionsAt(folder.path()));
  const auto panel = test.host->Find("p");
  ASSERT_NE(panel, nullptr);
  ASSERT_TRUE(Eventually([&] { return StateText(*panel) == R"({"n":42,"list":[]})"; }))
      << StateText(*panel);
  EXPECT_TRUE(test.extension->calls().empty());
  ASSERT_TRUE(Settles(*test.host));
  const std::vector<RunRecord> runs = panel->Runs(5);
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].result.return_value, Value(42));
  EXPECT_EQ(runs[0].result.state_mutations.size(), 2u) << "effects from before the kill too";
}

TEST(Suspended, AnOutstandingCallIsRepeatedAfterAKillWithTheSameKey) {
  const TempFolder folder;
  {
    KilledChild child("SuspendedChild.DISABLED_Waits", folder.path());
    int number = 0;
    ASSERT_TRUE(child.Next(number));
  }
  TestHost test(OptionsAt(folder.path()));
  const auto panel = test.host->Find("p");
  ASSERT_NE(panel, nullptr);
  ASSERT_TRUE(Eventually([&] { return test.extension->calls().size() == 1; }));
  EXPECT_THAT(test.extension->calls(), ElementsAre("never"));
  EXPECT_THAT(StateText(*panel), HasSubstr("\"n\":2"));
  std::string repeated;
  for (const RunRecord& run : panel->Runs(5)) {
    if (run.handler == "wait") repeated = run.run_id;
  }
  EXPECT_THAT(test.extension->keys(), ElementsAre(repeated + ".1"));
  test.extension->AnswerKept(Value(7));
  // The other call may not be repeated: its run learns that nobody knows what came of it.
  ASSERT_TRUE(Settles(*test.host));
  EXPECT_THAT(StateText(*panel), HasSubstr("EXTENSION_ERROR: fake.once: outcome unknown"));
  EXPECT_THAT(StateText(*panel), HasSubstr("7"));
  EXPECT_THAT(StateText(*panel), HasSubstr("\"n\":2"));
}

TEST(Suspended, ASliceThatIsOnDiskIsNotRunAgain) {
  const TempFolder folder;
  {
    TestHost test(OptionsAt(folder.path()));
    const auto panel = test.Mount(kPanel);
    panel->CallTool({.tool = "two", .args = {}}, [](const RunResult&) {});
    ASSERT_TRUE(Eventually([&] { return test.extension->calls().size() == 1; }));
    test.extension->AnswerKept(Value(1));
    ASSERT_TRUE(Eventually([&] { return test.extension->calls().size() == 2; }));
  }
  EXPECT_EQ(AnswersIn(folder), 0) << "the newer snapshot holds what the answer led to";
  TestHost test(OptionsAt(folder.path()));
  const auto panel = test.host->Find("p");
  ASSERT_TRUE(Eventually([&] { return test.extension->calls().size() == 1; }));
  EXPECT_THAT(test.extension->keys(), ElementsAre(HasSubstr(".2")));
  test.extension->AnswerKept(Value(1));
  ASSERT_TRUE(Eventually([&] { return StateText(*panel) == R"({"n":111,"list":[]})"; }))
      << StateText(*panel);
}

TEST(Suspended, AnswersComeAgainInTheirOrder) {
  const TempFolder folder;
  {
    TestHost test(OptionsAt(folder.path()));
    const auto panel = test.Mount(kPanel);
    panel->CallTool({.tool = "three", .args = {}}, [](const RunResult&) {});
    ASSERT_TRUE(Eventually([&] { return test.extension->calls().size() == 3; }));
    test.extension->AnswerOne(2, Value("third"));
    test.extension->AnswerOne(0, Value("first"));
    ASSERT_TRUE(Eventually([&] { return AnswersIn(folder) == 2; }));
  }
  TestHost test(OptionsAt(folder.path()));
  const auto panel = test.host->Find("p");
  ASSERT_TRUE(Eventually([&] { return test.extension->calls().size() == 1; }));
  EXPECT_THAT(test.extension->keys(), ElementsAre(HasSubstr(".2")));
  test.extension->AnswerKept(Value("second"));
  ASSERT_TRUE(Settles(*test.host));
  EXPECT_EQ(StateText(*panel), R"({"n":0,"list":["third","first","second"]})");
  EXPECT_EQ(AnswersIn(folder), 0);
}

TEST(Suspended, AnAtomicRunGoesOnAfterARestart) {
  const TempFolder folder;
  {
    TestHost test(OptionsAt(folder.path()));
    const auto panel = test.Mount(kPanel);
    panel->CallTool({.tool = "exclusive", .args = {}}, [](const RunResult&) {});
    ASSERT_TRUE(Eventually([&] { return test.extension->calls().size() == 1; }));
  }
  TestHost test(OptionsAt(folder.path()));
  const auto panel = test.host->Find("p");
  ASSERT_TRUE(Eventually([&] { return test.extension->calls().size() == 1; }));
  std::vector<std::string> events;
  const auto subscription = panel->Subscribe(std::nullopt, [&](const auto& update) {
    for (const EmittedEvent& event : update->events) events.push_back(event.name);
  });
  test.extension->AnswerKept(Value(1));
  ASSERT_TRUE(Settles(*test.host));
  EXPECT_EQ(StateText(*panel), R"({"n":1,"list":[]})");
  panel->Unsubscribe(*subscription);
  EXPECT_THAT(events, ElementsAre("begun"));
}

// What it read was changed by another while it waited: it begins again.
TEST(Suspended, AnAtomicRunThatOnlyReadMeetsItsConflict) {
  const TempFolder folder;
  {
    TestHost test(OptionsAt(folder.path()));
    const auto panel = test.Mount(kPanel);
    panel->CallTool({.tool = "exclusive", .args = {}}, [](const RunResult&) {});
    ASSERT_TRUE(Eventually([&] { return test.extension->calls().size() == 1; }));
    Call(*panel, "add");
  }
  TestHost test(OptionsAt(folder.path()));
  const auto panel = test.host->Find("p");
  ASSERT_TRUE(Eventually([&] { return test.extension->calls().size() == 1; }));
  test.extension->AnswerKept(Value(1));
  ASSERT_TRUE(Eventually([&] { return test.extension->calls().size() == 2; }));
  test.extension->AnswerKept(Value(1));
  ASSERT_TRUE(Settles(*test.host));
  EXPECT_EQ(StateText(*panel), R"({"n":2,"list":[]})");
}

TEST(Suspended, ADeadlineIsNeitherLongerNorShorterAfterARestart) {
  const TempFolder folder;
  std::atomic<std::int64_t> now_ms{1'700'000'000'000};
  SandboxOptions sandbox_options;
  sandbox_options.clock_unix_ms = [&now_ms] { return now_ms.load(); };
  const auto sandbox = testing::MakeSandbox(std::move(sandbox_options));
  const auto options = [&] {
    PanelHostOptions made = OptionsAt(folder.path());
    made.sandbox = sandbox.get();
    made.clock_unix_ms = [&now_ms] { return now_ms.load(); };
    return made;
  };
  {
    TestHost test(options());
    const auto panel = test.Mount(kPanel);
    for (const int seconds : {30, 60}) {
      panel->CallTool({.tool = "hurry",
                       .args = {},
                       .idempotency_key = std::to_string(seconds),
                       .deadline_unix_ms = now_ms + seconds * 1000},
                      [](const RunResult&) {});
    }
    ASSERT_TRUE(Eventually([&] { return test.extension->calls().size() == 2; }));
  }
  now_ms += 40'000;
  TestHost test(options());
  const auto panel = test.host->Find("p");
  ASSERT_TRUE(Eventually([&] { return test.extension->calls().size() == 2; }));
  auto late = Start(*panel, {.tool = "hurry", .args = {}, .idempotency_key = "30"});
  auto in_time = Start(*panel, {.tool = "hurry", .args = {}, .idempotency_key = "60"});
  test.extension->AnswerKept(Value(1));
  EXPECT_EQ(in_time.get().return_value, Value("in time"));
  const RunResult result = late.get();
  ASSERT_TRUE(result.error) << Shown(result);
  EXPECT_EQ(result.error->code, RunErrorCode::kTimeout);
}

TEST(Suspended, ARunThatCannotGoOnFailsWithTheReason) {
  const TempFolder folder;
  {
    TestHost test(OptionsAt(folder.path()));
    const auto panel = test.Mount(kPanel);
    Limits limits;
    limits.Set(Limit::kSnapshot, 100);
    panel->CallTool({.tool = "wait", .args = {}, .idempotency_key = "a", .limits = limits},
                    [](const RunResult&) {});
    ASSERT_TRUE(Eventually([&] { return test.extension->calls().size() == 1; }));
  }
  {
    TestHost test(OptionsAt(folder.path()));
    const auto panel = test.host->Find("p");
    const RunResult result =
        Start(*panel, {.tool = "wait", .args = {}, .idempotency_key = "a"}).get();
    ASSERT_TRUE(result.error) << Shown(result);
    EXPECT_EQ(result.error->code, RunErrorCode::kExtensionError);
    EXPECT_THAT(result.error->message, HasSubstr("outcome unknown"));
    EXPECT_THAT(result.error->message, HasSubstr("limit snapshot"));
    EXPECT_EQ(StateText(*panel), R"({"n":1,"list":[]})");
    EXPECT_TRUE(test.extension->calls().empty());
  }
  TestHost test(OptionsAt(folder.path()));
  EXPECT_EQ(test.host->GetStats().suspended, 0u);
}

// Not tests: what the tests above kill.
TEST(SuspendedChild, DISABLED_IsAnswered) {
  if (ChildArgument("dir").empty()) GTEST_SKIP();
  TestHost test(OptionsAt(ChildArgument("dir")));
  const auto panel = test.Mount(kPanel);
  panel->CallTool({.tool = "slow", .args = {}}, [](const RunResult&) {});
  if (!Eventually([&] { return test.extension->calls().size() == 1; })) _exit(1);
  test.extension->AnswerKept(Value(41));
  // It runs on: so its answer is in the journal.
  if (!Eventually([&] { return test.host->GetStats().running == 1; })) _exit(1);
  Report(1);
  std::this_thread::sleep_for(std::chrono::seconds(20));
}

TEST(SuspendedChild, DISABLED_Waits) {
  if (ChildArgument("dir").empty()) GTEST_SKIP();
  TestHost test(OptionsAt(ChildArgument("dir")));
  const auto panel = test.Mount(kPanel);
  panel->CallTool({.tool = "wait", .args = {}}, [](const RunResult&) {});
  panel->CallTool({.tool = "once", .args = {}}, [](const RunResult&) {});
  // Made, so both runs are on disk.
  if (!Eventually([&] { return test.extension->calls().size() == 2; })) _exit(1);
  Report(1);
  std::this_thread::sleep_for(std::chrono::seconds(20));
}

}  // namespace
}  // namespace nexus
