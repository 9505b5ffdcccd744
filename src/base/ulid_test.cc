#include "base/ulid.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/metrics.h"

namespace nexus {
namespace {

TEST(Ulid, GrowsWithinAMillisecondAndWhenTheClockGoesBack) {
  FakeClock clock(1'700'000'000'000);
  FastRng rng(1);
  UlidGenerator generator(clock, rng);
  std::string last = generator.Next();
  EXPECT_TRUE(IsUlid(last));
  EXPECT_EQ(UlidUnixMs(last), 1'700'000'000'000);
  for (int i = 0; i < 1000; ++i) {
    if (i == 500) clock.SetUnixMs(5);
    const std::string next = generator.Next();
    EXPECT_GT(next, last);
    last = next;
  }
  clock.SetUnixMs(1'700'000'000'001);
  EXPECT_EQ(UlidUnixMs(generator.Next()), 1'700'000'000'001);
}

TEST(Ulid, ASeedRepeats) {
  const auto make = [] {
    FakeClock clock(42);
    FastRng rng(7);
    return UlidGenerator(clock, rng).Next();
  };
  EXPECT_EQ(make(), make());
}

TEST(Ulid, PinsTheText) {
  EXPECT_EQ(NewUlid(0).substr(0, 10), "0000000000");
  EXPECT_EQ(NewUlid(1469918176385).substr(0, 10), "01ARYZ6S41");
  EXPECT_FALSE(IsUlid("01ARYZ6S41"));
  EXPECT_FALSE(IsUlid("81ARYZ6S41TSV4RRFFQ69G5FAV"));
  EXPECT_FALSE(IsUlid("01ARYZ6S41TSV4RRFFQ69G5FAU"));
  EXPECT_EQ(UlidUnixMs("01ARYZ6S41TSV4RRFFQ69G5FAV"), 1469918176385);
}

TEST(Ulid, IsUniqueOverThreads) {
  std::mutex mutex;
  std::set<std::string> seen;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      std::vector<std::string> mine;
      for (int i = 0; i < 5000; ++i) mine.push_back(NewUlid(1000));
      const std::lock_guard lock(mutex);
      seen.insert(mine.begin(), mine.end());
    });
  }
  threads.clear();
  EXPECT_EQ(seen.size(), 20'000u);
}

TEST(Ulid, AForkedChildMakesItsOwn) {
  (void)NewUlid(1);
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    const std::string id = NewUlid(1);
    _exit(write(pipe_ends[1], id.data(), id.size()) == 26 ? 0 : 1);
  }
  const std::string mine = NewUlid(1);
  std::string theirs(26, ' ');
  ASSERT_EQ(read(pipe_ends[0], theirs.data(), 26), 26);
  waitpid(child, nullptr, 0);
  EXPECT_NE(mine.substr(0, 20), theirs.substr(0, 20));
}

TEST(FastRng, IsUniformBelowABound) {
  FastRng rng(3);
  std::vector<int> counts(7);
  for (int i = 0; i < 7000; ++i) ++counts[rng.Below(7)];
  for (const int count : counts) EXPECT_NEAR(count, 1000, 200);
  for (int i = 0; i < 100; ++i) {
    const double drawn = rng.NextDouble();
    EXPECT_GE(drawn, 0);
    EXPECT_LT(drawn, 1);
  }
  EXPECT_NE(SystemEntropy64(), SystemEntropy64());
}

TEST(Histogram, PercentilesAreClose) {
  Histogram histogram;
  EXPECT_EQ(histogram.Percentile(0.5), 0u);
  for (std::uint64_t i = 1; i <= 100'000; ++i) histogram.Record(i);
  EXPECT_EQ(histogram.count(), 100'000u);
  EXPECT_NEAR(static_cast<double>(histogram.Percentile(0.5)), 50'000, 50'000 / 16.0);
  EXPECT_NEAR(static_cast<double>(histogram.Percentile(0.99)), 99'000, 99'000 / 16.0);
  EXPECT_EQ(histogram.Percentile(1), 100'000u);
  EXPECT_DOUBLE_EQ(histogram.Mean(), 50'000.5);
  histogram.Record(~std::uint64_t{0});
  EXPECT_EQ(histogram.Percentile(1), ~std::uint64_t{0});
}

}  // namespace
}  // namespace nexus
