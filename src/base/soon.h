#pragma once
/// Something that is to happen a moment later, for who bundles: what comes until then goes along.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace nexus {

/// Thread-safe. The thread begins with the first Arm.
class Soon {
 public:
  /// `action` is called on a thread of its own, and must not destroy this object.
  Soon(std::chrono::microseconds after, std::function<void()> action)
      : after_(after), action_(std::move(action)) {}
  /// Waits for an action under way; one that is due only later is not done.
  ~Soon();
  Soon(const Soon&) = delete;
  Soon& operator=(const Soon&) = delete;

  /// The action is called `after` from now; nothing changes when it is due already.
  void Arm();

 private:
  void Work();

  const std::chrono::microseconds after_;
  const std::function<void()> action_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool armed_ = false, stop_ = false;  // guarded by mutex_
  std::thread thread_;                 // guarded by mutex_
};

}  // namespace nexus
