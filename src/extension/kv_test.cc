// Goal: values survive the extension and the process, name spaces do not see each other, and a full
// or foreign file is an error that harms nothing.
#include "extension/kv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/testing/temp_folder.h"
#include "extension/internal/call_for_test.h"

namespace nexus {
namespace {

namespace fs = std::filesystem;
using internal::CallNow;
using ::testing::HasSubstr;

class KvTest : public ::testing::Test {
 protected:
  std::shared_ptr<KvExtension> Open(KvOptions options = {}) {
    auto kv = KvExtension::Create(std::move(options));
    EXPECT_TRUE(kv.has_value()) << kv.error().message();
    return *kv;
  }
  std::string File() const { return (folder_ / "kv.db").string(); }
  const testing::TempFolder temp_;
  const fs::path& folder_ = temp_.path();
};

TEST_F(KvTest, KeepsEveryTypeOfValue) {
  const auto kv = Open();
  const Value value = Value::Object({{"list", Value::Array({1, "two", nullptr, true})},
                                     {"when", Date{12345}},
                                     {"bytes", Bytes{std::string("\0\xff", 2)}},
                                     {"big", BigInt{"-ff"}}});
  EXPECT_EQ(CallNow(*kv, "set", {"k", value}).value, Value(true));
  EXPECT_EQ(CallNow(*kv, "get", {"k"}).value, value);
  EXPECT_TRUE(CallNow(*kv, "get", {"other"}).value.is_undefined());
  EXPECT_EQ(CallNow(*kv, "delete", {"k"}).value, Value(true));
  EXPECT_EQ(CallNow(*kv, "delete", {"k"}).value, Value(false));
}

TEST_F(KvTest, SurvivesAndSeparatesNameSpaces) {
  {
    const auto kv = Open({.file = File()});
    EXPECT_TRUE(CallNow(*kv, "set", {"k", 1}).success);
  }
  const auto again = Open({.file = File()});
  EXPECT_EQ(CallNow(*again, "get", {"k"}).value, Value(1));
  const auto other = Open({.file = File(), .name_space = "other"});
  EXPECT_TRUE(CallNow(*other, "get", {"k"}).value.is_undefined());
  EXPECT_EQ(CallNow(*other, "list", {}).value, Value(ValueArray{}));
}

TEST_F(KvTest, AnsweredWritesSurviveACrash) {
  const pid_t child = fork();
  if (child == 0) {
    auto kv = KvExtension::Create({.file = File()});
    const bool good = kv && CallNow(**kv, "set", {"k", "kept"}).success;
    _exit(good ? 0 : 1);  // Without closing anything.
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  EXPECT_EQ(CallNow(*Open({.file = File()}), "get", {"k"}).value, Value("kept"));
}

TEST_F(KvTest, CountsCorrectlyFromManyThreads) {
  const auto one = Open({.file = File()});
  const auto two = Open({.file = File()});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i)
        EXPECT_TRUE(CallNow(t % 2 == 0 ? *one : *two, "increment", {"n"}).success);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(CallNow(*one, "get", {"n"}).value, Value(200));
  EXPECT_EQ(CallNow(*one, "increment", {"n", -0.5}).value, Value(199.5));
  EXPECT_TRUE(CallNow(*one, "set", {"text", "x"}).success);
  EXPECT_THAT(CallNow(*one, "increment", {"text"}).message,
              HasSubstr("holds a string, not a number"));
  EXPECT_FALSE(CallNow(*one, "increment", {"n", "1"}).success);
}

TEST_F(KvTest, ListsByPrefixInPages) {
  const auto kv = Open();
  for (const char* key : {"b/2", "a", "b/1", "b", "b0", "c"})
    EXPECT_TRUE(CallNow(*kv, "set", {key, key}).success);
  const auto keys = [&](ValueObject options) {
    return CallNow(*kv, "list", {std::move(options)}).value;
  };
  EXPECT_EQ(keys({}), Value::Array({"a", "b", "b/1", "b/2", "b0", "c"}));
  EXPECT_EQ(keys({{"prefix", "b/"}}), Value::Array({"b/1", "b/2"}));
  EXPECT_EQ(keys({{"max", 2}}), Value::Array({"a", "b"}));
  EXPECT_EQ(keys({{"max", 2}, {"after", "b"}}), Value::Array({"b/1", "b/2"}));
  EXPECT_EQ(keys({{"prefix", "c"}, {"values", true}}),
            Value::Array({Value::Object({{"key", "c"}, {"value", "c"}})}));
}

TEST_F(KvTest, ExpiredKeysAreGone) {
  std::int64_t now = 1000;
  KvOptions options;
  options.clock_unix_ms = [&] { return now; };
  const auto kv = Open(std::move(options));
  EXPECT_TRUE(CallNow(*kv, "set", {"k", 1, Value::Object({{"ttlMs", 50}})}).success);
  EXPECT_EQ(CallNow(*kv, "get", {"k"}).value, Value(1));
  now = 1050;
  EXPECT_TRUE(CallNow(*kv, "get", {"k"}).value.is_undefined());
  EXPECT_EQ(CallNow(*kv, "list", {}).value, Value(ValueArray{}));
  EXPECT_EQ(CallNow(*kv, "delete", {"k"}).value, Value(false));
}

TEST_F(KvTest, LimitsHoldAndHarmNothing) {
  const auto kv = Open(
      {.file = File(), .key_bytes_max = 4, .value_bytes_max = 20, .keys_max = 2, .bytes_max = 30});
  EXPECT_TRUE(CallNow(*kv, "set", {"a", "1"}).success);
  EXPECT_FALSE(CallNow(*kv, "set", {"", "1"}).success);
  EXPECT_FALSE(CallNow(*kv, "set", {"toolong", "1"}).success);
  EXPECT_FALSE(CallNow(*kv, "set", {"b", Value()}).success);
  EXPECT_FALSE(CallNow(*kv, "set", {7, "1"}).success);
  EXPECT_THAT(CallNow(*kv, "set", {"a", std::string(30, 'x')}).message,
              HasSubstr("20 are allowed"));
  EXPECT_TRUE(CallNow(*kv, "set", {"b", std::string(15, 'x')}).success);
  EXPECT_THAT(CallNow(*kv, "set", {"c", "1"}).message, HasSubstr("the store is full"));
  EXPECT_THAT(CallNow(*kv, "set", {"a", std::string(18, 'x')}).message,
              HasSubstr("the store is full"));
  EXPECT_EQ(CallNow(*kv, "get", {"a"}).value, Value("1"));
  EXPECT_TRUE(CallNow(*kv, "delete", {"b"}).success);
  EXPECT_TRUE(CallNow(*kv, "set", {"c", "1"}).success);
}

TEST_F(KvTest, ForeignAndBrokenFilesAreRefused) {
  std::ofstream(folder_ / "text") << std::string(5000, 'x');
  const auto text = KvExtension::Create({.file = (folder_ / "text").string()});
  ASSERT_FALSE(text.has_value());
  EXPECT_EQ(text.error().code(), Code::kDataLoss);
  const auto missing = KvExtension::Create({.file = (folder_ / "no/such/kv.db").string()});
  ASSERT_FALSE(missing.has_value());
  EXPECT_THAT(missing.error().message(), HasSubstr("check that its folder exists"));
}

}  // namespace
}  // namespace nexus
