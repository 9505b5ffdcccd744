#include "server/internal/request_record.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/log.h"

namespace nexus::internal {
namespace {

constexpr std::size_t kPathBytesMax = 256;

// Each with as many segments as it matches; "{...}" matches any.
constexpr std::array<std::string_view, 20> kRoutes = {"/",
                                                      "/healthz",
                                                      "/readyz",
                                                      "/health",
                                                      "/metrics",
                                                      "/openapi.json",
                                                      "/mcp",
                                                      "/auth/{what}",
                                                      "/panels",
                                                      "/panels/{id}",
                                                      "/panels/{id}/state",
                                                      "/panels/{id}/state/{key}",
                                                      "/panels/{id}/trigger/{tool}",
                                                      "/panels/{id}/runs",
                                                      "/panels/{id}/runs/{run}",
                                                      "/panels/{id}/runs/{run}/cancel",
                                                      "/panels/{id}/logs",
                                                      "/panels/{id}/ws",
                                                      "/approvals",
                                                      "/approvals/{id}/{verb}"};

bool Matches(std::string_view route, const Target& target) {
  route.remove_prefix(1);
  for (const std::string& segment : target.segments) {
    if (route.empty()) return false;
    const std::string_view part = route.substr(0, route.find('/'));
    if (!part.starts_with('{') && part != segment) return false;
    route.remove_prefix(std::min(route.size(), part.size() + 1));
  }
  return route.empty();
}

// Probes and scrapes come every few seconds for ever.
bool IsProbe(std::string_view route) {
  return route == "/healthz" || route == "/readyz" || route == "/health" || route == "/metrics";
}

}  // namespace

std::string_view RouteOf(const Target& target) {
  for (const std::string_view route : kRoutes) {
    if (Matches(route, target)) return route;
  }
  return "other";
}

RequestRecord::RequestRecord(const HttpRequest& request, std::shared_ptr<SpanSink> spans,
                             bool logged)
    : logged_(logged), spans_(std::move(spans)), start_unix_ns_(UnixNowNs()) {
  if (!logged_ && spans_ == nullptr) return;
  method_ = request.method;
  // Without the query: tickets stand there.
  path_ = std::string(request.path().substr(0, kPathBytesMax));
  peer_ = request.peer;
  if (spans_ == nullptr) return;
  const std::optional<TraceContext> parent = ParseTraceparent(request.traceparent);
  if (parent ? !parent->sampled : !spans_->Sample()) return;
  context_ = parent ? ChildOf(*parent) : NewTrace(true);
  if (parent) parent_id_ = parent->span_id;
}

void RequestRecord::SetRoute(const Target& target) {
  if (!logged_ && !context_) return;
  route_ = RouteOf(target);
  const auto& segments = target.segments;
  if (segments.size() >= 2 && segments[0] == "panels") panel_id_ = segments[1];
  if (segments.size() == 4 && segments[2] == "trigger") tool_ = segments[3];
}

void RequestRecord::SetPrincipal(const std::string& name) {
  if (logged_ || context_) principal_ = name;
}

std::string RequestRecord::TraceparentFor(const HttpRequest& request) const {
  if (context_) return context_->ToTraceparent();
  return ParseTraceparent(request.traceparent) ? request.traceparent : std::string();
}

void RequestRecord::End(int status, std::size_t bytes, ServerMetrics& metrics) {
  const std::int64_t end = UnixNowNs();
  // The wall clock may have been set back meanwhile.
  const std::int64_t took_ns = std::max<std::int64_t>(end - start_unix_ns_, 0);
  metrics.CountResponse(status, took_ns);
  if (logged_) {
    Log(IsProbe(route_) ? Severity::kDebug : Severity::kInfo, "request",
        {{"method", method_},
         {"path", path_},
         {"route", route_},
         {"status", status},
         {"durationMs", static_cast<double>(took_ns / 1'000) / 1e3},
         {"bytes", std::uint64_t{bytes}},
         {"principal", principal_},
         {"peer", peer_},
         {"traceId", context_ ? context_->TraceIdHex() : std::string()}});
  }
  if (!context_) return;
  Span span;
  span.context = *context_;
  span.parent_id = parent_id_;
  span.name = method_ + " " + std::string(route_);
  span.kind = SpanKind::kServer;
  span.start_unix_ns = start_unix_ns_;
  span.end_unix_ns = start_unix_ns_ + took_ns;
  span.attributes = {{"http.request.method", method_},
                     {"http.route", route_},
                     {"url.path", path_},
                     {"http.response.status_code", status},
                     {"client.address", peer_}};
  if (!principal_.empty()) span.attributes.emplace_back("enduser.id", principal_);
  if (!panel_id_.empty()) span.attributes.emplace_back("nexus.panel.id", panel_id_);
  if (!tool_.empty()) span.attributes.emplace_back("nexus.tool", tool_);
  span.failed = status >= 500;
  spans_->Record(std::move(span));
}

}  // namespace nexus::internal
