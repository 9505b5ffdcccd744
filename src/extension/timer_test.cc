// Goal: a wait ends when it should, across a restart too, and a run that is gone waits no more.
// Method: a clock that the test moves.
#include "extension/timer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <future>

#include "base/clock.h"
#include "base/testing/temp_folder.h"
#include "extension/internal/call_for_test.h"

namespace nexus {
namespace {

using internal::CallLater;
using internal::CallNow;
using namespace std::chrono_literals;

std::shared_ptr<TimerExtension> Open(const Clock& clock, const std::string& file = {}) {
  auto timer = TimerExtension::Create({.file = file, .clock = &clock, .check_ms = 2});
  EXPECT_TRUE(timer.has_value()) << timer.error().message();
  return *timer;
}

TEST(Timer, ASleepEndsWhenItsTimeHasCome) {
  FakeClock clock(1'000'000);
  const auto timer = Open(clock);
  auto answer = CallLater(*timer, "sleep", {60'000});
  EXPECT_EQ(answer.wait_for(30ms), std::future_status::timeout);
  clock.AdvanceMs(59'000);
  EXPECT_EQ(answer.wait_for(30ms), std::future_status::timeout);
  clock.AdvanceMs(1'001);
  ASSERT_EQ(answer.wait_for(5s), std::future_status::ready);
  const Answer given = answer.get();
  ASSERT_TRUE(given.success) << given.message;
  EXPECT_EQ(given.value.NumberOr("dueMs", 0), 1'060'000);
}

TEST(Timer, UntilTakesDatesNumbersAndText) {
  FakeClock clock(1'000'000);
  const auto timer = Open(clock);
  EXPECT_TRUE(CallNow(*timer, "until", {Date{999'999}}).success);
  EXPECT_TRUE(CallNow(*timer, "until", {"1970-01-01T00:00:01Z"}).success);
  EXPECT_FALSE(CallNow(*timer, "until", {"soon"}).success);
}

TEST(Timer, ARepeatedSleepWaitsForTheRestOfItsTime) {
  const testing::TempFolder temp;
  const std::string folder = temp.path().string();
  FakeClock clock(1'000'000);
  const auto call = [](Extension& timer) {
    auto promise = std::make_shared<std::promise<Answer>>();
    auto answer = promise->get_future();
    timer.Call({.run_id = "r",
                .suspension_id = "r.1",
                .extension = "timer",
                .method = "sleep",
                .args = {60'000},
                .idempotency_key = "r.1"},
               [promise](Answer given) { promise->set_value(std::move(given)); });
    return answer;
  };
  {
    const auto timer = Open(clock, folder + "/t.db");
    auto answer = call(*timer);
    EXPECT_EQ(answer.wait_for(20ms), std::future_status::timeout);
  }
  clock.AdvanceMs(50'000);
  const auto timer = Open(clock, folder + "/t.db");
  auto answer = call(*timer);
  EXPECT_EQ(answer.wait_for(20ms), std::future_status::timeout);
  clock.AdvanceMs(10'001);
  ASSERT_EQ(answer.wait_for(5s), std::future_status::ready);
  EXPECT_EQ(answer.get().value.NumberOr("dueMs", 0), 1'060'000);
  std::filesystem::remove_all(folder);
}

TEST(Timer, AbandonedWaitsAreAnswered) {
  FakeClock clock(1'000'000);
  const auto timer = Open(clock);
  auto answer = CallLater(*timer, "sleep", {60'000}, "gone");
  auto other = CallLater(*timer, "sleep", {60'000}, "stays");
  timer->Abandon("gone");
  ASSERT_EQ(answer.wait_for(5s), std::future_status::ready);
  EXPECT_FALSE(answer.get().success);
  EXPECT_EQ(other.wait_for(20ms), std::future_status::timeout);
}

TEST(Timer, BadTimesAreRefused) {
  FakeClock clock(1'000'000);
  const auto timer = Open(clock);
  EXPECT_FALSE(CallNow(*timer, "sleep", {-1}).success);
  EXPECT_FALSE(CallNow(*timer, "sleep", {"x"}).success);
  EXPECT_FALSE(CallNow(*timer, "sleep", {}).success);
}

}  // namespace
}  // namespace nexus
