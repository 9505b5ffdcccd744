#include "source/source_map.h"

#include <gtest/gtest.h>

namespace nexus {
namespace {

std::string MapOf(std::string_view mappings, std::string_view more = "") {
  return R"({"version":3,"sources":["a.ts","b.ts"],"names":["foo"],"mappings":")" +
         std::string(mappings) + "\"" + std::string(more) + "}";
}

std::string ErrorOf(std::string_view json) {
  const Result<SourceMap> map = SourceMap::Parse(json);
  return map ? "parsed" : map.error().message();
}

TEST(SourceMap, FindsTheMappingAtOrBefore) {
  // Line 1: column 0 -> a.ts 1:1; column 4 -> a.ts 1:3 named foo; line 2 nothing; line 3: column 2
  // -> b.ts 2:1.
  const SourceMap map = SourceMap::Parse(MapOf("AAAA,IAAEA;;ECCF")).value();
  EXPECT_EQ(map.Find({1, 1}).at, (SourcePosition{1, 1}));
  EXPECT_EQ(map.Find({1, 4}).at, (SourcePosition{1, 1}));
  const OriginalPosition named = map.Find({1, 5});
  EXPECT_EQ(named.at, (SourcePosition{1, 3}));
  EXPECT_EQ(named.name, "foo");
  EXPECT_EQ(named.file, "a.ts");
  EXPECT_EQ(map.Find({1, 500}).at, (SourcePosition{1, 3}));
  EXPECT_FALSE(map.Find({2, 1}).at.known());
  EXPECT_FALSE(map.Find({3, 2}).at.known());
  EXPECT_EQ(map.Find({3, 3}).at, (SourcePosition{2, 1}));
  EXPECT_EQ(map.Find({3, 3}).file, "b.ts");
  EXPECT_FALSE(map.Find({4, 1}).at.known());
  EXPECT_FALSE(map.Find({0, 0}).at.known());
}

TEST(SourceMap, SortsColumnsAndSkipsUnmappedOnes) {
  // Columns 4, 2 (going back), then 6 without a source.
  const SourceMap map = SourceMap::Parse(MapOf("IAAE,FAAA,I")).value();
  EXPECT_EQ(map.Find({1, 3}).at, (SourcePosition{1, 3}));
  EXPECT_FALSE(map.Find({1, 2}).at.known());
  EXPECT_FALSE(map.Find({1, 7}).at.known());
}

TEST(SourceMap, GivesSourceTextAndCodePointColumns) {
  const SourceMap map =
      SourceMap::Parse(MapOf("AAAG", R"(,"sourceRoot":"src","sourcesContent":["😀x = y",null])"))
          .value();
  EXPECT_EQ(map.sources()[0], "src/a.ts");
  ASSERT_NE(map.SourceText("src/a.ts"), nullptr);
  EXPECT_EQ(*map.SourceText("src/a.ts"), "😀x = y");
  EXPECT_EQ(map.SourceText("src/b.ts"), nullptr);
  // UTF-16 column 3 is behind the two units of the face and the x: the third code point.
  EXPECT_EQ(map.Find({1, 1}).at, (SourcePosition{1, 3}));
}

TEST(SourceMap, SaysWhatIsWrong) {
  EXPECT_NE(ErrorOf("{").find("source map: 1:2"), std::string::npos);
  EXPECT_NE(ErrorOf("[]").find("not a JSON object"), std::string::npos);
  EXPECT_NE(ErrorOf(R"({"version":2,"mappings":""})").find("version 3"), std::string::npos);
  EXPECT_NE(ErrorOf(R"({"version":3})").find("mappings"), std::string::npos);
  EXPECT_NE(ErrorOf(R"({"version":3,"sections":[],"mappings":""})").find("index maps"),
            std::string::npos);
  EXPECT_NE(ErrorOf(R"({"version":3,"sources":1,"mappings":""})").find("lists"), std::string::npos);
  EXPECT_NE(ErrorOf(MapOf("A!AA")).find("line 1: malformed"), std::string::npos);
  EXPECT_NE(ErrorOf(MapOf("AAAA;;A")).find("parsed"), std::string::npos);
  EXPECT_NE(ErrorOf(MapOf("AA")).find("1, 4 or 5"), std::string::npos);
  EXPECT_NE(ErrorOf(MapOf("AAAAAA")).find("malformed"), std::string::npos);
  EXPECT_NE(ErrorOf(MapOf("AEAA")).find("outside"), std::string::npos);
  EXPECT_NE(ErrorOf(MapOf("D")).find("outside"), std::string::npos);
  EXPECT_NE(ErrorOf(MapOf("gggggggggggA")).find("malformed"), std::string::npos);
  EXPECT_NE(ErrorOf(MapOf("g")).find("malformed"), std::string::npos);
  EXPECT_EQ(ErrorOf(")]}'\n" + MapOf("AAAA")), "parsed");
}

}  // namespace
}  // namespace nexus
