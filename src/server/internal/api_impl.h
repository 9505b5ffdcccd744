#pragma once
/// The routes: api.cc decides who may ask, api_panels.cc answers about panels, api_approvals.cc
/// about runs that ask for rights.

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/workers.h"
#include "server/api.h"
#include "server/internal/panel_hub.h"
#include "server/internal/panel_socket.h"
#include "server/internal/request_record.h"
#include "server/internal/server_metrics.h"
#include "server/internal/target.h"
#include "server/listener.h"

namespace nexus::internal {

HttpResponse JsonResponse(int status, const Value& body);
HttpResponse ErrorResponse(int status, std::string_view code, std::string_view message,
                           const Value& details = {});
HttpResponse PanelNotFound(std::string_view id);
/// By the error's code.
HttpResponse FailResponse(const Error& error);
/// 403: "this needs ...".
HttpResponse Denied(std::string_view what);
/// 405 with the methods that are taken: "GET, POST".
HttpResponse WrongMethod(std::string_view allowed);
/// `?limit=` of a list.
std::size_t LimitOf(std::string_view query);

/// One request that has passed authentication.
struct Exchange {
  HttpRequest request;
  Target target;
  PrincipalPtr principal;
  Respond respond;
  const std::string& segment(std::size_t i) const { return target.segments[i]; }
  std::size_t size() const { return target.segments.size(); }
};
using ExchangePtr = std::shared_ptr<Exchange>;

class ApiImpl final : public Api {
 public:
  ApiImpl(ApiOptions options, PanelHost& host, Authenticator& auth);
  ~ApiImpl() override;

  // Api
  void Attach(Listener& listener) override;
  void Stop() override;
  std::string Metrics() const override;
  void SetDraining() override { draining_ = true; }

  // HttpHandler
  void Handle(HttpRequest request, Respond respond) override;
  void Upgrade(HttpRequest request, UpgradeReply reply) override;
  HttpResponse Malformed(int status, std::string_view why) override;

 private:
  // api.cc
  std::optional<HttpResponse> CheckBrowser(const HttpRequest& request) const;
  void AddCors(const HttpRequest& request, HttpResponse& response) const;
  std::optional<HttpResponse> Open(const HttpRequest& request, const Target& target);
  HttpResponse Health() const;
  HttpResponse Ready() const;
  HttpResponse Page(const HttpRequest& request) const;
  /// Calls `go` with the principal or the refusal; on the listener's thread.
  void Identify(const HttpRequest& request,
                std::function<void(PrincipalPtr, std::optional<HttpResponse>)> go);
  std::optional<HttpResponse> Refusal(const HttpRequest& request, const Error& error);
  void Route(const ExchangePtr& exchange);
  void RouteMcp(const ExchangePtr& exchange);
  HttpResponse Me(const Principal& principal) const;
  HttpResponse MakeTicket(const Exchange& exchange);
  void FinishUpgrade(const Target& target, PrincipalPtr principal, UpgradeReply& reply);

  // api_panels.cc
  void RoutePanels(const ExchangePtr& exchange);
  void RoutePanel(const ExchangePtr& exchange, const std::shared_ptr<Panel>& panel);
  void Trigger(const ExchangePtr& exchange, const std::shared_ptr<Panel>& panel);
  void Create(const ExchangePtr& exchange, bool unique);
  void List(const ExchangePtr& exchange);
  void Describe(const ExchangePtr& exchange, const std::shared_ptr<Panel>& panel);
  void ReadState(const ExchangePtr& exchange, const std::shared_ptr<Panel>& panel);
  void WriteState(const ExchangePtr& exchange, const std::shared_ptr<Panel>& panel);
  void Delete(const ExchangePtr& exchange, const std::shared_ptr<Panel>& panel);
  void Runs(const ExchangePtr& exchange, const std::shared_ptr<Panel>& panel);
  HttpResponse Logs(const Exchange& exchange, const Panel& panel) const;

  // api_approvals.cc
  void Approvals(const ExchangePtr& exchange);
  HttpResponse ListApprovals(const Exchange& exchange) const;
  HttpResponse Decide(const Exchange& exchange, bool approve);

  ValueObject Info(const Panel& panel, std::size_t clients, const Principal& principal) const;
  /// On a worker, or 503 at once.
  void Slowly(const ExchangePtr& exchange, std::move_only_function<void()> job);

  const ApiOptions options_;
  PanelHost& host_;
  Authenticator& auth_;
  Listener* listener_ = nullptr;
  SystemClock clock_;
  const std::int64_t started_unix_ms_;
  RateLimiter rate_, failures_;
  ServerMetrics metrics_;
  std::atomic<bool> draining_{false};
  SocketServices sockets_;
  std::unique_ptr<PanelHub> hub_;
  std::unique_ptr<Workers> workers_;  // Ends first: its jobs use the rest.
};

}  // namespace nexus::internal
