// Goal: imports are bundled, the bundler's errors become ours with their place, and a kept bundle
// is used only while nothing it was made of has changed and nobody has touched it. Needs esbuild
// beside the test.
#include "cli/bundle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "base/testing/temp_folder.h"
#include "cli/bundle_cache.h"
#include "cli/child_process.h"
#include "cli/prepare.h"

namespace nexus {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class BundleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.cache_dir = folder_ / "cache";
    options_.signing_key = std::string(32, 'k');
  }
  fs::path Put(const std::string& name, std::string_view text) {
    const fs::path path = folder_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  const testing::TempFolder temp_;
  const fs::path& folder_ = temp_.path();
  BundleOptions options_;
};

TEST_F(BundleTest, KeepsABundleWhileItsInputsStandStill) {
  const fs::path entry = Put("main.ts", "import { a } from './a.ts';\nexport default () => a;\n");
  const fs::path input = Put("a.ts", "export const a: number = 1;\n");
  const auto first = BundleFile(entry, options_);
  ASSERT_TRUE(first.has_value()) << first.error().message;
  EXPECT_FALSE(first->cache_hit);
  EXPECT_THAT(first->javascript, HasSubstr("a = 1"));
  EXPECT_THAT(first->source_map, HasSubstr("a.ts"));
  EXPECT_EQ(first->inputs.size(), 2u);
  EXPECT_TRUE(BundleFile(entry, options_)->cache_hit);
  std::ofstream(input) << "export const a: number = 2;\n";
  const auto changed = BundleFile(entry, options_);
  EXPECT_FALSE(changed->cache_hit);
  EXPECT_THAT(changed->javascript, HasSubstr("a = 2"));
}

TEST_F(BundleTest, DiscardsAForeignOrDamagedBundle) {
  const fs::path entry = Put("main.ts", "import './a.ts';\nexport default () => 1;\n");
  Put("a.ts", "export const a = 1;\n");
  ASSERT_TRUE(BundleFile(entry, options_).has_value());
  BundleOptions other = options_;
  other.signing_key = std::string(32, 'x');
  EXPECT_FALSE(BundleFile(entry, other)->cache_hit);
  for (const auto& file : fs::directory_iterator(options_.cache_dir / "bundles")) {
    std::string bytes = *ReadFile(file.path());
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    std::ofstream(file.path(), std::ios::binary) << bytes;
  }
  EXPECT_FALSE(BundleFile(entry, other)->cache_hit);
  EXPECT_TRUE(BundleFile(entry, other)->cache_hit);
}

TEST_F(BundleTest, ErrorsHaveTheirPlace) {
  const fs::path missing =
      Put("missing.ts",
          "// \xC3\xA9\n/* \xC3\xA9 */ import x from './nope.js';\nexport default () => x;\n");
  const auto bundle = BundleFile(missing, options_);
  ASSERT_FALSE(bundle.has_value());
  EXPECT_EQ(bundle.error().code, RunErrorCode::kCompilationError);
  EXPECT_THAT(bundle.error().message, HasSubstr("import \"./nope.js\": not found"));
  EXPECT_EQ(bundle.error().location.line, 2u);
  EXPECT_EQ(bundle.error().location.column, 23u);
  EXPECT_THAT(bundle.error().snippet, HasSubstr("nope.js"));
  const auto builtin = BundleFile(
      Put("node.ts", "import { join } from 'path';\nexport default () => join('a');\n"), options_);
  ASSERT_FALSE(builtin.has_value());
  EXPECT_THAT(builtin.error().message, HasSubstr("do not exist in the sandbox"));
  const auto deep =
      BundleFile(Put("deep.ts", "import './sub/broken.ts';\nexport default () => 1;\n"), options_);
  Put("sub/broken.ts", "export const = 1;\n");
  const auto broken = BundleFile(folder_ / "deep.ts", options_);
  ASSERT_FALSE(broken.has_value());
  EXPECT_THAT(broken.error().file, ::testing::EndsWith("sub/broken.ts"));
  EXPECT_EQ(broken.error().location.line, 1u);
}

TEST_F(BundleTest, UnknownBundlerOutputIsStillAnError) {
  EXPECT_THAT(ParseBundlerError("", folder_).message, HasSubstr("without saying why"));
  EXPECT_THAT(ParseBundlerError("Segmentation fault\n", folder_).message,
              HasSubstr("Segmentation fault"));
  EXPECT_EQ(ParseBundlerError("x [ERROR] odd\n\n   ::\n  a:b:c:\n", folder_).message, "odd");
}

TEST_F(BundleTest, OnlyWhatNeedsTheBundlerGoesThroughIt) {
  const auto prepare = [&](const std::string& name, std::string_view text) {
    return PrepareFile(Put(name, text).string(), options_);
  };
  EXPECT_FALSE(prepare("body.js", "return 1")->bundled);
  EXPECT_FALSE(prepare("body.js", "return 1")->is_module);
  EXPECT_FALSE(prepare("plain.ts", "export default (c: {args: any}) => c.args")->bundled);
  EXPECT_FALSE(
      prepare("types.ts", "import type { A } from './nowhere.ts';\nexport default (a: A) => a")
          ->bundled);
  EXPECT_TRUE(prepare("enum.ts", "enum E { A }\nexport default () => E.A")->bundled);
  const auto body_enum = prepare("enum_body.ts", "enum E { A }\nreturn E.A");
  ASSERT_FALSE(body_enum.has_value());
  EXPECT_THAT(body_enum.error().error.message, HasSubstr("make the file a module"));
  EXPECT_EQ(prepare("none.txt", "x").error().exit_code, 2);
  EXPECT_EQ(PrepareFile((folder_ / "nothere.js").string(), options_).error().exit_code, 5);
}

TEST(RunChild, EndsWhatDoesNotEnd) {
  const Result<ChildOutcome> slow = RunChild({.program = "/bin/sh",
                                              .arguments = {"-c", "sleep 60 & sleep 60"},
                                              .folder = "/",
                                              .time_max = std::chrono::milliseconds(200)});
  ASSERT_FALSE(slow.has_value());
  EXPECT_EQ(slow.error().code(), Code::kDeadlineExceeded);
  const Result<ChildOutcome> loud = RunChild({.program = "/bin/sh",
                                              .arguments = {"-c", "yes"},
                                              .folder = "/",
                                              .output_bytes_max = 100'000});
  ASSERT_FALSE(loud.has_value());
  EXPECT_EQ(loud.error().code(), Code::kResourceExhausted);
  EXPECT_FALSE(RunChild({.program = "/no/such/program", .folder = "/"}).has_value());
}

TEST(RunChild, InheritsNothing) {
  setenv("NEXUS_TEST_SECRET", "x", 1);
  const Result<ChildOutcome> outcome =
      RunChild({.program = "/bin/sh",
                .arguments = {"-c", "env; ls /proc/self/fd | wc -l; echo oops >&2; exit 3"},
                .folder = "/"});
  unsetenv("NEXUS_TEST_SECRET");
  ASSERT_TRUE(outcome.has_value()) << outcome.error().message();
  EXPECT_EQ(outcome->exit_code, 3);
  EXPECT_EQ(outcome->errors, "oops\n");
  EXPECT_THAT(outcome->output, ::testing::Not(HasSubstr("NEXUS_TEST_SECRET")));
  EXPECT_THAT(outcome->output, ::testing::Not(HasSubstr("LD_LIBRARY_PATH")));
}

}  // namespace
}  // namespace nexus
