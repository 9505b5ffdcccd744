#include "server/auth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "base/base64.h"
#include "base/hash.h"
#include "base/json.h"
#include "server/jwt.h"
#include "server/rate_limit.h"

namespace nexus {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kNow = 1'700'000'000'000;

// A key pair of `type` that signs tokens and shows itself as a JWK.
class Signer {
 public:
  explicit Signer(const std::string& algorithm) : algorithm_(algorithm) {
    if (algorithm == "RS256") {
      key_ = EVP_RSA_gen(2048);
    } else if (algorithm == "ES256") {
      key_ = EVP_EC_gen("P-256");
    } else {
      key_ = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    }
  }
  ~Signer() { EVP_PKEY_free(key_); }
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;

  std::string Jwks() const {
    Value jwk;
    if (algorithm_ == "RS256") {
      jwk = Value::Object({{"kty", "RSA"},
                           {"n", Number(OSSL_PKEY_PARAM_RSA_N, 256)},
                           {"e", Number(OSSL_PKEY_PARAM_RSA_E, 3)}});
    } else if (algorithm_ == "ES256") {
      jwk = Value::Object({{"kty", "EC"},
                           {"crv", "P-256"},
                           {"x", Number(OSSL_PKEY_PARAM_EC_PUB_X, 32)},
                           {"y", Number(OSSL_PKEY_PARAM_EC_PUB_Y, 32)}});
    } else {
      std::string raw(32, '\0');
      std::size_t size = raw.size();
      EVP_PKEY_get_raw_public_key(key_, reinterpret_cast<unsigned char*>(raw.data()), &size);
      jwk = Value::Object({{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", ToBase64Url(raw)}});
    }
    jwk.As<ValueObject>()->Set("kid", "k1");
    return ToJson(Value::Object({{"keys", Value::Array({jwk})}}));
  }
  std::string Sign(const std::string& claims, const std::string& kid = "k1") const {
    const std::string text =
        ToBase64Url("{\"alg\":\"" + algorithm_ + "\",\"kid\":\"" + kid + "\"}") + "." +
        ToBase64Url(claims);
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, nullptr, algorithm_ == "EdDSA" ? nullptr : EVP_sha256(), nullptr,
                       key_);
    std::string signature(512, '\0');
    std::size_t size = signature.size();
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                   reinterpret_cast<const unsigned char*>(text.data()), text.size());
    EVP_MD_CTX_free(context);
    signature.resize(size);
    if (algorithm_ == "ES256") signature = FromDer(signature);
    return text + "." + ToBase64Url(signature);
  }

 private:
  std::string Number(const char* name, int size) const {
    BIGNUM* number = nullptr;
    EVP_PKEY_get_bn_param(key_, name, &number);
    std::string bytes(static_cast<std::size_t>(size), '\0');
    BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()), size);
    BN_free(number);
    return ToBase64Url(bytes);
  }
  static std::string FromDer(const std::string& der) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
    std::string raw(64, '\0');
    auto* bytes = reinterpret_cast<unsigned char*>(raw.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), bytes, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), bytes + 32, 32);
    ECDSA_SIG_free(signature);
    return raw;
  }
  std::string algorithm_;
  EVP_PKEY* key_ = nullptr;
};

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
