#pragma once
/// JSON Web Tokens (RFC 7519) signed by keys of a JWK set (RFC 7517).

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"
#include "server/auth.h"

namespace nexus {

/// Thread-safe.
class JwtVerifier {
 public:
  static Result<std::unique_ptr<JwtVerifier>> Create(JwtConfig config);
  ~JwtVerifier();

  /// The claims of a token that is signed by a known key with an allowed algorithm, for us, now.
  /// Errors: kPermissionDenied with the reason; kUnavailable when the key may be in a newer JWKS.
  Result<Value> Verify(std::string_view token, std::int64_t unix_ms) const;
  /// Replaces the keys. Errors: kInvalidArgument; the old keys stay then.
  Status LoadJwks(std::string_view json);
  void Refresh(std::int64_t unix_ms);

 private:
  struct Keys;
  explicit JwtVerifier(JwtConfig config);
  const JwtConfig config_;
  std::string secret_;
  std::mutex refresh_mutex_;  // Held while keys are fetched. Before mutex_.
  mutable std::mutex mutex_;
  std::shared_ptr<const Keys> keys_;  // guarded by mutex_
  std::int64_t last_refresh_ms_ = 0;  // guarded by mutex_
};

}  // namespace nexus
