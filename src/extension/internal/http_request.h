#pragma once
/// One HTTP exchange as data: what a call asks for, and how its outcome looks to the program.

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "extension/http.h"
#include "extension/http_policy.h"
#include "sandbox/bindings.h"

namespace nexus::internal {

enum class RedirectMode : std::uint8_t { kFollow, kManual, kError };

struct HttpRequest {
  std::string place;  ///< "http.get", for messages.
  std::string run_id;
  std::string method;
  HttpUrl url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool has_body = false;
  bool parse_json = false;
  std::vector<std::string> secret_headers;  ///< Those that hold a secret; lower-case names.
  bool with_secret = false;                 ///< One was sent, perhaps before a redirect.
  std::uint32_t retries = 0;                ///< Further attempts after a failure that may pass.
  bool retry_statuses = false;              ///< Also after 429, 502, 503 and 504.
  std::size_t response_bytes_max = 0;
  RedirectMode redirect = RedirectMode::kFollow;
  std::chrono::steady_clock::time_point deadline;
  std::chrono::steady_clock::time_point start_at = {};  ///< Not sent before.
};

struct HttpResponse {
  long status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  ///< Lower-case names, in order.
  std::string body;
};

/// True for a status after which `request` is to be tried again.
bool IsRetriedStatus(const HttpRequest& request, long status);

/// Checks everything a program can get wrong, header injection included, and the policy's view of
/// the URL.
Result<HttpRequest> ReadRequest(const ExtensionCall& call, const HttpOptions& options);

/// The request that follows a redirect to `location`, judged like a first request. Credentials do
/// not travel to another origin. Errors: as HttpUrl::Parse and HttpPolicy::CheckUrl.
Result<HttpRequest> FollowRedirect(HttpRequest request, long status, std::string_view location,
                                   const HttpPolicy& policy);

/// Status, header fields and where it came from: what a program gets before any body.
Value HeadToValue(const HttpRequest& request, const HttpResponse& response);
/// True for a content type that is text.
bool IsText(const HttpResponse& response);
/// nullptr when there is none. Names are in lower case.
const std::string* FindHeader(const HttpResponse& response, std::string_view name);

/// The value a program gets. Errors: kDataLoss when JSON was asked for and is malformed.
Result<Value> ResponseToValue(const HttpRequest& request, HttpResponse response);

}  // namespace nexus::internal
