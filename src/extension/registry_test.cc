// Goal: names are checked when an extension is registered, and the test extension answers as it
// says.
#include "extension/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "extension/internal/call_for_test.h"
#include "extension/test_extension.h"

namespace nexus {
namespace {

using internal::CallLater;
using internal::CallNow;

TEST(Registry, RefusesBadAndDoubleNames) {
  Registry registry;
  EXPECT_TRUE(registry.Add(std::make_shared<TestExtension>("b")).has_value());
  EXPECT_TRUE(registry.Add(std::make_shared<TestExtension>("a-1_x")).has_value());
  for (const char* name : {"", "1a", "a.b", "a:b", "a b", "*", "b"}) {
    EXPECT_FALSE(registry.Add(std::make_shared<TestExtension>(name)).has_value()) << name;
  }
  EXPECT_THAT(registry.Names(), testing::ElementsAre("a-1_x", "b"));
  EXPECT_EQ(registry.Bindings().size(), 2u);
  EXPECT_EQ(registry.Find("zz"), nullptr);
  EXPECT_NE(FindMethod(*registry.Find("b"), "echo"), nullptr);
  EXPECT_EQ(FindMethod(*registry.Find("b"), "nope"), nullptr);
  EXPECT_EQ(registry.Describe().As<ValueArray>()->size(), 2u);
}

TEST(TestExtension, AnswersAsItSays) {
  auto test = std::make_unique<TestExtension>();
  EXPECT_EQ(CallNow(*test, "echo", {"x"}).value, Value("x"));
  EXPECT_EQ(CallNow(*test, "fail", {"why"}).message, "why");
  auto slow = CallLater(*test, "later", {1, 60});
  auto fast = CallLater(*test, "later", {2, 1});
  EXPECT_EQ(fast.get().value, Value(2));
  EXPECT_EQ(slow.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  EXPECT_EQ(slow.get().value, Value(1));
  auto abandoned = CallLater(*test, "never", {}, "a");
  auto shut_down = CallLater(*test, "never", {}, "b");
  test->Abandon("a");
  EXPECT_FALSE(abandoned.get().success);
  test.reset();
  EXPECT_FALSE(shut_down.get().success);
}

}  // namespace
}  // namespace nexus
