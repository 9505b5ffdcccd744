// What the guest's return means: a result, an error in the author's terms, a limit, or a wait.

#include <cmath>

#include "base/codec.h"
#include "guest/abi.h"
#include "sandbox/internal/error_report.h"
#include "sandbox/internal/run_impl.h"
#include "sandbox/internal/sandbox_impl.h"

namespace nexus::internal {

namespace {
/// A value takes 40 bytes here and may take one byte there.
constexpr std::uint64_t kResultNodesMax = 2'000'000;
}  // namespace

std::string_view RunImpl::GuestOutput() const {
  const nx_mailbox& box = mailbox();
  const std::uint64_t end = std::uint64_t{box.out_ptr} + box.out_len;
  if (end > slot_->instance().memory_bytes()) return {};  // Decoding nothing is an error below.
  return {reinterpret_cast<const char*>(slot_->memory()) + box.out_ptr, box.out_len};
}

RunImpl::Stretch RunImpl::Conclude(const CallOutcome& outcome) {
  if (!outcome.trapped) {
    const nx_mailbox& box = mailbox();
    result_.metrics.memory_used_bytes = box.heap_used;
    result_.metrics.memory_peak_bytes = box.heap_peak;
  }
  if (!replay_divergence_.empty()) {
    RunError error;
    error.message = replay_divergence_;
    Fail(std::move(error));
    return Stretch::kDone;
  }
  if (outcome.trapped) {
    trapped_ = true;
    ConcludeTrap(outcome);
    return Stretch::kDone;
  }
  if (fatal_) {
    Fail(*std::move(fatal_));
    return Stretch::kDone;
  }
  switch (outcome.value) {
    case NX_DONE:
      ConcludeDone();
      return Stretch::kDone;
    case NX_ERROR:
      ConcludeError();
      return Stretch::kDone;
    case NX_PENDING:
      return Stretch::kPending;
    default:
      break;
  }
  RunError error;
  error.message = "the guest returned an unknown status " + std::to_string(outcome.value);
  Fail(std::move(error));
  return Stretch::kDone;
}

void RunImpl::ConcludeDone() {
  const std::string_view output = GuestOutput();
  const std::uint64_t bytes_max = limits_[Limit::kResult];
  // The guest refuses a larger result itself, with the place; that it does is not taken on trust.
  Result<Value> value = output.size() <= bytes_max
                            ? DecodeValue(output, kResultNodesMax)
                            : nexus::Fail(Code::kResourceExhausted, "the result is too large");
  if (!value && value.error().code() == Code::kResourceExhausted) {
    RunError error;
    error.code = RunErrorCode::kResourceLimit;
    error.limit = LimitName(Limit::kResult);
    error.message = "limit result reached: " + FormatLimit(Limit::kResult, bytes_max) + " and " +
                    std::to_string(kResultNodesMax) + " values: return less";
    return Fail(std::move(error));
  }
  if (!value) {
    RunError error;
    error.message = "the guest's result cannot be read: " + value.error().message();
    return Fail(std::move(error));
  }
  result_.return_value = *std::move(value);
  result_.status = RunStatus::kSuccess;
}

void RunImpl::ConcludeError() {
  const Result<Value> value = DecodeValue(GuestOutput());
  if (!value) {
    RunError error;
    error.message = "the guest's error cannot be read: " + value.error().message();
    return Fail(std::move(error));
  }
  Fail(GuestError(*value));
}

void RunImpl::ConcludeTrap(const CallOutcome& outcome) {
  const WatchLane& lane = worker_->lane();
  if (fatal_) return Fail(*std::move(fatal_));
  if (lane.stop_reason() != StopReason::kNone) {
    if (context_.record && replay_ == nullptr) {
      recording_.Stopped(RecordedStop::kHard, static_cast<std::uint8_t>(lane.stop_reason()), 0);
    }
    return Fail(StopError(lane.stop_reason()));
  }
  const nx_mailbox& box = mailbox();
  RunError error;
  // A guard page below the guest's or the host's stack: both are the stack limit's doing.
  constexpr std::string_view kOutOfBounds = "out of bounds memory access";
  if (outcome.trap_message == kOutOfBounds) {
    error.code = RunErrorCode::kStackOverflow;
    error.limit = LimitName(Limit::kStack);
    error.message = "stack overflow: the program recursed deeper than its stack of " +
                    FormatLimit(Limit::kStack, limits_[Limit::kStack]);
  } else if (box.heap_limit != 0 && box.heap_peak > box.heap_limit / 10 * 9) {
    error.code = RunErrorCode::kMemoryLimit;
    error.limit = LimitName(Limit::kMemory);
    error.message = "out of memory: the program needs more than its " +
                    FormatLimit(Limit::kMemory, limits_[Limit::kMemory]);
  } else {
    error.message = "the sandbox's guest trapped: " + std::string(outcome.trap_message);
  }
  Fail(std::move(error));
}

void RunImpl::Fail(RunError error) {
  error.run_id = result_.run_id;
  error.panel_id = context_.panel_id;
  error.handler_name = context_.handler_name;
  error.step = context_.step;
  result_.status =
      error.code == RunErrorCode::kCancelled ? RunStatus::kCancelled : RunStatus::kError;
  result_.error = std::move(error);
}

RunError RunImpl::StopError(StopReason reason) const {
  RunError error;
  const auto describe = [&](RunErrorCode code, Limit limit, std::string_view what) {
    error.code = code;
    error.limit = LimitName(limit);
    error.message = std::string(what) + " " + FormatLimit(limit, limits_[limit]) +
                    ": stopped: raise it with --limit " + error.limit + "=TIME";
  };
  switch (reason) {
    case StopReason::kWall:
      describe(RunErrorCode::kTimeout, Limit::kWall, "the program ran for longer than");
      break;
    case StopReason::kDeadline:
      describe(RunErrorCode::kTimeout, Limit::kDeadline, "the run was not finished after");
      break;
    case StopReason::kCpu:
      describe(RunErrorCode::kCpuLimit, Limit::kCpu, "the program used more CPU time than");
      break;
    case StopReason::kCancelled:
      error.code = RunErrorCode::kCancelled;
      error.message = "the run was cancelled";
      break;
    case StopReason::kNone:
      error.message = "the program was interrupted for no reason";
      break;
  }
  return error;
}

RunError RunImpl::GuestError(const Value& value) const {
  RunError error = ReportGuestError(value, program_->spec());
  switch (error.code) {
    case RunErrorCode::kMemoryLimit:
      error.limit = LimitName(Limit::kMemory);
      error.message = "out of memory: the program needs more than its " +
                      FormatLimit(Limit::kMemory, limits_[Limit::kMemory]) +
                      ": raise it with --limit memory=SIZE";
      break;
    case RunErrorCode::kStackOverflow:
      error.limit = LimitName(Limit::kStack);
      error.message = "stack overflow: the program recursed deeper than its stack of " +
                      FormatLimit(Limit::kStack, limits_[Limit::kStack]);
      break;
    case RunErrorCode::kPermissionDenied:
      // Only a denial of this run's gate counts: a program could name any token to be granted next.
      // An extension's refusal names none and is passed on.
      if (!error.capability.empty() &&
          (gate_.denials() == 0 || error.capability != gate_.missing())) {
        error.code = RunErrorCode::kExecutionError;
        error.capability.clear();
      }
      break;
    default:
      break;
  }
  return error;
}

}  // namespace nexus::internal
