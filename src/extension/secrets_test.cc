// Goal: a secret goes where its owner said and is found again in whatever form it comes back.
// Method: one secret with characters that every encoding changes.
#include "extension/secrets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/base64.h"
#include "base/json.h"

namespace nexus {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kValue = "p\"ss w/rd+\\1";

Secrets WithOne() {
  Secrets secrets;
  EXPECT_TRUE(secrets.Add("DB", kValue, {"api.example", "*.example.org"}).has_value());
  return secrets;
}

TEST(Secrets, AreFilledInForTheirHostsOnly) {
  const Secrets secrets = WithOne();
  EXPECT_EQ(*secrets.Fill("a {{secret:DB}} b {{secret:DB}}", "api.example"),
            std::string("a ") + kValue + " b " + kValue);
  EXPECT_TRUE(secrets.Fill("{{secret:DB}}", "x.example.org").has_value());
  for (const char* host : {"example.org", "evilexample.org", "api.example.evil", ""}) {
    const auto refused = secrets.Fill("{{secret:DB}}", host);
    ASSERT_FALSE(refused.has_value()) << host;
    EXPECT_EQ(refused.error().code(), Code::kPermissionDenied);
  }
  EXPECT_EQ(*secrets.Fill("nothing", "anywhere"), "nothing");
  EXPECT_FALSE(secrets.Fill("{{secret:DB", "api.example").has_value());
  EXPECT_THAT(secrets.Fill("{{secret:D}}", "api.example").error().message(), HasSubstr("'D'"));
  EXPECT_TRUE(Secrets::Mentions("x{{secret:"));
  EXPECT_FALSE(Secrets::Mentions("secret:DB"));
}

TEST(Secrets, AreTakenOutInEveryForm) {
  const Secrets secrets = WithOne();
  for (const std::string& form : {std::string(kValue), ToBase64(kValue), ToBase64Url(kValue),
                                  ToJson(Value(kValue)), std::string("p%22ss%20w%2Frd%2B%5C1")}) {
    std::string text = "<" + form + ">";
    secrets.Redact(text);
    EXPECT_THAT(text, HasSubstr("{{secret:DB}}")) << form;
    EXPECT_THAT(text, Not(HasSubstr("w/rd"))) << form;
  }
  Value value = Value::Object({{kValue, Value::Array({kValue, Bytes{kValue}})}});
  secrets.Redact(value);
  EXPECT_EQ(
      value,
      Value::Object({{"{{secret:DB}}", Value::Array({"{{secret:DB}}", Bytes{"{{secret:DB}}"}})}}));
  EXPECT_GE(secrets.longest_form(), std::string("p%22ss%20w%2Frd%2B%5C1").size());
}

TEST(Secrets, AreReadFromSettings) {
  setenv("NEXUS_TEST_SECRET", "from-the-environment", 1);
  const auto read = [](const char* json) { return Secrets::Parse(*ParseJson(json)); };
  const auto good = read(R"({"A": {"env": "NEXUS_TEST_SECRET"}, "B": {"value": "12345678"}})");
  ASSERT_TRUE(good.has_value()) << good.error().message();
  EXPECT_EQ(*good->Find("A"), "from-the-environment");
  EXPECT_EQ(*good->Find("B"), "12345678");
  for (const auto& [json, why] : std::vector<std::pair<const char*, const char*>>{
           {R"({"A": {"env": "NEXUS_NO_SUCH_THING"}})", "set it"},
           {R"({"A": {"value": "short"}})", "8 to"},
           {R"({"A": {"value": "12345678", "host": []}})", "did you mean 'hosts'"},
           {R"({"A": {"value": "12345678", "hosts": "x"}})", "list of host names"},
           {R"({"a b": {"value": "12345678"}})", "a name is"},
           {R"({"A": "12345678"})", "must be an object"},
           {R"({"A": {}})", "give \"env\""}}) {
    const auto bad = read(json);
    ASSERT_FALSE(bad.has_value()) << json;
    EXPECT_THAT(bad.error().message(), HasSubstr(why)) << json;
    EXPECT_THAT(bad.error().message(), Not(HasSubstr("12345678"))) << json;
  }
}

}  // namespace
}  // namespace nexus
