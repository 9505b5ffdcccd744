// Goal: a recording reproduces its run exactly: result, effects, error, and where it was stopped.
#include <gtest/gtest.h>

#include "sandbox/sandbox.h"
#include "sandbox/testing/fake_extension.h"
#include "sandbox/testing/test_sandbox.h"

namespace nexus {
namespace {

using testing::AllCaps;
using testing::MustLoad;
using testing::SharedSandbox;
using testing::Shown;

// What a replay must reproduce: everything but times.
std::string Essence(RunResult result) {
  result.metrics = RunMetrics();
  for (LogEntry& entry : result.logs) entry.unix_ms = 0;
  return Shown(result);
}

void ExpectReplays(const std::string& text, ExecutionContext context = {}) {
  const ProgramPtr program = MustLoad(text);
  context.capabilities = AllCaps();
  context.extensions = {{"f", std::make_shared<testing::FakeExtension>()}};
  const RunResult live = SharedSandbox().Execute(program, context);
  const std::string recording = SharedSandbox().RecordingOf(live.run_id);
  ASSERT_FALSE(recording.empty()) << text;
  for (int i = 0; i < 2; ++i) {
    const Result<RunResult> replayed = SharedSandbox().Replay(program, recording);
    ASSERT_TRUE(replayed.has_value()) << replayed.error().message();
    EXPECT_EQ(Essence(*replayed), Essence(live)) << text;
  }
}

TEST(Replay, ReproducesClockRandomAndEffects) {
  ExpectReplays(
      "$log('at', Date.now()); $state.x = Math.random(); $emit('e', $time.now()); return "
      "[$state.x, new Date()]");
}

TEST(Replay, ReproducesAnswersInTheirOrder) {
  ExpectReplays(
      "const order = []; await Promise.all([$ext.f.later(1).then(x => order.push(x)), "
      "$ext.f.echo(2).then(x => order.push(x))]);\n"
      "try { await $ext.f.fail() } catch (e) { order.push(e.message) } return order");
}

TEST(Replay, ReproducesAnError) {
  ExpectReplays("$state.a = 1; throw new Error('x' + Math.random())");
}

TEST(Replay, ReproducesLargeReplies) {
  MemoryState state({{"big", std::string(200000, 'x')}});
  ExpectReplays("return $state.big.length", {.state = &state});
}

TEST(Replay, ReproducesASoftStopAtTheSamePoint) {
  ExpectReplays("let n = 0; for (;;) { if (++n % 100000 === 0) $state.n = n; }",
                {.limits = testing::LimitsOf(
                     {{"wall", "40ms"}, {"mutations", "1000000"}, {"hostCalls", "1000000"}})});
}

TEST(Replay, ReproducesAHardStopUpToTheLastHostCall) {
  ExpectReplays("$log('before'); $state.x = 1; Array.prototype.indexOf.call({length: 2**53-1}, 1)",
                {.limits = testing::LimitsOf({{"wall", "40ms"}})});
}

TEST(Replay, SaysWhereAnotherProgramDiverges) {
  const ProgramPtr program = MustLoad("$log('a'); $log('b'); return 1");
  const RunResult live = SharedSandbox().Execute(program, {});
  std::string recording = SharedSandbox().RecordingOf(live.run_id);
  const std::size_t at = recording.rfind('b');
  ASSERT_NE(at, std::string::npos);
  recording[at] = 'c';
  const Result<RunResult> replayed = SharedSandbox().Replay(program, recording);
  ASSERT_TRUE(replayed.has_value());
  ASSERT_TRUE(replayed->error.has_value());
  EXPECT_NE(replayed->error->message.find("diverged at call 2"), std::string::npos)
      << Shown(*replayed);
}

TEST(Replay, RefusesOtherProgramsAndBrokenBytes) {
  const RunResult live = SharedSandbox().Execute(MustLoad("return 1"), {});
  const std::string recording = SharedSandbox().RecordingOf(live.run_id);
  EXPECT_FALSE(SharedSandbox().Replay(MustLoad("return 2"), recording).has_value());
  for (std::size_t size = 0; size < recording.size(); size += 7) {
    (void)SharedSandbox().Replay(MustLoad("return 1"), recording.substr(0, size));
  }
  EXPECT_FALSE(SharedSandbox().Replay(MustLoad("return 1"), "junk").has_value());
}

}  // namespace
}  // namespace nexus
