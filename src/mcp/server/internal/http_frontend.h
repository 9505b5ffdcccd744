#pragma once
/// Streamable HTTP, both kinds: requests that stand alone, and sessions with their streams.

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "mcp/server/internal/core.h"
#include "mcp/server/internal/event_stream.h"

namespace nexus::mcp::internal {

/// A session over HTTP: its streams besides what Session holds. Thread-safe.
class HttpSession {
 public:
  HttpSession(SessionPtr session, const ServerOptions& options);

  const SessionPtr session;
  /// What belongs to no request; stream number 0.
  const std::shared_ptr<EventStream> standalone;

  std::shared_ptr<EventStream> NewStream();
  /// By an event's id, which it splits: the stream, and the event's number. nullptr: not kept.
  std::shared_ptr<EventStream> Find(std::string_view event_id, std::uint64_t& event) const;
  void EndAll();
  bool primes() const { return session->revision >= Revision::k20251125; }

  std::atomic<std::int64_t> used_unix_ms{0};

 private:
  const ServerOptions& options_;
  mutable std::mutex mutex_;
  std::uint64_t next_stream_ = 1;                                  // guarded by mutex_
  std::map<std::uint64_t, std::shared_ptr<EventStream>> streams_;  // guarded by mutex_
};
using HttpSessionPtr = std::shared_ptr<HttpSession>;

/// Thread-safe.
class HttpFrontend {
 public:
  explicit HttpFrontend(std::shared_ptr<Core> core) : core_(std::move(core)) {}

  void Handle(HttpCall call, std::shared_ptr<HttpExchange> exchange);
  void Shutdown();
  std::size_t session_count() const;

 private:
  void Post(HttpCall call, const std::shared_ptr<HttpExchange>& exchange);
  void PostModern(HttpCall call, Message message, const std::shared_ptr<HttpExchange>& exchange);
  void PostLegacy(const HttpCall& call, Message message,
                  const std::shared_ptr<HttpExchange>& exchange);
  void Initialize(const HttpCall& call, Message message,
                  const std::shared_ptr<HttpExchange>& exchange);
  void Get(const HttpCall& call, const std::shared_ptr<HttpExchange>& exchange);
  void Delete(const HttpCall& call, const std::shared_ptr<HttpExchange>& exchange);
  /// nullptr, and the exchange answered, when there is no such session for this caller.
  HttpSessionPtr FindSession(const HttpCall& call, HttpExchange& exchange);
  void End(const HttpSessionPtr& session);
  void MakeRoom(std::int64_t now_ms);

  const std::shared_ptr<Core> core_;
  mutable std::mutex mutex_;
  std::map<std::string, HttpSessionPtr, std::less<>> sessions_;  // guarded by mutex_
  bool closed_ = false;                                          // guarded by mutex_
};

}  // namespace nexus::mcp::internal
