#pragma once
/// One HTTP request out of this process: key sets, traces, and commands that speak to a node. Not
/// for what programs in the sandbox ask for: that is extension/http.h, with its guards.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace nexus {

struct FetchRequest {
  std::string url;  ///< http or https
  std::string method = "GET";
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  std::int64_t timeout_ms = 10'000;
  std::size_t bytes_max = 4 << 20;  ///< Of the answer.
  std::string ca_file = {};         ///< PEM; empty: the system's authorities.
};

struct FetchedResponse {
  int status = 0;
  std::string body;
};

/// Blocks. No redirects are followed, no proxy is used, no cookie kept. Errors: kUnavailable with
/// the address and the reason; a status of 400 and above is no error.
/// Thread-safe. Cost: a new connection each time.
Result<FetchedResponse> Fetch(const FetchRequest& request);

}  // namespace nexus
