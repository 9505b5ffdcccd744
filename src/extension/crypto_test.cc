// Goal: the answers are those of the standards, and host-held keys stay in the host. Method: the
// test vectors of FIPS 180-4, RFC 4231 and RFC 7693.
#include "extension/crypto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "extension/internal/call_for_test.h"

namespace nexus {
namespace {

using internal::CallNow;
using testing::HasSubstr;

TEST(Crypto, HashesAreThoseOfTheStandards) {
  CryptoExtension crypto;
  EXPECT_EQ(CallNow(crypto, "hash", {"sha256", "abc"}).value,
            Value("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
  EXPECT_EQ(CallNow(crypto, "hash", {"sha1", "abc"}).value,
            Value("a9993e364706816aba3e25717850c26c9cd0d89d"));
  EXPECT_EQ(CallNow(crypto, "hash", {"blake2b", "abc"}).value,
            Value("ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
                  "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"));
  EXPECT_EQ(CallNow(crypto, "hash", {"sha256", Bytes{"abc"}, "base64"}).value,
            Value("ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="));
}

TEST(Crypto, HmacIsThatOfTheStandard) {
  CryptoExtension crypto;
  EXPECT_EQ(CallNow(crypto, "hmac", {"sha256", "Jefe", "what do ya want for nothing?"}).value,
            Value("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
}

TEST(Crypto, AKeyOfTheHostIsUsedByName) {
  CryptoOptions options;
  ASSERT_TRUE(options.secrets.Add("HOOK", "a secret of the host", {}));
  CryptoExtension crypto(std::move(options));
  const Answer named =
      CallNow(crypto, "hmac", {"sha256", Value::Object({{"secret", "HOOK"}}), "body"});
  ASSERT_TRUE(named.success) << named.message;
  EXPECT_EQ(named.value, CallNow(crypto, "hmac", {"sha256", "a secret of the host", "body"}).value);
  const Answer unknown =
      CallNow(crypto, "hmac", {"sha256", Value::Object({{"secret", "HOKK"}}), "body"});
  EXPECT_FALSE(unknown.success);
  EXPECT_THAT(unknown.message, HasSubstr("HOKK"));
}

TEST(Crypto, ComparesAndMakesRandomness) {
  CryptoExtension crypto;
  EXPECT_EQ(CallNow(crypto, "timingSafeEqual", {"a", "a"}).value, Value(true));
  EXPECT_EQ(CallNow(crypto, "timingSafeEqual", {"a", "b"}).value, Value(false));
  const Answer random = CallNow(crypto, "random", {16});
  ASSERT_NE(random.value.As<Bytes>(), nullptr);
  EXPECT_EQ(random.value.As<Bytes>()->data.size(), 16u);
  const Answer uuid = CallNow(crypto, "uuid", {});
  EXPECT_THAT(*uuid.value.As<std::string>(),
              testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-.*"));
}

TEST(Crypto, BadCallsAreNamed) {
  CryptoExtension crypto;
  EXPECT_THAT(CallNow(crypto, "hash", {"md5", "x"}).message, HasSubstr("sha256"));
  EXPECT_FALSE(CallNow(crypto, "hash", {"sha256"}).success);
  EXPECT_FALSE(CallNow(crypto, "random", {-1}).success);
  EXPECT_FALSE(CallNow(crypto, "random", {1e12}).success);
}

}  // namespace
}  // namespace nexus
