#pragma once
/// One TCP port with HTTP/1.1 and WebSocket, optionally TLS, on one thread.
///
/// Slow clients cost a bounded amount: headers, bodies and messages have limits and time limits,
/// and connections are counted. Requests of one connection are answered in order (pipelining).

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "server/http.h"

namespace nexus {

struct ListenerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;                          ///< 0: any free one.
  std::string tls_certificate_file, tls_key_file;  ///< Both or neither.
  std::size_t connections_max = 20'000;            ///< Above: closed at once.
  std::size_t header_bytes_max = 16 << 10;
  std::size_t body_bytes_max = 4 << 20;
  std::int64_t header_timeout_ms = 10'000;  ///< From a request's first byte to its last header.
  std::int64_t body_timeout_ms = 30'000;
  std::int64_t idle_timeout_ms = 75'000;  ///< Between requests.
  std::int64_t write_timeout_ms = 30'000;
  std::int64_t ping_interval_ms = 30'000;   ///< A WebSocket that answers no ping is closed.
  std::size_t message_bytes_max = 1 << 20;  ///< Of a WebSocket message.
};

class Listener {
 public:
  /// Binds, calls `prepare` (may be null), and starts the thread: nothing is accepted before.
  /// Borrows `handler`. Errors: kUnavailable (address in use, no such address), kInvalidArgument
  /// (certificate), each with what to do.
  static Result<std::unique_ptr<Listener>> Start(
      ListenerOptions options, HttpHandler& handler,
      const std::function<void(Listener&)>& prepare = {});
  /// Closes everything and joins the thread.
  virtual ~Listener() = default;

  virtual std::uint16_t port() const = 0;
  /// Runs `work` on the listener's thread. From any thread; many calls cost one wake-up.
  virtual void Post(std::move_only_function<void()> work) = 0;
  /// Post as a value that may outlive the listener; what it is given then is dropped.
  virtual std::function<void(std::move_only_function<void()>)> poster() const = 0;
  /// Stops accepting; idle connections close.
  virtual void StopAccepting() = 0;
  /// Sends close 1001 to every WebSocket, waits up to `wait_ms` for what is being written, and ends
  /// the thread. Nothing posted afterwards runs.
  virtual void Shutdown(std::int64_t wait_ms) = 0;

  struct Stats {
    std::size_t connections = 0, sockets = 0;
    std::uint64_t accepted = 0, refused = 0;
  };
  virtual Stats GetStats() const = 0;
};

}  // namespace nexus
