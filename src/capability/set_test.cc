// Goal: a set grants exactly what its tokens say, and can only shrink. Method: cases for the
// grammar of coverage; the attenuation laws as properties over random sets, judged through the
// gate, which is what decides at run time.
#include "capability/set.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "capability/gate.h"

namespace nexus {
namespace {

CapabilitySet SetOf(const std::vector<std::string>& tokens) {
  return CapabilitySet::Parse(tokens).value();
}

TEST(CapabilitySet, CoversWhatTheTokensSay) {
  const CapabilitySet set =
      SetOf({"state:read:a", "state:write:*", "ext:http", "ext:kv.get", "events:emit:e"});
  EXPECT_TRUE(set.Covers(Right::kStateRead, "a"));
  EXPECT_FALSE(set.Covers(Right::kStateRead, "b"));
  EXPECT_FALSE(set.Covers(Right::kStateRead, "*"));
  EXPECT_TRUE(set.Covers(Right::kStateWrite, "b"));
  EXPECT_TRUE(set.Covers(Right::kStateWrite, "*"));
  EXPECT_TRUE(set.Covers(Right::kExtension, "http", "get"));
  EXPECT_TRUE(set.Covers(Right::kExtension, "http"));
  EXPECT_TRUE(set.Covers(Right::kExtension, "kv", "get"));
  EXPECT_FALSE(set.Covers(Right::kExtension, "kv", "set"));
  EXPECT_FALSE(set.Covers(Right::kExtension, "kv"));
  EXPECT_FALSE(set.Covers(Right::kExtension, "kv.get"));
  EXPECT_FALSE(set.Covers(Right::kToolCall, "e"));
  EXPECT_FALSE(CapabilitySet().Covers(Right::kEventEmit, "e"));
}

TEST(CapabilitySet, ReadsValues) {
  const Value value =
      Value::Array({Value("state:read:a"),
                    Value::Object({{"type", Value("ext:http")},
                                   {"scope", Value("*")},
                                   {"expires", Value(1000)},
                                   {"calls", Value(3)},
                                   {"pathPrefix", Value("./src//")}}),
                    Value::Object({{"type", Value("events:emit")}, {"scope", Value("a, b")}})});
  const auto set = CapabilitySet::FromValue(value);
  ASSERT_TRUE(set.has_value()) << set.error().message();
  EXPECT_EQ(set->ToStrings(), (std::vector<std::string>{"state:read:a", "ext:http", "events:emit:a",
                                                        "events:emit:b"}));
  EXPECT_EQ(set->grants()[1].conditions,
            (GrantConditions{
                .expires_unix_ms = 1000, .path_prefix = "src", .calls_max = 3, .budgets = {}}));
  EXPECT_TRUE(set->HasConditions());
}

TEST(CapabilitySet, RefusesBadValuesByIndex) {
  const auto error = [](Value item) {
    const auto set = CapabilitySet::FromValue(Value::Array({Value("ext:a"), std::move(item)}));
    return set ? std::string("accepted") : set.error().message();
  };
  EXPECT_NE(error(Value(1)).find("capabilities[1]"), std::string::npos);
  EXPECT_NE(error(Value("ext:")).find("capabilities[1]"), std::string::npos);
  const auto with = [](std::string key, Value value) {
    return Value::Object(
        {{"type", Value("ext")}, {"scope", Value("a")}, {std::move(key), std::move(value)}});
  };
  // A condition that is misspelt must not grant more than was meant.
  EXPECT_NE(error(with("expire", Value(1))).find("did you mean 'expires'"), std::string::npos);
  EXPECT_NE(error(with("calls", Value(-1))).find("calls"), std::string::npos);
  EXPECT_NE(error(with("calls", Value(1.5))).find("calls"), std::string::npos);
  EXPECT_NE(error(with("pathPrefix", Value("a/../.."))).find("pathPrefix"), std::string::npos);
  EXPECT_NE(error(with("expires", Value("soon"))).find("expires"), std::string::npos);
  EXPECT_FALSE(CapabilitySet::FromValue(Value("ext:a")).has_value());
}

TEST(CapabilitySet, AttenuationMeetsNamesAndMethods) {
  const auto meet = [](const std::vector<std::string>& a, const std::vector<std::string>& b) {
    return SetOf(a).AttenuatedBy(SetOf(b)).ToStrings();
  };
  using Strings = std::vector<std::string>;
  EXPECT_EQ(meet({"ext:http"}, {"ext:http.get", "ext:http.post", "ext:kv"}),
            (Strings{"ext:http.get", "ext:http.post"}));
  EXPECT_EQ(meet({"ext:http.get"}, {"ext:http"}), (Strings{"ext:http.get"}));
  EXPECT_EQ(meet({"ext:http.get"}, {"ext:http.post"}), Strings{});
  EXPECT_EQ(meet({"ext:*"}, {"ext:http.get"}), (Strings{"ext:http.get"}));
  EXPECT_EQ(meet({"state:read:*"}, {"state:read:a", "state:write:b"}), (Strings{"state:read:a"}));
  EXPECT_EQ(meet({"state:read:a"}, {"state:read:*"}), (Strings{"state:read:a"}));
  EXPECT_EQ(meet({"state:read:a"}, {}), Strings{});
}

TEST(CapabilitySet, SplitGrantsShareTheirCalls) {
  const CapabilitySet three(std::vector<Grant>{
      {CapabilityToken::Parse("ext:http").value(), {.calls_max = 3, .budgets = {}}}});
  Gate gate(three.AttenuatedBy(SetOf({"ext:http.get", "ext:http.post"})), nullptr, "r", "p");
  EXPECT_TRUE(gate.Check(Right::kExtension, "http", "get"));
  EXPECT_TRUE(gate.Check(Right::kExtension, "http", "post"));
  EXPECT_TRUE(gate.Check(Right::kExtension, "http", "get"));
  EXPECT_FALSE(gate.Check(Right::kExtension, "http", "post"));
  EXPECT_EQ(gate.reason(), "call count used up");
}

TEST(Path, NormalisesAndCompares) {
  EXPECT_EQ(NormalizePath("./src//a/."), "src/a");
  EXPECT_EQ(NormalizePath("/a/"), "/a");
  EXPECT_EQ(NormalizePath(""), "");
  EXPECT_EQ(NormalizePath("a/../b"), std::nullopt);
  EXPECT_EQ(NormalizePath(".."), std::nullopt);
  EXPECT_EQ(NormalizePath("a/..b"), "a/..b");
  EXPECT_EQ(NormalizePath(std::string_view("a\0b", 3)), std::nullopt);
  EXPECT_TRUE(IsAtOrBelow("src/a", "src"));
  EXPECT_TRUE(IsAtOrBelow("src", "src"));
  EXPECT_FALSE(IsAtOrBelow("srcx", "src"));
  EXPECT_FALSE(IsAtOrBelow("src", "src/a"));
  EXPECT_FALSE(IsAtOrBelow("/src/a", "src"));
  EXPECT_FALSE(IsAtOrBelow("/etc", ""));
  EXPECT_TRUE(IsAtOrBelow("etc", ""));
}

// --- Laws -------------------------------------------------------------------------------------

rc::Gen<Grant> AnyGrant() {
  static const std::vector<std::string> kTokens = {
      "ext:*",        "ext:http",     "ext:http.get", "ext:http.post", "ext:kv",
      "state:read:*", "state:read:a", "state:read:b", "state:write:a", "tools:call:t"};
  return rc::gen::map(
      rc::gen::tuple(rc::gen::elementOf(kTokens), rc::gen::inRange(0, 4), rc::gen::inRange(0, 5),
                     rc::gen::inRange(0, 4)),
      [](const std::tuple<std::string, int, int, int>& drawn) {
        static const std::vector<std::optional<std::string>> kPrefixes = {
            std::nullopt, std::nullopt, "src", "src/a", "lib"};
        Grant grant{CapabilityToken::Parse(std::get<0>(drawn)).value(), {}};
        if (std::get<1>(drawn) > 1) grant.conditions.expires_unix_ms = std::get<1>(drawn) * 100;
        grant.conditions.path_prefix = kPrefixes[static_cast<std::size_t>(std::get<2>(drawn))];
        if (std::get<3>(drawn) > 1) {
          grant.conditions.calls_max = static_cast<std::uint32_t>(std::get<3>(drawn) - 1);
        }
        return grant;
      });
}

rc::Gen<CapabilitySet> AnySet() {
  return rc::gen::map(rc::gen::container<std::vector<Grant>>(AnyGrant()),
                      [](std::vector<Grant> grants) {
                        if (grants.size() > 6) grants.resize(6);
                        return CapabilitySet(std::move(grants));
                      });
}

struct Request {
  Right right;
  std::string name, method, path;
  std::int64_t at;
};

const std::vector<Request>& Requests() {
  static const std::vector<Request> all = [] {
    std::vector<Request> made;
    for (const std::int64_t at : {0, 250, 350}) {
      for (const char* path : {"", "src", "src/a/x", "srcx", "lib/y", "src/../lib"}) {
        for (const char* method : {"get", "post", ""}) {
          made.push_back({Right::kExtension, "http", method, path, at});
          made.push_back({Right::kExtension, "kv", method, path, at});
        }
        made.push_back({Right::kStateRead, "a", "", path, at});
        made.push_back({Right::kStateRead, "*", "", path, at});
        made.push_back({Right::kStateWrite, "a", "", path, at});
        made.push_back({Right::kToolCall, "t", "", path, at});
      }
    }
    return made;
  }();
  return all;
}

bool Allows(const CapabilitySet& set, const Request& request) {
  Gate gate(set, nullptr, "r", "p");
  gate.set_now_unix_ms(request.at);
  return gate.Check(request.right, request.name, request.method, request.path);
}

RC_GTEST_PROP(Attenuation, NeverExceedsEitherSide, ()) {
  const CapabilitySet a = *AnySet();
  const CapabilitySet b = *AnySet();
  const CapabilitySet both = a.AttenuatedBy(b);
  RC_ASSERT(both.IsSubsetOf(a));
  RC_ASSERT(both.IsSubsetOf(b));
  for (const Request& request : Requests()) {
    if (Allows(both, request)) RC_ASSERT(Allows(a, request) && Allows(b, request));
  }
}

RC_GTEST_PROP(Attenuation, KeepsWhatBothSidesAllow, ()) {
  const CapabilitySet a = *AnySet();
  const CapabilitySet b = *AnySet();
  const CapabilitySet both = a.AttenuatedBy(b);
  for (const Request& request : Requests()) {
    if (Allows(a, request) && Allows(b, request)) RC_ASSERT(Allows(both, request));
  }
}

RC_GTEST_PROP(Attenuation, IsCommutativeAndIdempotent, ()) {
  const CapabilitySet a = *AnySet();
  const CapabilitySet b = *AnySet();
  const CapabilitySet ab = a.AttenuatedBy(b);
  const CapabilitySet ba = b.AttenuatedBy(a);
  for (const Request& request : Requests()) {
    RC_ASSERT(Allows(ab, request) == Allows(ba, request));
    RC_ASSERT(Allows(a.AttenuatedBy(CapabilitySet(a.grants())), request) == Allows(a, request));
    RC_ASSERT(Allows(ab.AttenuatedBy(b), request) == Allows(ab, request));
  }
}

RC_GTEST_PROP(Attenuation, IsAssociative, ()) {
  const CapabilitySet a = *AnySet();
  const CapabilitySet b = *AnySet();
  const CapabilitySet c = *AnySet();
  const CapabilitySet left = a.AttenuatedBy(b).AttenuatedBy(c);
  const CapabilitySet right = a.AttenuatedBy(b.AttenuatedBy(c));
  for (const Request& request : Requests()) {
    RC_ASSERT(Allows(left, request) == Allows(right, request));
  }
}

/// Calls of a run that asks for everything again and again.
std::size_t CallsAllowed(const CapabilitySet& set) {
  Gate gate(set, nullptr, "r", "p");
  std::size_t allowed = 0;
  for (int round = 0; round < 8; ++round) {
    for (const Request& request : Requests()) {
      if (request.at != 0) continue;
      allowed += gate.Check(request.right, request.name, request.method, request.path);
    }
  }
  return allowed;
}

RC_GTEST_PROP(Attenuation, NeverGivesMoreCalls, ()) {
  const CapabilitySet a = *AnySet();
  const CapabilitySet b = *AnySet();
  RC_ASSERT(CallsAllowed(a.AttenuatedBy(b)) <= CallsAllowed(a));
}

}  // namespace
}  // namespace nexus
