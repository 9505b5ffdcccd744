#include "sandbox/internal/watchdog.h"

#include <time.h>

#include <algorithm>
#include <chrono>

#include "base/check.h"

namespace nexus::internal {
namespace {

constexpr std::int64_t kMs = 1'000'000;
/// How long a soft stop may take before the hard one: the guest polls every few thousand
/// operations.
constexpr std::int64_t kSoftGraceNs = 2 * kMs;
constexpr std::int64_t kKillRetryNs = kMs / 2;
constexpr std::int64_t kCpuCheckMinNs = kMs;

std::int64_t ReadClock(clockid_t clock) {
  timespec t{};
  NEXUS_CHECK(clock_gettime(clock, &t) == 0);
  return t.tv_sec * 1'000'000'000LL + t.tv_nsec;
}

}  // namespace

std::int64_t MonotonicNs() { return ReadClock(CLOCK_MONOTONIC); }
std::int64_t ThreadCpuNs() { return ReadClock(CLOCK_THREAD_CPUTIME_ID); }

Watchdog::Watchdog() : thread_([this] { Loop(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    NEXUS_CHECK(lanes_.empty(), "a worker outlives its watchdog");
    stopping_ = true;
    ++wakes_;
  }
  wake_.notify_one();
}

void Watchdog::Add(WatchLane* lane) {
  const std::lock_guard lock(mutex_);
  lanes_.push_back(lane);
}

void Watchdog::Remove(WatchLane* lane) {
  const std::lock_guard lock(mutex_);
  std::erase(lanes_, lane);
}

void Watchdog::Wake() {
  {
    const std::lock_guard lock(mutex_);
    ++wakes_;
  }
  wake_.notify_one();
}

void Watchdog::Arm(WatchLane& lane, const WatchLane::Alarm& alarm, std::int64_t now_ns) {
  const std::int64_t cpu_limit_at =
      alarm.cpu_left_ns == INT64_MAX ? INT64_MAX : now_ns + alarm.cpu_left_ns;
  const std::int64_t first = std::min({alarm.wall_ns, alarm.deadline_ns, cpu_limit_at});
  {
    const std::lock_guard lock(lane.mutex_);
    // Asked anew each time: a new thread may have the handle of a dead one, but not its clock.
    lane.thread_ = pthread_self();
    NEXUS_CHECK(pthread_getcpuclockid(lane.thread_, &lane.cpu_clock_) == 0);
    lane.alarm_ = alarm;
    lane.armed_at_ns_ = now_ns;
    lane.soft_at_ns_ = 0;
    lane.reason_.store(StopReason::kNone, std::memory_order_relaxed);
    lane.hard_.store(false, std::memory_order_relaxed);
    lane.armed_ = true;
    if (alarm.cancelled != nullptr && alarm.cancelled->load(std::memory_order_seq_cst)) {
      SoftStop(lane, StopReason::kCancelled, now_ns);
    } else if (now_ns >= alarm.deadline_ns) {
      // A run of many short stretches would be over each before the thread wakes up.
      SoftStop(lane, StopReason::kDeadline, now_ns);
    } else if (now_ns >= alarm.wall_ns) {
      SoftStop(lane, StopReason::kWall, now_ns);
    }
  }
  if (first < alarm_ns_.load(std::memory_order_seq_cst)) Wake();
}

void Watchdog::Disarm(WatchLane& lane) {
  const std::lock_guard lock(lane.mutex_);
  lane.armed_ = false;
  lane.alarm_.frame->kill.store(false, std::memory_order_relaxed);
  lane.alarm_.interrupt_word->store(0, std::memory_order_relaxed);
}

void Watchdog::PollNow(WatchLane& lane) {
  if (lane.alarm_.poll_countdown == nullptr) return;
  lane.alarm_.poll_countdown->store(1, std::memory_order_relaxed);
}

void Watchdog::SoftStop(WatchLane& lane, StopReason reason, std::int64_t now_ns) {
  if (lane.soft_at_ns_ != 0) return;
  lane.soft_at_ns_ = now_ns;
  lane.reason_.store(reason, std::memory_order_release);
  lane.alarm_.interrupt_word->store(1, std::memory_order_relaxed);
  PollNow(lane);
  soft_stops_.fetch_add(1, std::memory_order_relaxed);
}

// Does what is due for one lane and says when to look at it again.
std::int64_t Watchdog::Inspect(WatchLane& lane, std::int64_t now_ns) {
  const std::lock_guard lock(lane.mutex_);
  if (!lane.armed_) return INT64_MAX;
  const WatchLane::Alarm& alarm = lane.alarm_;
  std::int64_t next = std::min(alarm.wall_ns, alarm.deadline_ns);
  if (lane.soft_at_ns_ == 0) {
    if (now_ns >= alarm.deadline_ns) {
      SoftStop(lane, StopReason::kDeadline, now_ns);
    } else if (now_ns >= alarm.wall_ns) {
      SoftStop(lane, StopReason::kWall, now_ns);
    } else if (alarm.cpu_left_ns != INT64_MAX) {
      const std::int64_t earliest = lane.armed_at_ns_ + alarm.cpu_left_ns;
      if (now_ns < earliest) {
        next = std::min(next, earliest);
      } else {
        const std::int64_t used = ReadClock(lane.cpu_clock_) - alarm.cpu_start_ns;
        if (used >= alarm.cpu_left_ns) {
          SoftStop(lane, StopReason::kCpu, now_ns);
        } else {
          next = std::min(next, now_ns + std::max(alarm.cpu_left_ns - used, kCpuCheckMinNs));
        }
      }
    }
  }
  if (lane.soft_at_ns_ == 0) return next;
  if (now_ns < lane.soft_at_ns_ + kSoftGraceNs) return lane.soft_at_ns_ + kSoftGraceNs;
  if (!lane.hard_.exchange(true, std::memory_order_acq_rel)) {
    hard_stops_.fetch_add(1, std::memory_order_relaxed);
  }
  PollNow(lane);  // The guest may have overwritten the one before with its own count.
  alarm.frame->kill.store(true, std::memory_order_relaxed);
  SendKillSignal(lane.thread_);
  return now_ns + kKillRetryNs;
}

void Watchdog::Loop() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    // Whoever arms a lane from here on wakes us: it may be one we have already looked at.
    alarm_ns_.store(INT64_MAX, std::memory_order_seq_cst);
    const std::uint64_t seen = wakes_;
    const std::int64_t now = MonotonicNs();
    std::int64_t next = INT64_MAX - 1;
    for (WatchLane* const lane : lanes_) next = std::min(next, Inspect(*lane, now));
    alarm_ns_.store(next, std::memory_order_seq_cst);
    const auto due = [&] { return stopping_ || wakes_ != seen; };
    if (next >= INT64_MAX - 1) {
      wake_.wait(lock, due);
    } else {
      wake_.wait_for(
          lock, std::chrono::nanoseconds(std::max<std::int64_t>(next - MonotonicNs(), 0)), due);
    }
  }
}

}  // namespace nexus::internal
