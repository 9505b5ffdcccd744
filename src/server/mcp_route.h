#pragma once
/// HTTP requests to the Model Context Protocol endpoint, handed to its server.

#include <functional>

#include "mcp/server/server.h"
#include "server/http.h"

namespace nexus {

/// Bytes of one stream that wait for a slow reader. Above: its connection ends, and a client that
/// can resume comes back.
inline constexpr std::size_t kMcpStreamBytesMax = std::size_t{1} << 20;

/// On the listener's thread, with Origin, Host and credentials judged. `post` runs work there.
void ServeMcp(mcp::Server& server, HttpRequest request, mcp::CallerPtr caller, Respond respond,
              std::function<void(std::move_only_function<void()>)> post);

}  // namespace nexus
