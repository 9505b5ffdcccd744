// Goal: a run waits without a thread or an instance, goes on where it was, here or in another
// process, and answers are delivered once. Method: Start and Resume by hand; a child process of
// this test binary for the other process.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "base/file.h"
#include "sandbox/sandbox.h"
#include "sandbox/testing/fake_extension.h"
#include "sandbox/testing/test_sandbox.h"

namespace nexus {
namespace {

using testing::AllCaps;
using testing::Caps;
using testing::ErrorCodeOf;
using testing::FakeExtension;
using testing::MustLoad;
using testing::SharedSandbox;
using testing::Shown;

ExecutionContext ContextWith(std::shared_ptr<Extension> extension, StateBinding* state = nullptr) {
  ExecutionContext context;
  context.capabilities = AllCaps();
  context.extensions = {{"f", std::move(extension)}};
  context.state = state;
  return context;
}

RunResult RunWithFake(std::string text, StateBinding* state = nullptr) {
  return testing::RunText(std::move(text), ContextWith(std::make_shared<FakeExtension>(), state));
}

TEST(Suspend, AnInlineAnswerGoesOnAtOnce) {
  const RunResult result =
      RunWithFake("let s = 0; for (let i = 0; i < 10; i++) s += await $ext.f.echo(i); return s");
  EXPECT_EQ(result.return_value, Value(45)) << Shown(result);
  EXPECT_EQ(result.metrics.suspensions, 10u);
  const auto& calls = result.metrics.host_calls;
  const auto ext = std::find_if(calls.begin(), calls.end(),
                                [](const HostCallCount& call) { return call.name == "ExtCall"; });
  ASSERT_NE(ext, calls.end());
  EXPECT_EQ(ext->count, 10u);
}

TEST(Suspend, LateAnswersComeFromOtherThreads) {
  const RunResult result = RunWithFake(
      "return await Promise.all([$ext.f.later('a'), $ext.f.later('b'), $ext.f.echo('c')])");
  EXPECT_EQ(ToJson(result.return_value), R"(["a","b","c"])") << Shown(result);
}

TEST(Suspend, AFailureIsAnExceptionAtTheAwait) {
  const RunResult caught =
      RunWithFake("try { await $ext.f.fail() } catch (e) { return e.name + ': ' + e.message }");
  EXPECT_EQ(caught.return_value, Value("ExtensionError: it failed on purpose")) << Shown(caught);
  const RunResult uncaught = RunWithFake("await $ext.f.fail()");
  EXPECT_EQ(ErrorCodeOf(uncaught), "EXTENSION_ERROR");
}

TEST(Suspend, UnknownNamesAreErrorsThatListWhatThereIs) {
  const RunResult alias = RunWithFake("await $ext.g.echo(1)");
  EXPECT_EQ(ErrorCodeOf(alias), "EXTENSION_NOT_FOUND") << Shown(alias);
  const RunResult method = RunWithFake("await $ext.f.nothing(1)");
  EXPECT_EQ(ErrorCodeOf(method), "METHOD_NOT_FOUND");
  EXPECT_NE(method.error->message.find("echo"), std::string::npos);
}

TEST(Suspend, AnswersMayComeInAnyOrder) {
  const ProgramPtr program =
      MustLoad("return await Promise.all([$ext.f.never(1), $ext.f.never(2), $ext.f.never(3)])");
  const auto run = SharedSandbox().NewRun(program, ContextWith(std::make_shared<FakeExtension>()));
  RunResult slice = run->Start();
  ASSERT_EQ(slice.status, RunStatus::kSuspended) << Shown(slice);
  ASSERT_EQ(slice.suspensions.size(), 3u);
  EXPECT_EQ(slice.suspensions[1].args[0], Value(2));
  const auto ids = run->suspensions();
  for (const int i : {2, 0, 1}) {
    Result<RunResult> next =
        run->Resume(ids[static_cast<std::size_t>(i)].suspension_id, Answer::Ok(i * 10));
    ASSERT_TRUE(next.has_value()) << next.error().message();
    slice = *std::move(next);
  }
  EXPECT_EQ(ToJson(slice.return_value), "[0,10,20]") << Shown(slice);
}

TEST(Suspend, ASecondAnswerChangesNothing) {
  const ProgramPtr program =
      MustLoad("const a = await $ext.f.never(); const b = await $ext.f.never(); return [a, b]");
  const auto run = SharedSandbox().NewRun(program, ContextWith(std::make_shared<FakeExtension>()));
  run->Start();
  const std::string first = run->suspensions().at(0).suspension_id;
  ASSERT_TRUE(run->Resume(first, Answer::Ok(1)).has_value());
  const auto again = run->Resume(first, Answer::Ok(99));
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code(), Code::kNotFound);
  EXPECT_FALSE(run->Resume("nonsense", Answer::Ok(99)).has_value());
  const auto done = run->Resume(run->suspensions().at(0).suspension_id, Answer::Ok(2));
  EXPECT_EQ(ToJson(done->return_value), "[1,2]");
}

TEST(Suspend, EachFlushHoldsWhatIsNew) {
  MemoryState state;
  const ProgramPtr program =
      MustLoad("$state.a = 1; await $ext.f.never(); $state.b = 2; return 'end'");
  const auto run =
      SharedSandbox().NewRun(program, ContextWith(std::make_shared<FakeExtension>(), &state));
  const RunResult before = run->Start();
  ASSERT_EQ(before.state_mutations.size(), 1u);
  EXPECT_TRUE(state.Has("a"));  // Visible before the call is answered.
  const auto after = run->Resume(run->suspensions().at(0).suspension_id, Answer::Ok({}));
  ASSERT_EQ(after->state_mutations.size(), 1u);
  EXPECT_EQ(after->state_mutations[0].key, "b");
}

TEST(Suspend, AResumedRunSeesTheNewestState) {
  MemoryState state({{"n", 1}});
  const ProgramPtr program =
      MustLoad("const a = $state.n; await $ext.f.never(); return [a, $state.n]");
  const auto run =
      SharedSandbox().NewRun(program, ContextWith(std::make_shared<FakeExtension>(), &state));
  run->Start();
  ASSERT_TRUE(state.Set("n", {}, Value(2)).has_value());
  const auto done = run->Resume(run->suspensions().at(0).suspension_id, Answer::Ok({}));
  EXPECT_EQ(ToJson(done->return_value), "[1,2]");
}

TEST(Suspend, StartingTwiceIsRefusedAndHarmless) {
  const ProgramPtr program = MustLoad("return await $ext.f.never()");
  const auto run = SharedSandbox().NewRun(program, ContextWith(std::make_shared<FakeExtension>()));
  run->Start();
  EXPECT_EQ(ErrorCodeOf(run->Start()), "SUSPENSION_NOT_FOUND");
  const auto done = run->Resume(run->suspensions().at(0).suspension_id, Answer::Ok(5));
  EXPECT_EQ(done->return_value, Value(5));
}

TEST(Suspend, AnExtensionThatAnswersTwiceOrNeverIsSurvived) {
  class Rude final : public Extension {
   public:
    std::string_view name() const override { return "fake"; }
    std::span<const MethodDescriptor> methods() const override { return methods_; }
    void Call(ExtensionCall call, AnswerFunction done) override {
      if (call.method == "forget") return;  // `done` dies uncalled.
      done(Answer::Ok(1));
      done(Answer::Ok(2));
    }

   private:
    const std::vector<MethodDescriptor> methods_ = {{.name = "forget", .summary = ""},
                                                    {.name = "twice", .summary = ""}};
  };
  const RunResult result = testing::RunText(
      "const a = await $ext.f.twice(); let b; try { await $ext.f.forget() } catch (e) { b = "
      "e.message }\n"
      "return [a, b]",
      ContextWith(std::make_shared<Rude>()));
  EXPECT_EQ(ToJson(result.return_value), R"([1,"the extension gave no answer"])") << Shown(result);
}

TEST(Suspend, CancelReachesARunningAndAWaitingRun) {
  for (const char* text : {"for (;;) {}", "await $ext.f.never()",
                           "Array.prototype.indexOf.call({length: 2**53-1}, 1)"}) {
    const auto fake = std::make_shared<FakeExtension>();
    const auto run = SharedSandbox().NewRun(MustLoad(text), ContextWith(fake));
    RunResult result;
    std::jthread thread([&] { result = run->RunToEnd(); });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    run->Cancel();
    thread.join();
    EXPECT_EQ(result.status, RunStatus::kCancelled) << text << Shown(result);
  }
}

TEST(Suspend, CallsNobodyAwaitsDoNotKeepTheRun) {
  const auto fake = std::make_shared<FakeExtension>();
  const RunResult result = testing::RunText("$ext.f.never(1); return 'done'", ContextWith(fake));
  EXPECT_EQ(result.return_value, Value("done")) << Shown(result);
  EXPECT_EQ(fake->abandoned, 0);
}

TEST(Suspend, TheDeadlineCountsSuspendedTimeAndWallDoesNot) {
  auto context = ContextWith(std::make_shared<FakeExtension>());
  context.limits = testing::LimitsOf({{"wall", "20ms"}});
  EXPECT_EQ(testing::RunText("return await $ext.f.later(1)", context).return_value, Value(1));
  context.limits = testing::LimitsOf({{"deadline", "20ms"}});
  const RunResult late = testing::RunText("return await $ext.f.never(1)", context);
  EXPECT_EQ(ErrorCodeOf(late), "TIMEOUT") << Shown(late);
  EXPECT_EQ(late.error->limit, "deadline");
}

constexpr const char* kWaiting = R"(
const seen = new Map([['k', {deep: [1, 2, 3]}]]);
export default async ({args, ext}) => {
  let log = ['start'];
  const add = (x) => { log.push(x); return log.length };
  const x = await ext.f.once('first');
  add(x.v);
  const y = await ext.f.never('second');
  add(y.v + seen.get('k').deep[2]);
  return {sum: x.v + y.v + args.a, log};
})";
constexpr const char* kFinished = R"({"sum":118,"log":["start",7,14]})";

std::unique_ptr<Run> StartWaiting(Sandbox& sandbox, const ProgramPtr& program) {
  auto context = ContextWith(std::make_shared<FakeExtension>());
  context.args = Value::Object({{"a", 100}});
  auto run = sandbox.NewRun(program, std::move(context));
  EXPECT_EQ(run->Start().status, RunStatus::kSuspended);
  return run;
}

TEST(Snapshot, ARunGoesOnFromItsBytes) {
  const ProgramPtr program = MustLoad(kWaiting);
  const auto run = StartWaiting(SharedSandbox(), program);
  const Result<std::string> first = run->Snapshot();
  ASSERT_TRUE(first.has_value()) << first.error().message();
  EXPECT_LT(first->size(), 5120u);
  auto restored =
      SharedSandbox().Restore(program, *first, ContextWith(std::make_shared<FakeExtension>()));
  ASSERT_TRUE(restored.has_value()) << restored.error().message();
  EXPECT_EQ((*restored)->id(), run->id());
  const auto middle = (*restored)->Resume((*restored)->suspensions().at(0).suspension_id,
                                          Answer::Ok(Value::Object({{"v", 7}})));
  ASSERT_EQ(middle->status, RunStatus::kSuspended) << Shown(*middle);
  ASSERT_TRUE((*restored)->Compact().has_value());
  const Result<std::string> second = (*restored)->Snapshot();
  auto again =
      SharedSandbox().Restore(program, *second, ContextWith(std::make_shared<FakeExtension>()));
  ASSERT_TRUE(again.has_value());
  const auto done = (*again)->Resume((*again)->suspensions().at(0).suspension_id,
                                     Answer::Ok(Value::Object({{"v", 11}})));
  EXPECT_EQ(ToJson(done->return_value), kFinished);
  EXPECT_EQ(done->metrics.start_kind, StartKind::kRestored);
}

TEST(Snapshot, ContinuingRepeatsOnlyWhatMayBeRepeated) {
  const ProgramPtr program = MustLoad(
      "const out = []; try { out.push(await $ext.f.once(1)) } catch (e) { out.push(e.message) }\n"
      "out.push(await $ext.f.echo(2)); return out");
  const auto run = SharedSandbox().NewRun(program, ContextWith(std::make_shared<FakeExtension>()));
  run->Start();
  const Result<std::string> bytes = run->Snapshot();
  const auto fake = std::make_shared<FakeExtension>();
  auto restored = SharedSandbox().Restore(program, *bytes, ContextWith(fake));
  const RunResult done = (*restored)->ContinueToEnd();
  ASSERT_EQ(done.status, RunStatus::kSuccess) << Shown(done);
  EXPECT_NE(ToJson(done.return_value).find("outcome unknown"), std::string::npos) << Shown(done);
  EXPECT_EQ(fake->calls(), std::vector<std::string>{"echo"});
}

TEST(Snapshot, BytesThatAreNotOursAreRefused) {
  const ProgramPtr program = MustLoad(kWaiting);
  const auto run = StartWaiting(SharedSandbox(), program);
  const std::string good = *run->Snapshot();
  const auto refused = [&](const std::string& bytes, std::string_view why) {
    const auto restored = SharedSandbox().Restore(program, bytes, {});
    ASSERT_FALSE(restored.has_value());
    EXPECT_EQ(restored.error().code(), Code::kDataLoss);
    EXPECT_NE(restored.error().message().find(why), std::string::npos)
        << restored.error().message();
  };
  refused("", "version");
  refused(good.substr(0, good.size() / 2), "signed");
  for (std::size_t i = 0; i < good.size(); i += 37) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    ASSERT_FALSE(SharedSandbox().Restore(program, bad, {}).has_value()) << "byte " << i;
  }
  const auto other = testing::MakeSandbox({.signing_key = "another installation"});
  EXPECT_FALSE(other->Restore(MustLoad(*other, {.name = "test.js", .text = kWaiting}), good, {})
                   .has_value());
  const auto wrong = SharedSandbox().Restore(MustLoad("return 1"), good, {});
  EXPECT_NE(wrong.error().message().find("another program"), std::string::npos);
}

TEST(Snapshot, AboveItsLimitIsRefused) {
  auto context = ContextWith(std::make_shared<FakeExtension>());
  context.limits = testing::LimitsOf({{"snapshot", "600B"}});
  const auto run = SharedSandbox().NewRun(MustLoad(kWaiting), std::move(context));
  run->Start();
  const auto bytes = run->Snapshot();
  ASSERT_FALSE(bytes.has_value());
  EXPECT_EQ(bytes.error().code(), Code::kResourceExhausted);
}

TEST(Snapshot, TheRightsAreThoseOfNow) {
  const ProgramPtr program = MustLoad("await $ext.f.never(); return $state.secret");
  MemoryState state({{"secret", 1}});
  const auto run =
      SharedSandbox().NewRun(program, ContextWith(std::make_shared<FakeExtension>(), &state));
  run->Start();
  const std::string bytes = *run->Snapshot();
  auto context = ContextWith(std::make_shared<FakeExtension>(), &state);
  context.capabilities = Caps({"ext:*"});
  auto restored = SharedSandbox().Restore(program, bytes, std::move(context));
  const auto done =
      (*restored)->Resume((*restored)->suspensions().at(0).suspension_id, Answer::Ok({}));
  EXPECT_EQ(ErrorCodeOf(*done), "PERMISSION_DENIED") << Shown(*done);
  EXPECT_EQ(done->error->capability, "state:read:secret");
}

// Run in the child process only: see below.
TEST(SnapshotChild, Resumes) {
  const char* const path = std::getenv("NEXUS_TEST_SNAPSHOT");
  if (path == nullptr) GTEST_SKIP() << "started by AnotherProcessGoesOn";
  const Result<std::string> bytes = ReadFile(path);
  ASSERT_TRUE(bytes.has_value());
  auto restored = SharedSandbox().Restore(MustLoad(kWaiting), *bytes,
                                          ContextWith(std::make_shared<FakeExtension>()));
  ASSERT_TRUE(restored.has_value()) << restored.error().message();
  nexus::Run& run = **restored;
  const auto middle =
      run.Resume(run.suspensions().at(0).suspension_id, Answer::Ok(Value::Object({{"v", 7}})));
  ASSERT_TRUE(middle.has_value());
  const auto done =
      run.Resume(run.suspensions().at(0).suspension_id, Answer::Ok(Value::Object({{"v", 11}})));
  EXPECT_EQ(ToJson(done->return_value), kFinished);
}

TEST(Snapshot, AnotherProcessGoesOn) {
  const auto run = StartWaiting(SharedSandbox(), MustLoad(kWaiting));
  const std::string path = ::testing::TempDir() + "nexus-snapshot-" + std::to_string(getpid());
  ASSERT_TRUE(WriteFileAtomic(path, *run->Snapshot()).has_value());
  const pid_t child = fork();
  if (child == 0) {
    setenv("NEXUS_TEST_SNAPSHOT", path.c_str(), 1);
    execl("/proc/self/exe", "sandbox_test", "--gtest_filter=SnapshotChild.*", nullptr);
    _exit(127);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  unlink(path.c_str());
}

}  // namespace
}  // namespace nexus
