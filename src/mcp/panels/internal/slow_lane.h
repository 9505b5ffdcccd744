#pragma once
/// One thread for reads that may run code, so that no transport waits for them.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace nexus::mcp::internal {

/// Thread-safe. The thread begins with the first job.
class SlowLane {
 public:
  explicit SlowLane(std::size_t jobs_max) : jobs_max_(jobs_max) {}
  /// Waits for the job that runs; the others are dropped.
  ~SlowLane() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    ready_.notify_all();
    if (thread_.joinable()) thread_.join();
  }
  SlowLane(const SlowLane&) = delete;
  SlowLane& operator=(const SlowLane&) = delete;

  /// False when too many wait; the job is dropped then.
  bool Add(std::move_only_function<void()> job) {
    {
      const std::lock_guard lock(mutex_);
      if (jobs_.size() >= jobs_max_) return false;
      jobs_.push_back(std::move(job));
      if (!thread_.joinable()) thread_ = std::thread([this] { Work(); });
    }
    ready_.notify_one();
    return true;
  }

 private:
  void Work() {
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

  const std::size_t jobs_max_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::move_only_function<void()>> jobs_;  // guarded by mutex_
  bool stop_ = false;                                 // guarded by mutex_
  std::thread thread_;                                // guarded by mutex_
};

}  // namespace nexus::mcp::internal
