// Goal: what a program is given, what it gives back, and that no run sees another. Method: small
// programs through the public API.
#include "sandbox/sandbox.h"

#include <gtest/gtest.h>

#include <thread>

#include "sandbox/agent.h"
#include "sandbox/testing/fake_extension.h"
#include "sandbox/testing/test_sandbox.h"

namespace nexus {
namespace {

using testing::AllCaps;
using testing::Caps;
using testing::ErrorCodeOf;
using testing::MakeSandbox;
using testing::MustLoad;
using testing::RunText;
using testing::SharedSandbox;
using testing::Shown;

TEST(Sandbox, RunsAModuleWithArguments) {
  const RunResult result = RunText("export default ({args}) => args.a + args.b",
                                   {.args = Value::Object({{"a", 40}, {"b", 2}})});
  EXPECT_EQ(result.status, RunStatus::kSuccess) << Shown(result);
  EXPECT_EQ(result.return_value, Value(42));
  EXPECT_EQ(result.run_id.size(), 26u);
  EXPECT_GT(result.metrics.memory_used_bytes, 0u);
}

TEST(Sandbox, RunsABodyWithReturnAndAwait) {
  const RunResult result = RunText("const x = await Promise.resolve($args.n);\nreturn x * 2",
                                   {.args = Value::Object({{"n", 21}})});
  EXPECT_EQ(result.return_value, Value(42)) << Shown(result);
}

TEST(Sandbox, ValuesCrossTheBoundaryUnchanged) {
  const Value in = Value::Object(
      {{"undefined", Value()},
       {"null", nullptr},
       {"minusZero", -0.0},
       {"text", "h\xc3\xa9llo \xf0\x9f\x8c\x8d"},
       {"big", BigInt{"-123456789abcdef0123456789"}},
       {"date", Date{1234567890123.0}},
       {"bytes", Bytes{std::string("\0\xff\x80", 3)}},
       {"map", ValueMap{{{Value(1), Value("one")}, {Value("two"), Value::Array({1, 2})}}}},
       {"set", ValueSet{{Value(1), Value("x")}}},
       {"deep", Value::Array({Value::Object({{"a", Value::Array({1.5, true})}})})}});
  const RunResult result =
      RunText("export default ({args}) => args.v", {.args = Value::Object({{"v", in}})});
  ASSERT_EQ(result.status, RunStatus::kSuccess) << Shown(result);
  EXPECT_EQ(result.return_value, in);
}

TEST(Sandbox, ACyclicResultIsRefusedWithItsPlace) {
  const RunResult result = RunText("const a = {list: [{}]}; a.list[0].up = a; return a");
  EXPECT_EQ(ErrorCodeOf(result), "EXECUTION_ERROR");
  EXPECT_NE(result.error->message.find("list[0].up"), std::string::npos) << Shown(result);
}

TEST(Sandbox, NoRunSeesWhatAnotherLeft) {
  const ProgramPtr program = MustLoad(R"(
let count = 0; const kept = [];
export default () => {
  globalThis.leak = (globalThis.leak ?? 0) + 1;
  Array.prototype.evil = 1;
  kept.push(new Uint8Array(100000).fill(7));
  return [++count, globalThis.leak, kept.length, typeof Object.evil];
})");
  for (int i = 0; i < 20; ++i) {
    const RunResult result = SharedSandbox().Execute(program, {});
    ASSERT_EQ(ToJson(result.return_value), R"([1,1,1,"undefined"])") << i;
  }
}

TEST(Sandbox, EachWayOfFindingDirtyPagesUndoesARun) {
  for (const auto method :
       {DirtyPageMethod::kPagemapScan, DirtyPageMethod::kPagemapFile, DirtyPageMethod::kRemap}) {
    auto options = SandboxOptions{};
    options.signing_key = "k";
    options.dirty_pages = method;
    auto sandbox = Sandbox::Create(options);
    if (!sandbox) {
      // Only a kernel before 6.7 may lack the ioctl, and then says so.
      ASSERT_EQ(method, DirtyPageMethod::kPagemapScan);
      continue;
    }
    const ProgramPtr program = MustLoad(**sandbox, {.name = "t.js", .text = R"(
const big = []; let n = 0;
export default ({args}) => {
  for (let i = 0; i < args.pages; i++) big.push(new Uint8Array(4096).fill(1));
  return [++n, big.length];
})"});
    for (const int pages : {0, 40, 3, 1000, 1, 0}) {
      const RunResult result =
          (*sandbox)->Execute(program, {.args = Value::Object({{"pages", pages}})});
      ASSERT_EQ(ToJson(result.return_value), "[1," + std::to_string(pages) + "]")
          << (*sandbox)->Stats().dirty_page_method << " " << Shown(result);
    }
  }
}

TEST(Sandbox, ManyProgramsTakeTurnsOnFewInstances) {
  auto options = SandboxOptions{};
  options.instances_per_thread_max = 2;
  const auto sandbox = MakeSandbox(std::move(options));
  std::vector<ProgramPtr> programs;
  for (int i = 0; i < 20; ++i) {
    const std::string pad(static_cast<std::size_t>(i) * 997, 'x');
    programs.push_back(
        MustLoad(*sandbox, {.name = "p.js",
                            .text = "const pad = '" + pad + "'; let n = " + std::to_string(i) +
                                    "; export default () => [n++, pad.length]"}));
  }
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 20; ++i) {
      const RunResult result = sandbox->Execute(programs[static_cast<std::size_t>(i)], {});
      ASSERT_EQ(ToJson(result.return_value),
                "[" + std::to_string(i) + "," + std::to_string(i * 997) + "]");
    }
  }
  EXPECT_GT(sandbox->Stats().image_switches, 30u);
  EXPECT_LE(sandbox->Stats().instances_live, 2u);
}

TEST(Sandbox, ALargeProgramGetsABaseOfItsOwn) {
  const ProgramPtr program = MustLoad(
      "const table = Array.from({length: 50000}, (_, i) => ({i})); export default () => "
      "table.length");
  EXPECT_EQ(program->load_report().image_pages, 0u);  // Nothing differs from its own base.
  for (int i = 0; i < 3; ++i) {
    const RunResult result = SharedSandbox().Execute(program, {});
    EXPECT_EQ(result.return_value, Value(50000)) << Shown(result);
    EXPECT_LT(result.metrics.dirty_pages, 100u);
  }
}

TEST(Sandbox, ThreadsRunSideBySide) {
  const ProgramPtr program = MustLoad("export default ({args}) => args.n * 2");
  std::vector<std::jthread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        const RunResult result =
            SharedSandbox().Execute(program, {.args = Value::Object({{"n", t * 1000 + i}})});
        right += result.return_value == Value((t * 1000 + i) * 2);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(right, 2000);
}

TEST(Sandbox, AnErrorNamesThePlaceInTheAuthorsFile) {
  const RunResult result =
      RunText("const a = 1;\n\nfunction boom() {\n  null.x;\n}\nreturn boom()");
  EXPECT_EQ(ErrorCodeOf(result), "EXECUTION_ERROR");
  EXPECT_EQ(result.error->location.line, 4u) << Shown(result);
  EXPECT_NE(result.error->snippet.find("null.x"), std::string::npos);
  EXPECT_NE(result.error->stack.find("boom (test.js:4"), std::string::npos) << result.error->stack;
}

TEST(Sandbox, ASyntaxErrorNamesThePlace) {
  const RunResult result = RunText("let a = 1;\nlet b = ;\n");
  EXPECT_EQ(ErrorCodeOf(result), "COMPILATION_ERROR");
  EXPECT_EQ(result.error->location.line, 2u) << Shown(result);
  EXPECT_EQ(result.error->file, "test.js");
}

TEST(Sandbox, AFailingTopLevelIsACompilationError) {
  const RunResult result =
      RunText("const x = 1;\nthrow new Error('not today');\nexport default () => x");
  EXPECT_EQ(ErrorCodeOf(result), "COMPILATION_ERROR");
  EXPECT_EQ(result.error->location.line, 2u) << Shown(result);
}

TEST(Sandbox, TheTopLevelHasNoRights) {
  EXPECT_EQ(ErrorCodeOf(RunText("$state.x; export default () => 1")), "COMPILATION_ERROR");
  EXPECT_EQ(ErrorCodeOf(RunText("Math.random(); export default () => 1")), "COMPILATION_ERROR");
  EXPECT_EQ(RunText("const t = Date.now(); export default () => t").return_value, Value(0));
}

TEST(Sandbox, AnEndlessTopLevelIsStopped) {
  auto program = SharedSandbox().Load({.name = "t.js",
                                       .text = "for (;;) {}\nexport default () => 1",
                                       .limits = testing::LimitsOf({{"wall", "50ms"}})});
  ASSERT_FALSE(program.has_value());
  EXPECT_EQ(program.error().error.code, RunErrorCode::kTimeout);
}

TEST(Sandbox, WithoutADefaultExportItIsAnInvalidHandler) {
  EXPECT_EQ(ErrorCodeOf(RunText("export const x = 1")), "INVALID_HANDLER");
  EXPECT_EQ(ErrorCodeOf(RunText("export default 42")), "INVALID_HANDLER");
}

TEST(Sandbox, CodeFromStringsIsRefused) {
  for (const char* text :
       {"return eval('1')", "return new Function('return 1')()",
        "return (async () => {}).constructor('return 1')()",
        "return (function*(){}).constructor('yield 1')()", "return (0, eval)('1')",
        "return $log.constructor('return globalThis')()",
        "return ({}).constructor.constructor('return 1')()"}) {
    EXPECT_EQ(ErrorCodeOf(RunText(text)), "EXECUTION_ERROR") << text;
  }
}

TEST(Sandbox, HostNamesAreAbsent) {
  const RunResult result = RunText(
      "return "
      "['window','document','fetch','process','require','XMLHttpRequest','WebSocket','setTimeout',"
      "'performance','queueMicrotask','crypto','importScripts'].filter(n => typeof globalThis[n] "
      "!== 'undefined')");
  EXPECT_EQ(ToJson(result.return_value), "[]");
}

TEST(Sandbox, TheSameSeedGivesTheSameNumbers) {
  const std::string text = "return [Math.random(), Math.random()]";
  const RunResult a = RunText(text, {.seed = 7});
  const RunResult b = RunText(text, {.seed = 7});
  const RunResult c = RunText(text, {.seed = 8});
  const RunResult d = RunText(text);
  const RunResult e = RunText(text);
  EXPECT_EQ(a.return_value, b.return_value);
  EXPECT_NE(a.return_value, c.return_value);
  EXPECT_NE(d.return_value, e.return_value);
}

TEST(Sandbox, StateReadsItsOwnWritesAndReportsMutations) {
  MemoryState state({{"items", Value::Array({1})}, {"count", 1}});
  const RunResult result = RunText(
      "$state.count++; $state.items.push(2); $state.user = {name: 'a'}; $state.user.name = 'b';\n"
      "delete $state.gone; return [$state.count, $state.items.length, $state.user.name, 'count' in "
      "$state]",
      {.capabilities = AllCaps(), .state = &state});
  ASSERT_EQ(result.status, RunStatus::kSuccess) << Shown(result);
  EXPECT_EQ(ToJson(result.return_value), R"([2,2,"b",true])");
  EXPECT_EQ(ToJson(Value(state.values())), R"({"items":[1,2],"count":2,"user":{"name":"b"}})");
  ASSERT_EQ(result.state_mutations.size(), 4u) << Shown(result);
  EXPECT_EQ(result.state_mutations[1].path.size(), 1u);
  EXPECT_EQ(result.state_mutations[3].revision, 4u);
}

TEST(Sandbox, EffectsBeforeAnErrorStay) {
  MemoryState state;
  const RunResult result = RunText("$state.a = 1; $emit('e', {x: 1}); throw new Error('late')",
                                   {.capabilities = AllCaps(), .state = &state});
  EXPECT_EQ(ErrorCodeOf(result), "EXECUTION_ERROR");
  EXPECT_EQ(result.state_mutations.size(), 1u);
  EXPECT_EQ(result.events.size(), 1u);
  EXPECT_TRUE(state.Has("a"));
}

TEST(Sandbox, AnAgentGetsWhatItDeclaresAndTheContextGrants) {
  MemoryState state({{"a", 1}, {"b", 2}});
  const ProgramPtr program =
      MustLoad(SharedSandbox(), {.name = "agent.js",
                                 .text = "export default ({state}) => { let b; try { b = state.b } "
                                         "catch (e) { b = e.name } return [state.a, b] }",
                                 .declared = std::vector<CapabilityToken>{{"state:read", "a"}}});
  const Agent agent(SharedSandbox(), "reader", "debugging", program);
  EXPECT_EQ(agent.capabilities().size(), 1u);
  const RunResult result = agent.execute({.capabilities = AllCaps(), .state = &state});
  EXPECT_EQ(ToJson(result.return_value), R"([1,"PermissionDenied"])") << Shown(result);
}

class RunsWithinALog final : public EffectObserver {
 public:
  void OnFlush(const RunResult&) override {}
  void OnLog(std::string_view, const LogEntry&) override {
    inner = RunText(
        "export default () => { const a = []; for (let i = 0; i < 1000; i++) a.push({i}); return "
        "a.length }");
  }
  RunResult inner;
};

TEST(Sandbox, AHostCallMayStartARun) {
  RunsWithinALog observer;
  const RunResult outer = RunText("$log('x'); return 'outer'", {.observer = &observer});
  EXPECT_EQ(outer.return_value, Value("outer")) << Shown(outer);
  EXPECT_EQ(observer.inner.return_value, Value(1000)) << Shown(observer.inner);
}

TEST(Sandbox, AStrictNodeWantsDeclarations) {
  const auto sandbox = MakeSandbox({.signing_key = "k", .strict = true});
  const auto refused = sandbox->Load({.name = "t.js", .text = "return 1"});
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().error.message.find("declares no capabilities"), std::string::npos);
  EXPECT_TRUE(
      sandbox
          ->Load({.name = "t.js", .text = "return 1", .declared = std::vector<CapabilityToken>{}})
          .has_value());
}

TEST(Sandbox, WhatTheTopLevelLogsIsReported) {
  const ProgramPtr program = MustLoad("console.log('building'); export default () => 1");
  ASSERT_EQ(program->load_report().logs.size(), 1u);
  EXPECT_EQ(program->load_report().logs[0].message, "building");
}

TEST(Sandbox, WhatTheHostKeepsIsBounded) {
  for (const char* text :
       {"for (;;) $emit('x', Array(1e6).fill(null))",
        "for (;;) { try { $state.has('x'.repeat(7e6)) } catch {} }",
        "for (let i = 0;; i++) $state['k' + i] = Array(5e5).fill(null)",
        "const all = []; for (;;) all.push($ext.f.never(Array(5e5).fill(null)))"}) {
    ExecutionContext context;
    context.capabilities = AllCaps();
    context.extensions = {{"f", std::make_shared<testing::FakeExtension>()}};
    const RunResult result = RunText(text, std::move(context));
    EXPECT_TRUE(result.error.has_value()) << text;
    EXPECT_LT(SharedSandbox().RecordingOf(result.run_id).size(), 17u << 20);
  }
}

TEST(Sandbox, AForgedDenialIsNotBelieved) {
  const RunResult result = RunText(
      "throw Object.assign(new Error('please grant'), {code: 'PERMISSION_DENIED', capability: "
      "'ext:code'})");
  EXPECT_EQ(ErrorCodeOf(result), "EXECUTION_ERROR") << Shown(result);
  EXPECT_TRUE(result.error->capability.empty());
}

TEST(Sandbox, ALongMessageIsCutBetweenCharacters) {
  const RunResult result = RunText("throw new Error('x' + '\u00e9'.repeat(9000))");
  EXPECT_EQ(ErrorCodeOf(result), "EXECUTION_ERROR") << Shown(result).substr(0, 300);
  EXPECT_EQ(result.error->location.line, 1u);
}

TEST(Sandbox, AForkedChildSaysThatItCannotRun) {
  const ProgramPtr program = MustLoad("return 1");
  EXPECT_EXIT(
      {
        const RunResult result = SharedSandbox().Execute(program, {});
        std::_Exit(ErrorCodeOf(result) == "UNAVAILABLE" ? 7 : 8);
      },
      ::testing::ExitedWithCode(7), "");
}

TEST(Sandbox, WrongArgumentsAreNamed) {
  EXPECT_EQ(ErrorCodeOf(RunText("return 1", {.args = Value("text")})), "INVALID_ARGUMENT");
  EXPECT_EQ(ErrorCodeOf(RunText("return 1", {.scope = Value(3)})), "INVALID_ARGUMENT");
  EXPECT_EQ(ErrorCodeOf(RunText("return 1", {.limits = testing::LimitsOf({{"memory", "1MiB"}})})),
            "INVALID_ARGUMENT");
}

}  // namespace
}  // namespace nexus
