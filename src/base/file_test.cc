// Goal: a file is never half written, and each failure names the path and what to do.
#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/hash.h"
#include "base/testing/temp_folder.h"

namespace nexus {
namespace {

class FileTest : public ::testing::Test {
 protected:
  std::size_t FileCount() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder_), {}));
  }
  const testing::TempFolder temp_;
  const std::filesystem::path& folder_ = temp_.path();
};

TEST_F(FileTest, WritesAndReadsBack) {
  const auto path = folder_ / "a";
  ASSERT_TRUE(WriteFileAtomic(path, "one").has_value());
  ASSERT_TRUE(WriteFileAtomic(path, std::string("t\0wo", 4), {.sync = true}).has_value());
  EXPECT_EQ(ReadFile(path).value(), std::string("t\0wo", 4));
  EXPECT_EQ(FileCount(), 1u);
  const std::string large(300'000, 'x');
  ASSERT_TRUE(WriteFileAtomic(path, large).has_value());
  EXPECT_EQ(ReadFile(path).value(), large);
}

TEST_F(FileTest, SaysWhatIsWrong) {
  const auto missing = ReadFile(folder_ / "none");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code(), Code::kNotFound);
  EXPECT_NE(missing.error().message().find("none"), std::string::npos);
  EXPECT_EQ(ReadFile(folder_).error().code(), Code::kInvalidArgument);
  ASSERT_TRUE(WriteFileAtomic(folder_ / "b", "12345").has_value());
  EXPECT_EQ(ReadFile(folder_ / "b", 4).error().code(), Code::kResourceExhausted);
  EXPECT_EQ(ReadFile(folder_ / "b", 5).value(), "12345");
  EXPECT_EQ(WriteFileAtomic(folder_ / "x" / "y", "1").error().code(), Code::kNotFound);
}

TEST_F(FileTest, AFullDiskIsNamedAndLeavesNothing) {
  // /dev/full refuses every write as a full disk does; the temporary file is beside the target, so
  // a limit on file size stands in for it here.
  const auto path = folder_ / "a";
  ASSERT_TRUE(WriteFileAtomic(path, "old").has_value());
  const Status refused = WriteFileAtomic("/dev/full/x", "1");
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message().find("/dev/full/x"), std::string::npos);
  ASSERT_EQ(std::filesystem::exists(folder_ / "d"), false);
  std::filesystem::create_directory(folder_ / "d");
  const Status blocked = WriteFileAtomic(folder_ / "d", "1");
  ASSERT_FALSE(blocked.has_value()) << "a folder cannot be replaced";
  EXPECT_EQ(ReadFile(path).value(), "old");
  EXPECT_EQ(FileCount(), 2u) << "the temporary file is gone";
}

TEST_F(FileTest, MakesFolders) {
  EXPECT_TRUE(MakeDirs(folder_ / "a" / "b").has_value());
  EXPECT_TRUE(MakeDirs(folder_ / "a" / "b").has_value());
  std::ofstream(folder_ / "file") << "x";
  EXPECT_FALSE(MakeDirs(folder_ / "file").has_value());
  EXPECT_FALSE(MakeDirs(folder_ / "file" / "c").has_value());
}

TEST_F(FileTest, KeyIsMadeOnceAndGuarded) {
  const auto path = folder_ / "state" / "key";
  std::vector<std::string> keys(4);
  {
    std::vector<std::jthread> threads;
    for (std::string& key : keys) {
      threads.emplace_back([&key, &path] { key = LoadOrCreateKey(path).value(); });
    }
  }
  for (const std::string& key : keys) EXPECT_EQ(key, keys[0]);
  EXPECT_EQ(keys[0].size(), 32u);
  struct stat status{};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  EXPECT_EQ(LoadOrCreateKey(path).error().code(), Code::kPermissionDenied);
  ASSERT_EQ(chmod(path.c_str(), 0600), 0);
  std::ofstream(path) << "short\n";
  EXPECT_EQ(LoadOrCreateKey(path).error().code(), Code::kDataLoss);
}

TEST(Folders, FollowTheEnvironment) {
  setenv("XDG_CACHE_HOME", "/somewhere/cache", 1);
  EXPECT_EQ(CacheDir().value(), "/somewhere/cache/nexus");
  setenv("XDG_CACHE_HOME", "relative", 1);
  setenv("HOME", "/home/me", 1);
  EXPECT_EQ(CacheDir().value(), "/home/me/.cache/nexus");
  unsetenv("XDG_STATE_HOME");
  EXPECT_EQ(StateDir().value(), "/home/me/.local/state/nexus");
}

TEST(Hash, KnowsTheTestVectors) {
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  // The published value of XXH3_64bits of nothing; a seed makes it another checksum.
  EXPECT_EQ(Checksum64(""), 0x2d06800538d394c2u);
  EXPECT_NE(Checksum64("abc", 1), Checksum64("abc", 2));
  EXPECT_EQ(Sha256().Update("a").Update("bc").FinishHex(), Sha256Hex("abc"));
  EXPECT_EQ(ToHex(HmacSha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_NE(Sha256().UpdatePart("ab").UpdatePart("c").FinishHex(),
            Sha256().UpdatePart("a").UpdatePart("bc").FinishHex());
  EXPECT_TRUE(ConstantTimeEqual("ab", "ab"));
  EXPECT_FALSE(ConstantTimeEqual("ab", "ac"));
  EXPECT_FALSE(ConstantTimeEqual("ab", "abc"));
  std::string bytes;
  EXPECT_TRUE(FromHex("00fF", bytes));
  EXPECT_EQ(bytes, std::string("\0\xff", 2));
  EXPECT_FALSE(FromHex("0", bytes));
  EXPECT_FALSE(FromHex("0g", bytes));
}

}  // namespace
}  // namespace nexus
