#pragma once
/// Carries HTTP exchanges for the extensions: one thread, pooled connections, redirects judged by
/// the policy, retries with back-off, bodies whole or as they arrive.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "extension/http.h"
#include "extension/internal/http_request.h"

namespace nexus::internal {

struct HttpOutcome {
  HttpRequest request;    ///< As it was last sent: after redirects.
  HttpResponse response;  ///< The body is empty when a sink took it.
  std::optional<Error> error;
  std::optional<RunErrorCode> code;  ///< Set when the error has a code that Error cannot express.

  /// The error as the answer to a call. `error` is set.
  Answer ToFailure() const;
};

enum class SinkAnswer : std::uint8_t {
  kMore,
  kPause,  ///< The data was not taken: it comes again after Resume.
  kStop,   ///< Nobody wants the rest: the exchange ends as cancelled.
};

/// Takes a body while it arrives. Called on the transport's thread, so quick. A failed attempt is
/// made again only before the first call of on_head.
struct HttpSink {
  std::function<void(const HttpRequest&, const HttpResponse&)> on_head;
  std::function<SinkAnswer(std::string_view)> on_data;
};

/// Thread-safe. The thread starts with the first request; destruction ends the requests under way.
class HttpTransport {
 public:
  using Done = std::move_only_function<void(HttpOutcome)>;

  explicit HttpTransport(HttpOptions options);
  ~HttpTransport();
  const HttpOptions& options() const;

  /// Returns a number for Resume and Cancel. `done` is called exactly once, last of all; it may
  /// Submit again.
  std::uint64_t Submit(HttpRequest request, Done done, HttpSink sink = {});
  void Resume(std::uint64_t number);
  void Cancel(std::uint64_t number);
  /// Ends every request of the run.
  void Abandon(std::string_view run_id);

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace nexus::internal
