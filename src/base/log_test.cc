#include "base/log.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/check.h"
#include "base/json.h"

namespace nexus {
namespace {

class LogTest : public ::testing::Test {
 protected:
  LogTest() {
    SetLogSink([this](std::string_view line) { lines_.emplace_back(line); });
  }
  ~LogTest() override {
    SetLogSink(nullptr);
    SetLogSeverity(Severity::kWarn);
    SetLogForm(LogForm::kText);
  }
  std::vector<std::string> lines_;
};

TEST_F(LogTest, IsQuietBelowWarn) {
  Log(Severity::kInfo, "hidden");
  Log(Severity::kWarn, "shown", {{"n", Value(1)}, {"text", Value("two words")}});
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_NE(lines_[0].find(" warn  shown n=1 text=\"two words\"\n"), std::string::npos)
      << lines_[0];
  EXPECT_FALSE(LogEnabled(Severity::kOff));
}

TEST_F(LogTest, OneLineWhateverIsInIt) {
  Log(Severity::kError, "bad", {{"text", Value("a\nb=\"c\"")}});
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_EQ(lines_[0].find('\n'), lines_[0].size() - 1);
}

TEST_F(LogTest, WritesJson) {
  SetLogForm(LogForm::kJson);
  Log(Severity::kError, "event", {{"k", Value(true)}});
  ASSERT_EQ(lines_.size(), 1u);
  const Result<Value> parsed = ParseJson(lines_[0]);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->StringOr("event", ""), "event");
  EXPECT_EQ(parsed->StringOr("level", ""), "error");
  EXPECT_TRUE(parsed->BoolOr("k", false));
}

TEST_F(LogTest, ThreadsDoNotMix) {
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < 100; ++i) Log(Severity::kWarn, "x");
      });
    }
  }
  EXPECT_EQ(lines_.size(), 400u);
}

TEST(Check, StopsTheProcessAndSaysWhere) {
  EXPECT_DEATH(NEXUS_CHECK(1 == 2, "because"), "log_test.cc:[0-9]+: check failed: 1 == 2: because");
  NEXUS_CHECK(true);
}

}  // namespace
}  // namespace nexus
