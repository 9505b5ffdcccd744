#pragma once
/// The promise of AnswerFunction, "exactly once", kept for both sides.

#include <utility>

#include "base/log.h"
#include "sandbox/bindings.h"

namespace nexus {

/// Made into the AnswerFunction an extension gets. One that is dropped without having been called
/// answers too, or its run would wait for ever; a second answer changes nothing. `Deliver` is
/// called as void(Answer), from whatever thread answers.
template <typename Deliver>
class AnswerOnce {
 public:
  explicit AnswerOnce(Deliver deliver) : deliver_(std::move(deliver)) {}
  AnswerOnce(AnswerOnce&& other) noexcept
      : deliver_(std::move(other.deliver_)), open_(std::exchange(other.open_, false)) {}
  AnswerOnce& operator=(AnswerOnce&&) = delete;
  ~AnswerOnce() {
    if (open_) deliver_(Answer::Failed("the extension gave no answer"));
  }
  void operator()(Answer answer) {
    if (std::exchange(open_, false)) {
      deliver_(std::move(answer));
    } else {
      Log(Severity::kWarn, "an extension answered the same call twice");
    }
  }

 private:
  Deliver deliver_;
  bool open_ = true;
};

}  // namespace nexus
