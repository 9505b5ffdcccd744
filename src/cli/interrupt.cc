#include "cli/interrupt.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <utility>

#include "base/check.h"

namespace nexus {
namespace {

sigset_t TakenSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

InterruptListener::InterruptListener() {
  const sigset_t set = TakenSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = signalfd(-1, &set, SFD_CLOEXEC);
  stop_ = eventfd(0, EFD_CLOEXEC);
  interrupted_ = eventfd(0, EFD_CLOEXEC);
  NEXUS_CHECK(signals_ >= 0 && stop_ >= 0 && interrupted_ >= 0, "no file descriptors left");
  thread_ = std::thread([this] { Loop(); });
}

InterruptListener::~InterruptListener() {
  const std::uint64_t one = 1;
  (void)!write(stop_, &one, sizeof(one));
  thread_.join();
  for (const int fd : {signals_, stop_, interrupted_}) close(fd);
  const sigset_t set = TakenSignals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void InterruptListener::SetAction(std::function<void()> action) {
  const std::scoped_lock lock(mutex_);
  action_ = std::move(action);
  if (seen_ && action_) action_();
}

bool InterruptListener::interrupted() const {
  const std::scoped_lock lock(mutex_);
  return seen_;
}

void InterruptListener::Loop() {
  for (;;) {
    std::array<pollfd, 2> ends = {pollfd{.fd = signals_, .events = POLLIN, .revents = 0},
                                  pollfd{.fd = stop_, .events = POLLIN, .revents = 0}};
    if (poll(ends.data(), ends.size(), -1) < 0) continue;
    if (ends[1].revents != 0) return;
    signalfd_siginfo info;
    if (read(signals_, &info, sizeof(info)) != sizeof(info)) continue;
    const std::scoped_lock lock(mutex_);
    if (seen_) _exit(128 + static_cast<int>(info.ssi_signo));
    seen_ = true;
    const std::uint64_t one = 1;
    (void)!write(interrupted_, &one, sizeof(one));
    if (action_) action_();
  }
}

}  // namespace nexus
