#pragma once
/// Threads for what blocks (mounting, computing values, fetching keys), so that the listener's
/// thread never does.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/thread.h"

namespace nexus::internal {

/// Thread-safe.
class Workers {
 public:
  static constexpr std::size_t kJobsMax = 10'000;

  explicit Workers(unsigned count) {
    for (unsigned i = 0; i < count; ++i) threads_.emplace_back([this] { Work(); });
  }
  ~Workers() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      jobs_.clear();
    }
    ready_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// False when too much waits already; the job is dropped then.
  bool Add(std::move_only_function<void()> job) {
    {
      const std::lock_guard lock(mutex_);
      if (stop_ || jobs_.size() >= kJobsMax) return false;
      jobs_.push_back(std::move(job));
    }
    ready_.notify_one();
    return true;
  }

 private:
  void Work() {
    NameThisThread("server-worker");
    std::unique_lock lock(mutex_);
    while (true) {
      ready_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
      if (stop_) return;
      auto job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      job = nullptr;
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::move_only_function<void()>> jobs_;  // guarded by mutex_
  bool stop_ = false;                                 // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace nexus::internal
