#pragma once
/// HTTP and WebSocket as the handlers see them, free of any network library.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nexus {

/// Whether a client is still there. On the listener's thread only.
struct ClientWatch {
  /// Called once when the client closes its connection before the answer is whole. Set before
  /// Handle returns; a client that only closes its sending half counts as gone too.
  std::move_only_function<void()> on_gone;
};

/// One request, whole. Header values are as sent, "" when absent.
struct HttpRequest {
  std::string method;
  std::string target;  ///< Path and query, as sent: percent-encoded.
  std::string body;
  std::string peer;  ///< The client's address without port.
  std::string host, origin, authorization, api_key;
  std::string content_type, idempotency_key, traceparent;
  std::string accept_encoding, if_none_match;
  std::string cors_method;  ///< Access-Control-Request-Method
  std::string accept, last_event_id;
  /// Those that begin with "mcp-", names in lower case.
  std::vector<std::pair<std::string, std::string>> mcp_headers;
  std::shared_ptr<ClientWatch> watch;
  bool secure = false;  ///< Came over TLS.

  std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
};

/// The network's side of a body that grows. On the listener's thread only.
class StreamPort {
 public:
  virtual ~StreamPort() = default;
  /// The handler has something to say: TakeText is asked as soon as the network takes it.
  virtual void More() = 0;
};

/// Our side of a body that grows: server-sent events. Every call comes on the listener's thread.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  /// `port` is good until OnClosed returns.
  virtual void OnOpen(StreamPort& port) = 0;
  /// Appends what there is to say, or nothing. False: with it the body is complete.
  virtual bool TakeText(std::string& out) = 0;
  /// The body is complete, or the client went away.
  virtual void OnClosed() = 0;
};

struct HttpResponse {
  int status = 200;
  std::string body;
  std::shared_ptr<const std::string> shared_body;  ///< Sent instead of `body` when set.
  std::string_view content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  bool close = false;  ///< The connection ends behind this.
  bool soon = false;   ///< Other answers follow at once: this one may wait a moment for them.
  std::shared_ptr<StreamHandler> stream;  ///< Gives the body instead of `body`, as it comes.
};

std::string_view HttpReason(int status);

/// Called exactly once, from any thread.
using Respond = std::move_only_function<void(HttpResponse)>;

/// The network's side of a WebSocket. On the listener's thread only.
class SocketPort {
 public:
  virtual ~SocketPort() = default;
  /// The handler has something to say: NextMessage is asked as soon as the network takes it.
  virtual void Wake() = 0;
  /// Sends a close frame and ends it; what waits is dropped. Later calls do nothing.
  virtual void Close(std::uint16_t code, std::string reason) = 0;
};

/// Our side of a WebSocket. Every call comes on the listener's thread.
class SocketHandler {
 public:
  virtual ~SocketHandler() = default;
  /// `port` is good until OnClosed returns.
  virtual void OnOpen(SocketPort& port) = 0;
  virtual void OnMessage(std::string_view text) = 0;
  /// The next text to send; nullptr when there is none.
  virtual std::shared_ptr<const std::string> NextMessage() = 0;
  virtual void OnClosed() = 0;
};

/// How an upgrade is answered: with a handler, or (when null) with a refusal.
struct UpgradeAnswer {
  std::shared_ptr<SocketHandler> socket;
  HttpResponse refusal;
};
using UpgradeReply = std::move_only_function<void(UpgradeAnswer)>;

/// What a listener serves. Calls come on the listener's thread and must not block.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  virtual void Handle(HttpRequest request, Respond respond) = 0;
  virtual void Upgrade(HttpRequest request, UpgradeReply reply) = 0;
  /// Bytes that are no HTTP, too much of it, or too slow: what is answered.
  virtual HttpResponse Malformed(int status, std::string_view why) = 0;
};

}  // namespace nexus
