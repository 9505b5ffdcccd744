#include "server/mcp_route.h"

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace nexus {
namespace {

using Post = std::function<void(std::move_only_function<void()>)>;

/// What the client's going away does, whichever thread says what.
class Departure {
 public:
  void OnGone(std::move_only_function<void()> action) {
    {
      const std::lock_guard lock(mutex_);
      if (whole_) return;
      if (!gone_) {
        // What it replaces may hold what a lock is held for: it ends behind it.
        action_.swap(action);
        return;
      }
    }
    action();
  }
  void Gone() {
    std::move_only_function<void()> action;
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(gone_, true) || whole_) return;
      action = std::move(action_);
    }
    if (action) action();
  }
  /// The answer is whole: nothing is to be done any more.
  void Whole() {
    std::move_only_function<void()> action;
    const std::lock_guard lock(mutex_);
    whole_ = true;
    action = std::move(action_);
  }

 private:
  std::mutex mutex_;
  std::move_only_function<void()> action_;  // guarded by mutex_
  bool gone_ = false, whole_ = false;       // guarded by mutex_
};

/// A stream's texts on their way from any thread to the listener's.
class Body final : public mcp::HttpBody,
                   public StreamHandler,
                   public std::enable_shared_from_this<Body> {
 public:
  Body(std::shared_ptr<Departure> departure, Post post)
      : departure_(std::move(departure)), post_(std::move(post)) {}

  // mcp::HttpBody
  void Write(std::string text, std::string_view key) override {
    {
      const std::lock_guard lock(mutex_);
      if (ended_ || closed_) return;
      for (const auto& waiting : waiting_) {
        if (!key.empty() && waiting.key == key) return;
      }
      bytes_ += text.size();
      waiting_.push_back({.key = std::string(key), .text = std::move(text)});
      if (bytes_ > kMcpStreamBytesMax) {
        overrun_ = true;
        waiting_.clear();
      }
      if (std::exchange(woken_, true)) return;
    }
    WakeUp();
  }
  void End() override {
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(ended_, true)) return;
      if (std::exchange(woken_, true)) return;
    }
    WakeUp();
  }

  // StreamHandler
  void OnOpen(StreamPort& port) override { port_ = &port; }
  bool TakeText(std::string& out) override {
    const std::lock_guard lock(mutex_);
    woken_ = false;
    for (const auto& waiting : waiting_) out += waiting.text;
    waiting_.clear();
    bytes_ = 0;
    return !ended_ && !overrun_;
  }
  void OnClosed() override {
    port_ = nullptr;
    bool whole = false;
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      whole = ended_ && waiting_.empty();
    }
    if (whole) return departure_->Whole();
    departure_->Gone();
  }

 private:
  struct Waiting {
    std::string key, text;
  };
  void WakeUp() {
    post_([weak = weak_from_this()] {
      const auto self = weak.lock();
      if (self != nullptr && self->port_ != nullptr) self->port_->More();
    });
  }

  const std::shared_ptr<Departure> departure_;
  const Post post_;
  StreamPort* port_ = nullptr;  // On the listener's thread.
  std::mutex mutex_;
  std::deque<Waiting> waiting_;                          // guarded by mutex_
  std::size_t bytes_ = 0;                                // guarded by mutex_
  bool woken_ = false, ended_ = false, closed_ = false;  // guarded by mutex_
  bool overrun_ = false;                                 // guarded by mutex_
};

class Exchange final : public mcp::HttpExchange {
 public:
  Exchange(Respond respond, Post post) : respond_(std::move(respond)), post_(std::move(post)) {}

  using HttpExchange::Answer;
  void Answer(int status, std::string body, mcp::HttpHeaders headers, bool soon) override {
    departure_->Whole();
    HttpResponse response;
    response.status = status;
    response.body = std::move(body);
    response.headers = std::move(headers);
    response.soon = soon;
    respond_(std::move(response));
  }
  std::shared_ptr<mcp::HttpBody> Stream(mcp::HttpHeaders headers) override {
    auto body = std::make_shared<Body>(departure_, post_);
    HttpResponse response;
    response.content_type = "text/event-stream";
    response.headers = std::move(headers);
    response.stream = body;
    respond_(std::move(response));
    return body;
  }
  void OnGone(std::move_only_function<void()> action) override {
    departure_->OnGone(std::move(action));
  }
  const std::shared_ptr<Departure>& departure() const { return departure_; }

 private:
  Respond respond_;
  const Post post_;
  const std::shared_ptr<Departure> departure_ = std::make_shared<Departure>();
};

}  // namespace

void ServeMcp(mcp::Server& server, HttpRequest request, mcp::CallerPtr caller, Respond respond,
              std::function<void(std::move_only_function<void()>)> post) {
  auto exchange = std::make_shared<Exchange>(std::move(respond), std::move(post));
  if (request.watch != nullptr) {
    request.watch->on_gone = [departure = exchange->departure()] { departure->Gone(); };
  }
  mcp::HttpCall call;
  call.method = std::move(request.method);
  call.body = std::move(request.body);
  call.accept = std::move(request.accept);
  call.content_type = std::move(request.content_type);
  call.last_event_id = std::move(request.last_event_id);
  call.headers = std::move(request.mcp_headers);
  call.caller = std::move(caller);
  server.Handle(std::move(call), std::move(exchange));
}

}  // namespace nexus
