// Goal: one spelling for each right, and an error that helps for everything else.
#include "capability/token.h"

#include <gtest/gtest.h>

namespace nexus {
namespace {

std::string ErrorOf(std::string_view text) {
  const auto token = CapabilityToken::Parse(text);
  return token ? "parsed as " + token->ToString() : token.error().message();
}

TEST(CapabilityToken, RoundTripsEveryRight) {
  for (const std::string_view text :
       {"state:read:count", "state:write:*", "events:emit:saved", "view:update:table", "ext:http",
        "ext:http.get", "ext:*", "tools:call:add", "state:read:a:b", "state:read:größe"}) {
    const auto token = CapabilityToken::Parse(text);
    ASSERT_TRUE(token.has_value()) << token.error().message();
    EXPECT_EQ(token->ToString(), text);
    EXPECT_EQ(RightWord(token->right()), token->type);
  }
}

TEST(CapabilityToken, EveryMethodIsTheExtension) {
  EXPECT_EQ(CapabilityToken::Parse("ext:http.*")->ToString(), "ext:http");
}

TEST(CapabilityToken, ReadsTypeAndScopeInAllSpellings) {
  const auto read = [](std::string_view type, std::string_view scope) {
    return CapabilityToken::FromTypeAndScope(type, scope).value().ToString();
  };
  EXPECT_EQ(read("ext", "http"), "ext:http");
  EXPECT_EQ(read("ext:http", "*"), "ext:http");
  EXPECT_EQ(read("ext:http", "get"), "ext:http.get");
  EXPECT_EQ(read("state:read", "*"), "state:read:*");
  EXPECT_EQ(read("state:read:count", "*"), "state:read:count");
  EXPECT_EQ(read("state:read:count", ""), "state:read:count");
  EXPECT_FALSE(CapabilityToken::FromTypeAndScope("state:read", "").has_value());
  EXPECT_FALSE(CapabilityToken::FromTypeAndScope("everything", "x").has_value());
}

TEST(CapabilityToken, SplitsCommaLists) {
  const auto tokens = ParseCapabilityList("events:emit", "toast, notification");
  ASSERT_TRUE(tokens.has_value());
  ASSERT_EQ(tokens->size(), 2u);
  EXPECT_EQ((*tokens)[1].ToString(), "events:emit:notification");
  EXPECT_FALSE(ParseCapabilityList("events:emit", "toast,,x").has_value());
}

TEST(CapabilityToken, SaysWhatIsWrong) {
  EXPECT_EQ(ErrorOf("state:raed:x").find("did you mean 'state:read'") != std::string::npos, true)
      << ErrorOf("state:raed:x");
  EXPECT_NE(ErrorOf("ext").find("no ':'"), std::string::npos);
  EXPECT_NE(ErrorOf("*").find("no token for everything"), std::string::npos);
  EXPECT_NE(ErrorOf("ext:").find("name is missing"), std::string::npos);
  EXPECT_NE(ErrorOf("state:read").find("name is missing"), std::string::npos);
  EXPECT_NE(ErrorOf("ext:ht*").find("no patterns"), std::string::npos);
  EXPECT_NE(ErrorOf("ext:*.get").find("no patterns"), std::string::npos);
  EXPECT_NE(ErrorOf("state:read:a,b").find("comma"), std::string::npos);
  EXPECT_NE(ErrorOf("state:read: a").find("white space"), std::string::npos);
  EXPECT_NE(ErrorOf(std::string("state:read:a\nb")).find("control"), std::string::npos);
  EXPECT_NE(ErrorOf("ext:a:b").find("ext:NAME.METHOD"), std::string::npos);
  EXPECT_NE(ErrorOf("ext:.get").find("NAME or NAME.METHOD"), std::string::npos);
  EXPECT_NE(ErrorOf("state:read:" + std::string(300, 'x')).find("longer"), std::string::npos);
  EXPECT_NE(ErrorOf("state:read:\xff").find("UTF-8"), std::string::npos);
}

}  // namespace
}  // namespace nexus
