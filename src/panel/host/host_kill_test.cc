// Goal: a process that is killed under load loses nothing it acknowledged and does nothing twice.
// Method: cycles of a child that calls tools for ever and reports each acknowledged call; it is
// killed at a random instant, and a host of this process looks at what is there. NEXUS_KILL_CYCLES
// says how many (tests/long/kill_panels.sh: 1,000).
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <random>
#include <set>
#include <thread>

#include "panel/host/testing/killed_child.h"
#include "panel/host/testing/test_host.h"

namespace nexus {
namespace {

using testing::ChildArgument;
using testing::KilledChild;
using testing::PanelText;
using testing::Report;
using testing::Settles;
using testing::TempFolder;
using testing::TestHost;
using testing::ToolText;

// Even calls are one write; odd ones write, wait for an extension, and write again.
const std::string kTools =
    "<Extension name=\"fake\"/>" +
    ToolText("once", "$state.seen['k' + $args.k] = ($state.seen['k' + $args.k] ?? 0) + 1", "",
             "<Arg name=\"k\" type=\"number\"/>") +
    ToolText("twice",
             "$state.seen['k' + $args.k] = ($state.seen['k' + $args.k] ?? 0) + 1;"
             "const more = await $ext.fake.echo(1);"
             "$state.seen['k' + $args.k] += more",
             "", "<Arg name=\"k\" type=\"number\"/>");

std::string LoadPanelText(const std::string& id) {
  return PanelText("<State name=\"seen\" type=\"object\" default=\"{}\"/>", kTools, id);
}

// What the child reported is there in full; what it did not is there in full or not at all.
void CheckPanel(TestHost& test, const std::string& id, const std::set<int>& acknowledged) {
  const auto panel = test.host->Find(id);
  if (panel == nullptr) {
    ASSERT_TRUE(acknowledged.empty()) << "the panel is lost";
    return;
  }
  ASSERT_TRUE(Settles(*test.host));
  const Status ready = test.host->Ready();
  ASSERT_TRUE(ready.has_value()) << ready.error().message();
  const ValueObject state = panel->State().state;
  const auto& seen = *state.Find("seen")->As<ValueObject>();
  std::set<int> there;
  for (const auto& [key, count] : seen) {
    const int number = std::atoi(key.c_str() + 1);
    ASSERT_EQ(count, Value(number % 2 == 0 ? 1 : 2)) << key << ": done in part, or again";
    there.insert(number);
  }
  for (const int number : acknowledged) {
    ASSERT_TRUE(there.contains(number)) << "call " << number << " is lost";
  }
}

// Two halves, because tests run side by side.
class Kill : public ::testing::TestWithParam<unsigned> {};

TEST_P(Kill, NothingAcknowledgedIsLostAndNothingIsDoneTwice) {
  const char* const cycles_text = std::getenv("NEXUS_KILL_CYCLES");
  const int cycles = (cycles_text != nullptr ? std::atoi(cycles_text) : 50) / 2;
  const TempFolder folder;
  std::mt19937 random(GetParam());
  std::size_t total = 0;
  for (int cycle = 0; cycle < cycles; ++cycle) {
    SCOPED_TRACE("cycle " + std::to_string(cycle));
    const std::string id = "p" + std::to_string(cycle);
    std::set<int> acknowledged;
    KilledChild child("KillChild.DISABLED_Load", folder.path(), id);
    int number = 0;
    // Mostly under load, now and then while it opens.
    if (cycle % 8 != 7) {
      ASSERT_TRUE(child.Next(number)) << "the child did not start";
      acknowledged.insert(number);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 30'000));
    child.Kill();
    while (child.Next(number)) ASSERT_TRUE(acknowledged.insert(number).second);
    PanelHostOptions options;
    options.data_dir = folder.path();
    TestHost test(std::move(options));
    CheckPanel(test, id, acknowledged);
    if (HasFatalFailure()) return;
    total += acknowledged.size();
    // Some stay, so that each start has others to open.
    if (cycle % 4 != 0 && test.host->Find(id) != nullptr) {
      ASSERT_TRUE(test.host->Unmount(id).has_value());
    }
  }
  EXPECT_GT(total, static_cast<std::size_t>(cycles));
}

INSTANTIATE_TEST_SUITE_P(Half, Kill, ::testing::Values(1u, 2u));

// Not a test: what the test above kills.
TEST(KillChild, DISABLED_Load) {
  const std::string dir = ChildArgument("dir");
  const std::string id = ChildArgument("panel");
  if (dir.empty()) GTEST_SKIP();
  PanelHostOptions options;
  options.data_dir = dir;
  TestHost test(std::move(options));
  const auto panel = test.Mount(LoadPanelText(id));
  std::atomic<int> numbers{0};
  std::function<void()> next = [&] {
    const int number = ++numbers;
    panel->CallTool(
        {.tool = number % 2 == 0 ? "once" : "twice", .args = Value::Object({{"k", number}})},
        [&, number](const RunResult& result) {
          if (result.status == RunStatus::kSuspended) return;
          if (result.status != RunStatus::kSuccess) _exit(1);
          Report(number);
          next();
        });
  };
  for (int i = 0; i < 4; ++i) next();
  std::this_thread::sleep_for(std::chrono::seconds(20));
}

}  // namespace
}  // namespace nexus
