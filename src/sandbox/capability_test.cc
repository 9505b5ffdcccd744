// Goal: there is no way out of the sandbox that the gate does not see. Method: every row of the
// host-call table is tried without any right; a new row without a case here fails the test.
#include <gtest/gtest.h>

#include <map>

#include "sandbox/internal/host_call_table.h"
#include "sandbox/testing/fake_extension.h"
#include "sandbox/testing/test_sandbox.h"

namespace nexus {
namespace {

using internal::GateKind;
using internal::HostCallInfo;
using testing::Caps;
using testing::ErrorCodeOf;
using testing::RunText;
using testing::Shown;

struct Attempt {
  const char* text;
  const char* token;  ///< What the denial must name.
};

// One program for each host call that needs a right.
const std::map<std::string_view, Attempt> kAttempts = {
    {"StateGet", {"return $state.secret", "state:read:secret"}},
    {"StateSet", {"$state.secret = 1", "state:write:secret"}},
    {"StateDelete", {"delete $state.secret", "state:write:secret"}},
    {"StateHas", {"return 'secret' in $state", "state:read:secret"}},
    {"StateKeys", {"return $state.keys()", "state:read:*"}},
    {"Emit", {"$emit('boom', 1)", "events:emit:boom"}},
    {"View", {"$view.focus('field')", "view:update:field"}},
    {"ExtCall", {"await $ext.f.echo(1)", "ext:fake.echo"}},
    {"ToolCall", {"await $tools.other({})", "tools:call:other"}},
};

class OneTool final : public ToolBinding {
 public:
  void CallTool(std::string_view, std::string_view, Value, AnswerFunction done) override {
    ++calls;
    done(Answer::Ok(Value("called")));
  }
  std::vector<std::string> ToolNames() const override { return {"other"}; }
  int calls = 0;
};

TEST(Gate, EveryHostCallThatNeedsARightIsDeniedWithoutIt) {
  for (const HostCallInfo& info : internal::kHostCallTable) {
    if (info.gate != GateKind::kRight) continue;
    const auto attempt = kAttempts.find(info.name);
    ASSERT_NE(attempt, kAttempts.end()) << info.name << " has no case here: add one";
    AuditLog audit;
    const auto sandbox = testing::MakeSandbox({.audit = &audit});
    MemoryState state({{"secret", 42}});
    OneTool tool;
    const auto fake = std::make_shared<testing::FakeExtension>();
    const ProgramPtr program =
        testing::MustLoad(*sandbox, {.name = "t.js", .text = attempt->second.text});
    const RunResult result =
        sandbox->Execute(program, {.state = &state, .extensions = {{"f", fake}}, .tools = &tool});
    EXPECT_EQ(ErrorCodeOf(result), "PERMISSION_DENIED") << info.name << Shown(result);
    EXPECT_EQ(result.error->capability, attempt->second.token) << info.name;
    EXPECT_EQ(audit.count(), 1u) << info.name;
    ASSERT_EQ(audit.Recent().size(), 1u);
    EXPECT_EQ(audit.Recent()[0].token, attempt->second.token);
    EXPECT_EQ(audit.Recent()[0].run_id, result.run_id);
    EXPECT_EQ(ToJson(Value(state.values())), R"({"secret":42})") << info.name;
    EXPECT_TRUE(fake->calls().empty());
    EXPECT_EQ(tool.calls, 0);
    EXPECT_TRUE(result.events.empty() && result.view_commands.empty() &&
                result.state_mutations.empty());

    // With exactly the token that the denial named, the same call goes through.
    const RunResult granted =
        sandbox->Execute(program, {.capabilities = Caps({attempt->second.token}),
                                   .state = &state,
                                   .extensions = {{"f", fake}},
                                   .tools = &tool});
    EXPECT_EQ(granted.status, RunStatus::kSuccess) << info.name << Shown(granted);
  }
}

TEST(Gate, WhatIsOpenIsKnown) {
  // Adding to this list is a decision about authority: think, then change the test.
  std::vector<std::string_view> open;
  for (const HostCallInfo& info : internal::kHostCallTable) {
    if (info.gate == GateKind::kOpen) open.push_back(info.name);
  }
  EXPECT_EQ(open, (std::vector<std::string_view>{"Log", "ExtList", "ExtMethods", "Now"}));
}

TEST(Gate, ADenialCanBeCaughtAndCounts) {
  const RunResult result = RunText(
      "try { $state.x } catch (e) { return [e.name, e.code, e.capability, e instanceof Error] }");
  EXPECT_EQ(ToJson(result.return_value),
            R"(["PermissionDenied","PERMISSION_DENIED","state:read:x",true])")
      << Shown(result);
}

TEST(Gate, WriteDoesNotImplyRead) {
  MemoryState state({{"x", 1}});
  const RunResult result = RunText("$state.x = 2; return $state.x",
                                   {.capabilities = Caps({"state:write:x"}), .state = &state});
  EXPECT_EQ(result.error->capability, "state:read:x") << Shown(result);
  EXPECT_EQ(*state.Get("x").As<double>(), 2);
}

TEST(Gate, KeysCanBeAskedForWhatIsReadable) {
  MemoryState state({{"a", 1}, {"b", 2}});
  const RunResult result = RunText("return $state.keys({readable: true})",
                                   {.capabilities = Caps({"state:read:b"}), .state = &state});
  EXPECT_EQ(ToJson(result.return_value), R"(["b"])") << Shown(result);
}

TEST(Gate, ListsShowOnlyWhatMayBeCalled) {
  const auto context = [](const std::vector<std::string>& tokens) {
    ExecutionContext c;
    c.capabilities = Caps(tokens);
    c.extensions = {{"f", std::make_shared<testing::FakeExtension>()}};
    return c;
  };
  EXPECT_EQ(ToJson(RunText("return [$ext.list(), $ext.methods('f')]", context({})).return_value),
            "[[],[]]");
  EXPECT_EQ(ToJson(RunText("return [$ext.list(), $ext.methods('f')]", context({"ext:fake.echo"}))
                       .return_value),
            R"([["f"],["echo"]])");
}

TEST(Gate, ConditionsHold) {
  const auto with = [](GrantConditions conditions) {
    ExecutionContext context;
    context.capabilities =
        CapabilitySet({{*CapabilityToken::Parse("ext:fake"), std::move(conditions)}});
    context.extensions = {{"f", std::make_shared<testing::FakeExtension>()}};
    return context;
  };
  const RunResult twice =
      RunText("await $ext.f.echo(1); await $ext.f.echo(2)", with({.calls_max = 1}));
  EXPECT_EQ(ErrorCodeOf(twice), "PERMISSION_DENIED") << Shown(twice);
  EXPECT_EQ(twice.metrics.suspensions, 1u);
  const RunResult expired = RunText("await $ext.f.echo(1)", with({.expires_unix_ms = 1000}));
  EXPECT_EQ(ErrorCodeOf(expired), "PERMISSION_DENIED");
  const RunResult outside =
      RunText("await $ext.f.read('src/../etc')", with({.path_prefix = "src"}));
  EXPECT_EQ(ErrorCodeOf(outside), "PERMISSION_DENIED");
}

}  // namespace
}  // namespace nexus
