#include "server/auth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/base64.h"
#include "base/hash.h"
#include "base/json.h"
#include "server/jwt.h"
#include "server/rate_limit.h"
#include "server/testing/signer.h"

namespace nexus {
namespace {

using ::testing::HasSubstr;
using testing::Signer;

constexpr std::int64_t kNow = 1'700'000'000'000;

std::string Claims(const std::string& more = "", std::int64_t exp = kNow / 1000 + 60) {
  return R"({"sub":"ann","iss":"https://id.example","aud":["nexus"],"exp":)" + std::to_string(exp) +
         more + "}";
}

JwtConfig Config() {
  return {.issuer = "https://id.example",
          .audience = "nexus",
          .algorithms = {"RS256", "ES256", "EdDSA"}};
}

class JwtTest : public ::testing::TestWithParam<const char*> {};

TEST_P(JwtTest, TakesWhatIsSignedForUsAndNothingElse) {
  const Signer signer(GetParam());
  auto verifier = JwtVerifier::Create(Config());
  ASSERT_TRUE(verifier);
  ASSERT_TRUE((*verifier)->LoadJwks(signer.Jwks()));
  const auto why = [&](const std::string& token) {
    const auto claims = (*verifier)->Verify(token, kNow);
    return claims ? "" : claims.error().message();
  };
  EXPECT_EQ(why(signer.Sign(Claims())), "");
  EXPECT_THAT(why(signer.Sign(Claims("", kNow / 1000 - 60))), HasSubstr("expired"));
  EXPECT_THAT(why(signer.Sign(Claims(",\"nbf\":9999999999"))), HasSubstr("not valid yet"));
  EXPECT_THAT(why(signer.Sign(R"({"sub":"ann"})")), HasSubstr("no exp"));
  EXPECT_THAT(why(signer.Sign(R"({"sub":"ann","exp":1700000060})")), HasSubstr("issuer"));
  EXPECT_THAT(why(signer.Sign(Claims(",\"aud\":\"other\""))), HasSubstr("audience"));
  EXPECT_THAT(why(signer.Sign(Claims(), "k2")), HasSubstr("not known"));
  std::string changed = signer.Sign(Claims());
  changed[changed.find('.') + 5] ^= 1;
  EXPECT_NE(why(changed), "");
  const Signer other(GetParam());
  EXPECT_THAT(why(other.Sign(Claims())), HasSubstr("signature"));
  EXPECT_NE(why("a.b"), "");
  EXPECT_NE(why("a.b.c.d"), "");
}

INSTANTIATE_TEST_SUITE_P(Algorithms, JwtTest, ::testing::Values("RS256", "ES256", "EdDSA"));

TEST(JwtTest, TheAlgorithmIsTheKeysNotTheTokens) {
  const Signer signer("RS256");
  JwtConfig config = Config();
  config.algorithms = {"RS256", "HS256"};
  auto verifier = JwtVerifier::Create(config);
  ASSERT_TRUE((*verifier)->LoadJwks(signer.Jwks()));
  // The classic confusion: the public key's text as an HMAC secret; and no signature at all.
  const std::string text =
      ToBase64Url(R"({"alg":"HS256","kid":"k1"})") + "." + ToBase64Url(Claims());
  EXPECT_FALSE(
      (*verifier)->Verify(text + "." + ToBase64Url(HmacSha256(signer.Jwks(), text)), kNow));
  const std::string none = ToBase64Url(R"({"alg":"none"})") + "." + ToBase64Url(Claims()) + ".";
  EXPECT_FALSE((*verifier)->Verify(none, kNow));
}

TEST(AuthenticatorTest, TicketsAreForOnePanelOnceAndSoon) {
  auto auth = Authenticator::Create({});
  ASSERT_TRUE(auth);
  const PrincipalPtr principal = *(*auth)->Authenticate({}, kNow);
  const auto ticket = [&] { return (*auth)->IssueTicket(principal, "p", kNow); };
  EXPECT_EQ((*auth)->TakeTicket(ticket(), "q", kNow), nullptr);
  EXPECT_EQ((*auth)->TakeTicket(ticket(), "p", kNow + Authenticator::kTicketMs), nullptr);
  const std::string good = ticket();
  EXPECT_NE((*auth)->TakeTicket(good, "p", kNow + 1), nullptr);
  EXPECT_EQ((*auth)->TakeTicket(good, "p", kNow + 1), nullptr);
}

TEST(RateLimiterTest, RefillsWithTime) {
  RateLimiter limiter({.per_second = 2, .burst = 2});
  EXPECT_EQ(limiter.Take("a", 0), 0);
  EXPECT_EQ(limiter.Take("a", 0), 0);
  EXPECT_EQ(limiter.Take("a", 0), 1);
  EXPECT_EQ(limiter.Take("b", 0), 0);
  EXPECT_EQ(limiter.Take("a", 500), 0);
  EXPECT_TRUE(limiter.IsSpent("a", 500));
}

TEST(RateLimiterTest, ManyNamesTakeBoundedMemory) {
  RateLimiter limiter({.per_second = 1, .burst = 1, .names_max = 10});
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(limiter.Take(std::to_string(i), 0), 0);
}

}  // namespace
}  // namespace nexus
