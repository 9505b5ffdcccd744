// Goal: what is armed happens once, later, and not behind the object's end.
#include "base/soon.h"

#include <gtest/gtest.h>

#include <atomic>

namespace nexus {
namespace {

TEST(Soon, HappensOnceForManyArms) {
  std::atomic<int> count{0};
  Soon soon(std::chrono::milliseconds(20), [&] { ++count; });
  for (int i = 0; i < 100; ++i) soon.Arm();
  EXPECT_EQ(count, 0);
  for (int i = 0; i < 1000 && count == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(count, 1);
  soon.Arm();
  for (int i = 0; i < 1000 && count == 1; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(count, 2);
}

TEST(Soon, WhatIsDueLaterIsNotDone) {
  std::atomic<int> count{0};
  {
    Soon soon(std::chrono::seconds(100), [&] { ++count; });
    soon.Arm();
  }
  EXPECT_EQ(count, 0);
  const Soon never(std::chrono::seconds(1), [] {});
}

}  // namespace
}  // namespace nexus
