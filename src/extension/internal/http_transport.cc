#include "extension/internal/http_transport.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "extension/internal/call_arguments.h"
#include "extension/internal/http_transfer.h"

namespace nexus::internal {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

}  // namespace

Answer HttpOutcome::ToFailure() const {
  Answer answer = ToAnswer(*error);
  if (code) answer.code = *code;
  return answer;
}

class HttpTransport::Loop {
 public:
  explicit Loop(HttpOptions options) : options_(std::move(options)) {}
  ~Loop();

  const HttpOptions& options() const { return options_; }
  std::uint64_t Submit(HttpRequest request, Done done, HttpSink sink);
  void Order(std::uint64_t number, bool cancel);
  void Abandon(std::string_view run_id);

 private:
  void Run();
  void Start();
  void TakeNew();
  void TakeDelayed();
  void TakeOrders();
  void Retry(std::unique_ptr<Transfer> transfer, Milliseconds wait);
  static void End(Transfer& transfer, std::optional<Error> error,
                  std::optional<RunErrorCode> code = std::nullopt);
  void Begin(std::unique_ptr<Transfer> transfer);
  void Finish(CURL* easy, CURLcode code);
  void Advance(std::unique_ptr<Transfer> transfer, CURLcode code);
  void DropIf(const std::function<bool(const Transfer&)>& unwanted);
  void FailAll();

  const HttpOptions options_;
  CURLM* multi_ = nullptr;
  std::map<CURL*, std::unique_ptr<Transfer>> active_;                    // Of the thread alone.
  std::multimap<Clock::time_point, std::unique_ptr<Transfer>> delayed_;  // Of the thread alone.

  std::mutex mutex_;
  std::deque<std::unique_ptr<Transfer>> waiting_;  // guarded by mutex_
  std::set<std::string, std::less<>> abandoned_;   // guarded by mutex_
  std::set<std::uint64_t> resumed_;                // guarded by mutex_
  std::set<std::uint64_t> cancelled_;              // guarded by mutex_
  std::uint64_t last_number_ = 0;                  // guarded by mutex_
  bool stopping_ = false;                          // guarded by mutex_
  std::thread thread_;                             // guarded by mutex_ until started
};

HttpTransport::Loop::~Loop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    if (multi_ != nullptr) curl_multi_wakeup(multi_);
  }
  if (thread_.joinable()) thread_.join();
  if (multi_ != nullptr) curl_multi_cleanup(multi_);
}

std::uint64_t HttpTransport::Loop::Submit(HttpRequest request, Done done, HttpSink sink) {
  auto transfer = std::make_unique<Transfer>(Transfer{.options = options_,
                                                      .request = std::move(request),
                                                      .done = std::move(done),
                                                      .sink = std::move(sink),
                                                      .response = {}});
  bool stopping = false;
  {
    const std::scoped_lock lock(mutex_);
    stopping = stopping_;
    if (!stopping && waiting_.size() < options_.queue_max) {
      if (multi_ == nullptr) Start();
      const std::uint64_t number = ++last_number_;
      transfer->number = number;
      waiting_.push_back(std::move(transfer));
      curl_multi_wakeup(multi_);
      return number;
    }
  }
  if (stopping) {
    Error error(Code::kUnavailable, transfer->request.place + ": the host is shutting down");
    End(*transfer, std::move(error), RunErrorCode::kUnavailable);
    return 0;
  }
  Error error(Code::kResourceExhausted,
              fmt::format("{}: {} requests are waiting already: call fewer at once, or later",
                          transfer->request.place, options_.queue_max));
  End(*transfer, std::move(error), RunErrorCode::kOverloaded);
  return 0;
}

// With the lock.
void HttpTransport::Loop::Start() {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  NEXUS_CHECK(ready == CURLE_OK, "libcurl does not start");
  multi_ = curl_multi_init();
  NEXUS_CHECK(multi_ != nullptr, "no memory for the HTTP transport");
  curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, 16L);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, 64L);
  thread_ = std::thread([this] { Run(); });
}

void HttpTransport::Loop::Order(std::uint64_t number, bool cancel) {
  const std::scoped_lock lock(mutex_);
  if (multi_ == nullptr || number == 0) return;
  (cancel ? cancelled_ : resumed_).insert(number);
  curl_multi_wakeup(multi_);
}

void HttpTransport::Loop::End(Transfer& transfer, std::optional<Error> error,
                              std::optional<RunErrorCode> code) {
  transfer.done({.request = std::move(transfer.request),
                 .response = std::move(transfer.response),
                 .error = std::move(error),
                 .code = code});
}

void HttpTransport::Loop::Abandon(std::string_view run_id) {
  const std::scoped_lock lock(mutex_);
  if (multi_ == nullptr) return;
  abandoned_.emplace(run_id);
  curl_multi_wakeup(multi_);
}

void HttpTransport::Loop::Run() {
  for (;;) {
    {
      const std::scoped_lock lock(mutex_);
      if (stopping_) break;
    }
    TakeOrders();
    TakeDelayed();
    TakeNew();
    int running = 0;
    curl_multi_perform(multi_, &running);
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg == CURLMSG_DONE) Finish(message->easy_handle, message->data.result);
    }
    Milliseconds wait(1000);
    if (!delayed_.empty()) {
      const auto until = std::chrono::ceil<Milliseconds>(delayed_.begin()->first - Clock::now());
      wait = std::clamp(until, Milliseconds(0), wait);
    }
    // New work may have come in through Finish; poll returns at once when woken up.
    curl_multi_poll(multi_, nullptr, 0, static_cast<int>(wait.count()), nullptr);
  }
  FailAll();
}

void HttpTransport::Loop::TakeOrders() {
  std::set<std::string, std::less<>> abandoned;
  std::set<std::uint64_t> cancelled;
  std::set<std::uint64_t> resumed;
  {
    const std::scoped_lock lock(mutex_);
    abandoned.swap(abandoned_);
    cancelled.swap(cancelled_);
    resumed.swap(resumed_);
  }
  if (!abandoned.empty() || !cancelled.empty()) {
    DropIf([&](const Transfer& transfer) {
      return abandoned.contains(transfer.request.run_id) || cancelled.contains(transfer.number);
    });
  }
  if (resumed.empty()) return;
  std::vector<CURL*> paused;
  for (const auto& [easy, transfer] : active_) {
    if (resumed.contains(transfer->number)) paused.push_back(easy);
  }
  // Calls the sink from inside, with what had not been taken.
  for (CURL* easy : paused) curl_easy_pause(easy, CURLPAUSE_CONT);
}

void HttpTransport::Loop::TakeDelayed() {
  while (!delayed_.empty() && delayed_.begin()->first <= Clock::now() &&
         active_.size() < options_.calls_max) {
    Begin(std::move(delayed_.extract(delayed_.begin()).mapped()));
  }
}

void HttpTransport::Loop::Retry(std::unique_ptr<Transfer> transfer, Milliseconds wait) {
  ++transfer->attempts;
  transfer->response = {};
  transfer->header_bytes = 0;
  transfer->head_ended = false;
  delayed_.emplace(Clock::now() + wait, std::move(transfer));
}

void HttpTransport::Loop::TakeNew() {
  while (active_.size() < options_.calls_max) {
    std::unique_ptr<Transfer> next;
    {
      const std::scoped_lock lock(mutex_);
      if (waiting_.empty()) return;
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
    const Clock::time_point start_at = next->request.start_at;
    if (start_at > Clock::now()) {
      delayed_.emplace(start_at, std::move(next));
      continue;
    }
    Begin(std::move(next));
  }
}

void HttpTransport::Loop::Begin(std::unique_ptr<Transfer> transfer) {
  if (transfer->easy == nullptr) transfer->easy.reset(curl_easy_init());
  if (transfer->easy == nullptr || Clock::now() >= transfer->request.deadline) {
    return End(*transfer, TransferError(*transfer, CURLE_OPERATION_TIMEDOUT));
  }
  PrepareTransfer(*transfer);
  CURL* easy = transfer->easy.get();
  const CURLMcode added = curl_multi_add_handle(multi_, easy);
  NEXUS_CHECK(added == CURLM_OK, "libcurl refuses a fresh handle");
  active_.emplace(easy, std::move(transfer));
}

void HttpTransport::Loop::Finish(CURL* easy, CURLcode code) {
  const auto found = active_.find(easy);
  NEXUS_CHECK(found != active_.end(), "libcurl finished a request nobody made");
  std::unique_ptr<Transfer> transfer = std::move(found->second);
  active_.erase(found);
  curl_multi_remove_handle(multi_, easy);
  Advance(std::move(transfer), code);
}

// Answers the call, or sets off for where a redirect points.
void HttpTransport::Loop::Advance(std::unique_ptr<Transfer> transfer, CURLcode code) {
  // To libcurl a connection that is closed amid the header fields is the end of an answer.
  if (code == CURLE_OK && !transfer->head_ended) code = CURLE_GOT_NOTHING;
  const auto fail = [&](Error error) { End(*transfer, std::move(error)); };
  const Milliseconds wait = Backoff(*transfer);
  const bool may_retry = transfer->attempts <= transfer->request.retries && !transfer->head_given &&
                         Clock::now() + wait < transfer->request.deadline;
  if (code != CURLE_OK) {
    if (may_retry && IsPassing(*transfer, code)) return Retry(std::move(transfer), wait);
    if (transfer->cancelled) {
      return End(*transfer,
                 Error(Code::kUnavailable, transfer->request.place + ": nobody wants the rest"),
                 RunErrorCode::kCancelled);
    }
    return fail(TransferError(*transfer, code));
  }
  CURL* easy = transfer->easy.get();
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &transfer->response.status);
  const long status = transfer->response.status;
  char* location = nullptr;
  curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &location);
  const bool redirected = location != nullptr && IsRedirect(status);
  if (may_retry && IsRetriedStatus(transfer->request, status)) {
    return Retry(std::move(transfer), wait);
  }
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
    Result<HttpRequest> next = FollowRedirect(std::move(transfer->request), status,
                                              std::string(location), options_.policy);
    if (!next) return fail(next.error());
    transfer->request = *std::move(next);
    transfer->response = {};
    transfer->header_bytes = 0;
    transfer->head_ended = false;
    return Begin(std::move(transfer));
  }
  if (transfer->sink.on_data) GiveHead(*transfer);
  End(*transfer, std::nullopt);
}

void HttpTransport::Loop::DropIf(const std::function<bool(const Transfer&)>& unwanted) {
  std::vector<std::unique_ptr<Transfer>> dropped;
  {
    const std::scoped_lock lock(mutex_);
    for (auto& transfer : waiting_) {
      if (unwanted(*transfer)) dropped.push_back(std::move(transfer));
    }
    std::erase(waiting_, nullptr);
  }
  for (auto it = active_.begin(); it != active_.end();) {
    if (!unwanted(*it->second)) {
      ++it;
      continue;
    }
    curl_multi_remove_handle(multi_, it->first);
    dropped.push_back(std::move(it->second));
    it = active_.erase(it);
  }
  for (auto it = delayed_.begin(); it != delayed_.end();) {
    if (!unwanted(*it->second)) {
      ++it;
      continue;
    }
    dropped.push_back(std::move(it->second));
    it = delayed_.erase(it);
  }
  for (const auto& transfer : dropped) {
    Error error(Code::kUnavailable, transfer->request.place + ": the run is gone");
    End(*transfer, std::move(error), RunErrorCode::kCancelled);
  }
}

void HttpTransport::Loop::FailAll() {
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
  for (auto& [when, transfer] : delayed_) rest.push_back(std::move(transfer));
  delayed_.clear();
  for (const auto& transfer : rest) {
    Error error(Code::kUnavailable, transfer->request.place + ": the host is shutting down");
    End(*transfer, std::move(error), RunErrorCode::kUnavailable);
  }
}

HttpTransport::HttpTransport(HttpOptions options)
    : loop_(std::make_unique<Loop>(std::move(options))) {}
HttpTransport::~HttpTransport() = default;

const HttpOptions& HttpTransport::options() const { return loop_->options(); }
std::uint64_t HttpTransport::Submit(HttpRequest request, Done done, HttpSink sink) {
  return loop_->Submit(std::move(request), std::move(done), std::move(sink));
}
void HttpTransport::Resume(std::uint64_t number) { loop_->Order(number, /*cancel=*/false); }
void HttpTransport::Cancel(std::uint64_t number) { loop_->Order(number, /*cancel=*/true); }
void HttpTransport::Abandon(std::string_view run_id) { loop_->Abandon(run_id); }

}  // namespace nexus::internal
