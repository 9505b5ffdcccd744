#pragma once
/// The headers that mirror a modern request's body (Streamable HTTP, "Request Metadata").

#include "mcp/server/server.h"

namespace nexus::mcp::internal {

/// The value a header carries: as it is, or decoded from "=?base64?...?=". nullopt when it is not
/// well-formed.
std::optional<std::string> HeaderValue(std::string_view text);
/// Errors: kHeaderMismatch naming the header.
RpcResult<void> CheckHeaders(const HttpCall& http, const Message& request, const RequestMeta& meta,
                             Provider& provider);

}  // namespace nexus::mcp::internal
