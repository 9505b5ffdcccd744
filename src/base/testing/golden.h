#pragma once
/// Golden tests: a text file of cases that a test reads, computes and compares.
///
///     === name of the case
///     input
///     ----
///     expected output
///     === next case
///
/// UPDATE_GOLDEN=1 in the environment rewrites the expected outputs; review the difference.
/// For tests only, and header-only so that the library does not need GoogleTest.

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/text.h"

namespace nexus {

struct GoldenCase {
  std::string name;
  std::string input;  ///< Each line with its end.
  std::string expected;
  std::size_t line = 0;  ///< Of the "===" line.
};

/// `preamble` receives what stands before the first case.
inline std::vector<GoldenCase> ReadGoldenCases(std::string_view text, std::string& preamble) {
  std::vector<GoldenCase> cases;
  std::string* part = &preamble;
  std::size_t number = 0;
  if (text.ends_with('\n')) text.remove_suffix(1);
  for (const std::string_view line : Split(text, '\n')) {
    ++number;
    if (line.starts_with("=== ")) {
      cases.push_back({.name = std::string(line.substr(4)), .line = number});
      part = &cases.back().input;
    } else if (line == "----" && !cases.empty() && part == &cases.back().input) {
      part = &cases.back().expected;
    } else {
      part->append(line).push_back('\n');
    }
  }
  return cases;
}

/// Runs every case of `path` (below the source tree) through `compute` and reports each difference
/// as a test failure that names file, line and case. Fails when there are fewer cases than
/// `cases_min`, so that a broken reader cannot pass for a clean run.
inline void RunGoldenFile(const std::string& path, std::size_t cases_min,
                          const std::function<std::string(const std::string& input)>& compute) {
  const std::string full_path = std::string(NEXUS_SOURCE_DIR) + "/" + path;
  const Result<std::string> text = ReadFile(full_path);
  ASSERT_TRUE(text.has_value()) << text.error().message();
  std::string rewritten;
  const std::vector<GoldenCase> cases = ReadGoldenCases(*text, rewritten);
  EXPECT_GE(cases.size(), cases_min) << path;
  const bool update = std::getenv("UPDATE_GOLDEN") != nullptr;
  for (const GoldenCase& one : cases) {
    std::string actual = compute(one.input);
    if (!actual.empty() && !actual.ends_with('\n')) actual.push_back('\n');
    if (!update) {
      EXPECT_EQ(actual, one.expected) << path << ":" << one.line << ": case '" << one.name << "'";
    }
    rewritten += "=== " + one.name + "\n" + one.input + "----\n" + actual;
  }
  if (update) {
    const Status written = WriteFileAtomic(full_path, rewritten);
    ASSERT_TRUE(written.has_value()) << written.error().message();
  }
}

}  // namespace nexus
