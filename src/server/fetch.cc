#include "server/fetch.h"

#include <curl/curl.h>

#include <memory>

namespace nexus {
namespace {

struct Sink {
  std::string body;
  std::size_t bytes_max = 0;
  bool full = false;
};

std::size_t Collect(char* data, std::size_t size, std::size_t count, void* to) {
  auto& sink = *static_cast<Sink*>(to);
  if (sink.body.size() + size * count > sink.bytes_max) {
    sink.full = true;
    return 0;
  }
  sink.body.append(data, size * count);
  return size * count;
}

}  // namespace

Result<FetchedResponse> Fetch(const FetchRequest& request) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl_easy_init(),
                                                                   &curl_easy_cleanup);
  if (handle == nullptr) return Fail(Code::kInternal, "libcurl does not start");
  CURL* const curl = handle.get();
  curl_slist* lines = nullptr;
  for (const auto& [name, value] : request.headers) {
    lines = curl_slist_append(lines, (name + ": " + value).c_str());
  }
  // Without it, libcurl waits for "100 Continue" before a larger body.
  lines = curl_slist_append(lines, "Expect:");
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> held(lines,
                                                                         &curl_slist_free_all);
  Sink sink{.body = {}, .bytes_max = request.bytes_max};
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_ms));
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, lines);
  if (!request.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, request.ca_file.c_str());
  if (request.method != "GET") {
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
  }
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Collect);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &sink);
  const CURLcode code = curl_easy_perform(curl);
  if (sink.full) {
    return Fail(Code::kUnavailable, request.url + ": it answers with more than " +
                                        std::to_string(request.bytes_max) + " bytes");
  }
  if (code != CURLE_OK) {
    return Fail(Code::kUnavailable, request.url + ": " + curl_easy_strerror(code));
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return FetchedResponse{.status = static_cast<int>(status), .body = std::move(sink.body)};
}

}  // namespace nexus
