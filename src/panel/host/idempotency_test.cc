// Goal: a key is remembered as long as it says, and never at the cost of the panel's memory.
#include "panel/host/internal/idempotency.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace nexus::internal {
namespace {

RunResult ResultOf(const std::string& run_id, std::size_t bytes = 1) {
  RunResult result;
  result.run_id = run_id;
  result.return_value = std::string(bytes, 'x');
  return result;
}

TEST(IdempotencyKeys, TellOfACallWhileItLivesAndWhenItHasEnded) {
  IdempotencyKeys keys;
  const auto run = std::make_shared<LiveRun>();
  EXPECT_EQ(keys.Claim("a", run), nullptr);
  ASSERT_NE(keys.Claim("a", nullptr), nullptr);
  EXPECT_EQ(keys.Claim("a", nullptr)->run, run);
  keys.Ended("a", ResultOf("r"));
  EXPECT_EQ(keys.Claim("a", nullptr)->run, nullptr);
  EXPECT_EQ(keys.Claim("a", nullptr)->result->run_id, "r");
  keys.Release("a");
  EXPECT_EQ(keys.Claim("a", run), nullptr);
}

TEST(IdempotencyKeys, TheOldestGoWhenThereAreTooMany) {
  IdempotencyKeys keys;
  for (std::size_t i = 0; i <= kIdempotencyKeysMax; ++i) {
    keys.Claim(std::to_string(i), nullptr);
    keys.Ended(std::to_string(i), ResultOf("r"));
  }
  EXPECT_NE(keys.Claim("1", nullptr), nullptr);
  EXPECT_EQ(keys.Claim("0", nullptr), nullptr);
  // What is forgotten stays so, whatever its run comes to.
  keys.Ended("never", ResultOf("r"));
  EXPECT_EQ(keys.Claim("never", nullptr), nullptr);
}

TEST(IdempotencyKeys, TheOldestGoWhenResultsAreTooLarge) {
  IdempotencyKeys keys;
  for (int i = 0; i < 40; ++i) {
    keys.Claim(std::to_string(i), nullptr);
    keys.Ended(std::to_string(i), ResultOf("r", 1 << 20));
  }
  EXPECT_NE(keys.Claim("39", nullptr), nullptr);
  EXPECT_NE(keys.Claim("30", nullptr), nullptr);
  EXPECT_EQ(keys.Claim("10", nullptr), nullptr);
}

}  // namespace
}  // namespace nexus::internal
