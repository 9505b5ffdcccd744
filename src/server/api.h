#pragma once
/// The routes of contract 10: requests in, panels behind, answers out.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "panel/host/panel_host.h"
#include "server/auth.h"
#include "server/http.h"
#include "server/rate_limit.h"

namespace nexus {

namespace mcp {
class Server;
}

struct ApiOptions {
  std::vector<std::string> allowed_hosts;  ///< Names besides localhost; IP addresses always pass.
  std::vector<std::string> cors_origins;   ///< "https://app.example.com"
  RateLimitOptions rate;
  std::size_t socket_queue_bytes_max = 1 << 20;
  bool serve_metrics = true;                ///< False when /metrics has a listener of its own.
  mcp::Server* mcp = nullptr;               ///< Borrowed: what answers at /mcp; null: nothing does.
  std::function<void()> on_panels_changed;  ///< A request mounted a panel, or took one away.
};

class Listener;

/// Requests come on the listener's thread; what blocks goes to its own workers.
class Api : public HttpHandler {
 public:
  /// Borrows both.
  static std::unique_ptr<Api> Create(ApiOptions options, PanelHost& host, Authenticator& auth);
  /// Before the first request.
  virtual void Attach(Listener& listener) = 0;
  /// Ends its workers and its subscriptions. The listener has stopped; the host goes next, and the
  /// Api last, because runs that still end tell it so.
  virtual void Stop() = 0;
  /// Prometheus text.
  virtual std::string Metrics() const = 0;
  /// From now on /readyz says no.
  virtual void SetDraining() = 0;
};

}  // namespace nexus
