#pragma once
/// Threads for what blocks or takes long, so that those who must not wait hand it over.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/thread.h"

namespace nexus {

/// Thread-safe. The threads begin with the first job.
class Workers {
 public:
  using Job = std::move_only_function<void()>;
  static constexpr std::size_t kJobsMax = 10'000;

  /// `name` is a literal; the threads carry it. Above `jobs_max` waiting jobs Add refuses.
  Workers(const char* name, unsigned count, std::size_t jobs_max = kJobsMax)
      : name_(name), count_(count), jobs_max_(jobs_max) {}
  /// Waits for the jobs that run; the others are dropped.
  ~Workers() {
    std::deque<Job> dropped;
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      dropped.swap(jobs_);
    }
    ready_.notify_all();
    dropped.clear();  // Now, and outside the lock: what a job holds may be waited for.
    for (std::thread& thread : threads_) thread.join();
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// False when too much waits already; the job is dropped then.
  bool Add(Job job) {
    {
      const std::lock_guard lock(mutex_);
      if (stop_ || jobs_.size() >= jobs_max_) return false;
      jobs_.push_back(std::move(job));
      while (threads_.size() < count_) threads_.emplace_back([this] { Work(); });
    }
    ready_.notify_one();
    return true;
  }

 private:
  void Work() {
    NameThisThread(name_);
    std::unique_lock lock(mutex_);
    while (true) {
      ready_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
      if (stop_) return;
      Job job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      job = nullptr;
      lock.lock();
    }
  }

  const char* const name_;
  const unsigned count_;
  const std::size_t jobs_max_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Job> jobs_;              // guarded by mutex_
  bool stop_ = false;                 // guarded by mutex_
  std::vector<std::thread> threads_;  // guarded by mutex_ until stop_
};

}  // namespace nexus
