#pragma once
/// One HTTP exchange on its way: the libcurl handle, what has come in so far, and what a failure
/// means. Lives on the transport's thread.

#include <curl/curl.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "extension/http.h"
#include "extension/internal/http_request.h"
#include "extension/internal/http_transport.h"

namespace nexus::internal {

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

struct Transfer {
  const HttpOptions& options;
  HttpRequest request;
  HttpTransport::Done done;
  HttpSink sink;
  std::uint64_t number = 0;
  std::unique_ptr<CURL, EasyDeleter> easy = nullptr;
  std::unique_ptr<curl_slist, ListDeleter> headers = nullptr;
  std::unique_ptr<curl_slist, ListDeleter> resolved = nullptr;
  HttpResponse response;
  std::size_t header_bytes = 0;
  std::uint64_t streamed_bytes = 0;
  std::uint32_t redirects = 0;
  std::uint32_t attempts = 1;
  bool head_ended = false;  // The empty line after the header fields has come.
  bool too_large = false;
  bool cancelled = false;    // By the sink.
  bool head_given = false;   // The sink has seen the head.
  std::string refused = {};  // Why the policy refused the address, when it did.
};

bool IsRedirect(long status);

/// Sets the whole of `transfer.easy` for `transfer.request`. Nothing comes from the environment: no
/// proxy, no netrc, no cookies, no protocol but the two.
void PrepareTransfer(Transfer& transfer);
/// Tells the sink the head, once.
void GiveHead(Transfer& transfer);
Error TransferError(const Transfer& transfer, CURLcode code);
/// A failure that another attempt may mend: the request never arrived, or its answer was lost.
bool IsPassing(const Transfer& transfer, CURLcode code);
/// How long to wait before the next attempt. Doubles each time, half of it random so that callers
/// do not come back in step; a server that names a time (Retry-After) is given it.
std::chrono::milliseconds Backoff(const Transfer& transfer);

}  // namespace nexus::internal
