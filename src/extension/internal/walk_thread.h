#pragma once
/// Work on files that takes its time, on a thread of its own that starts with the first of it.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/result.h"
#include "sandbox/bindings.h"

namespace nexus::internal {

/// Thread-safe. Destruction tells the work under way that nobody wants it, and ends the rest first.
class WalkThread {
 public:
  /// True while the caller still wants the answer.
  using Wanted = std::function<bool()>;
  using Work = std::move_only_function<Result<Value>(const Wanted& wanted)>;

  WalkThread() = default;
  ~WalkThread();

  /// `place` ("code.search") is for the error when too much waits.
  void Submit(std::string place, std::string run_id, Work work, AnswerFunction done);
  void Abandon(std::string_view run_id);

 private:
  struct Job {
    std::string run_id;
    Work work;
    AnswerFunction done;
  };
  void Loop();
  bool IsWanted(const std::string& run_id);

  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Job> jobs_;   // guarded by mutex_
  std::string current_;    // guarded by mutex_: the run being served
  std::string abandoned_;  // guarded by mutex_: `current_`, once nobody waits for it
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;     // guarded by mutex_ until joined
};

}  // namespace nexus::internal
