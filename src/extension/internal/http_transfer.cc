#include "extension/internal/http_transfer.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "base/random.h"

namespace nexus::internal {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

constexpr std::size_t kResponseHeaderBytesMax = 64 * 1024;
constexpr long kConnectTimeoutMs = 10'000;
constexpr Milliseconds kBackoffFirst{100};
constexpr Milliseconds kBackoffMost{10'000};

// True when the answer that is coming in is one the sink shall see: no redirect on the way, and no
// failure that is about to be tried again.
bool IsFinal(const Transfer& transfer) {
  const bool followed = transfer.request.redirect != RedirectMode::kManual &&
                        IsRedirect(transfer.response.status) &&
                        FindHeader(transfer.response, "location") != nullptr;
  const bool again = IsRetriedStatus(transfer.request, transfer.response.status) &&
                     transfer.attempts <= transfer.request.retries;
  return !followed && !again;
}

std::size_t ToSink(Transfer& transfer, std::string_view data) {
  GiveHead(transfer);
  if (data.size() > transfer.request.response_bytes_max - transfer.streamed_bytes) {
    transfer.too_large = true;
    return CURL_WRITEFUNC_ERROR;
  }
  switch (transfer.sink.on_data(data)) {
    case SinkAnswer::kMore:
      transfer.streamed_bytes += data.size();
      return data.size();
    case SinkAnswer::kPause:
      return CURL_WRITEFUNC_PAUSE;
    case SinkAnswer::kStop:
      break;
  }
  transfer.cancelled = true;
  return CURL_WRITEFUNC_ERROR;
}

std::size_t OnBody(char* data, std::size_t, std::size_t size, void* self) {
  Transfer& transfer = *static_cast<Transfer*>(self);
  if (transfer.sink.on_data) {
    curl_easy_getinfo(transfer.easy.get(), CURLINFO_RESPONSE_CODE, &transfer.response.status);
    return IsFinal(transfer) ? ToSink(transfer, {data, size}) : size;
  }
  std::string& body = transfer.response.body;
  if (size > transfer.request.response_bytes_max - body.size()) {
    transfer.too_large = true;
    return CURL_WRITEFUNC_ERROR;
  }
  body.append(data, size);
  return size;
}

std::size_t OnHeader(char* data, std::size_t, std::size_t size, void* self) {
  Transfer& transfer = *static_cast<Transfer*>(self);
  std::string_view line(data, size);
  transfer.header_bytes += size;
  if (transfer.header_bytes > kResponseHeaderBytesMax) {
    transfer.too_large = true;
    return 0;
  }
  // A status line starts a new block: what came before belonged to "100 Continue" and the like.
  if (line.starts_with("HTTP/")) transfer.response.headers.clear();
  transfer.head_ended = line == "\r\n" || line == "\n";
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || line.starts_with("HTTP/")) return size;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  std::string_view value = line.substr(colon + 1);
  const std::size_t first = value.find_first_not_of(" \t\r\n");
  value = first == std::string_view::npos ? "" : value.substr(first);
  value = value.substr(0, value.find_last_not_of(" \t\r\n") + 1);
  transfer.response.headers.emplace_back(std::move(name), value);
  return size;
}

// The last word on where a connection goes: whatever the name resolved to, this is the address.
curl_socket_t OnOpenSocket(void* self, curlsocktype, curl_sockaddr* address) {
  Transfer& transfer = *static_cast<Transfer*>(self);
  const std::optional<Address> target = Address::FromSockaddr(address->addr);
  if (!target) return CURL_SOCKET_BAD;
  if (Status allowed = transfer.options.policy.CheckAddress(transfer.request.url, *target);
      !allowed) {
    transfer.refused = allowed.error().message();
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

using List = std::unique_ptr<curl_slist, ListDeleter>;

void AddHeader(List& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  NEXUS_CHECK(longer != nullptr, "no memory for a header");
  (void)list.release();
  list.reset(longer);
}

void SetMethod(CURL* easy, const HttpRequest& request) {
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return;
  }
  const bool wants_body = request.has_body || request.method == "POST" || request.method == "PUT" ||
                          request.method == "PATCH";
  if (wants_body) {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
  } else {
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

}  // namespace

bool IsRedirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

void GiveHead(Transfer& transfer) {
  if (transfer.head_given) return;
  transfer.head_given = true;
  if (transfer.sink.on_head) transfer.sink.on_head(transfer.request, transfer.response);
}

void PrepareTransfer(Transfer& transfer) {
  CURL* easy = transfer.easy.get();
  const HttpRequest& request = transfer.request;
  curl_easy_reset(easy);
  transfer.headers.reset();
  AddHeader(transfer.headers, "Expect:");
  for (const auto& [name, value] : request.headers) {
    AddHeader(transfer.headers, value.empty() ? name + ";" : name + ": " + value);
  }
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(request.deadline - Clock::now());
  curl_easy_setopt(easy, CURLOPT_URL, request.url.normalized.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, std::max<long>(1, left.count()));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
  const std::string& agent = transfer.options.user_agent;
  curl_easy_setopt(easy, CURLOPT_USERAGENT, agent.empty() ? "nexus/" NEXUS_VERSION : agent.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer.headers.get());
  curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &OnHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &OnOpenSocket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &transfer);
  SetMethod(easy, request);
  if (transfer.options.resolver) {
    std::string entry = fmt::format("{}:{}:", request.url.host, request.url.port);
    std::string separator;
    for (const std::string& address : transfer.options.resolver(request.url.host)) {
      entry += separator + address;
      separator = ",";
    }
    transfer.resolved.reset();
    AddHeader(transfer.resolved, fmt::format("-{}:{}", request.url.host, request.url.port));
    if (!separator.empty()) AddHeader(transfer.resolved, entry);
    curl_easy_setopt(easy, CURLOPT_RESOLVE, transfer.resolved.get());
  }
}

Error TransferError(const Transfer& transfer, CURLcode code) {
  const std::string& place = transfer.request.place;
  const std::string origin = transfer.request.url.Origin();
  if (!transfer.refused.empty()) return {Code::kPermissionDenied, place + ": " + transfer.refused};
  if (transfer.too_large) {
    return {Code::kResourceExhausted,
            fmt::format("{}: the response of {} has more than {} bytes: ask for less, or raise "
                        "maxBytes if the operator's limit allows it",
                        place, origin, transfer.request.response_bytes_max)};
  }
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return {Code::kDeadlineExceeded,
            fmt::format("{}: {} did not answer in time: raise timeoutMs or try again later", place,
                        origin)};
  }
  return {Code::kUnavailable, fmt::format("{}: {}: {}: check the host and try again", place, origin,
                                          curl_easy_strerror(code))};
}

std::chrono::milliseconds Backoff(const Transfer& transfer) {
  Milliseconds wait =
      std::min(kBackoffMost, kBackoffFirst * (1 << std::min(transfer.attempts, 10U)));
  wait = wait / 2 + Milliseconds(SystemEntropy64() % static_cast<std::uint64_t>(wait.count()));
  const std::string* after = FindHeader(transfer.response, "retry-after");
  std::int64_t seconds = 0;
  if (after != nullptr) {
    const auto read = std::from_chars(after->data(), after->data() + after->size(), seconds);
    if (read.ec == std::errc() && seconds >= 0 && seconds < 3600) {
      wait = std::max(wait, Milliseconds(seconds * 1000));
    }
  }
  return wait;
}

bool IsPassing(const Transfer& transfer, CURLcode code) {
  if (!transfer.refused.empty() || transfer.too_large || transfer.cancelled) return false;
  return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
         code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
         code == CURLE_PARTIAL_FILE;
}

}  // namespace nexus::internal
