#include "panel/host/internal/work_queue.h"

#include <utility>

namespace nexus::internal {

void WorkQueue::Add(Job job) {
  {
    std::unique_lock lock(mutex_);
    if (!stopping_) {
      jobs_.push_back(std::move(job));
      const bool wake = waiting_ != 0;
      lock.unlock();
      if (wake) changed_.notify_one();
      return;
    }
  }
  // Dropped here, outside the lock: what a job holds may add another when it goes.
  job = nullptr;
}

void WorkQueue::AddFromWorker(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      jobs_.push_back(std::move(job));
      return;
    }
  }
  job = nullptr;
}

void WorkQueue::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++waiting_;
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    --waiting_;
    if (stopping_) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    ++running_;
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
    --running_;
  }
}

void WorkQueue::Stop() {
  std::deque<Job> dropped;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(jobs_);
    changed_.notify_all();
  }
}

bool WorkQueue::idle() const {
  const std::lock_guard lock(mutex_);
  return jobs_.empty() && running_ == 0;
}

}  // namespace nexus::internal
