#pragma once
/// Makes tokens for tests.

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <string>

#include "base/base64.h"
#include "base/json.h"
#include "base/value.h"

namespace nexus::testing {

/// A key pair of `type` that signs tokens and shows itself as a JWK.
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

  std::string Jwks(const std::string& kid = "k1") const {
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
    jwk.As<ValueObject>()->Set("kid", kid);
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

}  // namespace nexus::testing
