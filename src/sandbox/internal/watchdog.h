#pragma once
/// Ends runs whose time is up: first softly, through the guest's interrupt word, then hard, by a
/// signal that makes the guest trap wherever it is.
///
/// One thread watches all workers of a sandbox. It sleeps until the earliest deadline it knows;
/// arming a run costs a lock and a comparison, and wakes the thread only when the new deadline is
/// earlier than its alarm, so millions of short runs cause no wake-ups.

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "sandbox/internal/guest_frame.h"

namespace nexus::internal {

enum class StopReason : std::uint8_t { kNone, kWall, kDeadline, kCpu, kCancelled };

std::int64_t MonotonicNs();
/// CPU time of the calling thread.
std::int64_t ThreadCpuNs();

/// One a worker. Armed around each stretch of guest code.
class WatchLane {
 public:
  struct Alarm {
    std::int64_t wall_ns = INT64_MAX;      ///< Monotonic time at which running time is used up.
    std::int64_t deadline_ns = INT64_MAX;  ///< Monotonic time of the overall deadline.
    std::int64_t cpu_left_ns = INT64_MAX;  ///< CPU time this thread may still use ...
    std::int64_t cpu_start_ns = 0;         ///< ... counted from this ThreadCpuNs().
    std::atomic<std::uint32_t>* interrupt_word = nullptr;  ///< In guest memory.
    /// The guest's countdown to its next look at interrupt_word, set to 1 for a stop: a loop of
    /// slow builtins counts down slowly. Null: not known.
    std::atomic<std::uint32_t>* poll_countdown = nullptr;
    /// Becomes true when someone wants the run stopped: looked at once more when armed, so that a
    /// cancellation just before is not lost.
    const std::atomic<bool>* cancelled = nullptr;
    GuestFrame* frame = nullptr;
  };

  /// The reason a stop was asked for while armed, else kNone. Any thread.
  StopReason stop_reason() const { return reason_.load(std::memory_order_acquire); }
  bool hard_stopped() const { return hard_.load(std::memory_order_acquire); }

 private:
  friend class Watchdog;
  std::mutex mutex_;
  bool armed_ = false;
  Alarm alarm_;
  pthread_t thread_{};
  clockid_t cpu_clock_{};
  std::int64_t armed_at_ns_ = 0;
  std::int64_t soft_at_ns_ = 0;  ///< When the soft stop was sent; 0: not yet.
  std::atomic<StopReason> reason_{StopReason::kNone};
  std::atomic<bool> hard_{false};
};

class Watchdog {
 public:
  Watchdog();
  ~Watchdog();

  /// `lane` must be removed before it goes.
  void Add(WatchLane* lane);
  void Remove(WatchLane* lane);

  /// From the thread that runs the guest, before it enters.
  void Arm(WatchLane& lane, const WatchLane::Alarm& alarm, std::int64_t now_ns);
  /// After it has left. From here on no signal and no interrupt meets this run.
  void Disarm(WatchLane& lane);
  /// Stops what `lane` is running now, from any thread; `still_wanted` is asked under the lane's
  /// lock, so that a stop never hits the next run.
  template <typename F>
  void Stop(WatchLane& lane, StopReason reason, F&& still_wanted) {
    {
      const std::lock_guard lock(lane.mutex_);
      if (!lane.armed_ || !still_wanted()) return;
      SoftStop(lane, reason, MonotonicNs());
    }
    Wake();
  }

  std::uint64_t soft_stops() const { return soft_stops_.load(std::memory_order_relaxed); }
  std::uint64_t hard_stops() const { return hard_stops_.load(std::memory_order_relaxed); }

 private:
  void Loop();
  std::int64_t Inspect(WatchLane& lane, std::int64_t now_ns);
  static void PollNow(WatchLane& lane);
  void SoftStop(WatchLane& lane, StopReason reason, std::int64_t now_ns);
  void Wake();

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::uint64_t wakes_ = 0;
  std::vector<WatchLane*> lanes_;
  /// When the thread will look again; INT64_MAX while it looks, so that arming then wakes it.
  std::atomic<std::int64_t> alarm_ns_{INT64_MAX};
  std::atomic<std::uint64_t> soft_stops_{0};
  std::atomic<std::uint64_t> hard_stops_{0};
  std::jthread thread_;
};

}  // namespace nexus::internal
