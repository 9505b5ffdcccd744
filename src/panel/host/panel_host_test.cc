// Goal: what a panel does with calls, state and watchers is what contract 2, 3, 6 and 7 promise.
// Method: small panels through the public interface, on a host without a journal where the disk
// does not matter, and with one (host_durability_test.cc) where it does.
#include "panel/host/panel_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "panel/host/testing/test_host.h"

namespace nexus {
namespace {

using testing::Call;
using testing::ComputedText;
using testing::Eventually;
using testing::PanelText;
using testing::ReadPanel;
using testing::Shown;
using testing::Start;
using testing::StateText;
using testing::TestHost;
using testing::ToolText;

const char* const kCounter = R"(<State name="n" type="number" default="0"/>)";
const std::string kExtension = "<Extension name=\"fake\"/>";

TEST(Panel, AToolChangesStateAndReturns) {
  TestHost test;
  const auto panel =
      test.Mount(PanelText(kCounter, ToolText("add", "$state.n += $args.by; return $state.n", "",
                                              "<Arg name=\"by\" type=\"number\" default=\"1\"/>")));
  const RunResult first = Call(*panel, "add", Value::Object({{"by", 41}}));
  EXPECT_EQ(first.return_value, Value(41)) << Shown(first);
  ASSERT_EQ(first.state_mutations.size(), 1u);
  EXPECT_EQ(first.state_mutations[0].revision, 1u);
  const RunResult second = Call(*panel, "add");
  EXPECT_EQ(second.return_value, Value(42));
  EXPECT_EQ(StateText(*panel), R"({"n":42})");
  EXPECT_EQ(panel->State().revision, 2u);
}

TEST(Panel, ArgumentsAreChecked) {
  TestHost test;
  const auto panel = test.Mount(PanelText(
      kCounter, ToolText("f", "return $args", "",
                         "<Arg name=\"title\" type=\"string\" description=\"what to do\"/>"
                         "<Arg name=\"n\" type=\"number\" required=\"false\"/>")));
  const auto message = [&](Value args) {
    const RunResult result = Call(*panel, "f", std::move(args));
    EXPECT_EQ(result.status, RunStatus::kError);
    EXPECT_EQ(result.error->code, RunErrorCode::kInvalidArgument);
    return result.error->message;
  };
  EXPECT_EQ(message({}), "tool f: argument 'title' is missing: a string (what to do)");
  EXPECT_EQ(message(Value::Object({{"title", 1}})),
            "tool f: argument 'title' is a string (what to do), not a number");
  EXPECT_EQ(message(Value::Object({{"titel", "x"}})),
            "tool f: it has no argument 'titel' (did you mean 'title'?)");
  EXPECT_EQ(message(Value::Array({1})),
            "tool f: its arguments are an object with a member for each, not a array");
  const RunResult fine = Call(*panel, "f", Value::Object({{"title", "x"}, {"n", Value(nullptr)}}));
  EXPECT_EQ(fine.return_value, Value::Object({{"title", "x"}})) << Shown(fine);
}

TEST(Panel, AnUnknownToolIsNamed) {
  TestHost test;
  const auto panel = test.Mount(PanelText(kCounter, ToolText("add", "return 1")));
  const RunResult result = Call(*panel, "ad");
  EXPECT_EQ(result.error->code, RunErrorCode::kMethodNotFound);
  EXPECT_EQ(result.error->message, "panel p has no tool 'ad' (did you mean 'add'?)");
}

TEST(Panel, StateIsTypedAndDeclared) {
  TestHost test;
  const auto panel = test.Mount(
      PanelText(std::string(kCounter) + R"(<Computed name="twice" value="$state.n * 2"/>)",
                "<Tool name=\"set\"><Arg name=\"key\"/><Arg name=\"value\" type=\"object\"/>"
                "<Capabilities><Capability type=\"state:write\" scope=\"*\"/></Capabilities>"
                "<Handler>$state.set($args.key, $args.value.v)</Handler></Tool>"));
  const auto message = [&](const char* key, Value value) {
    const RunResult result =
        Call(*panel, "set",
             Value::Object({{"key", key}, {"value", Value::Object({{"v", std::move(value)}})}}));
    return result.error ? result.error->message : std::string("it was set");
  };
  EXPECT_EQ(message("n", 7), "it was set");
  EXPECT_THAT(message("n", "7"),
              ::testing::HasSubstr("state n: it is a number, and cannot become"));
  EXPECT_THAT(message("m", 7), ::testing::HasSubstr("the panel declares no such key"));
  EXPECT_THAT(message("twice", 7), ::testing::HasSubstr("it is a computed value"));
  EXPECT_EQ(StateText(*panel), R"({"n":7})");
}

TEST(Panel, StateHoldsJsonOnly) {
  TestHost test;
  const auto panel =
      test.Mount(PanelText(R"(<State name="v" type="object"/>)",
                           ToolText("f",
                                    "$state.v = {d: new Date(0), m: new Map([[1, 2]]), b: 10n, u: "
                                    "undefined, n: NaN}")));
  ASSERT_EQ(Call(*panel, "f").status, RunStatus::kSuccess);
  EXPECT_EQ(StateText(*panel),
            R"({"v":{"d":"1970-01-01T00:00:00.000Z","m":[[1,2]],"b":"10","n":null}})");
}

TEST(Panel, ComputedValuesFollowTheStateAndEachOther) {
  TestHost test;
  const auto panel =
      test.Mount(PanelText(std::string(kCounter) + R"(<Computed name="twice" value="$state.n * 2"/>
         <Computed name="text" value="`twice is ${$state.twice}`"/>)",
                           ToolText("add", "$state.n += 1; return $state.text")));
  EXPECT_EQ(ComputedText(*panel), R"({"twice":0,"text":"twice is 0"})");
  const RunResult result = Call(*panel, "add");
  EXPECT_EQ(result.return_value, Value("twice is 2")) << Shown(result);
  EXPECT_EQ(ComputedText(*panel), R"({"twice":2,"text":"twice is 2"})");
}

TEST(Panel, AnErrorInAComputedValueLeavesItUndefined) {
  TestHost test;
  const auto panel =
      test.Mount(PanelText(std::string(kCounter) + R"(<Computed name="bad" value="$state.n.x.y"/>
                                           <Computed name="good" value="1"/>)",
                           ""));
  EXPECT_EQ(ComputedText(*panel), R"({"good":1})");
}

TEST(Panel, WhatHappenedBeforeAnErrorStays) {
  TestHost test;
  const auto panel = test.Mount(PanelText(
      kCounter,
      ToolText("half", "$state.n = 1;\n$emit('did', {n: 1});\nthrow new Error('broken')")));
  const RunResult result = Call(*panel, "half");
  EXPECT_EQ(result.status, RunStatus::kError);
  EXPECT_EQ(result.state_mutations.size(), 1u);
  EXPECT_EQ(result.events.size(), 1u);
  EXPECT_EQ(result.error->panel_id, "p");
  EXPECT_EQ(result.error->handler_name, "half");
  EXPECT_EQ(StateText(*panel), R"({"n":1})");
}

TEST(Panel, AnErrorNamesThePlaceInThePanelFile) {
  TestHost test;
  const std::string text =
      "<NexusPanel id=\"p\">\n  <Logic>\n    <Tool name=\"f\">\n      <Handler>\n"
      "        const x = 1;\n        throw new Error('here');\n      </Handler>\n"
      "    </Tool>\n  </Logic>\n</NexusPanel>\n";
  const auto panel = test.Mount(text);
  const RunResult result = Call(*panel, "f");
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->location.line, 6u) << Shown(result);
  EXPECT_EQ(result.error->file, "test.nxml");
  EXPECT_THAT(result.error->snippet, ::testing::HasSubstr("throw new Error('here');"));
}

TEST(Panel, AnAtomicToolKeepsNothingOfAFailure) {
  TestHost test;
  const auto panel = test.Mount(
      PanelText(std::string(kCounter) + R"(<State name="list" type="list" default="[1,2,3]"/>)",
                ToolText("f",
                         "$state.list.push(4); $state.list.length = 1; $state.n = 5; delete "
                         "$state.list[0]; $emit('e', 1); throw new Error('no')",
                         "atomic=\"true\"")));
  const RunResult result = Call(*panel, "f");
  EXPECT_EQ(result.status, RunStatus::kError);
  EXPECT_TRUE(result.state_mutations.empty());
  EXPECT_TRUE(result.events.empty());
  EXPECT_EQ(StateText(*panel), R"({"n":0,"list":[1,2,3]})");
  EXPECT_EQ(panel->State().revision, 0u);
}

TEST(Panel, AnAtomicToolThatWaitsIsRetriedAfterAConflictAndGivesUpInTheEnd) {
  TestHost test;
  const auto panel = test.Mount(
      PanelText(std::string(kCounter) + R"(<State name="m" type="number" default="0"/>)",
                kExtension +
                    ToolText("slow",
                             "const n = $state.n; $state.m = 100; await $ext.fake.later(1); "
                             "$state.n = n + 1; return $state.n",
                             "atomic=\"true\"") +
                    ToolText("quick", "$state.n += 10; return $state.m")));
  auto slow = Start(*panel, {.tool = "slow", .args = {}});
  // Between its slices others see nothing of it.
  const RunResult quick = Call(*panel, "quick");
  EXPECT_EQ(quick.return_value, Value(0));
  const RunResult result = slow.get();
  EXPECT_EQ(result.status, RunStatus::kSuccess) << Shown(result);
  EXPECT_EQ(result.return_value, Value(11));
  EXPECT_EQ(StateText(*panel), R"({"n":11,"m":100})");

  std::atomic<bool> stop{false};
  std::jthread disturber([&] {
    while (!stop) Call(*panel, "quick");
  });
  const RunResult conflict = Call(*panel, "slow");
  stop = true;
  ASSERT_TRUE(conflict.error) << Shown(conflict);
  EXPECT_EQ(conflict.error->code, RunErrorCode::kConflict);
}

TEST(Panel, ARunThatWaitsShowsItsStateBeforeTheCall) {
  TestHost test;
  const auto panel = test.Mount(PanelText(
      kCounter,
      kExtension + ToolText("f", "$state.n = 1; const v = await $ext.fake.never(1); return v")));
  std::vector<RunResult> seen;
  std::mutex mutex;
  const std::string id = panel->CallTool({.tool = "f", .args = {}}, [&](const RunResult& flush) {
    const std::lock_guard lock(mutex);
    seen.push_back(flush);
  });
  ASSERT_TRUE(Eventually([&] { return test.extension->calls().size() == 1; }));
  EXPECT_EQ(StateText(*panel), R"({"n":1})");
  {
    const std::lock_guard lock(mutex);
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_EQ(seen[0].status, RunStatus::kSuspended);
    EXPECT_EQ(seen[0].suspensions.size(), 1u);
    EXPECT_EQ(seen[0].state_mutations.size(), 1u);
  }
  ASSERT_EQ(panel->Runs(10).size(), 1u);
  EXPECT_EQ(panel->Runs(10)[0].result.status, RunStatus::kSuspended);
  EXPECT_TRUE(panel->Cancel(id).has_value());
  ASSERT_TRUE(Eventually([&] {
    const std::lock_guard lock(mutex);
    return seen.size() == 2;
  }));
  EXPECT_EQ(seen[1].status, RunStatus::kCancelled) << Shown(seen[1]);
  EXPECT_FALSE(panel->Cancel(id).has_value());
}

TEST(Panel, SeveralCallsAtOnceAreAnsweredInAnyOrder) {
  TestHost test;
  const auto panel = test.Mount(PanelText(
      kCounter, kExtension + ToolText("f",
                                      "const all = await Promise.all([$ext.fake.later(1), "
                                      "$ext.fake.echo(2), $ext.fake.later(3)]); return all")));
  const RunResult result = Call(*panel, "f");
  EXPECT_EQ(result.return_value, Value::Array({1, 2, 3})) << Shown(result);
  EXPECT_EQ(test.extension->calls().size(), 3u);
}

TEST(Panel, AFailedCallIsAnExceptionAtTheAwait) {
  TestHost test;
  const auto panel = test.Mount(
      PanelText(kCounter, kExtension + ToolText("f",
                                                "try { await $ext.fake.fail(1) } catch (e) { "
                                                "return e.message }")));
  EXPECT_EQ(Call(*panel, "f").return_value, Value("it failed on purpose"));
}

TEST(Panel, ToolsCallEachOtherUnderTheirOwnRights) {
  TestHost test;
  const auto panel = test.Mount(
      PanelText(std::string(kCounter) + R"(<State name="m" type="number" default="0"/>)",
                ToolText("outer", "const r = await $tools.inner({by: 2}); return r * 10") +
                    ToolText("inner", "$state.n += $args.by; return $state.n", "",
                             "<Arg name=\"by\" type=\"number\"/>") +
                    ToolText("wrong", "await $tools.inner({by: 'x'})") +
                    ToolText("forever", "return await $tools.forever()")));
  const RunResult result = Call(*panel, "outer");
  EXPECT_EQ(result.return_value, Value(20)) << Shown(result);
  const RunResult wrong = Call(*panel, "wrong");
  ASSERT_TRUE(wrong.error);
  EXPECT_THAT(wrong.error->message, ::testing::HasSubstr("argument 'by' is a number"));
  const RunResult forever = Call(*panel, "forever");
  ASSERT_TRUE(forever.error);
  EXPECT_THAT(forever.error->message, ::testing::HasSubstr("more than 16 deep"));
}

TEST(Panel, WatchersSeeEveryUpdateInOrder) {
  TestHost test;
  const auto panel = test.Mount(PanelText(
      std::string(kCounter) + R"(<Computed name="big" value="$state.n > 2"/>)",
      ToolText("add", "$state.n += 1; $emit('added', $state.n); $view.focus('x'); $log('hello')")));
  std::vector<std::shared_ptr<const PanelUpdate>> updates;
  const auto subscription = panel->Subscribe(
      std::nullopt, [&](const std::shared_ptr<const PanelUpdate>& u) { updates.push_back(u); });
  ASSERT_TRUE(subscription.has_value());
  for (int i = 0; i < 4; ++i) Call(*panel, "add");
  panel->Unsubscribe(*subscription);
  Call(*panel, "add");
  ASSERT_EQ(updates.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(updates[i]->revision, i + 1);
    EXPECT_EQ(updates[i]->mutations.size(), 1u);
    EXPECT_EQ(updates[i]->events[0].name, "added");
    EXPECT_EQ(updates[i]->view_commands[0].type, "focus");
    EXPECT_EQ(updates[i]->logs[0].message, "hello");
    ASSERT_TRUE(updates[i]->finished);
    EXPECT_EQ(updates[i]->finished->handler, "add");
  }
  // Told at first and when it changes, not in between.
  EXPECT_EQ(updates[0]->computed.size(), 1u);
  EXPECT_EQ(updates[1]->computed.size(), 0u);
  EXPECT_EQ(updates[2]->computed.size(), 1u);
  EXPECT_EQ(updates[2]->computed[0].second, Value(true));
  EXPECT_EQ(panel->Logs(10).size(), 5u);
}

TEST(Panel, TheSameIdempotencyKeyRunsOnce) {
  TestHost test;
  const auto panel =
      test.Mount(PanelText(kCounter, kExtension + ToolText("add",
                                                           "await $ext.fake.later(1); $state.n += "
                                                           "1; return $state.n")));
  auto first = Start(*panel, {.tool = "add", .args = {}, .idempotency_key = "k"});
  auto second = Start(*panel, {.tool = "add", .args = {}, .idempotency_key = "k"});
  EXPECT_EQ(first.get().run_id, second.get().run_id);
  const RunResult third = Start(*panel, {.tool = "add", .args = {}, .idempotency_key = "k"}).get();
  EXPECT_EQ(third.return_value, Value(1));
  EXPECT_EQ(StateText(*panel), R"({"n":1})");
}

TEST(Panel, WritesFromOutsideAreCheckedAndSeen) {
  TestHost test;
  const auto panel = test.Mount(PanelText(kCounter, ""));
  std::promise<Result<std::uint64_t>> good;
  std::promise<Result<std::uint64_t>> bad;
  panel->SetState("n", 3, "me", [&](Result<std::uint64_t> r) { good.set_value(std::move(r)); });
  panel->SetState("n", "x", "me", [&](Result<std::uint64_t> r) { bad.set_value(std::move(r)); });
  const auto revision = good.get_future().get();
  ASSERT_TRUE(revision.has_value());
  EXPECT_EQ(*revision, 1u);
  EXPECT_FALSE(bad.get_future().get().has_value());
  EXPECT_EQ(StateText(*panel), R"({"n":3})");
}

TEST(Panel, LifecycleHandlersRun) {
  TestHost test;
  const auto panel =
      test.Mount(PanelText(kCounter,
                           "<Lifecycle on=\"mount\"><Handler>$state.n = 1</Handler></Lifecycle>"
                           "<Lifecycle on=\"unmount\"><Handler>$log('bye')</Handler></Lifecycle>"));
  EXPECT_TRUE(Eventually([&] { return panel->State().revision == 1; }));
  ASSERT_TRUE(test.host->Unmount("p").has_value());
  EXPECT_EQ(panel->Logs(1)[0].message, "bye");
  EXPECT_EQ(test.host->Find("p"), nullptr);
  const RunResult late = Call(*panel, "x");
  EXPECT_EQ(late.status, RunStatus::kError);
}

TEST(Panel, EventsAndStateChangesCallTools) {
  TestHost test;
  const auto panel = test.Mount(PanelText(
      std::string(kCounter) + R"(<State name="log" type="list" default="[]"/>)",
      ToolText("go", "$state.n += 1; $emit('order:made', {id: 7})") +
          ToolText("onOrder",
                   "$state.log.push(['event', $args.event.name, $args.event.payload.id])", "",
                   "<Arg name=\"event\" type=\"object\"/>") +
          ToolText("onN", "$state.log.push(['change', $args.change.path, $args.change.value])", "",
                   "<Arg name=\"change\" type=\"object\"/>") +
          "<Trigger on=\"event\" pattern=\"order:*\" tool=\"onOrder\"/>"
          "<Trigger on=\"state_change\" path=\"n\" tool=\"onN\"/>"));
  Call(*panel, "go");
  ASSERT_TRUE(Eventually([&] { return panel->State().revision == 3; }));
  EXPECT_EQ(StateText(*panel), R"({"n":1,"log":[["event","order:made",7],["change","n",1]]})");
}

TEST(Panel, TriggersThatSetEachOtherOffEnd) {
  TestHost test;
  const auto panel = test.Mount(
      PanelText(kCounter, ToolText("again", "$state.n += 1") +
                              "<Trigger on=\"state_change\" path=\"n\" tool=\"again\"/>"));
  Call(*panel, "again");
  ASSERT_TRUE(Eventually([&] { return !panel->Logs(1).empty(); }));
  EXPECT_THAT(panel->Logs(1)[0].message, ::testing::HasSubstr("more than 16 times"));
  EXPECT_EQ(StateText(*panel), R"({"n":17})");
}

TEST(Panel, IntervalsFollowTheClock) {
  std::atomic<std::int64_t> now{1'000'000};
  PanelHostOptions options;
  options.clock_unix_ms = [&now] { return now.load(); };
  TestHost test(std::move(options));
  const auto panel =
      test.Mount(PanelText(kCounter, ToolText("tick", "$state.n += 1") +
                                         "<Trigger on=\"interval\" every=\"60s\" tool=\"tick\"/>"));
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_EQ(panel->State().revision, 0u);
  for (std::uint64_t i = 1; i <= 3; ++i) {
    now += 60'000;
    EXPECT_TRUE(Eventually([&] { return panel->State().revision == i; }));
  }
}

TEST(Panel, ARunawayIsStoppedAndThePanelGoesOn) {
  TestHost test;
  const auto panel =
      test.Mount(PanelText(kCounter,
                           "<Tool name=\"loop\"><Handler wall=\"50ms\">$state.n = 1; for "
                           "(;;) {}</Handler></Tool>" +
                               ToolText("add", "return ++$state.n")));
  const RunResult result = Call(*panel, "loop");
  EXPECT_EQ(result.error->code, RunErrorCode::kTimeout) << Shown(result);
  EXPECT_EQ(Call(*panel, "add").return_value, Value(2));
}

TEST(Panel, HandlersHaveOnlyTheRightsTheyDeclare) {
  TestHost test;
  const auto panel = test.Mount(
      PanelText(kCounter,
                "<Tool name=\"f\"><Capabilities><Capability type=\"state:read\" scope=\"n\"/>"
                "</Capabilities><Handler>$state.n = 1</Handler></Tool>"));
  const RunResult result = Call(*panel, "f");
  EXPECT_EQ(result.error->code, RunErrorCode::kPermissionDenied);
  EXPECT_EQ(result.error->capability, "state:write:n");
}

TEST(PanelHost, ACeilingCutsWhatPanelsAskFor) {
  PanelHostOptions options;
  options.ceiling = testing::Caps({"state:read:*"});
  TestHost test(std::move(options));
  const auto panel = test.Mount(PanelText(kCounter, ToolText("f", "$state.n = 1")));
  EXPECT_EQ(Call(*panel, "f").error->code, RunErrorCode::kPermissionDenied);
}

TEST(PanelHost, StrictRefusesUndeclaredHandlers) {
  PanelHostOptions options;
  options.strict = true;
  TestHost test(std::move(options));
  const std::string text = PanelText(kCounter, ToolText("f", "$state.n = 1"));
  const auto panel = test.host->Mount(ReadPanel(text), text, "", {});
  ASSERT_FALSE(panel.has_value());
  EXPECT_THAT(panel.error().message(), ::testing::HasSubstr("declares no capabilities"));
}

TEST(PanelHost, AnIdIsTakenOnce) {
  TestHost test;
  const std::string text = PanelText(kCounter, "");
  test.Mount(text);
  const auto again = test.host->Mount(ReadPanel(text), text, "", {});
  ASSERT_FALSE(again.has_value());
  EXPECT_THAT(again.error().message(), ::testing::HasSubstr("the id is taken"));
}

TEST(PanelHost, ComputedValuesInACircleAreRefused) {
  TestHost test;
  PanelDefinition definition = ReadPanel(PanelText(kCounter, ""));
  definition.computed.push_back({.name = "a", .expression = "$state.b + 1"});
  definition.computed.push_back({.name = "b", .expression = "$state.a + 1"});
  const auto panel = test.host->Mount(definition, "", "", {});
  ASSERT_FALSE(panel.has_value());
  EXPECT_THAT(panel.error().message(), ::testing::HasSubstr("a -> b -> a"));
}

TEST(PanelHost, AnUpdateKeepsTheStateThatStillFits) {
  TestHost test;
  const auto panel =
      test.Mount(PanelText(std::string(kCounter) + R"(<State name="s" type="string" default="a"/>)",
                           ToolText("add", "$state.n += 1; $state.s = 'b'")));
  Call(*panel, "add");
  const std::string text =
      PanelText(std::string(kCounter) + R"(<State name="s" type="list" default="[1]"/>)",
                ToolText("add", "$state.n += 100"));
  ASSERT_TRUE(test.host->Update("p", ReadPanel(text), text).has_value());
  EXPECT_EQ(StateText(*panel), R"({"n":1,"s":[1]})");
  Call(*panel, "add");
  EXPECT_EQ(StateText(*panel), R"({"n":101,"s":[1]})");
}

TEST(PanelHost, OverloadIsRefusedAtOnce) {
  PanelHostOptions options;
  options.queued_calls_max = 4;
  options.workers = 1;
  TestHost test(std::move(options));
  const auto panel = test.Mount(PanelText(
      kCounter, ToolText("slow", "let x = 0; for (let i = 0; i < 1e6; ++i) x += i; return x")));
  std::vector<std::future<RunResult>> calls;
  for (int i = 0; i < 20; ++i) calls.push_back(Start(*panel, {.tool = "slow", .args = {}}));
  int refused = 0;
  for (auto& call : calls) {
    const RunResult result = call.get();
    if (result.error) {
      EXPECT_EQ(result.error->code, RunErrorCode::kOverloaded) << Shown(result);
      ++refused;
    }
  }
  EXPECT_GE(refused, 10);
  EXPECT_LT(refused, 20);
}

}  // namespace
}  // namespace nexus
