#include "extension/test_extension.h"

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "extension/internal/call_arguments.h"

namespace nexus {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kAnything = R"({"prefixItems": [{"title": "value"}]})";
constexpr std::string_view kTheSame = R"({"description": "the argument"})";

const MethodDescriptor kMethods[] = {
    {.name = "echo",
     .summary = "The argument, at once",
     .idempotent = true,
     .path_argument = {},
     .parameters = kAnything,
     .result = kTheSame},
    {.name = "later",
     .summary = "The argument, after a delay",
     .idempotent = true,
     .path_argument = {},
     .parameters =
         R"({"prefixItems": [{"title": "value"}, {"title": "delayMs", "type": "number"}]})",
     .result = kTheSame},
    {.name = "fail",
     .summary = "An error",
     .idempotent = true,
     .path_argument = {},
     .parameters = R"({"prefixItems": [{"title": "message"}]})",
     .result = "false"},
    {.name = "never",
     .summary = "No answer",
     .idempotent = false,
     .path_argument = {},
     .parameters = R"({"prefixItems": []})",
     .result = "false"},
};

}  // namespace

// Holds answers until their time has come. The thread starts with the first of them.
class TestExtension::Timer {
 public:
  ~Timer() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
    for (auto& [when, entry] : entries_)
      entry.done(Answer::Failed("test: the host is shutting down"));
  }

  void Add(Clock::time_point when, std::string run_id, Answer answer, AnswerFunction done) {
    const std::scoped_lock lock(mutex_);
    if (!thread_.joinable()) thread_ = std::thread([this] { Loop(); });
    entries_.emplace(when, Entry{std::move(run_id), std::move(answer), std::move(done)});
    changed_.notify_all();
  }

  void Abandon(std::string_view run_id) {
    std::vector<Entry> dropped;
    {
      const std::scoped_lock lock(mutex_);
      for (auto it = entries_.begin(); it != entries_.end();) {
        if (it->second.run_id == run_id) {
          dropped.push_back(std::move(it->second));
          it = entries_.erase(it);
        } else {
          ++it;
        }
      }
    }
    for (Entry& entry : dropped)
      entry.done(Answer::Failed("test: the run is gone", RunErrorCode::kCancelled));
  }

 private:
  struct Entry {
    std::string run_id;
    Answer answer;
    AnswerFunction done;
  };

  void Loop() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (entries_.empty()) {
        changed_.wait(lock);
        continue;
      }
      const Clock::time_point next = entries_.begin()->first;
      if (next > Clock::now()) {
        changed_.wait_until(lock, next);
        continue;
      }
      Entry entry = std::move(entries_.begin()->second);
      entries_.erase(entries_.begin());
      lock.unlock();
      entry.done(std::move(entry.answer));
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<Clock::time_point, Entry> entries_;  // guarded by mutex_
  bool stopping_ = false;                            // guarded by mutex_
  std::thread thread_;
};

TestExtension::TestExtension(std::string name)
    : name_(std::move(name)), timer_(std::make_unique<Timer>()) {}
TestExtension::~TestExtension() = default;

std::span<const MethodDescriptor> TestExtension::methods() const { return kMethods; }

void TestExtension::Call(ExtensionCall call, AnswerFunction done) {
  Value first = call.args.empty() ? Value() : call.args[0];
  if (call.method == "echo") return done(Answer::Ok(std::move(first)));
  if (call.method == "fail") {
    const std::string* message = first.As<std::string>();
    return done(Answer::Failed(message != nullptr ? *message : "failed as asked"));
  }
  const double* delay = call.args.size() > 1 ? call.args[1].As<double>() : nullptr;
  const auto delay_ms = std::chrono::milliseconds(
      call.method == "never"
          ? std::chrono::hours(24 * 365)
          : std::chrono::milliseconds(delay != nullptr && *delay >= 0 && *delay < 1e9
                                          ? static_cast<std::int64_t>(*delay)
                                          : 1));
  timer_->Add(Clock::now() + delay_ms, std::move(call.run_id), Answer::Ok(std::move(first)),
              std::move(done));
}

void TestExtension::Abandon(std::string_view run_id) { timer_->Abandon(run_id); }

}  // namespace nexus
