#include "base/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <xxhash.h>

#include <array>
#include <cstdint>
#include <limits>

#include "base/check.h"

namespace nexus {
namespace {

/// Fetched once: looking an algorithm up by name costs more than hashing a kilobyte.
const EVP_MD* Algorithm() {
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  NEXUS_CHECK(algorithm != nullptr, "OpenSSL offers no SHA-256");
  return algorithm;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

struct Sha256::State {
  State() : context(EVP_MD_CTX_new()) {
    NEXUS_CHECK(context != nullptr && EVP_DigestInit_ex(context, Algorithm(), nullptr) == 1);
  }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  EVP_MD_CTX* context;
  bool finished = false;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::Update(std::string_view bytes) {
  NEXUS_CHECK(!state_->finished);
  NEXUS_CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
  return *this;
}

Sha256& Sha256::UpdatePart(std::string_view bytes) {
  std::array<char, 8> length;
  for (std::size_t i = 0; i < length.size(); ++i) {
    length[i] = static_cast<char>(static_cast<std::uint64_t>(bytes.size()) >> (8 * i));
  }
  return Update({length.data(), length.size()}).Update(bytes);
}

std::string Sha256::Finish() {
  NEXUS_CHECK(!state_->finished);
  state_->finished = true;
  std::string digest(kSha256Bytes, '\0');
  NEXUS_CHECK(EVP_DigestFinal_ex(state_->context, reinterpret_cast<unsigned char*>(digest.data()),
                                 nullptr) == 1);
  return digest;
}

std::string Sha256::FinishHex() { return ToHex(Finish()); }

std::string Sha256Bytes(std::string_view bytes) {
  std::string digest(kSha256Bytes, '\0');
  NEXUS_CHECK(EVP_Digest(bytes.data(), bytes.size(),
                         reinterpret_cast<unsigned char*>(digest.data()), nullptr, Algorithm(),
                         nullptr) == 1);
  return digest;
}

std::string Sha256Hex(std::string_view bytes) { return ToHex(Sha256Bytes(bytes)); }

std::string HmacSha256(std::string_view key, std::string_view bytes) {
  NEXUS_CHECK(key.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max()));
  std::string digest(kSha256Bytes, '\0');
  unsigned int written = 0;
  const unsigned char* const made =
      HMAC(Algorithm(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
           reinterpret_cast<unsigned char*>(digest.data()), &written);
  NEXUS_CHECK(made != nullptr && written == kSha256Bytes);
  return digest;
}

bool ConstantTimeEqual(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::uint64_t Checksum64(std::string_view bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::string ToHex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    hex.push_back(kDigits[byte >> 4]);
    hex.push_back(kDigits[byte & 15]);
  }
  return hex;
}

bool FromHex(std::string_view hex, std::string& bytes) {
  if (hex.size() % 2 != 0) return false;
  bytes.clear();
  bytes.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = HexDigit(hex[i]);
    const int low = HexDigit(hex[i + 1]);
    if (high < 0 || low < 0) return false;
    bytes.push_back(static_cast<char>(high * 16 + low));
  }
  return true;
}

}  // namespace nexus
