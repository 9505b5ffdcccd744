#include "extension/http.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "base/check.h"
#include "extension/internal/call_arguments.h"
#include "extension/internal/http_request.h"

namespace nexus {
namespace {

using internal::HttpRequest;
using internal::HttpResponse;
using internal::RedirectMode;
using Clock = std::chrono::steady_clock;

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;
using List = std::unique_ptr<curl_slist, ListDeleter>;

constexpr std::size_t kResponseHeaderBytesMax = 64 * 1024;
constexpr long kConnectTimeoutMs = 10'000;

const MethodDescriptor kMethods[] = {
    {.name = "get", .summary = "GET a URL", .idempotent = true, .path_argument = {}},
    {.name = "head", .summary = "HEAD of a URL", .idempotent = true, .path_argument = {}},
    {.name = "put", .summary = "PUT to a URL", .idempotent = true, .path_argument = {}},
    {.name = "delete", .summary = "DELETE a URL", .idempotent = true, .path_argument = {}},
    {.name = "post", .summary = "POST to a URL", .idempotent = false, .path_argument = {}},
    {.name = "patch", .summary = "PATCH a URL", .idempotent = false, .path_argument = {}},
    {.name = "request", .summary = "Any method", .idempotent = false, .path_argument = {}},
};

// One request on its way. Lives on the transport's thread.
struct Transfer {
  const HttpOptions& options;
  HttpRequest request;
  AnswerFunction done;
  Easy easy = nullptr;
  List headers = nullptr;
  List resolved = nullptr;
  HttpResponse response;
  std::size_t header_bytes = 0;
  std::uint32_t redirects = 0;
  bool too_large = false;
  std::string refused;  // Why the policy refused the address, when it did.
};

std::size_t OnBody(char* data, std::size_t, std::size_t size, void* self) {
  Transfer& transfer = *static_cast<Transfer*>(self);
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

// Sets the whole of `transfer.easy` for `transfer.request`. Nothing here comes from the
// environment: no proxy, no netrc, no cookies, no protocol but the two.
void Prepare(Transfer& transfer) {
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

}  // namespace

class HttpExtension::Transport {
 public:
  explicit Transport(HttpOptions options) : options_(std::move(options)) {}
  ~Transport();

  const HttpOptions& options() const { return options_; }
  void Submit(HttpRequest request, AnswerFunction done);
  void Abandon(std::string_view run_id);

 private:
  void Loop();
  void TakeNew();
  void Begin(std::unique_ptr<Transfer> transfer);
  void Finish(CURL* easy, CURLcode code);
  void Advance(std::unique_ptr<Transfer> transfer, CURLcode code);
  void DropAbandoned(const std::set<std::string, std::less<>>& run_ids);
  void FailAll();

  const HttpOptions options_;
  CURLM* multi_ = nullptr;
  std::map<CURL*, std::unique_ptr<Transfer>> active_;  // Of the thread alone.

  std::mutex mutex_;
  std::deque<std::unique_ptr<Transfer>> waiting_;  // guarded by mutex_
  std::set<std::string, std::less<>> abandoned_;   // guarded by mutex_
  bool stopping_ = false;                          // guarded by mutex_
  std::thread thread_;                             // guarded by mutex_ until started
};

HttpExtension::Transport::~Transport() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    if (multi_ != nullptr) curl_multi_wakeup(multi_);
  }
  if (thread_.joinable()) thread_.join();
  if (multi_ != nullptr) curl_multi_cleanup(multi_);
}

void HttpExtension::Transport::Submit(HttpRequest request, AnswerFunction done) {
  auto transfer = std::make_unique<Transfer>(Transfer{.options = options_,
                                                      .request = std::move(request),
                                                      .done = std::move(done),
                                                      .response = {},
                                                      .refused = {}});
  {
    const std::scoped_lock lock(mutex_);
    if (waiting_.size() < options_.queue_max) {
      if (multi_ == nullptr) {
        static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
        NEXUS_CHECK(ready == CURLE_OK, "libcurl does not start");
        multi_ = curl_multi_init();
        NEXUS_CHECK(multi_ != nullptr, "no memory for the HTTP transport");
        curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, 16L);
        curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, 64L);
        thread_ = std::thread([this] { Loop(); });
      }
      waiting_.push_back(std::move(transfer));
      curl_multi_wakeup(multi_);
      return;
    }
  }
  transfer->done(Answer::Failed(
      fmt::format("{}: {} requests are waiting already: call fewer at once, or later",
                  transfer->request.place, options_.queue_max),
      RunErrorCode::kOverloaded));
}

void HttpExtension::Transport::Abandon(std::string_view run_id) {
  const std::scoped_lock lock(mutex_);
  if (multi_ == nullptr) return;
  abandoned_.emplace(run_id);
  curl_multi_wakeup(multi_);
}

void HttpExtension::Transport::Loop() {
  for (;;) {
    std::set<std::string, std::less<>> abandoned;
    {
      const std::scoped_lock lock(mutex_);
      if (stopping_) break;
      abandoned.swap(abandoned_);
    }
    if (!abandoned.empty()) DropAbandoned(abandoned);
    TakeNew();
    int running = 0;
    curl_multi_perform(multi_, &running);
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg == CURLMSG_DONE) Finish(message->easy_handle, message->data.result);
    }
    // New work may have come in through Finish; poll returns at once when woken up.
    curl_multi_poll(multi_, nullptr, 0, 1000, nullptr);
  }
  FailAll();
}

void HttpExtension::Transport::TakeNew() {
  while (active_.size() < options_.calls_max) {
    std::unique_ptr<Transfer> next;
    {
      const std::scoped_lock lock(mutex_);
      if (waiting_.empty()) return;
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
    Begin(std::move(next));
  }
}

void HttpExtension::Transport::Begin(std::unique_ptr<Transfer> transfer) {
  if (transfer->easy == nullptr) transfer->easy.reset(curl_easy_init());
  if (transfer->easy == nullptr || Clock::now() >= transfer->request.deadline) {
    transfer->done(internal::ToAnswer(TransferError(*transfer, CURLE_OPERATION_TIMEDOUT)));
    return;
  }
  Prepare(*transfer);
  CURL* easy = transfer->easy.get();
  const CURLMcode added = curl_multi_add_handle(multi_, easy);
  NEXUS_CHECK(added == CURLM_OK, "libcurl refuses a fresh handle");
  active_.emplace(easy, std::move(transfer));
}

void HttpExtension::Transport::Finish(CURL* easy, CURLcode code) {
  const auto found = active_.find(easy);
  NEXUS_CHECK(found != active_.end(), "libcurl finished a request nobody made");
  std::unique_ptr<Transfer> transfer = std::move(found->second);
  active_.erase(found);
  curl_multi_remove_handle(multi_, easy);
  Advance(std::move(transfer), code);
}

// Answers the call, or sets off for where a redirect points.
void HttpExtension::Transport::Advance(std::unique_ptr<Transfer> transfer, CURLcode code) {
  const auto fail = [&](const Error& error) { transfer->done(internal::ToAnswer(error)); };
  if (code != CURLE_OK) return fail(TransferError(*transfer, code));
  CURL* easy = transfer->easy.get();
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &transfer->response.status);
  const long status = transfer->response.status;
  char* location = nullptr;
  curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &location);
  const bool redirected = location != nullptr && (status == 301 || status == 302 || status == 303 ||
                                                  status == 307 || status == 308);
  const std::string& place = transfer->request.place;
  if (redirected && transfer->request.redirect == RedirectMode::kError) {
    return fail({Code::kUnavailable,
                 fmt::format("{}: {} redirects, and redirect is \"error\": follow it yourself",
                             place, transfer->request.url.Origin())});
  }
  if (redirected && transfer->request.redirect == RedirectMode::kFollow) {
    if (++transfer->redirects > options_.redirects_max) {
      return fail({Code::kUnavailable,
                   fmt::format("{}: more than {} redirects: the last one was at {}", place,
                               options_.redirects_max, transfer->request.url.Origin())});
    }
    Result<HttpRequest> next = internal::FollowRedirect(std::move(transfer->request), status,
                                                        std::string(location), options_.policy);
    if (!next) return fail(next.error());
    transfer->request = *std::move(next);
    transfer->response = {};
    transfer->header_bytes = 0;
    return Begin(std::move(transfer));
  }
  Result<Value> value = internal::ResponseToValue(transfer->request, std::move(transfer->response));
  if (!value) return fail(value.error());
  transfer->done(Answer::Ok(*std::move(value)));
}

void HttpExtension::Transport::DropAbandoned(const std::set<std::string, std::less<>>& run_ids) {
  std::vector<std::unique_ptr<Transfer>> dropped;
  {
    const std::scoped_lock lock(mutex_);
    for (auto& transfer : waiting_) {
      if (run_ids.contains(transfer->request.run_id)) dropped.push_back(std::move(transfer));
    }
    std::erase(waiting_, nullptr);
  }
  for (auto it = active_.begin(); it != active_.end();) {
    if (!run_ids.contains(it->second->request.run_id)) {
      ++it;
      continue;
    }
    curl_multi_remove_handle(multi_, it->first);
    dropped.push_back(std::move(it->second));
    it = active_.erase(it);
  }
  for (const auto& transfer : dropped) {
    transfer->done(
        Answer::Failed(transfer->request.place + ": the run is gone", RunErrorCode::kCancelled));
  }
}

void HttpExtension::Transport::FailAll() {
  std::deque<std::unique_ptr<Transfer>> rest;
  {
    const std::scoped_lock lock(mutex_);
    rest.swap(waiting_);
  }
  for (auto& [easy, transfer] : active_) {
    curl_multi_remove_handle(multi_, easy);
    rest.push_back(std::move(transfer));
  }
  active_.clear();
  for (const auto& transfer : rest) {
    transfer->done(Answer::Failed(transfer->request.place + ": the host is shutting down",
                                  RunErrorCode::kUnavailable));
  }
}

HttpExtension::HttpExtension(HttpOptions options)
    : transport_(std::make_unique<Transport>(std::move(options))) {}
HttpExtension::~HttpExtension() = default;

std::span<const MethodDescriptor> HttpExtension::methods() const { return kMethods; }

void HttpExtension::Call(ExtensionCall call, AnswerFunction done) {
  Result<HttpRequest> request = internal::ReadRequest(call, transport_->options());
  if (!request) return done(internal::ToAnswer(request.error()));
  transport_->Submit(*std::move(request), std::move(done));
}

void HttpExtension::Abandon(std::string_view run_id) { transport_->Abandon(run_id); }

}  // namespace nexus
