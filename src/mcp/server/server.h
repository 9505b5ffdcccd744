#pragma once
/// The server: messages of one client, or HTTP requests of many, in; a provider behind it.
///
/// Which era a client is of shows in what it sends: a request with the modern `_meta` stands alone;
/// `initialize` begins a session of the older kind. Both may be served at once.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mcp/server/provider.h"

namespace nexus::mcp {

struct ServerOptions {
  Implementation info{.name = "nexus", .version = "0", .title = {}, .extra = {}};
  std::string instructions;
  ServerCapabilities capabilities;
  MessageLimits limits;
  std::size_t page_size = 500;        ///< Items of a list in one answer.
  std::int64_t list_ttl_ms = 60'000;  ///< How long a list counts as fresh: changes are told.
  std::size_t in_flight_max = 4'096;  ///< Requests of one connection or session at a time.
  std::size_t sessions_max = 10'000;  ///< Above: the one unused for longest ends.
  std::int64_t session_idle_ms = 3'600'000;
  std::size_t subscribed_uris_max = 10'000;  ///< Of one session or listen request.
  std::size_t events_kept_max = 256;         ///< Of one legacy stream, for resumption.
  std::size_t streams_kept_max = 64;         ///< Ended legacy streams of one session, likewise.
  std::int64_t sse_retry_ms = 500;           ///< What legacy streams tell clients to wait.
  /// 32 bytes that protect requestState; "" : random ones, so that another process knows none.
  std::string state_key;
  std::int64_t state_ttl_ms = 600'000;
};

/// Where the messages of a connection go. Called from any thread, one message (no line end) a call.
class MessageSink {
 public:
  virtual ~MessageSink() = default;
  virtual void Write(std::string message) = 0;
  /// Another message is expected within microseconds: this one may wait a moment for it.
  virtual void WriteSoon(std::string message) { Write(std::move(message)); }
};

/// One client on a channel that keeps order: stdio.
class Connection {
 public:
  virtual ~Connection() = default;
  /// One line. On one thread.
  virtual void Receive(std::string_view line) = 0;
  /// Cancels what is under way; nothing is written afterwards.
  virtual void Close() = 0;
  /// Requests that are not answered yet.
  virtual std::size_t in_flight() const = 0;
};

/// One HTTP request to the MCP endpoint, after Origin, Host and credentials have been judged.
struct HttpCall {
  std::string method;  ///< "POST"
  std::string body;
  std::string accept, content_type, last_event_id;
  /// Those that begin with "mcp-", names in lower case.
  std::vector<std::pair<std::string, std::string>> headers;
  CallerPtr caller;
  /// "" when there is no such header.
  std::string_view Header(std::string_view name) const;
  std::size_t Count(std::string_view name) const;
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

/// A response body that grows. Thread-safe.
class HttpBody {
 public:
  virtual ~HttpBody() = default;
  /// `key`: a text that waits under the same key is not sent twice; "" : always sent.
  virtual void Write(std::string text, std::string_view key = {}) = 0;
  virtual void End() = 0;
};

/// The way back for one HttpCall. Answer or Stream is called exactly once, from any thread.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
  /// `soon`: other answers follow at once, so this one may wait a moment for them.
  virtual void Answer(int status, std::string body, HttpHeaders headers, bool soon) = 0;
  void Answer(int status, std::string body, HttpHeaders headers) {
    Answer(status, std::move(body), std::move(headers), false);
  }
  /// Server-sent events with status 200.
  virtual std::shared_ptr<HttpBody> Stream(HttpHeaders headers) = 0;
  /// `action` is called when the client goes away before the answer is whole. Before
  /// Server::Handle returns, or from within Stream's caller.
  virtual void OnGone(std::move_only_function<void()> action) = 0;
};

/// Thread-safe. Outlives its connections; borrows the provider.
class Server {
 public:
  static std::unique_ptr<Server> Create(ServerOptions options, Provider& provider);
  virtual ~Server() = default;

  virtual std::shared_ptr<Connection> Connect(CallerPtr caller,
                                              std::shared_ptr<MessageSink> out) = 0;
  virtual void Handle(HttpCall call, std::shared_ptr<HttpExchange> exchange) = 0;
  /// Ends listen requests gracefully and sessions; nothing is taken afterwards.
  virtual void Shutdown() = 0;

  struct Stats {
    std::size_t sessions = 0, subscriptions = 0;
    std::uint64_t requests = 0, errors = 0;
  };
  virtual Stats GetStats() const = 0;
};

}  // namespace nexus::mcp
