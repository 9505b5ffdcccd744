#pragma once
/// Calls things at a time of the wall clock, on one thread of its own.

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace nexus::internal {

class Timers {
 public:
  using Action = std::move_only_function<void()>;

  /// `clock_unix_ms`: null: the system clock. A clock that is given is looked at every few
  /// milliseconds, because nobody tells when a test moves it.
  explicit Timers(std::function<std::int64_t()> clock_unix_ms);
  ~Timers();

  /// Actions must be short. Those not due when Stop is called are dropped. Thread-safe.
  void At(std::int64_t due_unix_ms, Action action);
  /// After it returns nothing is called any more. Not from within an action.
  void Stop();
  std::int64_t NowMs() const { return clock_(); }

 private:
  void Loop();

  const bool real_clock_;
  const std::function<std::int64_t()> clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<std::int64_t, Action> actions_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace nexus::internal
