// Goal: bytecode is found again, and only bytecode that this installation made. Method: a cache
// folder that the test damages in every way it can think of.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "sandbox/internal/bytecode_cache.h"
#include "sandbox/testing/test_sandbox.h"

namespace nexus {
namespace {

namespace fs = std::filesystem;

class Cache : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / ("nexus-cache-" + std::to_string(getpid()));
    fs::remove_all(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::unique_ptr<Sandbox> NewSandbox(std::string key = "cache key") {
    SandboxOptions options;
    options.cache_dir = folder_;
    options.signing_key = std::move(key);
    return testing::MakeSandbox(std::move(options));
  }
  static RunResult RunIn(Sandbox& sandbox) {
    const ProgramPtr program = testing::MustLoad(sandbox, {.name = "c.js", .text = "return 6 * 7"});
    return sandbox.Execute(program, {});
  }
  std::vector<fs::path> Files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder_)) files.push_back(entry.path());
    return files;
  }
  fs::path folder_;
};

TEST_F(Cache, ASecondProcessFindsTheBytecode) {
  EXPECT_FALSE(RunIn(*NewSandbox()).metrics.cache_hit);
  ASSERT_EQ(Files().size(), 1u);
  const auto second = NewSandbox();
  const RunResult result = RunIn(*second);
  EXPECT_TRUE(result.metrics.cache_hit);
  EXPECT_FALSE(result.metrics.compilation_time_us.has_value());
  EXPECT_EQ(result.return_value, Value(42));
  EXPECT_EQ(second->Stats().cache_disk_hits, 1u);
}

TEST_F(Cache, ADamagedFileIsDiscardedAndMadeAgain) {
  RunIn(*NewSandbox());
  const fs::path file = Files().at(0);
  const std::string good = *ReadFile(file);
  std::vector<std::string> bad = {"", "NXBC0001", good.substr(0, good.size() - 1), good + "x"};
  for (std::size_t i = 0; i < good.size(); i += 23) {
    bad.push_back(good);
    bad.back()[i] = static_cast<char>(bad.back()[i] ^ 0x10);
  }
  for (const std::string& bytes : bad) {
    ASSERT_TRUE(WriteFileAtomic(file, bytes).has_value());
    const auto sandbox = NewSandbox();
    const RunResult result = RunIn(*sandbox);
    ASSERT_EQ(result.return_value, Value(42));
    ASSERT_FALSE(result.metrics.cache_hit);
    ASSERT_EQ(sandbox->Stats().cache_discarded, 1u);
    ASSERT_EQ(*ReadFile(file), good);
  }
}

TEST_F(Cache, AFilePlantedFromElsewhereDoesNotRun) {
  RunIn(*NewSandbox("the attacker's key"));
  const auto sandbox = NewSandbox("our key");
  EXPECT_FALSE(RunIn(*sandbox).metrics.cache_hit);
  EXPECT_EQ(sandbox->Stats().cache_discarded, 1u);
}

TEST_F(Cache, AFileOfAnotherKeyIsRefused) {
  const internal::Bytecode bytecode{.form = 0, .code = "code", .inferred = {}};
  const std::string bytes = internal::EncodeBytecodeFile(std::string(64, 'a'), bytecode, "k");
  EXPECT_TRUE(internal::DecodeBytecodeFile(bytes, std::string(64, 'a'), "k").has_value());
  EXPECT_FALSE(internal::DecodeBytecodeFile(bytes, std::string(64, 'b'), "k").has_value());
}

TEST_F(Cache, AFolderThatCannotBeWrittenCostsOnlyTheFile) {
  std::ofstream(folder_.string()) << "a file where the folder should be";
  SandboxOptions options;
  options.cache_dir = folder_ / "below";
  const auto sandbox = testing::MakeSandbox(std::move(options));
  EXPECT_EQ(RunIn(*sandbox).return_value, Value(42));
}

TEST_F(Cache, MemoryIsBounded) {
  internal::BytecodeCache cache({}, "k", 1000);
  for (int i = 0; i < 100; ++i) {
    auto bytecode = std::make_shared<internal::Bytecode>();
    bytecode->code = std::string(100, 'x');
    cache.Store(std::to_string(i), bytecode);
  }
  EXPECT_EQ(cache.Find("0"), nullptr);
  EXPECT_NE(cache.Find("99"), nullptr);
}

}  // namespace
}  // namespace nexus
