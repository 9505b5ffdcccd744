// Goal: what inference reads is what the program will ask for, no more (never "*") and no less than
// it can see. Method: golden cases of the shapes programs have; hostile texts for time.
#include "capability/inference.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <ctime>

#include "base/testing/golden.h"

namespace nexus {
namespace {

TEST(InferCapabilities, Golden) {
  RunGoldenFile("src/capability/testdata/inference.golden", 40, [](const std::string& input) {
    const Result<Inference> inference = InferCapabilities(input);
    if (!inference) return "error: " + inference.error().message();
    std::string shown;
    for (const InferredCapability& found : inference->capabilities) {
      shown += fmt::format("{} at {}:{}\n", found.token.ToString(), found.first_use.line,
                           found.first_use.column);
    }
    for (const DynamicUse& use : inference->dynamic_uses) {
      shown += fmt::format("dynamic: {} at {}:{}\n", use.what, use.at.line, use.at.column);
    }
    return shown;
  });
}

TEST(InferCapabilities, TokensAreSortedAndUnique) {
  const Inference inference =
      InferCapabilities("$state.b; $state.a; $state.b = $state.a; $emit('z'); $emit('a');").value();
  const std::vector<CapabilityToken> tokens = inference.Tokens();
  ASSERT_EQ(tokens.size(), 5u);
  for (std::size_t i = 1; i < tokens.size(); ++i) EXPECT_LT(tokens[i - 1], tokens[i]);
}

TEST(InferCapabilities, CountsColumnsInCodePoints) {
  const Inference inference = InferCapabilities("const ä = '😀'; $state.x;").value();
  ASSERT_EQ(inference.capabilities.size(), 1u);
  EXPECT_EQ(inference.capabilities[0].first_use, (SourcePosition{1, 16}));
}

TEST(InferCapabilities, EndsInTimeOnHostileText) {
  const auto repeat = [](std::string_view piece, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += piece;
    return text;
  };
  const auto seconds = [](const std::string& text) {
    const std::clock_t start = std::clock();  // Processor time: others' load is not counted.
    const auto inference = InferCapabilities(text);
    (void)inference;
    return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  };
  constexpr int kMany = 10'000;
  EXPECT_LT(
      seconds("f(" + repeat("$state,", kMany) + "1); function f(" + repeat("a,", kMany) + "b) {}"),
      10);
  EXPECT_LT(seconds("$state" + repeat(".a", kMany) + " = 1"), 10);
  EXPECT_LT(
      seconds(repeat("{let $state;", kMany) + repeat("$state.x;", kMany) + repeat("}", kMany)), 10);
  std::string keys;
  for (int i = 0; i < kMany; ++i) keys += fmt::format("$state.a{};", i);
  EXPECT_LT(seconds(keys), 10);
  std::string chain = "const a0 = $state;";
  for (int i = 1; i < kMany; ++i) chain += fmt::format("const a{} = a{};", i, i - 1);
  EXPECT_LT(seconds(chain), 10);
  EXPECT_LT(seconds(repeat("$state[", kMany) + "1" + repeat("]", kMany)), 10);
}

}  // namespace
}  // namespace nexus
