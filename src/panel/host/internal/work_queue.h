#pragma once
/// Jobs for the host's workers, first come first served. Shared by whoever may still add to it when
/// the workers have gone: what is added then is dropped.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>

namespace nexus::internal {

/// Thread-safe.
class WorkQueue {
 public:
  using Job = std::move_only_function<void()>;

  void Add(Job job);
  /// As Add, from a job: wakes nobody, because the worker that runs it looks for the next one.
  void AddFromWorker(Job job);
  /// Runs jobs until Stop. What a worker thread does.
  void Work();
  /// Drops what waits. Jobs under way end.
  void Stop();
  bool idle() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::size_t running_ = 0, waiting_ = 0;
  bool stopping_ = false;
};

}  // namespace nexus::internal
