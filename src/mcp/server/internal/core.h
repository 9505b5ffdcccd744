#pragma once
/// Requests of either era to the provider and back: what a transport hands over after it has found
/// out whose message it is.

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "mcp/server/internal/call_impl.h"
#include "mcp/server/internal/session.h"
#include "mcp/server/internal/subscriptions.h"

namespace nexus::mcp::internal {

/// Thread-safe.
class Core {
 public:
  Core(ServerOptions options, Provider& provider);

  const SettingsPtr& settings() const { return settings_; }
  Provider& provider() { return provider_; }
  Subscriptions& subscriptions() { return subscriptions_; }
  const ServerOptions& options() const { return settings_->options; }

  /// What a transport checks of a modern request before it is dispatched: HTTP its headers.
  using Check = std::function<RpcResult<void>(const Message&, const RequestMeta&)>;

  /// A request that stands alone. Answers through `sink`; returns the call when it goes on.
  std::shared_ptr<CallImpl> HandleModern(Message request, const CallerPtr& caller,
                                         const ReplySinkPtr& sink,
                                         std::shared_ptr<InFlight> in_flight,
                                         const Check& check = nullptr);
  /// A request in a session, which is not `initialize`.
  std::shared_ptr<CallImpl> HandleLegacy(Message request, const SessionPtr& session,
                                         const ReplySinkPtr& sink);
  /// A session as `initialize` wants it; the answer is InitializeResult's. Errors: kInvalidParams.
  RpcResult<SessionPtr> Initialize(Value params, const CallerPtr& caller, std::string id);
  std::string InitializeResult(const Session& session) const;
  /// A session's unsolicited messages go to `send`; returns the subscriber's number.
  std::uint64_t Subscribe(const Session& session,
                          std::function<void(std::string, std::string_view)> send);
  void Forget(const Session& session);
  /// Ends all listen requests with their result.
  void EndListening();

  void CountRequest() { requests_.fetch_add(1, std::memory_order_relaxed); }
  void CountError() { errors_.fetch_add(1, std::memory_order_relaxed); }
  std::uint64_t requests() const { return requests_.load(std::memory_order_relaxed); }
  std::uint64_t errors() const { return errors_.load(std::memory_order_relaxed); }

  void Refuse(const ReplySinkPtr& sink, const RequestId& id, const RpcError& error, bool modern);

 private:
  RpcResult<void> Dispatch(const std::shared_ptr<CallImpl>& call, std::string_view method,
                           Value params);
  RpcResult<void> DispatchLegacyOnly(const std::shared_ptr<CallImpl>& call, std::string_view method,
                                     Value params, bool& known);
  template <typename Params>
  void Provide(const std::shared_ptr<CallImpl>& call, Params params,
               void (Provider::*serve)(CallPtr, Params));
  template <typename T>
  RpcResult<void> List(CallImpl& call, Value params, std::string_view name, std::vector<T> items,
                       std::string T::* key);
  RpcResult<void> Listen(const std::shared_ptr<CallImpl>& call, Value params);
  std::string Discover() const;

  SettingsPtr settings_;
  Provider& provider_;
  Subscriptions subscriptions_;
  std::atomic<std::uint64_t> requests_{0}, errors_{0};
  std::mutex mutex_;
  std::map<const Session*, std::uint64_t> subscribers_;  // guarded by mutex_
  struct Listening {
    std::weak_ptr<CallImpl> call;
    std::uint64_t subscriber = 0;
  };
  std::map<const CallImpl*, Listening> listening_;  // guarded by mutex_
};

}  // namespace nexus::mcp::internal
