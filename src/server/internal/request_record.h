#pragma once
/// What is kept of a request while it is answered, for its log line, its figure and its span.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/trace.h"
#include "server/http.h"
#include "server/internal/server_metrics.h"
#include "server/internal/target.h"

namespace nexus::internal {

/// "/panels/{id}/trigger/{tool}": a path without what differs from one call to the next. "other"
/// for what is no route.
std::string_view RouteOf(const Target& target);

/// On the listener's thread, but for End, which comes once, from any.
class RequestRecord {
 public:
  /// `spans` may be null; without it and with `logged` false nothing but the time is kept.
  RequestRecord(const HttpRequest& request, std::shared_ptr<SpanSink> spans, bool logged);

  void SetRoute(const Target& target);
  void SetPrincipal(const std::string& name);
  /// What the run is told; the request's own header when nobody keeps the trace, "" when that is
  /// malformed.
  std::string TraceparentFor(const HttpRequest& request) const;
  void End(int status, std::size_t bytes, ServerMetrics& metrics);

 private:
  const bool logged_;
  const std::shared_ptr<SpanSink> spans_;
  const std::int64_t start_unix_ns_;
  std::string method_, path_, peer_, principal_;
  std::string_view route_ = "other";
  std::string panel_id_, tool_;
  std::optional<TraceContext> context_;
  std::array<std::uint8_t, 8> parent_id_{};
};

}  // namespace nexus::internal
