#include "server/jwt.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/base64.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "server/fetch.h"

namespace nexus {
namespace {

constexpr std::size_t kTokenBytesMax = 16 << 10;
constexpr std::size_t kJwksBytesMax = 1 << 20;
constexpr std::int64_t kRefreshEveryMs = 30'000;

using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

// One key of a set: public, or a shared secret for HS256.
struct Key {
  std::string id, algorithm, secret;
  std::shared_ptr<EVP_PKEY> key;
};

std::string Member(const Value& jwk, std::string_view name) {
  Result<std::string> bytes = FromBase64(jwk.StringOr(name, ""));
  return bytes ? *std::move(bytes) : std::string();
}

std::shared_ptr<EVP_PKEY> FromParams(const char* type, OSSL_PARAM* params) {
  EVP_PKEY* key = nullptr;
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr);
  if (context != nullptr && EVP_PKEY_fromdata_init(context) == 1) {
    EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params);
  }
  EVP_PKEY_CTX_free(context);
  return key == nullptr ? nullptr : std::shared_ptr<EVP_PKEY>(key, EVP_PKEY_free);
}

std::shared_ptr<EVP_PKEY> RsaKey(const Value& jwk) {
  const std::string n = Member(jwk, "n");
  const std::string e = Member(jwk, "e");
  if (n.size() < 256 || e.empty()) return nullptr;  // Below 2048 bits a key is no protection.
  const auto number = [](const std::string& bytes) {
    return BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                     static_cast<int>(bytes.size()), nullptr);
  };
  BIGNUM* modulus = number(n);
  BIGNUM* exponent = number(e);
  OSSL_PARAM_BLD* build = OSSL_PARAM_BLD_new();
  OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus);
  OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent);
  OSSL_PARAM* params = OSSL_PARAM_BLD_to_param(build);
  auto key = FromParams("RSA", params);
  OSSL_PARAM_free(params);
  OSSL_PARAM_BLD_free(build);
  BN_free(modulus);
  BN_free(exponent);
  return key;
}

std::shared_ptr<EVP_PKEY> EcKey(const Value& jwk) {
  const std::string x = Member(jwk, "x");
  const std::string y = Member(jwk, "y");
  if (jwk.StringOr("crv", "") != "P-256" || x.size() != 32 || y.size() != 32) return nullptr;
  std::string point = "\x04" + x + y;
  char group[] = "prime256v1";
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
      OSSL_PARAM_construct_end()};
  return FromParams("EC", params);
}

std::shared_ptr<EVP_PKEY> EdKey(const Value& jwk) {
  const std::string x = Member(jwk, "x");
  if (jwk.StringOr("crv", "") != "Ed25519" || x.size() != 32) return nullptr;
  EVP_PKEY* key = EVP_PKEY_new_raw_public_key(
      EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(x.data()), x.size());
  return key == nullptr ? nullptr : std::shared_ptr<EVP_PKEY>(key, EVP_PKEY_free);
}

// The algorithm is the key's, never the token's alone: a public key is no HMAC secret.
std::optional<Key> ReadKey(const Value& jwk) {
  const std::string_view type = jwk.StringOr("kty", "");
  Key key{.id = std::string(jwk.StringOr("kid", "")), .algorithm = {}, .secret = {}, .key = {}};
  if (const auto use = jwk.StringOr("use", "sig"); use != "sig") return std::nullopt;
  if (type == "RSA") {
    key.algorithm = "RS256";
    key.key = RsaKey(jwk);
  } else if (type == "EC") {
    key.algorithm = "ES256";
    key.key = EcKey(jwk);
  } else if (type == "OKP") {
    key.algorithm = "EdDSA";
    key.key = EdKey(jwk);
  } else if (type == "oct") {
    key.algorithm = "HS256";
    key.secret = Member(jwk, "k");
    if (key.secret.size() < 32) return std::nullopt;
    return key;
  }
  if (key.key == nullptr) return std::nullopt;
  return key;
}

// ES256 signatures are r and s side by side (RFC 7518 3.4); OpenSSL wants them in DER.
std::string EcdsaToDer(std::string_view raw) {
  if (raw.size() != 64) return {};
  ECDSA_SIG* signature = ECDSA_SIG_new();
  const auto* bytes = reinterpret_cast<const unsigned char*>(raw.data());
  ECDSA_SIG_set0(signature, BN_bin2bn(bytes, 32, nullptr), BN_bin2bn(bytes + 32, 32, nullptr));
  unsigned char* der = nullptr;
  const int length = i2d_ECDSA_SIG(signature, &der);
  std::string out;
  if (length > 0) out.assign(reinterpret_cast<char*>(der), static_cast<std::size_t>(length));
  OPENSSL_free(der);
  ECDSA_SIG_free(signature);
  return out;
}

bool SignatureHolds(const Key& key, std::string_view signed_part, std::string_view signature) {
  if (key.algorithm == "HS256") {
    return ConstantTimeEqual(HmacSha256(key.secret, signed_part), signature);
  }
  const std::string der = key.algorithm == "ES256" ? EcdsaToDer(signature) : std::string(signature);
  if (der.empty()) return false;
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  const EVP_MD* digest = key.algorithm == "EdDSA" ? nullptr : EVP_sha256();
  const bool holds =
      EVP_DigestVerifyInit(context, nullptr, digest, nullptr, key.key.get()) == 1 &&
      EVP_DigestVerify(context, reinterpret_cast<const unsigned char*>(der.data()), der.size(),
                       reinterpret_cast<const unsigned char*>(signed_part.data()),
                       signed_part.size()) == 1;
  EVP_MD_CTX_free(context);
  return holds;
}

Result<std::string> FetchJwks(const std::string& url, const std::string& ca_file) {
  NEXUS_TRY(
      FetchedResponse response,
      Fetch({.url = url, .timeout_ms = 5'000, .bytes_max = kJwksBytesMax, .ca_file = ca_file}));
  if (response.status == 200) return std::move(response.body);
  return Fail(Code::kUnavailable, url + ": status " + std::to_string(response.status));
}

std::unexpected<Error> Denied(std::string why) {
  return Fail(Code::kPermissionDenied, "the token is not valid: " + std::move(why));
}

// `aud` is a string or a list of them.
bool IsFor(const Value& claims, std::string_view audience) {
  const Value* aud = claims.Find("aud");
  if (aud == nullptr) return false;
  if (const auto* text = aud->As<std::string>()) return *text == audience;
  const auto* list = aud->As<ValueArray>();
  return list != nullptr && std::any_of(list->begin(), list->end(), [&](const Value& item) {
           const auto* text = item.As<std::string>();
           return text != nullptr && *text == audience;
         });
}

Status CheckClaims(const Value& claims, const JwtConfig& config, std::int64_t unix_ms) {
  const double now_s = static_cast<double>(unix_ms) / 1000;
  const auto leeway = static_cast<double>(config.leeway_s);
  const double expires = claims.NumberOr("exp", std::nan(""));
  // Without an end a leaked token would be good for ever.
  if (std::isnan(expires)) return Denied("it has no exp");
  if (now_s >= expires + leeway) return Denied("it has expired: get a new one");
  if (now_s + leeway < claims.NumberOr("nbf", 0)) return Denied("it is not valid yet (nbf)");
  if (!config.issuer.empty() && claims.StringOr("iss", "") != config.issuer) {
    return Denied("its issuer (iss) is another than configured");
  }
  if (!config.audience.empty() && !IsFor(claims, config.audience)) {
    return Denied("it is for another audience (aud)");
  }
  if (claims.StringOr("sub", "").empty()) return Denied("it names nobody (sub)");
  return {};
}

}  // namespace

struct JwtVerifier::Keys {
  std::vector<Key> keys;
};

JwtVerifier::JwtVerifier(JwtConfig config)
    : config_(std::move(config)), keys_(std::make_shared<Keys>()) {}
JwtVerifier::~JwtVerifier() = default;

Result<std::unique_ptr<JwtVerifier>> JwtVerifier::Create(JwtConfig config) {
  static constexpr std::string_view kKnown[] = {"HS256", "RS256", "ES256", "EdDSA"};
  for (const std::string& name : config.algorithms) {
    if (std::find(std::begin(kKnown), std::end(kKnown), name) == std::end(kKnown)) {
      return Fail(Code::kInvalidArgument,
                  "auth.jwt.algorithms: '" + name + "' is none of HS256, RS256, ES256, EdDSA");
    }
  }
  std::unique_ptr<JwtVerifier> verifier(new JwtVerifier(std::move(config)));
  if (!verifier->config_.secret_file.empty()) {
    NEXUS_TRY(verifier->secret_, ReadFile(verifier->config_.secret_file, 4096));
    while (verifier->secret_.ends_with('\n')) verifier->secret_.pop_back();
    if (verifier->secret_.size() < 32) {
      return Fail(Code::kInvalidArgument, "auth.jwt.secret_file: a secret has at least 32 bytes");
    }
  }
  if (!verifier->config_.jwks_file.empty()) {
    NEXUS_TRY(const std::string json, ReadFile(verifier->config_.jwks_file, kJwksBytesMax));
    Status loaded = verifier->LoadJwks(json);
    if (!loaded) return std::unexpected(std::move(loaded).error().Context("auth.jwt.jwks_file"));
  }
  return verifier;
}

Status JwtVerifier::LoadJwks(std::string_view json) {
  NEXUS_TRY(const Value set, ParseJson(json, {.bytes_max = kJwksBytesMax, .depth_max = 32}));
  const Value* list = set.Find("keys");
  const auto* items = list == nullptr ? nullptr : list->As<ValueArray>();
  if (items == nullptr) return Fail(Code::kInvalidArgument, "a JWK set is {\"keys\": [...]}");
  auto keys = std::make_shared<Keys>();
  for (const Value& item : *items) {
    if (std::optional<Key> key = ReadKey(item)) keys->keys.push_back(*std::move(key));
  }
  if (keys->keys.empty()) {
    return Fail(Code::kInvalidArgument,
                "no usable key: RSA (2048 bits or more), EC P-256, OKP Ed25519 or oct");
  }
  const std::lock_guard lock(mutex_);
  keys_ = std::move(keys);
  return {};
}

void JwtVerifier::Refresh(std::int64_t unix_ms) {
  if (config_.jwks_url.empty()) return;
  // Who comes while another one fetches waits for what that one brings.
  const std::lock_guard one(refresh_mutex_);
  {
    const std::lock_guard lock(mutex_);
    if (unix_ms - last_refresh_ms_ < kRefreshEveryMs) return;
    last_refresh_ms_ = unix_ms;
  }
  const Result<std::string> json = FetchJwks(config_.jwks_url, config_.jwks_ca_file);
  const Status loaded = json ? LoadJwks(*json) : Status(std::unexpected(json.error()));
  if (!loaded) {
    Log(Severity::kWarn, "keys not refreshed; the old ones stay",
        {{"why", loaded.error().message()}});
  }
}

Result<Value> JwtVerifier::Verify(std::string_view token, std::int64_t unix_ms) const {
  if (token.size() > kTokenBytesMax) return Denied("it is too long");
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    return Denied("it is not three parts with dots between");
  }
  const auto head_bytes = FromBase64(token.substr(0, first));
  const auto claim_bytes = FromBase64(token.substr(first + 1, second - first - 1));
  const auto signature = FromBase64(token.substr(second + 1));
  if (!head_bytes || !claim_bytes || !signature) return Denied("a part of it is no base64url");
  const auto head = ParseJson(*head_bytes, {.bytes_max = kTokenBytesMax, .depth_max = 16});
  if (!head) return Denied("its header is no JSON");
  const std::string algorithm(head->StringOr("alg", ""));
  const auto& allowed = config_.algorithms;
  if (std::find(allowed.begin(), allowed.end(), algorithm) == allowed.end()) {
    return Denied("its algorithm is not among those allowed");
  }
  if (head->Find("crit") != nullptr) return Denied("it has critical extensions");
  std::shared_ptr<const Keys> keys;
  {
    const std::lock_guard lock(mutex_);
    keys = keys_;
  }
  const std::string_view id = head->StringOr("kid", "");
  const std::string_view signed_part = token.substr(0, second);
  bool candidate = false;
  bool holds = false;
  if (algorithm == "HS256" && !secret_.empty()) {
    candidate = true;
    holds = ConstantTimeEqual(HmacSha256(secret_, signed_part), *signature);
  }
  for (const Key& key : keys->keys) {
    if (holds || key.algorithm != algorithm || (!id.empty() && key.id != id)) continue;
    candidate = true;
    holds = SignatureHolds(key, signed_part, *signature);
  }
  if (!candidate) return Fail(Code::kUnavailable, "the token's key is not known");
  if (!holds) return Denied("its signature is wrong");
  auto claims = ParseJson(*claim_bytes, {.bytes_max = kTokenBytesMax, .depth_max = 16});
  if (!claims || claims->As<ValueObject>() == nullptr)
    return Denied("its claims are no JSON object");
  NEXUS_TRY_STATUS(CheckClaims(*claims, config_, unix_ms));
  return *std::move(claims);
}

}  // namespace nexus
