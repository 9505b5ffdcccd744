#pragma once
/// The extension `crypto`: hashes, signatures and randomness, computed in the host.
///
///   const sum = await $ext.crypto.hash('sha256', 'text')                      // hex
///   const mac = await $ext.crypto.hmac('sha256', { secret: 'WEBHOOK' }, body, 'base64')
///   if (!await $ext.crypto.timingSafeEqual(mac, $args.signature)) throw new Error('forged')
///
/// Methods:
///   hash(algorithm, data, encoding = "hex")        hmac(algorithm, key, data, encoding = "hex")
///   timingSafeEqual(a, b) -> boolean               random(count) -> Uint8Array
///   uuid() -> a version 4 UUID
/// Algorithms: sha256, sha384, sha512, blake2b (512 bits), and sha1 for old protocols. Data and
/// keys are strings (UTF-8) or Uint8Array; a key may also be {secret: NAME}, which the host holds
/// and never shows. Encodings: hex, base64, base64url, bytes.

#include <cstdint>
#include <span>
#include <string_view>

#include "extension/secrets.h"
#include "sandbox/bindings.h"

namespace nexus {

struct CryptoOptions {
  Secrets secrets;  ///< Keys by name.
  std::size_t data_bytes_max = std::size_t{16} << 20;
};

/// Answers on the calling thread: 16 MiB of SHA-256 are some 10 ms. Thread-safe.
class CryptoExtension final : public Extension {
 public:
  explicit CryptoExtension(CryptoOptions options = {}) : options_(std::move(options)) {}

  std::string_view name() const override { return "crypto"; }
  std::span<const MethodDescriptor> methods() const override;
  void Call(ExtensionCall call, AnswerFunction done) override;

 private:
  Result<Value> Hash(const ExtensionCall& call) const;
  Result<Value> Hmac(const ExtensionCall& call) const;

  const CryptoOptions options_;
};

}  // namespace nexus
