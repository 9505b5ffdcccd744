#include "server/auth.h"

#include <algorithm>
#include <array>

#include "base/base64.h"
#include "base/hash.h"
#include "base/random.h"
#include "server/jwt.h"

namespace nexus {
namespace {

constexpr std::array<std::pair<Permission, std::string_view>, 6> kPermissions = {{
    {Permission::kCreate, "panel:create"},
    {Permission::kRead, "panel:read"},
    {Permission::kExecute, "panel:execute"},
    {Permission::kDelete, "panel:delete"},
    {Permission::kApprove, "panel:approve"},
    {Permission::kAdmin, "admin"},
}};

std::vector<std::string> Strings(const Value* value) {
  std::vector<std::string> out;
  if (value == nullptr) return out;
  if (const auto* list = value->As<ValueArray>()) {
    for (const Value& item : *list) {
      if (const auto* text = item.As<std::string>()) out.push_back(*text);
    }
  }
  return out;
}

Result<PrincipalPtr> MakePrincipal(std::string name, const std::vector<std::string>& permissions,
                                   const std::vector<std::string>& capabilities) {
  auto principal = std::make_shared<Principal>();
  principal->name = std::move(name);
  for (const std::string& word : permissions) {
    const auto permission = PermissionFromName(word);
    if (!permission) {
      return Fail(Code::kInvalidArgument,
                  "permission '" + word +
                      "': it is panel:create, panel:read, panel:execute, panel:delete, "
                      "panel:approve or admin");
    }
    principal->permissions.push_back(*permission);
  }
  NEXUS_TRY(principal->capabilities, CapabilitySet::Parse(capabilities));
  return principal;
}

}  // namespace

std::string_view PermissionName(Permission permission) {
  return kPermissions[static_cast<std::size_t>(permission)].second;
}

std::optional<Permission> PermissionFromName(std::string_view name) {
  for (const auto& [permission, word] : kPermissions) {
    if (word == name) return permission;
  }
  return std::nullopt;
}

bool Principal::May(Permission permission) const {
  const auto has = [this](Permission p) {
    return std::find(permissions.begin(), permissions.end(), p) != permissions.end();
  };
  return everything || has(permission) || has(Permission::kAdmin);
}

std::string NewApiKey() { return "nx_" + ToBase64Url(SystemEntropy(32)); }

Authenticator::Authenticator(AuthConfig config) : config_(std::move(config)) {
  auto local = std::make_shared<Principal>();
  local->name = "local";
  local->everything = true;
  local_ = std::move(local);
}
Authenticator::~Authenticator() = default;

Result<std::unique_ptr<Authenticator>> Authenticator::Create(AuthConfig config) {
  std::unique_ptr<Authenticator> made(new Authenticator(std::move(config)));
  for (const ApiKeyConfig& key : made->config_.keys) {
    const std::string place = "auth.keys '" + key.name + "'";
    std::string hash;
    if (key.name.empty()) {
      return Fail(Code::kInvalidArgument, "auth.keys: each key needs a name");
    }
    if (!FromHex(key.sha256, hash) || hash.size() != kSha256Bytes) {
      return Fail(Code::kInvalidArgument,
                  place + ": sha256 is 64 hex digits: nexus config key makes a key and its hash");
    }
    auto principal = MakePrincipal(key.name, key.permissions, key.capabilities);
    if (!principal) return std::unexpected(std::move(principal).error().Context(place));
    made->keys_.emplace_back(std::move(hash), *std::move(principal));
  }
  if (made->config_.jwt.enabled()) {
    NEXUS_TRY(made->jwt_, JwtVerifier::Create(made->config_.jwt));
  }
  return made;
}

Result<PrincipalPtr> Authenticator::Authenticate(const HttpRequest& request,
                                                 std::int64_t unix_ms) const {
  if (!required()) return local_;
  std::string_view secret = request.api_key;
  if (secret.empty()) {
    const std::string_view header = request.authorization;
    constexpr std::string_view kBearer = "bearer ";
    const bool bearer = header.size() > kBearer.size() &&
                        std::equal(kBearer.begin(), kBearer.end(), header.begin(),
                                   [](char a, char b) { return a == (b | 0x20); });
    if (!bearer) {
      return Fail(Code::kPermissionDenied,
                  "say who you are: send Authorization: Bearer KEY_OR_TOKEN, or X-API-Key");
    }
    secret = header.substr(kBearer.size());
  }
  const std::string hash = Sha256Bytes(secret);
  PrincipalPtr found;
  // Every key is compared, so that time tells nothing of which one was near.
  for (const auto& [key_hash, principal] : keys_) {
    if (ConstantTimeEqual(key_hash, hash)) found = principal;
  }
  if (found != nullptr) return found;
  if (jwt_ == nullptr || std::count(secret.begin(), secret.end(), '.') != 2) {
    return Fail(Code::kPermissionDenied, "the API key is not known");
  }
  NEXUS_TRY(const Value claims, jwt_->Verify(secret, unix_ms));
  auto principal =
      MakePrincipal(std::string(claims.StringOr("sub", "")), Strings(claims.Find("permissions")),
                    Strings(claims.Find("capabilities")));
  if (!principal) {
    return Fail(Code::kPermissionDenied, "the token's claims: " + principal.error().message());
  }
  return *std::move(principal);
}

void Authenticator::RefreshKeys(std::int64_t unix_ms) {
  if (jwt_ != nullptr) jwt_->Refresh(unix_ms);
}

std::string Authenticator::IssueTicket(PrincipalPtr principal, std::string panel_id,
                                       std::int64_t unix_ms) {
  std::string ticket = ToBase64Url(SystemEntropy(32));
  const std::lock_guard lock(tickets_mutex_);
  if (tickets_.size() >= kTicketsMax) {
    std::erase_if(tickets_,
                  [&](const auto& entry) { return entry.second.expires_unix_ms <= unix_ms; });
  }
  if (tickets_.size() >= kTicketsMax) return {};
  tickets_[Sha256Bytes(ticket)] = {.principal = std::move(principal),
                                   .panel_id = std::move(panel_id),
                                   .expires_unix_ms = unix_ms + kTicketMs};
  return ticket;
}

PrincipalPtr Authenticator::TakeTicket(std::string_view ticket, std::string_view panel_id,
                                       std::int64_t unix_ms) {
  const std::lock_guard lock(tickets_mutex_);
  const auto found = tickets_.find(Sha256Bytes(ticket));
  if (found == tickets_.end()) return nullptr;
  const Ticket taken = std::move(found->second);
  tickets_.erase(found);
  return taken.panel_id == panel_id && unix_ms < taken.expires_unix_ms ? taken.principal : nullptr;
}

}  // namespace nexus
