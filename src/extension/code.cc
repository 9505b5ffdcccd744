#include "extension/code.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "extension/internal/call_arguments.h"
#include "extension/internal/workspace.h"

namespace nexus {
namespace {

constexpr std::size_t kQueueMax = 256;

const MethodDescriptor kMethods[] = {
    {.name = "read", .summary = "A file's text, or bytes", .idempotent = true, .path_argument = 0},
    {.name = "write",
     .summary = "Replace a file, atomically",
     .idempotent = true,
     .path_argument = 0},
    {.name = "list", .summary = "Entries of a folder", .idempotent = true, .path_argument = 0},
    {.name = "stat",
     .summary = "Type, size and time of a path",
     .idempotent = true,
     .path_argument = 0},
    {.name = "exists", .summary = "Is there such a path?", .idempotent = true, .path_argument = 0},
    {.name = "search",
     .summary = "Lines that match a pattern",
     .idempotent = true,
     .path_argument = 1},
    {.name = "remove",
     .summary = "Delete a file or an empty folder",
     .idempotent = true,
     .path_argument = 0},
};

}  // namespace

struct CodeExtension::State {
  struct Job {
    ExtensionCall call;
    AnswerFunction done;
  };

  State(CodeOptions options, internal::Beneath folder)
      : workspace(std::move(options), std::move(folder)) {}
  ~State() {
    {
      const std::scoped_lock lock(mutex);
      stopping = true;
      ready.notify_all();
    }
    if (thread.joinable()) thread.join();
  }

  bool Wanted(const std::string& run_id) {
    const std::scoped_lock lock(mutex);
    return !stopping && abandoned != run_id;
  }

  void Submit(ExtensionCall call, AnswerFunction done);
  void Loop();

  internal::Workspace workspace;
  std::mutex mutex;
  std::condition_variable ready;
  std::deque<Job> jobs;   // guarded by mutex
  std::string current;    // guarded by mutex: the run being served
  std::string abandoned;  // guarded by mutex: `current`, once nobody waits for it
  bool stopping = false;  // guarded by mutex
  std::thread thread;
};

void CodeExtension::State::Submit(ExtensionCall call, AnswerFunction done) {
  {
    const std::scoped_lock lock(mutex);
    if (jobs.size() < kQueueMax) {
      if (!thread.joinable()) thread = std::thread([this] { Loop(); });
      jobs.push_back({std::move(call), std::move(done)});
      ready.notify_one();
      return;
    }
  }
  done(Answer::Failed("code: too many walks are waiting: call fewer at once, or later",
                      RunErrorCode::kOverloaded));
}

void CodeExtension::State::Loop() {
  std::unique_lock lock(mutex);
  for (;;) {
    ready.wait(lock, [this] { return stopping || !jobs.empty(); });
    if (jobs.empty()) return;
    Job job = std::move(jobs.front());
    jobs.pop_front();
    current = job.call.run_id;
    abandoned.clear();
    lock.unlock();
    const Result<Value> result =
        workspace.Call(job.call, [this, &job] { return Wanted(job.call.run_id); });
    job.done(result ? Answer::Ok(*result) : internal::ToAnswer(result.error()));
    lock.lock();
    current.clear();
  }
}

CodeExtension::CodeExtension(std::unique_ptr<State> state) : state_(std::move(state)) {}
CodeExtension::~CodeExtension() = default;

Result<std::shared_ptr<CodeExtension>> CodeExtension::Create(CodeOptions options) {
  NEXUS_TRY(internal::Beneath folder, internal::Beneath::Open(options.root, options.follow_links));
  auto state = std::make_unique<State>(std::move(options), std::move(folder));
  return std::shared_ptr<CodeExtension>(new CodeExtension(std::move(state)));
}

std::span<const MethodDescriptor> CodeExtension::methods() const { return kMethods; }

void CodeExtension::Call(ExtensionCall call, AnswerFunction done) {
  if (internal::Workspace::IsWalk(call)) return state_->Submit(std::move(call), std::move(done));
  Result<Value> result = state_->workspace.Call(call, [] { return true; });
  done(result ? Answer::Ok(*std::move(result)) : internal::ToAnswer(result.error()));
}

void CodeExtension::Abandon(std::string_view run_id) {
  const std::scoped_lock lock(state_->mutex);
  if (state_->current == run_id) state_->abandoned = state_->current;
}

}  // namespace nexus
