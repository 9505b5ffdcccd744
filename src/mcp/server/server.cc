#include "mcp/server/server.h"

#include "mcp/server/internal/core.h"
#include "mcp/server/internal/http_frontend.h"
#include "mcp/server/internal/line_connection.h"

namespace nexus::mcp {
namespace {

class ServerImpl final : public Server {
 public:
  ServerImpl(ServerOptions options, Provider& provider)
      : core_(std::make_shared<internal::Core>(std::move(options), provider)), http_(core_) {}
  ~ServerImpl() override { ServerImpl::Shutdown(); }

  std::shared_ptr<Connection> Connect(CallerPtr caller, std::shared_ptr<MessageSink> out) override {
    return std::make_shared<internal::LineConnection>(core_, std::move(caller), std::move(out));
  }
  void Handle(HttpCall call, std::shared_ptr<HttpExchange> exchange) override {
    http_.Handle(std::move(call), std::move(exchange));
  }
  void Shutdown() override {
    core_->EndListening();
    http_.Shutdown();
  }
  Stats GetStats() const override {
    return {.sessions = http_.session_count(),
            .subscriptions = core_->subscriptions().size(),
            .requests = core_->requests(),
            .errors = core_->errors()};
  }

 private:
  const std::shared_ptr<internal::Core> core_;
  internal::HttpFrontend http_;
};

}  // namespace

std::unique_ptr<Server> Server::Create(ServerOptions options, Provider& provider) {
  return std::make_unique<ServerImpl>(std::move(options), provider);
}

}  // namespace nexus::mcp
