#include "server/api.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "extension/approval.h"
#include "server/assets.h"
#include "server/internal/api_impl.h"
#include "server/mcp_route.h"
#include "server/openapi.h"

namespace nexus {
namespace internal {
namespace {

constexpr const char* kNoPage = R"(<!doctype html><html lang="en"><meta charset="utf-8">
<title>Nexus</title><body style="font-family:system-ui;max-width:40rem;margin:3rem auto">
<h1>Nexus is running</h1>
<p>This build has no page: <code>web/build.sh</code> makes it, and the next build embeds it.</p>
<p><a href="/panels">Panels</a>, <a href="/health">health</a>, <a href="/metrics">metrics</a>,
<a href="/openapi.json">the interface</a>.</p></body></html>
)";
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: "
    "https:; font-src 'self'; connect-src 'self' ws: wss:; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";
constexpr unsigned kWorkers = 4;

// RFC 9110, 12.5.3: "gzip;q=0" refuses it.
bool AcceptsGzip(std::string_view header) {
  for (std::string_view part : Split(header, ',')) {
    part = Trim(part);
    if (!part.starts_with("gzip")) continue;
    const std::size_t weight = part.find("q=");
    return weight == std::string_view::npos ||
           part.substr(weight + 2).find_first_not_of("0.") != std::string_view::npos;
  }
  return false;
}

void Secure(HttpResponse& response) {
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
}

}  // namespace

HttpResponse JsonResponse(int status, const Value& body) {
  HttpResponse response;
  response.status = status;
  response.body = ToJson(body);
  return response;
}

HttpResponse ErrorResponse(int status, std::string_view code, std::string_view message,
                           const Value& details) {
  HttpResponse response;
  response.status = status;
  response.body = ErrorBody(code, message, details);
  if (status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

HttpResponse PanelNotFound(std::string_view id) {
  return ErrorResponse(404, "PANEL_NOT_FOUND", "there is no panel '" + std::string(id) + "'");
}

HttpResponse FailResponse(const Error& error) {
  switch (error.code()) {
    case Code::kInvalidArgument:
      return ErrorResponse(400, "INVALID_ARGUMENT", error.message());
    case Code::kNotFound:
      return ErrorResponse(404, "NOT_FOUND", error.message());
    case Code::kPermissionDenied:
      return ErrorResponse(403, "PERMISSION_DENIED", error.message());
    case Code::kResourceExhausted:
      return ErrorResponse(413, "TOO_LARGE", error.message());
    case Code::kDeadlineExceeded:
    case Code::kUnavailable:
    case Code::kDataLoss:
      return ErrorResponse(503, "UNAVAILABLE", error.message());
    case Code::kInternal:
      break;
  }
  return ErrorResponse(500, "INTERNAL_ERROR", error.message());
}

ApiImpl::ApiImpl(ApiOptions options, PanelHost& host, Authenticator& auth)
    : options_(std::move(options)),
      host_(host),
      auth_(auth),
      started_unix_ms_(clock_.UnixMs()),
      rate_(options_.rate),
      failures_({.per_second = 5, .burst = 20}),
      workers_(std::make_unique<Workers>("server-worker", kWorkers)) {}

ApiImpl::~ApiImpl() { Stop(); }

void ApiImpl::Stop() {
  workers_.reset();
  hub_.reset();
}

void ApiImpl::Attach(Listener& listener) {
  listener_ = &listener;
  sockets_.post = listener.poster();
  hub_ = std::make_unique<PanelHub>(sockets_.post, *workers_);
  sockets_.hub = hub_.get();
  sockets_.metrics = &metrics_;
  sockets_.queue_bytes_max = options_.socket_queue_bytes_max;
  sockets_.rate = [this](const Principal& principal) {
    return rate_.Take(principal.name, clock_.UnixMs());
  };
}

std::string ApiImpl::Metrics() const {
  std::string text = metrics_.Render(
      host_.GetStats(), listener_ == nullptr ? Listener::Stats{} : listener_->GetStats());
  if (options_.approvals != nullptr) AppendApprovals(text, options_.approvals->GetStats());
  if (options_.sandbox != nullptr) AppendSandbox(text, options_.sandbox->Stats());
  if (options_.trace_stats) AppendTraces(text, options_.trace_stats());
  return text;
}

HttpResponse ApiImpl::Malformed(int status, std::string_view why) {
  metrics_.CountResponse(status, 0);
  const char* code = status == 413 || status == 431 ? "TOO_LARGE" : "INVALID_ARGUMENT";
  return ErrorResponse(status, code, why);
}

// Who is tricked into asking is a browser: it says where a page came from and whom it believes to
// speak to.
std::optional<HttpResponse> ApiImpl::CheckBrowser(const HttpRequest& request) const {
  if (!HostIsAllowed(request.host, options_.allowed_hosts)) {
    return ErrorResponse(421, "PERMISSION_DENIED",
                         "this server is not known as '" + request.host.substr(0, 128) +
                             "': add it to [server] allowed_hosts");
  }
  if (!OriginIsAllowed(request.origin, request.host, options_.cors_origins)) {
    return ErrorResponse(403, "PERMISSION_DENIED",
                         "pages of '" + request.origin.substr(0, 128) +
                             "' may not ask: add it to [server] cors_origins");
  }
  return std::nullopt;
}

void ApiImpl::AddCors(const HttpRequest& request, HttpResponse& response) const {
  if (request.origin.empty()) return;
  const auto& allowed = options_.cors_origins;
  if (std::find(allowed.begin(), allowed.end(), request.origin) == allowed.end()) return;
  response.headers.emplace_back("Access-Control-Allow-Origin", request.origin);
  response.headers.emplace_back("Vary", "Origin");
  response.headers.emplace_back("Access-Control-Expose-Headers", "Mcp-Session-Id");
  if (request.method != "OPTIONS") return;
  response.headers.emplace_back("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE");
  response.headers.emplace_back(
      "Access-Control-Allow-Headers",
      "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Mcp-Method, Mcp-Name, "
      "Mcp-Protocol-Version, Mcp-Session-Id, Traceparent, X-API-Key");
  response.headers.emplace_back("Access-Control-Max-Age", "600");
}

void ApiImpl::Handle(HttpRequest request, Respond respond) {
  const auto record =
      std::make_shared<RequestRecord>(request, options_.spans, options_.log_requests);
  Respond counted = [this, record, respond = std::move(respond)](HttpResponse response) mutable {
    const std::size_t bytes =
        response.shared_body ? response.shared_body->size() : response.body.size();
    record->End(response.status, bytes, metrics_);
    respond(std::move(response));
  };
  if (auto refusal = CheckBrowser(request)) return counted(*std::move(refusal));
  if (!request.origin.empty()) {
    counted = [this, origin = HttpRequest{.method = request.method, .origin = request.origin},
               inner = std::move(counted)](HttpResponse response) mutable {
      AddCors(origin, response);
      inner(std::move(response));
    };
  }
  std::optional<Target> target = ParseTarget(request.target);
  if (!target) {
    return counted(ErrorResponse(400, "INVALID_ARGUMENT", "the path is not well-formed"));
  }
  record->SetRoute(*target);
  if (request.method == "OPTIONS") return counted(HttpResponse{.status = 204});
  if (auto open = Open(request, *target)) return counted(*std::move(open));
  auto exchange = std::make_shared<Exchange>();
  exchange->request = std::move(request);
  exchange->request.traceparent = record->TraceparentFor(exchange->request);
  exchange->target = *std::move(target);
  // The query is a view into the target, which has moved.
  const std::string& moved = exchange->request.target;
  const std::size_t mark = moved.find('?');
  exchange->target.query =
      mark == std::string::npos ? std::string_view() : std::string_view(moved).substr(mark + 1);
  exchange->respond = std::move(counted);
  Identify(exchange->request,
           [this, exchange, record](PrincipalPtr principal, std::optional<HttpResponse> refusal) {
             if (refusal) return exchange->respond(*std::move(refusal));
             record->SetPrincipal(principal->name);
             exchange->principal = std::move(principal);
             Route(exchange);
           });
}

void ApiImpl::Identify(const HttpRequest& request,
                       std::function<void(PrincipalPtr, std::optional<HttpResponse>)> go) {
  const std::int64_t now = clock_.UnixMs();
  if (auth_.required() && failures_.IsSpent(request.peer, now)) {
    HttpResponse response = ErrorResponse(429, "RATE_LIMITED", "too many refused attempts: wait");
    response.headers.emplace_back("Retry-After", "1");
    return go(nullptr, std::move(response));
  }
  auto principal = auth_.Authenticate(request, now);
  if (principal) {
    const std::int64_t wait_s =
        rate_.Take(auth_.required() ? (*principal)->name : request.peer, now);
    if (wait_s == 0) return go(*std::move(principal), std::nullopt);
    HttpResponse response = ErrorResponse(429, "RATE_LIMITED", "too many requests");
    response.headers.emplace_back("Retry-After", std::to_string(wait_s));
    return go(nullptr, std::move(response));
  }
  if (principal.error().code() != Code::kUnavailable) {
    return go(nullptr, Refusal(request, principal.error()));
  }
  // Its key may be newer than ours: fetch, then ask once more.
  auto again = [this,
                copy = HttpRequest{.peer = request.peer,
                                   .authorization = request.authorization,
                                   .api_key = request.api_key},
                go](bool fetched) {
    auto second = auth_.Authenticate(copy, clock_.UnixMs());
    if (fetched && second) return go(*std::move(second), std::nullopt);
    go(nullptr, Refusal(copy, second ? Error(Code::kUnavailable, "busy") : second.error()));
  };
  const bool taken = workers_->Add([this, again] {
    auth_.RefreshKeys(clock_.UnixMs());
    sockets_.post([again] { again(true); });
  });
  if (!taken) again(false);
}

std::optional<HttpResponse> ApiImpl::Refusal(const HttpRequest& request, const Error& error) {
  (void)failures_.Take(request.peer, clock_.UnixMs());
  return ErrorResponse(401, "UNAUTHENTICATED", error.message());
}

// What needs no authentication.
std::optional<HttpResponse> ApiImpl::Open(const HttpRequest& request, const Target& target) {
  if (target.segments.size() == 1 && target.segments[0] == "panels") return std::nullopt;
  if (request.method != "GET" && request.method != "HEAD") return std::nullopt;
  const std::string_view path = request.path();
  if (path == "/healthz") return JsonResponse(200, Value::Object({{"status", "ok"}}));
  if (path == "/readyz") return Ready();
  if (path == "/health") return Health();
  if (path == "/openapi.json") return HttpResponse{.body = OpenApiDocument()};
  if (path == "/metrics" && options_.serve_metrics) {
    return HttpResponse{.body = Metrics(), .content_type = "text/plain; version=0.0.4"};
  }
  const bool is_page = path == "/" || path == "/index.html" || path.starts_with("/assets/") ||
                       path == "/favicon.ico" || path == "/favicon.svg";
  if (is_page) return Page(request);
  return std::nullopt;
}

HttpResponse ApiImpl::Ready() const {
  if (draining_) return ErrorResponse(503, "UNAVAILABLE", "shutting down");
  const Status ready = host_.Ready();
  if (!ready) return ErrorResponse(503, "UNAVAILABLE", ready.error().message());
  return JsonResponse(200, Value::Object({{"status", "ready"}}));
}

HttpResponse ApiImpl::Health() const {
  const PanelHost::Stats stats = host_.GetStats();
  const Status ready = host_.Ready();
  ValueObject body{{"status", ready ? "healthy" : "degraded"},
                   {"version", NEXUS_VERSION},
                   {"uptime", clock_.UnixMs() - started_unix_ms_}};
  if (!ready) body.Append("reason", ready.error().message());
  body.Append("panels", Value::Object({{"active", std::uint64_t{stats.panels}},
                                       {"suspended", std::uint64_t{stats.suspended}}}));
  body.Append(
      "runtime",
      Value::Object({{"activeInstances", std::uint64_t{stats.running}},
                     {"queued", std::uint64_t{stats.queued}},
                     {"cacheHitRate", static_cast<double>(metrics_.cache_hits_permille()) / 1000},
                     {"memoryBytes", metrics_.peak_memory_bytes()}}));
  return JsonResponse(200, Value(std::move(body)));
}

HttpResponse ApiImpl::Page(const HttpRequest& request) const {
  HttpResponse response;
  Secure(response);
  response.headers.emplace_back("Content-Security-Policy", kPolicy);
  response.headers.emplace_back("Referrer-Policy", "no-referrer");
  response.headers.emplace_back("X-Frame-Options", "DENY");
  const std::string_view path = request.path() == "/" ? "/index.html" : request.path();
  const auto assets = WebAssets();
  const auto asset = std::find_if(assets.begin(), assets.end(),
                                  [&](const Asset& each) { return each.path == path; });
  if (asset == assets.end()) {
    if (path != "/index.html") return ErrorResponse(404, "NOT_FOUND", "there is no such file");
    response.body = kNoPage;
    response.content_type = "text/html; charset=utf-8";
    return response;
  }
  response.content_type = asset->content_type;
  response.headers.emplace_back("ETag", asset->etag);
  response.headers.emplace_back("Vary", "Accept-Encoding");
  response.headers.emplace_back("Cache-Control", "no-cache");
  if (request.if_none_match.find(asset->etag) != std::string::npos) {
    response.status = 304;
    return response;
  }
  if (!AcceptsGzip(request.accept_encoding)) {
    response.body = asset->plain;
    return response;
  }
  response.headers.emplace_back("Content-Encoding", "gzip");
  response.body = asset->gzip;
  return response;
}

void ApiImpl::Route(const ExchangePtr& exchange) {
  const auto& segments = exchange->target.segments;
  const std::string_view first = segments.empty() ? std::string_view() : segments[0];
  const std::string& method = exchange->request.method;
  if (first == "panels") return RoutePanels(exchange);
  if (first == "approvals") return Approvals(exchange);
  if (first == "mcp" && segments.size() == 1 && options_.mcp != nullptr) {
    return RouteMcp(exchange);
  }
  if (first == "auth" && segments.size() == 2) {
    if (segments[1] == "me" && method == "GET") return exchange->respond(Me(*exchange->principal));
    if (segments[1] == "tickets" && method == "POST") {
      return exchange->respond(MakeTicket(*exchange));
    }
  }
  if (first == "state") {
    return exchange->respond(
        ErrorResponse(503, "UNAVAILABLE", "the knowledge graph is not part of this server"));
  }
  exchange->respond(
      ErrorResponse(404, "NOT_FOUND", "there is no such route: /openapi.json has all"));
}

void ApiImpl::RouteMcp(const ExchangePtr& exchange) {
  const Principal& principal = *exchange->principal;
  auto caller = std::make_shared<mcp::Caller>();
  caller->principal = principal.name;
  caller->capabilities = principal.capabilities;
  caller->everything = principal.everything;
  caller->may_read = principal.May(Permission::kRead);
  caller->may_execute = principal.May(Permission::kExecute);
  ServeMcp(*options_.mcp, std::move(exchange->request), std::move(caller),
           std::move(exchange->respond), sockets_.post);
}

HttpResponse ApiImpl::Me(const Principal& principal) const {
  ValueArray capabilities, permissions;
  for (const std::string& token : principal.capabilities.ToStrings()) {
    capabilities.emplace_back(token);
  }
  for (const Permission permission : {Permission::kCreate, Permission::kRead, Permission::kExecute,
                                      Permission::kDelete, Permission::kAdmin}) {
    if (principal.May(permission)) permissions.emplace_back(PermissionName(permission));
  }
  if (principal.everything) {
    for (const char* all : {"state:read:*", "state:write:*", "tools:call:*"}) {
      capabilities.emplace_back(all);
    }
  }
  return JsonResponse(200, Value::Object({{"principal", principal.name},
                                          {"capabilities", std::move(capabilities)},
                                          {"permissions", std::move(permissions)},
                                          {"authRequired", auth_.required()}}));
}

HttpResponse ApiImpl::MakeTicket(const Exchange& exchange) {
  const Result<Value> body = ParseJson(exchange.request.body);
  if (!body) return ErrorResponse(400, "INVALID_ARGUMENT", "the body: " + body.error().message());
  const std::string panel_id(body->StringOr("panelId", ""));
  if (!exchange.principal->May(Permission::kRead)) {
    return ErrorResponse(403, "PERMISSION_DENIED", "watching a panel needs panel:read");
  }
  if (host_.Find(panel_id) == nullptr) return PanelNotFound(panel_id);
  std::string ticket = auth_.IssueTicket(exchange.principal, panel_id, clock_.UnixMs());
  if (ticket.empty()) return ErrorResponse(503, "UNAVAILABLE", "too many tickets wait: try again");
  return JsonResponse(200, Value::Object({{"ticket", std::move(ticket)},
                                          {"expiresInMs", Authenticator::kTicketMs}}));
}

void ApiImpl::Upgrade(HttpRequest request, UpgradeReply answer) {
  const auto record = std::make_shared<RequestRecord>(request, nullptr, options_.log_requests);
  UpgradeReply reply = [this, record, answer = std::move(answer)](UpgradeAnswer what) mutable {
    record->End(what.socket == nullptr ? what.refusal.status : 101, what.refusal.body.size(),
                metrics_);
    answer(std::move(what));
  };
  const auto refuse = [](UpgradeReply& to, HttpResponse response) {
    to({.socket = nullptr, .refusal = std::move(response)});
  };
  if (auto refusal = CheckBrowser(request)) return refuse(reply, *std::move(refusal));
  auto target = std::make_shared<std::optional<Target>>(ParseTarget(request.target));
  if (!*target || (*target)->segments.size() != 3 || (*target)->segments[0] != "panels" ||
      (*target)->segments[2] != "ws") {
    return refuse(reply, ErrorResponse(404, "NOT_FOUND", "WebSockets are at /panels/ID/ws"));
  }
  record->SetRoute(**target);
  auto shared = std::make_shared<HttpRequest>(std::move(request));
  const std::size_t mark = shared->target.find('?');
  (*target)->query = mark == std::string::npos ? std::string_view()
                                               : std::string_view(shared->target).substr(mark + 1);
  if (const auto ticket = QueryValue((*target)->query, "ticket"); ticket && auth_.required()) {
    PrincipalPtr principal = auth_.TakeTicket(*ticket, (*target)->segments[1], clock_.UnixMs());
    if (principal == nullptr) {
      return refuse(reply, ErrorResponse(401, "UNAUTHENTICATED",
                                         "the ticket is used, too old, or of another panel"));
    }
    record->SetPrincipal(principal->name);
    return FinishUpgrade(**target, std::move(principal), reply);
  }
  auto held = std::make_shared<UpgradeReply>(std::move(reply));
  Identify(*shared, [this, shared, target, held, refuse, record](
                        PrincipalPtr principal, std::optional<HttpResponse> refusal) {
    if (refusal) return refuse(*held, *std::move(refusal));
    record->SetPrincipal(principal->name);
    FinishUpgrade(**target, std::move(principal), *held);
  });
}

void ApiImpl::FinishUpgrade(const Target& target, PrincipalPtr principal, UpgradeReply& reply) {
  const auto refuse = [&](HttpResponse response) {
    reply({.socket = nullptr, .refusal = std::move(response)});
  };
  if (!principal->May(Permission::kRead)) {
    return refuse(ErrorResponse(403, "PERMISSION_DENIED", "watching a panel needs panel:read"));
  }
  std::shared_ptr<Panel> panel = host_.Find(target.segments[1]);
  if (panel == nullptr) return refuse(PanelNotFound(target.segments[1]));
  std::optional<std::uint64_t> after;
  if (const auto text = QueryValue(target.query, "revision")) {
    after = WholeNumber(*text);
    if (!after) {
      return refuse(ErrorResponse(400, "INVALID_ARGUMENT", "revision: a whole number"));
    }
  }
  reply({.socket =
             std::make_shared<PanelSocket>(sockets_, std::move(panel), std::move(principal), after),
         .refusal = {}});
}

}  // namespace internal

std::unique_ptr<Api> Api::Create(ApiOptions options, PanelHost& host, Authenticator& auth) {
  return std::make_unique<internal::ApiImpl>(std::move(options), host, auth);
}

}  // namespace nexus
