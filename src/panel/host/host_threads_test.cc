// Goal: what several threads do with a panel at once does not mix. Method: extensions that hold
// their caller up until the other thread has done its part.
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "panel/host/testing/test_host.h"

namespace nexus {
namespace {

using testing::Call;
using testing::Eventually;
using testing::PanelText;
using testing::Start;
using testing::TempFolder;
using testing::TestHost;
using testing::ToolText;

TEST(PanelThreads, RunsAreListedWholeWhileTheyEnd) {
  const TempFolder folder;
  PanelHostOptions options;
  options.data_dir = folder.path();
  TestHost test(std::move(options));
  const auto panel = test.Mount(
      PanelText("<State name=\"n\" type=\"number\" default=\"0\"/>",
                ToolText("add", "$state.n += 1", "", "<Arg name=\"text\" type=\"string\"/>")));
  std::atomic<bool> stop{false};
  std::atomic<int> torn{0};
  std::jthread reader([&] {
    while (!stop) {
      for (const RunRecord& run : panel->Runs(10)) {
        if (run.args.StringOr("text", "") != "whole") ++torn;
      }
    }
  });
  for (int i = 0; i < 300; ++i) {
    const RunResult result = Call(*panel, "add", Value::Object({{"text", std::string("whole")}}));
    ASSERT_EQ(result.status, RunStatus::kSuccess);
  }
  stop = true;
  reader.join();
  EXPECT_EQ(torn, 0);
}

TEST(PanelThreads, AnExtensionThatNeverAnswersDoesNotKeepThePanel) {
  TestHost test;
  std::weak_ptr<Panel> left;
  {
    const auto panel = test.Mount(PanelText(
        "", "<Extension name=\"fake\"/>" + ToolText("wait", "return await $ext.fake.never(1)")));
    left = panel;
    Start(*panel, {.tool = "wait", .args = {}});
    ASSERT_TRUE(Eventually([&] { return test.extension->calls().size() == 1; }));
  }
  test.host.reset();
  EXPECT_TRUE(left.expired());
  test.extension->AnswerKept(1);  // Nobody hears it.
}

/// `a` of the first attempt writes the state its caller has read, answers, and holds its thread
/// until the second attempt has come as far; that one waits for `b` of the first, which must not
/// come.
class Rival final : public Extension {
 public:
  std::string_view name() const override { return "rival"; }
  std::span<const MethodDescriptor> methods() const override { return methods_; }

  void Call(ExtensionCall call, AnswerFunction done) override {
    const Value argument = call.args.empty() ? Value() : call.args.front();
    std::unique_lock lock(mutex_);
    if (call.method == "b") {
      calls_of_b.push_back(argument);
      changed_.notify_all();
      return done(Answer::Ok(argument));
    }
    if (++calls_of_a_ == 1) {
      lock.unlock();
      std::promise<void> written;
      panel->SetState("n", 7, "rival", [&](const auto&) { written.set_value(); });
      written.get_future().wait();
      done(Answer::Ok(argument));
      lock.lock();
      changed_.wait_for(lock, std::chrono::seconds(20), [this] { return calls_of_a_ == 2; });
      return;
    }
    changed_.notify_all();
    changed_.wait_for(lock, std::chrono::milliseconds(300), [this] { return !calls_of_b.empty(); });
    lock.unlock();
    done(Answer::Ok(argument));
  }

  Panel* panel = nullptr;
  std::vector<Value> calls_of_b;

 private:
  const std::vector<MethodDescriptor> methods_ = {{.name = "a", .summary = ""},
                                                  {.name = "b", .summary = ""}};
  std::mutex mutex_;
  std::condition_variable changed_;
  int calls_of_a_ = 0;
};

TEST(PanelThreads, CallsOfAnAttemptThatWasGivenUpAreNotMade) {
  const TempFolder folder;
  const auto rival = std::make_shared<Rival>();
  PanelHostOptions options;
  options.data_dir = folder.path();
  options.workers = 3;
  options.find_extension = [rival](std::string_view) { return rival; };
  TestHost test(std::move(options));
  const auto panel = test.Mount(
      PanelText("<State name=\"n\" type=\"number\" default=\"0\"/>",
                "<Extension name=\"rival\"/>" +
                    ToolText("both",
                             "const n = $state.n; $state.n = n + 1;"
                             "const [a, b] = await Promise.all([$ext.rival.a(n), $ext.rival.b(n)]);"
                             "return [a, b]",
                             "atomic=\"true\"")));
  rival->panel = panel.get();
  const RunResult result = Call(*panel, "both");
  ASSERT_EQ(result.status, RunStatus::kSuccess);
  EXPECT_EQ(result.return_value, Value(ValueArray{7, 7}));
  EXPECT_EQ(rival->calls_of_b, std::vector<Value>{7});
}

}  // namespace
}  // namespace nexus
