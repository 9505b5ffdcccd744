// Goal: a program reaches the folders it was given under their names, with their rights, and
// nothing else. Method: two folders in a temporary one; what `code` has in common is tested there.
#include "extension/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/json.h"
#include "base/testing/temp_folder.h"
#include "extension/internal/call_for_test.h"

namespace nexus {
namespace {

using internal::CallNow;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class FilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_ / "in/deep");
    fs::create_directories(folder_ / "out");
    Put("in/a.txt", "hello");
    Put("in/deep/b.bin", std::string("\xff\0x", 3));
    Put("secret.txt", "outside");
    fs::create_symlink(folder_ / "secret.txt", folder_ / "in/link");
    FilesOptions options;
    options.roots = {{.name = "in", .path = folder_ / "in"},
                     {.name = "out", .path = folder_ / "out", .read_only = false}};
    options.write_bytes_max = 100;
    auto files = FilesExtension::Create(std::move(options));
    ASSERT_TRUE(files.has_value()) << files.error().message();
    files_ = *files;
  }
  void Put(const std::string& path, const std::string& text) {
    std::ofstream(folder_ / path, std::ios::binary) << text;
  }
  Answer Call(const std::string& method, ValueArray args) {
    return CallNow(*files_, method, std::move(args));
  }

  const testing::TempFolder temp_;
  const fs::path& folder_ = temp_.path();
  std::shared_ptr<FilesExtension> files_;
};

TEST_F(FilesTest, ReadsTextAndBytes) {
  EXPECT_EQ(Call("read", {"in/a.txt"}).value, Value("hello"));
  EXPECT_EQ(Call("read", {"./in//a.txt"}).value, Value("hello"));
  const Answer binary = Call("read", {"in/deep/b.bin"});
  ASSERT_NE(binary.value.As<Bytes>(), nullptr);
  EXPECT_EQ(binary.value.As<Bytes>()->data, std::string("\xff\0x", 3));
  EXPECT_EQ(Call("exists", {"in/none"}).value, Value(false));
  EXPECT_EQ(Call("stat", {"in/a.txt"}).value.NumberOr("size", 0), 5);
  EXPECT_EQ(Call("stat", {"in"}).value.StringOr("path", ""), "in");
  EXPECT_FALSE(Call("read", {"in/a.txt", Value::Object({{"maxBytes", 2}})}).success);
}

TEST_F(FilesTest, ListsFoldersUnderTheirNames) {
  EXPECT_EQ(
      ToJson(Call("list", {}).value),
      R"([{"path":"in","name":"in","type":"folder"},{"path":"out","name":"out","type":"folder"}])");
  const Answer all = Call("list", {"in", Value::Object({{"recursive", true}})});
  ASSERT_TRUE(all.success) << all.message;
  EXPECT_THAT(ToJson(all.value), HasSubstr(R"("path":"in/deep/b.bin")"));
  EXPECT_THAT(ToJson(Call("list", {"in/deep"}).value), HasSubstr(R"("path":"in/deep/b.bin")"));
}

TEST_F(FilesTest, WritesWhereItMayAndAsMuchAsItMay) {
  const Answer written =
      Call("write", {"out/x/y.txt", "text", Value::Object({{"makeFolders", true}})});
  ASSERT_TRUE(written.success) << written.message;
  EXPECT_EQ(written.value.StringOr("path", ""), "out/x/y.txt");
  EXPECT_EQ(Call("read", {"out/x/y.txt"}).value, Value("text"));
  EXPECT_TRUE(Call("write", {"out/b", Bytes{std::string("\0\1", 2)}}).success);
  EXPECT_EQ(Call("remove", {"out/b"}).value, Value(true));
  const Answer refused = Call("write", {"in/new.txt", "text"});
  EXPECT_EQ(refused.code, RunErrorCode::kPermissionDenied);
  EXPECT_THAT(refused.message, HasSubstr("\"readOnly\": false of the root 'in'"));
  EXPECT_EQ(Call("remove", {"in/a.txt"}).code, RunErrorCode::kPermissionDenied);
  EXPECT_THAT(Call("write", {"out/big", std::string(101, 'x')}).message,
              HasSubstr("100 are allowed"));
}

TEST_F(FilesTest, NothingOutsideIsReached) {
  for (const char* path : {"in/../secret.txt", "../secret.txt", "/etc/passwd", "in/link",
                           "secret.txt", "", ".", "in/deep/../../secret.txt"}) {
    EXPECT_FALSE(Call("read", {path}).success) << path;
  }
  EXPECT_THAT(Call("read", {"inn/a.txt"}).message, HasSubstr("did you mean 'in'"));
  EXPECT_THAT(Call("read", {"in/none"}).message, HasSubstr("files.read: folder 'in': 'none'"));
}

TEST(Files, RefusesFoldersThatAreNone) {
  const auto make = [](std::vector<FilesRoot> roots) {
    FilesOptions options;
    options.roots = std::move(roots);
    return FilesExtension::Create(std::move(options)).has_value();
  };
  EXPECT_TRUE(make({{.name = "a", .path = "/"}}));
  EXPECT_FALSE(make({}));
  EXPECT_FALSE(make({{.name = "a/b", .path = "/"}}));
  EXPECT_FALSE(make({{.name = "a", .path = "/"}, {.name = "a", .path = "/"}}));
  EXPECT_FALSE(make({{.name = "a", .path = "/no/such/folder"}}));
}

}  // namespace
}  // namespace nexus
