// Goal: jobs run beside their caller, at most so many wait, and what has not begun is dropped at
// the end. Method: one thread that a gate holds back.
#include "base/workers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <optional>

namespace nexus {
namespace {

TEST(Workers, RunJobsOnOtherThreads) {
  std::promise<std::thread::id> ran;
  Workers workers("test", 2);
  ASSERT_TRUE(workers.Add([&] { ran.set_value(std::this_thread::get_id()); }));
  EXPECT_NE(ran.get_future().get(), std::this_thread::get_id());
}

TEST(Workers, RefuseWhatIsTooMuchAndDropWhatHasNotBegun) {
  std::promise<void> begun, gate;
  std::future<void> opened = gate.get_future();
  std::atomic<int> ran = 0;
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = held;
  std::optional<Workers> workers(std::in_place, "test", 1u, std::size_t{1});
  ASSERT_TRUE(workers->Add([&] {
    begun.set_value();
    opened.wait();
    ++ran;
  }));
  begun.get_future().wait();
  EXPECT_TRUE(workers->Add([&ran, held = std::move(held)] { ran += 10; }));
  EXPECT_FALSE(workers->Add([&] { ran += 100; }));
  std::thread ends([&] { workers.reset(); });
  while (!watched.expired()) std::this_thread::yield();  // Dropped while the first still runs.
  gate.set_value();
  ends.join();
  EXPECT_EQ(ran, 1);
}

}  // namespace
}  // namespace nexus
