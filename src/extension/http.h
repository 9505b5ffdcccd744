#pragma once
/// The extension `http`: requests to the hosts the operator allowed.
///
///   const { status, body } = await $ext.http.get('https://api.example.com/items', { json: true })
///
/// Methods get, post, put, delete, head, patch(url, options) and request(url, {method,
/// ...options}). Options: headers (object of strings), body (string or Uint8Array), json (true:
/// parse the response; any other value: send it as the JSON body and parse the response),
/// timeoutMs, maxBytes, redirect ("follow", "manual", "error"), retries. The answer is {status, ok,
/// url, headers, body, json?}: header names in lower case, body a string when it is text and a
/// Uint8Array otherwise.
///
/// stream(url, options) answers {id, status, ok, url, headers} as soon as the head is there;
/// next(id) gives {data, done} piece by piece, close(id) ends it early. A stream ends with its run
/// at the latest and does not survive a restart of the host.
///
/// A header value may name secrets of the host, "Bearer {{secret:NAME}}": the host puts them in on
/// the way out, for the hosts its owner named and over https only (loopback and private addresses
/// excepted), and takes them out of what comes back. POST and PATCH carry an Idempotency-Key that
/// stays the same when a journaled call is made again.
///
/// Policy and mechanism: http_policy.h decides; every redirect is judged like a first request, and
/// every connection by the address it really goes to. No cookies are kept, no proxy or netrc of the
/// environment is used.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "extension/http_policy.h"
#include "extension/secrets.h"
#include "sandbox/bindings.h"

namespace nexus {

struct HttpOptions {
  HttpPolicy policy;
  std::size_t calls_max = 64;    ///< Requests under way at once.
  std::size_t queue_max = 1024;  ///< Waiting requests; above that a call fails as OVERLOADED.
  std::size_t request_bytes_max = std::size_t{8} << 20;
  std::size_t response_bytes_max = std::size_t{16} << 20;  ///< After decompression.
  std::uint32_t timeout_ms = 30'000;                       ///< When a call names none.
  std::uint32_t timeout_ms_max = 300'000;                  ///< What a call may name.
  std::uint32_t redirects_max = 10;
  std::uint32_t retries = 2;  ///< When a call names none; of GET, HEAD, PUT, DELETE and OPTIONS.
  std::size_t stream_bytes_max = std::size_t{1} << 30;     ///< Of one streamed body.
  std::size_t stream_buffer_max = std::size_t{256} << 10;  ///< Held of it until it is fetched.
  std::size_t streams_max = 32;                            ///< Open at once.
  std::uint32_t stream_idle_ms = 300'000;  ///< A stream nobody asks for this long is closed.
  Secrets secrets;
  std::string user_agent;  ///< Empty: "nexus/VERSION".
  /// Answers name look-ups instead of the system: addresses of `host`. Its answers are judged like
  /// the system's. Called on the transport's thread.
  std::function<std::vector<std::string>(std::string_view host)> resolver;
};

/// One thread carries all requests; it starts with the first call. Thread-safe. Destruction ends
/// the requests under way with an error.
class HttpExtension final : public Extension {
 public:
  explicit HttpExtension(HttpOptions options);
  ~HttpExtension() override;

  std::string_view name() const override { return "http"; }
  std::span<const MethodDescriptor> methods() const override;
  void Call(ExtensionCall call, AnswerFunction done) override;
  void Abandon(std::string_view run_id) override;

 private:
  void Stream(ExtensionCall call, AnswerFunction done);
  void Continue(const ExtensionCall& call, AnswerFunction done);

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace nexus
