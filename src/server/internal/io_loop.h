#pragma once
/// What connections share: the thread, its queue of finished work, and who is connected.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/soon.h"
#include "server/listener.h"

namespace nexus::internal {

class ConnectionBase {
 public:
  virtual ~ConnectionBase() = default;
  virtual void CheckTime(std::int64_t now_ms) = 0;
  virtual void Drain() = 0;
  virtual void Drop() = 0;
  virtual bool is_socket() const = 0;
};

/// The way to the listener's thread that outlives the listener: answers may come after its end, and
/// are dropped then. Thread-safe.
class Mailbox {
 public:
  using Work = std::move_only_function<void()>;
  /// `wake` makes the thread call Take, soon.
  void Open(std::function<void()> wake) {
    const std::lock_guard lock(mutex_);
    wake_ = std::move(wake);
  }
  /// Many posts cost one wake-up.
  void Post(Work work) {
    const std::lock_guard lock(mutex_);
    if (!wake_) return;
    queue_.push_back(std::move(work));
    if (!std::exchange(woken_, true)) wake_();
  }
  /// As Post, for work behind which more follows at once: the thread is woken for many of them.
  void PostSoon(Work work) {
    {
      const std::lock_guard lock(mutex_);
      if (!wake_) return;
      queue_.push_back(std::move(work));
      if (woken_) return;
      if (queue_.size() >= kSoonMax) {
        woken_ = true;
        return wake_();
      }
    }
    soon_.Arm();
  }
  /// At once on the listener's thread. `soon`: PostSoon.
  void RunOrPost(Work work, bool soon = false) {
    if (std::this_thread::get_id() == thread_) return work();
    if (soon) return PostSoon(std::move(work));
    Post(std::move(work));
  }
  std::vector<Work> Take() {
    const std::lock_guard lock(mutex_);
    woken_ = false;
    return std::exchange(queue_, {});
  }
  void SetThread(std::thread::id id) { thread_ = id; }
  void End() {
    std::vector<Work> dropped;
    const std::lock_guard lock(mutex_);
    wake_ = nullptr;
    dropped.swap(queue_);
  }

 private:
  static constexpr std::chrono::microseconds kSoon{200};
  static constexpr std::size_t kSoonMax = 16;

  void Wake() {
    const std::lock_guard lock(mutex_);
    if (wake_ && !queue_.empty() && !std::exchange(woken_, true)) wake_();
  }

  std::mutex mutex_;
  std::function<void()> wake_;  // guarded by mutex_
  std::vector<Work> queue_;     // guarded by mutex_
  bool woken_ = false;          // guarded by mutex_
  std::atomic<std::thread::id> thread_{};
  Soon soon_{kSoon, [this] { Wake(); }};  // Ends first.
};

/// On the listener's thread.
class IoLoop {
 public:
  virtual ~IoLoop() = default;
  virtual const ListenerOptions& options() const = 0;
  virtual HttpHandler& handler() = 0;
  const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }
  /// Milliseconds since some moment, as of the last sweep or batch: near enough for time limits.
  std::int64_t now_ms() const { return now_ms_; }
  void CountSocket(int by) { sockets_ += by; }
  void Remember(ConnectionBase* connection) {
    connections_.insert(connection);
    ++connection_count_;
  }
  void Forget(ConnectionBase* connection) {
    if (connections_.erase(connection) != 0) --connection_count_;
  }

 protected:
  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  std::unordered_set<ConnectionBase*> connections_;
  std::atomic<std::size_t> connection_count_{0};
  std::atomic<int> sockets_{0};
  std::int64_t now_ms_ = 0;
};

/// TLS stands apart because it takes as long to compile as the rest.
class TlsContext {
 public:
  virtual ~TlsContext() = default;
  /// Takes an accepted socket by its descriptor and starts a connection on `io_context`, which is a
  /// boost::asio::io_context.
  virtual void StartConnection(IoLoop& loop, void* io_context, int descriptor, bool v6,
                               std::string peer) = 0;
};
/// Errors: kInvalidArgument naming the file.
Result<std::unique_ptr<TlsContext>> MakeTlsContext(const std::string& certificate_file,
                                                   const std::string& key_file);

}  // namespace nexus::internal
