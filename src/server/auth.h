#pragma once
/// Who asks, and what they may: API keys and JSON Web Tokens, each with a capability set.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "capability/set.h"
#include "server/http.h"

namespace nexus {

/// What a principal may do with panels as wholes; what it may do inside one, its capabilities say.
enum class Permission : std::uint8_t { kCreate, kRead, kExecute, kDelete, kApprove, kAdmin };
std::string_view PermissionName(Permission permission);  // "panel:create", ..., "admin"
std::optional<Permission> PermissionFromName(std::string_view name);

struct Principal {
  std::string name;
  std::vector<Permission> permissions;
  CapabilitySet capabilities;
  bool everything = false;  ///< No authentication: the machine's own user.

  bool May(Permission permission) const;
  bool MayCall(std::string_view tool) const {
    return everything || capabilities.Covers(Right::kToolCall, tool);
  }
  bool MayRead(std::string_view key) const {
    return everything || capabilities.Covers(Right::kStateRead, key);
  }
  bool MayReadAll() const { return MayRead("*"); }
  bool MayWrite(std::string_view key) const {
    return everything || capabilities.Covers(Right::kStateWrite, key);
  }
};
using PrincipalPtr = std::shared_ptr<const Principal>;

struct ApiKeyConfig {
  std::string name;
  std::string sha256;  ///< Of the key, 64 hex digits: the key itself is kept nowhere.
  std::vector<std::string> permissions, capabilities;
};

struct JwtConfig {
  std::string jwks_file, jwks_url, secret_file;  ///< Where keys come from; all empty: no JWT.
  std::string jwks_ca_file;                      ///< PEM; "": the system's authorities.
  std::string issuer, audience;                  ///< "" : not checked.
  std::vector<std::string> algorithms = {"RS256", "ES256", "EdDSA"};
  std::int64_t leeway_s = 30;
  bool enabled() const { return !jwks_file.empty() || !jwks_url.empty() || !secret_file.empty(); }
};

struct AuthConfig {
  std::vector<ApiKeyConfig> keys;
  JwtConfig jwt;
  bool required() const { return !keys.empty() || jwt.enabled(); }
};

class JwtVerifier;

/// Thread-safe.
class Authenticator {
 public:
  /// Reads key files. Errors: kInvalidArgument naming the setting.
  static Result<std::unique_ptr<Authenticator>> Create(AuthConfig config);
  ~Authenticator();

  bool required() const { return config_.required(); }
  /// Errors: kPermissionDenied with what is wrong with the credential, or what to send.
  /// kUnavailable: the token's key is not known yet; RefreshKeys and ask again.
  Result<PrincipalPtr> Authenticate(const HttpRequest& request, std::int64_t unix_ms) const;
  /// Fetches the JWKS; may block for seconds. At most once in 30 s, else it does nothing.
  void RefreshKeys(std::int64_t unix_ms);

  /// A one-time ticket for a WebSocket of `panel_id`, for a browser that cannot send headers.
  std::string IssueTicket(PrincipalPtr principal, std::string panel_id, std::int64_t unix_ms);
  /// nullptr when there is no such ticket, it is too old, used, or for another panel.
  PrincipalPtr TakeTicket(std::string_view ticket, std::string_view panel_id, std::int64_t unix_ms);
  static constexpr std::int64_t kTicketMs = 30'000;

 private:
  explicit Authenticator(AuthConfig config);
  struct Ticket {
    PrincipalPtr principal;
    std::string panel_id;
    std::int64_t expires_unix_ms = 0;
  };
  static constexpr std::size_t kTicketsMax = 10'000;

  AuthConfig config_;
  std::vector<std::pair<std::string, PrincipalPtr>> keys_;  // SHA-256, 32 raw bytes
  PrincipalPtr local_;
  std::unique_ptr<JwtVerifier> jwt_;
  std::mutex tickets_mutex_;
  std::map<std::string, Ticket, std::less<>> tickets_;  // By SHA-256 of the ticket.
};

/// A new random API key, for `nexus config key`: "nx_" and 43 characters.
std::string NewApiKey();

}  // namespace nexus
