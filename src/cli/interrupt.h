#pragma once
/// Ctrl-C: the first one asks the run to stop, the second one ends the process.

#include <functional>
#include <mutex>
#include <thread>

namespace nexus {

/// Takes SIGINT and SIGTERM for the life of the object. Make it before other threads start, because
/// threads inherit what is blocked.
class InterruptListener {
 public:
  InterruptListener();
  ~InterruptListener();
  InterruptListener(const InterruptListener&) = delete;
  InterruptListener& operator=(const InterruptListener&) = delete;

  /// What the first signal calls, on the listener's thread; null: nothing.
  void SetAction(std::function<void()> action);
  /// Readable once a signal has come.
  int interrupted_fd() const { return interrupted_; }
  bool interrupted() const;

 private:
  void Loop();

  int signals_ = -1;
  int stop_ = -1;
  int interrupted_ = -1;
  mutable std::mutex mutex_;
  std::function<void()> action_;  // guarded by mutex_
  bool seen_ = false;             // guarded by mutex_
  std::thread thread_;
};

}  // namespace nexus
