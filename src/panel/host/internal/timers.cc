#include "panel/host/internal/timers.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clock.h"
#include "base/thread.h"

namespace nexus::internal {
namespace {

// The system's clock may be set while we sleep.
constexpr std::int64_t kSleepMsMax = 1000;
constexpr std::int64_t kGivenClockMs = 5;

}  // namespace

Timers::Timers(std::function<std::int64_t()> clock_unix_ms)
    : real_clock_(!clock_unix_ms),
      clock_(clock_unix_ms ? std::move(clock_unix_ms) : [] { return SystemClock().UnixMs(); }),
      thread_([this] { Loop(); }) {}

Timers::~Timers() { Stop(); }

void Timers::At(std::int64_t due_unix_ms, Action action) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  const auto at = actions_.emplace(due_unix_ms, std::move(action));
  if (at == actions_.begin()) changed_.notify_one();
}

void Timers::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    actions_.clear();
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Timers::Loop() {
  NameThisThread("timers");
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (actions_.empty()) {
      changed_.wait(lock, [this] { return stopping_ || !actions_.empty(); });
      continue;
    }
    const std::int64_t left = actions_.begin()->first - clock_();
    if (left > 0) {
      const std::int64_t sleep = std::min(left, real_clock_ ? kSleepMsMax : kGivenClockMs);
      changed_.wait_for(lock, std::chrono::milliseconds(sleep));
      continue;
    }
    Action action = std::move(actions_.begin()->second);
    actions_.erase(actions_.begin());
    lock.unlock();
    action();
    action = nullptr;
    lock.lock();
  }
}

}  // namespace nexus::internal
