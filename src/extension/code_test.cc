// Goal: programs work with the files of their workspace and never with one outside, whatever paths,
// links and races they meet. Method: real folders under the temporary folder, hostile entries in
// them.
#include "extension/code.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "base/testing/temp_folder.h"
#include "extension/internal/call_for_test.h"
#include "extension/internal/pattern.h"

namespace nexus {
namespace {

namespace fs = std::filesystem;
using internal::CallNow;
using ::testing::HasSubstr;

class CodeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(root_ / "src/deep");
    Put(root_ / "a.txt", "hello\n");
    Put(root_ / "src/b.ts", "const x = 1;\nexport function Foo() {}\n");
    Put(root_ / "src/deep/c.ts", "foo();\n");
    Put(base_ / "secret", "secret");
    fs::create_symlink("../secret", root_ / "out");
    fs::create_symlink("/etc", root_ / "etc");
    fs::create_symlink("src", root_ / "inside");
    fs::create_symlink("loop", root_ / "loop");
  }

  static void Put(const fs::path& path, std::string_view text) {
    std::ofstream(path, std::ios::binary) << text;
  }
  static std::string Take(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::shared_ptr<CodeExtension> Open(CodeOptions options = {}) {
    options.root = root_.string();
    auto code = CodeExtension::Create(std::move(options));
    EXPECT_TRUE(code.has_value()) << code.error().message();
    return *code;
  }

  const testing::TempFolder temp_;
  const fs::path& base_ = temp_.path();
  const fs::path root_ = base_ / "root";
};

TEST_F(CodeTest, ReadsTextAndBytes) {
  const auto code = Open();
  EXPECT_EQ(CallNow(*code, "read", {"a.txt"}).value, Value("hello\n"));
  EXPECT_EQ(CallNow(*code, "read", {"./src//b.ts"}).value,
            Value("const x = 1;\nexport function Foo() {}\n"));
  Put(root_ / "bin", std::string("\xff\0\x01", 3));
  EXPECT_EQ(CallNow(*code, "read", {"bin"}).value, Value(Bytes{std::string("\xff\0\x01", 3)}));
  EXPECT_EQ(CallNow(*code, "read", {"a.txt", Value::Object({{"encoding", "bytes"}})}).value,
            Value(Bytes{"hello\n"}));
  const Answer not_text = CallNow(*code, "read", {"bin", Value::Object({{"encoding", "utf8"}})});
  EXPECT_THAT(not_text.message, HasSubstr("not UTF-8 at byte 0"));
  const Answer missing = CallNow(*code, "read", {"nope.txt"});
  EXPECT_EQ(missing.message, "code.read: 'nope.txt': there is no such file or folder");
  EXPECT_EQ(missing.details.StringOr("reason", ""), "NOT_FOUND");
}

TEST_F(CodeTest, NothingLeavesTheRoot) {
  for (const bool follow : {false, true}) {
    const auto code = Open({.root = {}, .follow_links = follow});
    for (const char* path :
         {"../secret", "src/../../secret", "/etc/passwd", "out", "etc/passwd", "etc", "loop", "..",
          "./../secret", "src/deep/../../../secret", "inside/../../secret"}) {
      for (const char* method : {"read", "write", "remove", "list"}) {
        if (std::string(method) == "remove" && std::string(path).find('/') == std::string::npos &&
            std::string(path) != "..") {
          continue;  // Removing a link itself is allowed: it stands inside.
        }
        const bool replaces_link = std::string(method) == "write" &&
                                   (std::string(path) == "out" || std::string(path) == "etc" ||
                                    std::string(path) == "loop");
        if (replaces_link) continue;
        const Answer answer =
            CallNow(*code, method, {path, method == std::string("write") ? Value("x") : Value()});
        EXPECT_FALSE(answer.success) << method << " " << path;
      }
    }
    EXPECT_EQ(Take(base_ / "secret"), "secret");
  }
}

TEST_F(CodeTest, LinksInsideAreFollowedOnlyWhenAllowed) {
  const auto strict = Open();
  const Answer refused = CallNow(*strict, "read", {"inside/b.ts"});
  EXPECT_EQ(refused.code, RunErrorCode::kPermissionDenied);
  EXPECT_THAT(refused.message, HasSubstr("symbolic link"));
  EXPECT_EQ(CallNow(*strict, "stat", {"inside"}).value.StringOr("type", ""), "link");
  const auto lax = Open({.root = {}, .follow_links = true});
  EXPECT_TRUE(CallNow(*lax, "read", {"inside/b.ts"}).success);
}

TEST_F(CodeTest, WritingReplacesALinkAndNotItsTarget) {
  const auto code = Open({.root = {}, .follow_links = true});
  EXPECT_TRUE(CallNow(*code, "write", {"out", "mine"}).success);
  EXPECT_EQ(Take(base_ / "secret"), "secret");
  EXPECT_FALSE(fs::is_symlink(root_ / "out"));
}

TEST_F(CodeTest, NothingLeavesTheRootWhileLinksAreSwapped) {
  const auto code = Open({.root = {}, .follow_links = true});
  fs::create_directory(root_ / "swap");
  Put(root_ / "swap/secret", "fine");
  std::atomic<bool> stop{false};
  std::thread swapper([&] {
    while (!stop) {
      fs::rename(root_ / "swap", root_ / "aside");
      fs::create_symlink("..", root_ / "swap");
      fs::remove(root_ / "swap");
      fs::rename(root_ / "aside", root_ / "swap");
    }
  });
  int read = 0;
  for (int i = 0; i < 20'000; ++i) {
    const Answer answer = CallNow(*code, "read", {"swap/secret"});
    if (answer.success) {
      ++read;
      ASSERT_EQ(answer.value, Value("fine"));
    }
    if (i % 100 == 0) (void)CallNow(*code, "write", {"swap/written", "x"});
  }
  stop = true;
  swapper.join();
  EXPECT_GT(read, 0);
  EXPECT_EQ(Take(base_ / "secret"), "secret");
  EXPECT_FALSE(fs::exists(base_ / "written"));
}

TEST_F(CodeTest, PipesAndDevicesDoNotBlock) {
  ASSERT_EQ(mkfifo((root_ / "fifo").c_str(), 0600), 0);
  const auto code = Open();
  EXPECT_THAT(CallNow(*code, "read", {"fifo"}).message, HasSubstr("not a file"));
  EXPECT_EQ(CallNow(*code, "stat", {"fifo"}).value.StringOr("type", ""), "other");
}

TEST_F(CodeTest, WritesAtomicallyWithinLimits) {
  const auto code = Open({.root = {}, .write_bytes_max = 10, .written_bytes_max = 25});
  EXPECT_TRUE(CallNow(*code, "write", {"new.txt", "0123456789"}).success);
  EXPECT_EQ(Take(root_ / "new.txt"), "0123456789");
  EXPECT_THAT(CallNow(*code, "write", {"new.txt", "01234567890"}).message,
              HasSubstr("10 are allowed"));
  EXPECT_EQ(Take(root_ / "new.txt"), "0123456789");
  EXPECT_TRUE(CallNow(*code, "write", {"bytes", Bytes{std::string("\0\xff", 2)}}).success);
  EXPECT_TRUE(CallNow(*code, "write", {"x/y/z.txt", "deep", Value::Object({{"makeFolders", true}})})
                  .success);
  EXPECT_EQ(Take(root_ / "x/y/z.txt"), "deep");
  EXPECT_FALSE(CallNow(*code, "write", {"p/q.txt", "no"}).success);
  EXPECT_THAT(CallNow(*code, "write", {"c", "0123456789"}).message, HasSubstr("written in all"));
  EXPECT_FALSE(CallNow(*code, "write", {"src", "x"}).success);
  EXPECT_FALSE(CallNow(*code, "write", {"a.txt", 5}).success);
  for (const auto& entry : fs::recursive_directory_iterator(root_)) {
    EXPECT_EQ(entry.path().extension(),
              entry.path().extension() == ".tmp" ? ".none" : entry.path().extension());
  }
}

TEST_F(CodeTest, KeepsTheModeOfAFile) {
  const auto code = Open();
  fs::permissions(root_ / "a.txt", fs::perms::owner_all);
  EXPECT_TRUE(CallNow(*code, "write", {"a.txt", "#!/bin/sh\n"}).success);
  EXPECT_EQ(fs::status(root_ / "a.txt").permissions(), fs::perms::owner_all);
}

TEST_F(CodeTest, ReadOnlyMeansReadOnly) {
  const auto code = Open({.root = {}, .read_only = true});
  for (const char* method : {"write", "remove"}) {
    const Answer answer = CallNow(*code, method, {"a.txt", "x"});
    EXPECT_EQ(answer.code, RunErrorCode::kPermissionDenied);
    EXPECT_THAT(answer.message, HasSubstr("read-only"));
  }
  EXPECT_EQ(Take(root_ / "a.txt"), "hello\n");
}

TEST_F(CodeTest, ListsSortedAndBounded) {
  const auto code = Open();
  fs::create_directories(root_ / "node_modules/x");
  const Answer top = CallNow(*code, "list", {});
  ASSERT_TRUE(top.success) << top.message;
  std::vector<std::string> names;
  for (const Value& entry : *top.value.As<ValueArray>())
    names.emplace_back(entry.StringOr("path", ""));
  EXPECT_THAT(names, ::testing::ElementsAre("a.txt", "etc", "inside", "loop", "node_modules", "out",
                                            "src"));
  const Answer all = CallNow(*code, "list", {".", Value::Object({{"recursive", true}})});
  names.clear();
  for (const Value& entry : *all.value.As<ValueArray>())
    names.emplace_back(entry.StringOr("path", ""));
  EXPECT_THAT(names, ::testing::ElementsAre("a.txt", "etc", "inside", "loop", "out", "src",
                                            "src/b.ts", "src/deep", "src/deep/c.ts"));
  const Answer few =
      CallNow(*code, "list", {".", Value::Object({{"recursive", true}, {"max", 3}})});
  EXPECT_THAT(few.message, HasSubstr("more than 3 entries"));
  EXPECT_THAT(CallNow(*code, "list", {"a.txt"}).message, HasSubstr("not a folder"));
}

TEST_F(CodeTest, SearchesLiteralsAndPatterns) {
  const auto code = Open();
  const auto found = [&](ValueArray args) {
    const Answer answer = CallNow(*code, "search", std::move(args));
    EXPECT_TRUE(answer.success) << answer.message;
    std::string text;
    for (const Value& hit : *answer.value.As<ValueArray>()) {
      text += std::string(hit.StringOr("path", "")) + ":" +
              std::to_string(static_cast<int>(hit.NumberOr("line", 0))) + ":" +
              std::to_string(static_cast<int>(hit.NumberOr("column", 0))) + " ";
    }
    return text;
  };
  EXPECT_EQ(found({"Foo"}), "src/b.ts:2:17 ");
  EXPECT_EQ(found({"foo", ".", Value::Object({{"ignoreCase", true}})}),
            "src/b.ts:2:17 src/deep/c.ts:1:1 ");
  EXPECT_EQ(found({"foo", "src/deep"}), "src/deep/c.ts:1:1 ");
  EXPECT_EQ(found({"^\\w+\\(\\);$", ".", Value::Object({{"regex", true}})}), "src/deep/c.ts:1:1 ");
  EXPECT_EQ(found({"secret"}), "");
  EXPECT_FALSE(CallNow(*code, "search", {"(", ".", Value::Object({{"regex", true}})}).success);
}

TEST_F(CodeTest, RemovesFilesAndEmptyFolders) {
  const auto code = Open();
  EXPECT_EQ(CallNow(*code, "remove", {"a.txt"}).value, Value(true));
  EXPECT_EQ(CallNow(*code, "remove", {"a.txt"}).value, Value(false));
  EXPECT_THAT(CallNow(*code, "remove", {"src"}).message, HasSubstr("not empty"));
  EXPECT_EQ(CallNow(*code, "remove", {"out"}).value, Value(true));
  EXPECT_EQ(Take(base_ / "secret"), "secret");
  EXPECT_FALSE(CallNow(*code, "remove", {"."}).success);
  EXPECT_EQ(CallNow(*code, "exists", {"a.txt"}).value, Value(false));
  EXPECT_EQ(CallNow(*code, "exists", {"src/b.ts"}).value, Value(true));
}

TEST_F(CodeTest, RefusesLargeFiles) {
  const auto code = Open({.root = {}, .read_bytes_max = 5});
  EXPECT_THAT(CallNow(*code, "read", {"a.txt"}).message, HasSubstr("more than 5 bytes"));
}

TEST_F(CodeTest, ABadRootIsNamed) {
  const auto missing = CodeExtension::Create({.root = (base_ / "none").string()});
  ASSERT_FALSE(missing.has_value());
  EXPECT_THAT(missing.error().message(), HasSubstr("there is no such folder"));
  EXPECT_FALSE(CodeExtension::Create({.root = (root_ / "a.txt").string()}).has_value());
}

TEST(Pattern, FindsTheLeftmostMatch) {
  const auto at = [](std::string_view pattern, std::string_view text,
                     bool ignore_case = false) -> int {
    const auto compiled =
        internal::Pattern::Compile(pattern, {.regex = true, .ignore_case = ignore_case});
    if (!compiled) return -2;
    const auto found = compiled->Find(text);
    return found ? static_cast<int>(*found) : -1;
  };
  EXPECT_EQ(at("b+", "aabbb"), 2);
  EXPECT_EQ(at("a|b", "xxb"), 2);
  EXPECT_EQ(at("(ab){2,3}", "abxabab"), 3);
  EXPECT_EQ(at("x{3}", "xxaxxx"), 3);
  EXPECT_EQ(at("^a", "ba"), -1);
  EXPECT_EQ(at("a$", "aba"), 2);
  EXPECT_EQ(at("\\bfoo\\b", "xfoo foo"), 5);
  EXPECT_EQ(at("[^a-c]", "abcd"), 3);
  EXPECT_EQ(at("[]]", "a]"), 1);
  EXPECT_EQ(at("FOO", "a foo", true), 2);
  EXPECT_EQ(at("abcd|bc", "abcx"), 1);
  EXPECT_EQ(at(".*d|b", "abcd"), 0);
  EXPECT_EQ(at("", "a"), -2);
  for (const char* bad :
       {"(", ")", "[a", "a{", "a{3,1}", "a{999}", "*a", "\\", "(?=a)", "\\1", "[b-a]"}) {
    EXPECT_EQ(at(bad, "a"), -2) << bad;
  }
  EXPECT_EQ(at(std::string(200, '(') + "a" + std::string(200, ')'), "a"), -2);
}

TEST(Pattern, HostilePatternsStayLinear) {
  const auto nested = internal::Pattern::Compile("(a*)*(a*)*(a|aa)*b", {.regex = true});
  ASSERT_TRUE(nested.has_value());
  EXPECT_FALSE(nested->Find(std::string(100'000, 'a')).has_value());
  EXPECT_FALSE(internal::Pattern::Compile("((a{200}){200}){200}", {.regex = true}).has_value());
}

}  // namespace
}  // namespace nexus
