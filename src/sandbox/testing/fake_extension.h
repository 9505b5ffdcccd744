#pragma once
/// An extension whose answers a test decides.

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sandbox/bindings.h"

namespace nexus::testing {

/// Methods: echo (answers its first argument at once), fail (fails at once), later (answers from
/// another thread after a few milliseconds), never (keeps the answer function), once (as never; not
/// idempotent).
class FakeExtension final : public Extension {
 public:
  FakeExtension() = default;
  /// A run that has been answered may be the last to hold this: then it goes on the thread that
  /// answered.
  ~FakeExtension() override {
    for (std::jthread& thread : threads_) {
      if (thread.get_id() == std::this_thread::get_id()) thread.detach();
    }
  }
  std::string_view name() const override { return "fake"; }
  std::span<const MethodDescriptor> methods() const override { return methods_; }

  void Call(ExtensionCall call, AnswerFunction done) override {
    Value first = call.args.empty() ? Value() : call.args.front();
    {
      const std::lock_guard lock(mutex_);
      calls_.push_back(call.method);
      keys_.push_back(call.idempotency_key);
    }
    if (call.method == "echo") return done(Answer::Ok(std::move(first)));
    if (call.method == "fail") return done(Answer::Failed("it failed on purpose"));
    if (call.method == "later") {
      const std::lock_guard lock(mutex_);
      threads_.emplace_back([first = std::move(first), done = std::move(done)]() mutable {
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        done(Answer::Ok(std::move(first)));
      });
      return;
    }
    const std::lock_guard lock(mutex_);
    kept_.push_back(std::move(done));
  }
  void Abandon(std::string_view) override { ++abandoned; }
  /// Answers every call of `never` and `once` so far.
  void AnswerKept(const Value& value) {
    std::vector<AnswerFunction> kept;
    {
      const std::lock_guard lock(mutex_);
      kept.swap(kept_);
    }
    for (AnswerFunction& done : kept) done(Answer::Ok(value));
  }

  /// Answers one of the calls that wait, counted from the oldest: 0.
  void AnswerOne(std::size_t index, const Value& value) {
    AnswerFunction done;
    {
      const std::lock_guard lock(mutex_);
      done = std::move(kept_.at(index));
      kept_.erase(kept_.begin() + static_cast<std::ptrdiff_t>(index));
    }
    done(Answer::Ok(value));
  }

  /// Idempotency keys of the calls.
  std::vector<std::string> keys() const {
    const std::lock_guard lock(mutex_);
    return keys_;
  }
  std::vector<std::string> calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  std::atomic<int> abandoned{0};

 private:
  const std::vector<MethodDescriptor> methods_ = {
      {.name = "echo", .summary = "", .idempotent = true},
      {.name = "fail", .summary = ""},
      {.name = "later", .summary = "", .idempotent = true},
      {.name = "never", .summary = "", .idempotent = true},
      {.name = "once", .summary = ""},
      {.name = "read", .summary = "", .idempotent = true, .path_argument = 0}};
  mutable std::mutex mutex_;
  std::vector<std::string> calls_;
  std::vector<std::string> keys_;
  std::vector<AnswerFunction> kept_;
  std::vector<std::jthread> threads_;
};

}  // namespace nexus::testing
