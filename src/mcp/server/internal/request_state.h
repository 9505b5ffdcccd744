#pragma once
/// requestState: what a server wants back with a client's answers, sealed so that nobody but the
/// server can have made it, for this caller, this request and a short time.

#include <cstdint>
#include <string>
#include <string_view>

#include "mcp/protocol/message.h"

namespace nexus::mcp::internal {

struct StateBinding {
  std::string_view principal;
  std::string_view request;  ///< Method, name and arguments.
};

/// Base64url of a version, an expiry, the HMAC-SHA256 of all of it with the binding, and `state`.
std::string SealState(std::string_view key, std::string_view state, const StateBinding& binding,
                      std::int64_t expires_unix_ms);
/// Errors: kInvalidParams for what was tampered with, belongs to another request or caller, or is
/// too old; it does not say which.
RpcResult<std::string> OpenState(std::string_view key, std::string_view sealed,
                                 const StateBinding& binding, std::int64_t now_unix_ms);

}  // namespace nexus::mcp::internal
