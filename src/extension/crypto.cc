#include "extension/crypto.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <utility>

#include "base/base64.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/random.h"
#include "extension/internal/call_arguments.h"

namespace nexus {
namespace {

using internal::CallArguments;

constexpr double kRandomBytesMax = 65536;

const MethodDescriptor kMethods[] = {
    {.name = "hash",
     .summary = "Digest of text or bytes",
     .idempotent = true,
     .path_argument = {},
     .parameters = R"({"prefixItems": [
       {"title": "algorithm", "enum": ["sha256", "sha384", "sha512", "blake2b", "sha1"]},
       {"title": "data", "type": ["string", "bytes"]},
       {"title": "encoding", "enum": ["hex", "base64", "base64url", "bytes"], "default": "hex"}],
       "minItems": 2})",
     .result = R"({"type": ["string", "bytes"]})"},
    {.name = "hmac",
     .summary = "Keyed digest (RFC 2104); the key may be a secret of the host",
     .idempotent = true,
     .path_argument = {},
     .parameters = R"({"prefixItems": [
       {"title": "algorithm", "enum": ["sha256", "sha384", "sha512", "blake2b", "sha1"]},
       {"title": "key", "type": ["string", "bytes", "object"],
        "properties": {"secret": {"type": "string"}}, "required": ["secret"],
        "additionalProperties": false},
       {"title": "data", "type": ["string", "bytes"]},
       {"title": "encoding", "enum": ["hex", "base64", "base64url", "bytes"], "default": "hex"}],
       "minItems": 3})",
     .result = R"({"type": ["string", "bytes"]})"},
    {.name = "timingSafeEqual",
     .summary = "Equality in a time that tells nothing",
     .idempotent = true,
     .path_argument = {},
     .parameters = R"({"prefixItems": [{"title": "a", "type": ["string", "bytes"]},
       {"title": "b", "type": ["string", "bytes"]}], "minItems": 2})",
     .result = R"({"type": "boolean"})"},
    {.name = "random",
     .summary = "Random bytes, fit for keys",
     .idempotent = true,
     .path_argument = {},
     .parameters = R"({"prefixItems": [{"title": "count", "type": "integer", "minimum": 1,
       "maximum": 65536}], "minItems": 1})",
     .result = R"({"type": "bytes"})"},
    {.name = "uuid",
     .summary = "A random UUID (version 4)",
     .idempotent = true,
     .path_argument = {},
     .result = R"({"type": "string"})"},
};

// Borrows from the value; nullopt-like: data() is null when the value is neither text nor bytes.
std::string_view TextOrBytes(const Value& value) {
  if (const std::string* text = value.As<std::string>()) return *text;
  if (const Bytes* bytes = value.As<Bytes>()) return bytes->data;
  return {};
}

Result<std::string_view> ReadData(const CallArguments& arguments, std::size_t index,
                                  std::string_view name, std::size_t bytes_max) {
  const Value& value = arguments.At(index);
  const std::string_view data = TextOrBytes(value);
  if (value.As<std::string>() == nullptr && value.As<Bytes>() == nullptr) {
    return Fail(Code::kInvalidArgument,
                fmt::format("{}: argument {} ({}) must be a string or a Uint8Array, not {}",
                            arguments.Place(), index + 1, name, value.TypeName()));
  }
  if (data.size() <= bytes_max) return data;
  return Fail(Code::kResourceExhausted,
              fmt::format("{}: argument {} ({}) has {} bytes, {} are allowed: hash less at once",
                          arguments.Place(), index + 1, name, data.size(), bytes_max));
}

Result<const EVP_MD*> ReadAlgorithm(const CallArguments& arguments) {
  NEXUS_TRY(const std::string name, arguments.String(0, "algorithm"));
  if (name == "sha256") return EVP_sha256();
  if (name == "sha384") return EVP_sha384();
  if (name == "sha512") return EVP_sha512();
  if (name == "blake2b") return EVP_blake2b512();
  if (name == "sha1") return EVP_sha1();
  return Fail(Code::kInvalidArgument,
              fmt::format("{}: argument 1 (algorithm) must be sha256, sha384, sha512, blake2b or "
                          "sha1",
                          arguments.Place()));
}

Result<Value> Encoded(const CallArguments& arguments, std::size_t index, std::string digest) {
  NEXUS_TRY(const std::string encoding, arguments.StringOr(index, "encoding", "hex"));
  if (encoding == "hex") return Value(ToHex(digest));
  if (encoding == "base64") return Value(ToBase64(digest));
  if (encoding == "base64url") return Value(ToBase64Url(digest));
  if (encoding == "bytes") return Value(Bytes{std::move(digest)});
  return Fail(Code::kInvalidArgument,
              fmt::format("{}: argument {} (encoding) must be hex, base64, base64url or bytes",
                          arguments.Place(), index + 1));
}

Result<Value> Equal(const ExtensionCall& call, std::size_t bytes_max) {
  const CallArguments arguments(call);
  NEXUS_TRY(const std::string_view a, ReadData(arguments, 0, "a", bytes_max));
  NEXUS_TRY(const std::string_view b, ReadData(arguments, 1, "b", bytes_max));
  return Value(ConstantTimeEqual(a, b));
}

Result<Value> Random(const ExtensionCall& call) {
  const CallArguments arguments(call);
  const double* count = arguments.At(0).As<double>();
  if (count == nullptr || !(*count >= 1) || *count > kRandomBytesMax ||
      *count != static_cast<double>(static_cast<std::size_t>(*count))) {
    return Fail(Code::kInvalidArgument,
                fmt::format("{}: argument 1 (count) must be a whole number from 1 to {}",
                            arguments.Place(), kRandomBytesMax));
  }
  return Value(Bytes{SystemEntropy(static_cast<std::size_t>(*count))});
}

// RFC 9562 section 5.4.
Value Uuid() {
  std::string bits = SystemEntropy(16);
  bits[6] = static_cast<char>((bits[6] & 0x0f) | 0x40);
  bits[8] = static_cast<char>((bits[8] & 0x3f) | 0x80);
  const std::string hex = ToHex(bits);
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4),
                     hex.substr(16, 4), hex.substr(20));
}

}  // namespace

std::span<const MethodDescriptor> CryptoExtension::methods() const { return kMethods; }

Result<Value> CryptoExtension::Hash(const ExtensionCall& call) const {
  const CallArguments arguments(call);
  NEXUS_TRY(const EVP_MD* algorithm, ReadAlgorithm(arguments));
  NEXUS_TRY(const std::string_view data, ReadData(arguments, 1, "data", options_.data_bytes_max));
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  const int good =
      EVP_Digest(data.data(), data.size(), digest.data(), &size, algorithm, /*impl=*/nullptr);
  NEXUS_CHECK(good == 1, "the hash cannot be computed");
  return Encoded(arguments, 2, {reinterpret_cast<const char*>(digest.data()), size});
}

Result<Value> CryptoExtension::Hmac(const ExtensionCall& call) const {
  const CallArguments arguments(call);
  NEXUS_TRY(const EVP_MD* algorithm, ReadAlgorithm(arguments));
  std::string_view key;
  const Value* secret = arguments.At(1).Find("secret");
  if (secret != nullptr && secret->As<std::string>() != nullptr) {
    Result<std::string_view> found = options_.secrets.Find(*secret->As<std::string>());
    if (!found) return std::unexpected(std::move(found).error().Context(arguments.Place()));
    key = *found;
  } else {
    NEXUS_TRY(key, ReadData(arguments, 1, "key", options_.data_bytes_max));
  }
  NEXUS_TRY(const std::string_view data, ReadData(arguments, 2, "data", options_.data_bytes_max));
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  // An empty key is a key; OpenSSL wants a pointer for it all the same.
  const char* key_data = key.empty() ? "" : key.data();
  const unsigned char* good =
      HMAC(algorithm, key_data, static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(data.data()), data.size(), digest.data(), &size);
  NEXUS_CHECK(good != nullptr, "the HMAC cannot be computed");
  return Encoded(arguments, 3, {reinterpret_cast<const char*>(digest.data()), size});
}

void CryptoExtension::Call(ExtensionCall call, AnswerFunction done) {
  Result<Value> result = Fail(Code::kInternal, "crypto: no such method");
  if (call.method == "hash") result = Hash(call);
  if (call.method == "hmac") result = Hmac(call);
  if (call.method == "timingSafeEqual") result = Equal(call, options_.data_bytes_max);
  if (call.method == "random") result = Random(call);
  if (call.method == "uuid") result = Uuid();
  done(result ? Answer::Ok(*std::move(result)) : internal::ToAnswer(result.error()));
}

}  // namespace nexus
