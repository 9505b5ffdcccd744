// Goal: figures are computed and judged as they are described. Method: samples with known
// quantiles; the suites themselves are run by `nexus bench --quick`.
#include "bench/bench.h"

#include <gtest/gtest.h>

#include <set>

#include "bench/internal/measure.h"
#include "bench/internal/places.h"
#include "sandbox/testing/hostile_programs.h"

namespace nexus::bench {
namespace {

TEST(Samples, QuantilesAreThoseOfTheSortedValues) {
  Samples samples;
  for (int i = 100; i >= 1; --i) samples.Add(i);
  EXPECT_EQ(samples.Min(), 1);
  EXPECT_EQ(samples.Median(), 51);
  EXPECT_EQ(samples.Quantile(0.99), 100);
  EXPECT_EQ(samples.Max(), 100);
  samples.Add(0);  // Sorted again when there is something new.
  EXPECT_EQ(samples.Min(), 0);
  EXPECT_EQ(samples.size(), 101u);
}

TEST(Samples, NoneAreZero) { EXPECT_EQ(Samples().Median(), 0); }

TEST(Figure, StandsToItsBarAsTheOperatorSays) {
  EXPECT_TRUE((Figure{.name = "f", .value = 2, .unit = "us", .op = "<=", .bar = 2}.Holds()));
  EXPECT_FALSE((Figure{.name = "f", .value = 2.1, .unit = "us", .op = "<=", .bar = 2}.Holds()));
  EXPECT_TRUE((Figure{.name = "f", .value = 2, .unit = "us", .op = ">=", .bar = 2}.Holds()));
  EXPECT_FALSE((Figure{.name = "f", .value = 1.9, .unit = "us", .op = ">=", .bar = 2}.Holds()));
  EXPECT_TRUE((Figure{.name = "f", .value = 2, .unit = "us", .op = "", .bar = 0}.Holds()));
}

TEST(Memory, ThePeakFollowsWhatIsUsed) {
  const Result<std::int64_t> before = MemoryKb("Rss");
  ASSERT_TRUE(before.has_value()) << before.error().message();
  EXPECT_GT(*before, 0);
  const std::string much(std::size_t{64} << 20, 'x');
  const Result<std::int64_t> peak = PeakKb();
  ASSERT_TRUE(peak.has_value()) << peak.error().message();
  EXPECT_GE(*peak, *before + 60 * 1024) << much.size();
  EXPECT_FALSE(MemoryKb("NoSuchField").has_value());
}

TEST(Process, TalksByLinesAndReportsItsEnd) {
  Result<Process> cat = Process::Start({"cat"});
  ASSERT_TRUE(cat.has_value()) << cat.error().message();
  ASSERT_TRUE(cat->WriteLine("one").has_value());
  EXPECT_EQ(*cat->ReadLine(), "one");
  EXPECT_EQ(cat->Wait(), 0);
  EXPECT_FALSE(cat->ReadLine().has_value());

  Result<Process> failing = Process::Start({"sh", "-c", "exit 3"});
  ASSERT_TRUE(failing.has_value());
  EXPECT_EQ(failing->Wait(), 3);
  EXPECT_FALSE(Process::Start({"/no/such/program"}).has_value());
}

TEST(TemporaryDir, GoesAwayWithWhatIsInIt) {
  std::filesystem::path path;
  {
    const Result<TemporaryDir> folder = TemporaryDir::Make();
    ASSERT_TRUE(folder.has_value());
    path = folder->path();
    EXPECT_TRUE(std::filesystem::create_directory(path / "inner"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Suites, RefuseAFigureTheyDoNotHave) {
  for (const Suite& suite : Suites()) {
    Options options;
    options.only = {"no_such_figure"};
    int figures = 0;
    EXPECT_EQ(suite.run(options, [&](const Figure&) { ++figures; }), 2) << suite.name;
    EXPECT_EQ(figures, 0);
  }
}

TEST(HostilePrograms, HaveNamesOfTheirOwnAndAnExpectedEnd) {
  std::set<std::string> names;
  for (const nexus::testing::HostileProgram& hostile : nexus::testing::HostilePrograms()) {
    EXPECT_TRUE(names.insert(hostile.name).second) << hostile.name;
    EXPECT_FALSE(hostile.codes.empty()) << hostile.name;
  }
  EXPECT_GT(names.size(), 100u);
}

}  // namespace
}  // namespace nexus::bench
