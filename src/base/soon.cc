#include "base/soon.h"

#include <utility>

namespace nexus {

Soon::~Soon() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Soon::Arm() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(armed_, true)) return;
    if (!thread_.joinable()) thread_ = std::thread([this] { Work(); });
  }
  changed_.notify_one();
}

void Soon::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || armed_; });
    if (changed_.wait_for(lock, after_, [this] { return stop_; })) return;
    armed_ = false;
    lock.unlock();
    action_();
    lock.lock();
  }
}

}  // namespace nexus
