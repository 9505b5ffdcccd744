// Goal: the guest is the JavaScript that programs expect. Method: every program of guest/testdata,
// whose comments say what it needs and what it must return.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "sandbox/testing/test_sandbox.h"

namespace nexus {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> Programs() {
  std::vector<fs::path> programs;
  for (const auto& entry : fs::directory_iterator(fs::path(NEXUS_SOURCE_DIR) / "guest/testdata")) {
    if (entry.path().extension() == ".js") programs.push_back(entry.path());
  }
  std::sort(programs.begin(), programs.end());
  return programs;
}

// The rest of the line that begins with `mark`; empty when there is none.
std::string Directive(const std::string& text, const std::string& mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string::npos) return {};
  const std::size_t begin = at + mark.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

class Conformance : public ::testing::TestWithParam<fs::path> {};

TEST_P(Conformance, ReturnsWhatItsCommentSays) {
  const Result<std::string> text = ReadFile(GetParam());
  ASSERT_TRUE(text.has_value()) << text.error().message();
  const std::string expected = Directive(*text, "//=>");
  ASSERT_FALSE(expected.empty()) << "no //=> line";
  MemoryState state;
  ExecutionContext context;
  context.seed = 42;
  context.state = &state;
  if (!Directive(*text, "//: needs state").empty() ||
      text->find("//: needs state") != std::string::npos) {
    context.capabilities = testing::Caps({"state:read:*", "state:write:*"});
  }
  if (const std::string args = Directive(*text, "//: args"); !args.empty()) {
    Result<Value> value = ParseJson(args);
    ASSERT_TRUE(value.has_value()) << value.error().message();
    context.args = *std::move(value);
  }
  const RunResult result = testing::RunText(*text, std::move(context));
  ASSERT_EQ(result.status, RunStatus::kSuccess) << testing::Shown(result);
  const Result<Value> wanted = ParseJson(expected);
  ASSERT_TRUE(wanted.has_value()) << wanted.error().message();
  EXPECT_EQ(ToJson(result.return_value), ToJson(*wanted));
}

INSTANTIATE_TEST_SUITE_P(Guest, Conformance, ::testing::ValuesIn(Programs()),
                         [](const auto& param) { return param.param.stem().string(); });

}  // namespace
}  // namespace nexus
