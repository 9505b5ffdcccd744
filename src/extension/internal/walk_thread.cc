#include "extension/internal/walk_thread.h"

#include <utility>

#include "extension/internal/call_arguments.h"

namespace nexus::internal {
namespace {

constexpr std::size_t kQueueMax = 256;

}  // namespace

WalkThread::~WalkThread() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    ready_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

bool WalkThread::IsWanted(const std::string& run_id) {
  const std::scoped_lock lock(mutex_);
  return !stopping_ && abandoned_ != run_id;
}

void WalkThread::Submit(std::string place, std::string run_id, Work work, AnswerFunction done) {
  {
    const std::scoped_lock lock(mutex_);
    if (jobs_.size() < kQueueMax) {
      if (!thread_.joinable()) thread_ = std::thread([this] { Loop(); });
      jobs_.push_back({std::move(run_id), std::move(work), std::move(done)});
      ready_.notify_one();
      return;
    }
  }
  done(Answer::Failed(place + ": too many walks are waiting: call fewer at once, or later",
                      RunErrorCode::kOverloaded));
}

void WalkThread::Loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ready_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    current_ = job.run_id;
    abandoned_.clear();
    lock.unlock();
    Result<Value> result = job.work([this, &job] { return IsWanted(job.run_id); });
    job.done(result ? Answer::Ok(*std::move(result)) : ToAnswer(result.error()));
    lock.lock();
    current_.clear();
  }
}

void WalkThread::Abandon(std::string_view run_id) {
  const std::scoped_lock lock(mutex_);
  if (current_ == run_id) abandoned_ = current_;
}

}  // namespace nexus::internal
