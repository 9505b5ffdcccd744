#include "base/text.h"

#include <gtest/gtest.h>

#include <array>

#include "base/base64.h"
#include "base/utf8.h"

namespace nexus {
namespace {

TEST(EditDistance, CountsSlips) {
  EXPECT_EQ(EditDistance("kitten", "sitting", 9), 3u);
  EXPECT_EQ(EditDistance("ab", "ba", 9), 1u);
  EXPECT_EQ(EditDistance("", "abc", 9), 3u);
  EXPECT_EQ(EditDistance("abcdef", "ghijkl", 2), 3u) << "no more than max + 1";
}

TEST(NearestName, FindsSlipsOnly) {
  static constexpr std::array<std::string_view, 3> kNames = {"memory", "stack", "wall"};
  EXPECT_EQ(NearestName("memroy", kNames), "memory");
  EXPECT_EQ(NearestName("WALL", kNames), "wall");
  EXPECT_EQ(NearestName("timeout", kNames), std::nullopt);
  EXPECT_EQ(DidYouMean("stak", kNames), " (did you mean 'stack'?)");
  EXPECT_EQ(DidYouMean("zzz", kNames), "");
}

TEST(LineIndex, CountsCodePoints) {
  const std::string text = "aé\n😀b\r\n\nlast";
  const LineIndex index(text);
  EXPECT_EQ(index.line_count(), 4u);
  for (std::size_t offset = 0; offset <= text.size() + 2; ++offset) {
    if (offset < text.size() && (static_cast<unsigned char>(text[offset]) & 0xc0) == 0x80) continue;
    const TextPosition slow = PositionOf(text, offset);
    const TextPosition fast = index.At(offset);
    EXPECT_EQ(fast.line, slow.line) << offset;
    EXPECT_EQ(fast.column, slow.column) << offset;
  }
  EXPECT_EQ(index.Line(2), "😀b");
  EXPECT_EQ(index.Line(4), "last");
  EXPECT_EQ(index.Line(0), "");
  EXPECT_EQ(index.Line(5), "");
}

TEST(LineIndex, CrossesItsBlocks) {
  std::string text(5000, 'x');
  for (int i = 0; i < 1000; ++i) text += "é";
  const LineIndex index(text);
  EXPECT_EQ(index.At(1024).column, 1025u);
  EXPECT_EQ(index.At(text.size()).column, 6001u);
}

TEST(RenderSnippet, ShowsLinesAndCaret) {
  EXPECT_EQ(RenderSnippet("one\ntwo\nthree\nfour", {3, 2}),
            "1 | one\n2 | two\n3 | three\n  |  ^\n");
  EXPECT_EQ(RenderSnippet("\té = 1", {1, 2}), "1 |  é = 1\n  |  ^\n");
  EXPECT_EQ(RenderSnippet("a", {1, 99}), "1 | a\n  |  ^\n");
  EXPECT_EQ(RenderSnippet("a", {2, 1}), "");
  EXPECT_EQ(RenderSnippet("", {1, 1}), "1 |\n  | ^\n");
}

TEST(RenderSnippet, CutsLongLinesAroundTheColumn) {
  std::string line(1000, '.');
  line[500] = 'X';
  const std::string snippet = RenderSnippet(line, {1, 501});
  const std::size_t end = snippet.find('\n');
  EXPECT_LT(end, 140u);
  EXPECT_EQ(snippet.find('X'), snippet.find('^') - end - 1);
}

TEST(Utf8, FindsWhatIsInvalid) {
  EXPECT_EQ(FindInvalidUtf8("plain ascii text, long enough"), kValid);
  EXPECT_EQ(FindInvalidUtf8("é😀"), kValid);
  EXPECT_EQ(FindInvalidUtf8("ab\xff"), 2u);
  EXPECT_EQ(FindInvalidUtf8("\xc0\x80"), 0u);
  EXPECT_EQ(FindInvalidUtf8("\xe0\x80\x80"), 0u);
  EXPECT_EQ(FindInvalidUtf8("\xf4\x90\x80\x80"), 0u);
  EXPECT_EQ(FindInvalidUtf8("a\xc3"), 1u);
  EXPECT_EQ(FindInvalidUtf8("\xed\xa0\x80"), 0u);
  EXPECT_EQ(FindInvalidWtf8("\xed\xa0\x80"), kValid);
  EXPECT_EQ(FindInvalidWtf8("\xed\xa0\x80\xed\xb0\x80"), 3u);
  EXPECT_EQ(FindInvalidWtf8("\xed\xa0\x80x\xed\xb0\x80"), kValid);
  EXPECT_EQ(CodePointCount("aé😀\xff"), 4u);
  EXPECT_EQ(Utf16Length("aé😀"), 4u);
  EXPECT_EQ(ToValidUtf8("a\xff"
                        "b"),
            "a\xef\xbf\xbd"
            "b");
}

TEST(Base64, RoundTripsAndRefuses) {
  for (const std::string_view bytes : {"", "f", "fo", "foo", "foob", "\xff\xfe\xfd"}) {
    EXPECT_EQ(FromBase64(ToBase64(bytes)).value(), bytes);
    EXPECT_EQ(FromBase64(ToBase64Url(bytes)).value(), bytes);
  }
  EXPECT_EQ(ToBase64("foob"), "Zm9vYg==");
  EXPECT_EQ(ToBase64Url("\xff\xfe"), "__4");
  EXPECT_FALSE(FromBase64("Zm9vYg=").has_value());
  EXPECT_FALSE(FromBase64("Zm9vY").has_value());
  EXPECT_FALSE(FromBase64("Zm9v Yg==").has_value());
  EXPECT_FALSE(FromBase64("Zm9vYh==").has_value()) << "stray bits";
}

TEST(Split, KeepsEmptyParts) {
  EXPECT_EQ(Split("", ',').size(), 1u);
  EXPECT_EQ(Split("a,,b", ','), (std::vector<std::string_view>{"a", "", "b"}));
  EXPECT_EQ(Trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(Trim("  "), "");
}

}  // namespace
}  // namespace nexus
