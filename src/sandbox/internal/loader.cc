#include "sandbox/internal/loader.h"

#include <cstddef>
#include <cstring>

#include "base/codec.h"
#include "guest/abi.h"
#include "sandbox/internal/error_report.h"
#include "sandbox/internal/host_call_table.h"

namespace nexus::internal {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;

class LoaderPort final : public HostPort {
 public:
  LoaderPort(Worker& worker, std::uint64_t log_bytes) : worker_(worker), log_left_(log_bytes) {}

  std::int64_t OnHostCall(std::int32_t op, std::int32_t a, std::uint8_t* bytes,
                          std::uint32_t n) override {
    const Worker::HostCallScope scope(worker_);
    if (!worker_.HostStackSuffices()) return kTrap;
    const std::string_view request(reinterpret_cast<const char*>(bytes), n);
    switch (static_cast<HostOp>(op)) {
      case HostOp::kInterrupt:
        return worker_.lane().stop_reason() == StopReason::kNone ? 0 : 1;
      case HostOp::kLog:
        return TakeLog(a, request);
      case HostOp::kDebug:
        return 0;
      case HostOp::kPanic:
        panic = request.substr(0, 1000);
        return kTrap;
      default:
        return kTrap;  // The guest refuses the rest itself while it loads.
    }
  }

  std::vector<LogEntry> logs;
  std::string panic;
  bool log_exhausted = false;

 private:
  std::int64_t TakeLog(std::int32_t level, std::string_view request) {
    const Result<Value> value = DecodeValue(request);
    const std::string* const text = value ? value->As<std::string>() : nullptr;
    if (text == nullptr || level < 0 || level > 3) return kTrap;
    if (text->size() > log_left_) {
      log_exhausted = true;
      return kTrap;
    }
    log_left_ -= text->size();
    logs.push_back({static_cast<LogLevel>(level), *text, 0});
    return 0;
  }

  Worker& worker_;
  std::uint64_t log_left_;
};

RunError LimitError(RunErrorCode code, Limit limit, std::uint64_t value, std::string_view what) {
  RunError error;
  error.code = code;
  error.limit = LimitName(limit);
  error.message = std::string(what) + " its limit " + error.limit + " of " +
                  FormatLimit(limit, value) + " while the module's top level ran";
  return error;
}

RunError TrapError(const CallOutcome& outcome, const Worker& worker, const LoaderPort& port,
                   const LoaderLimits& limits) {
  const StopReason reason = const_cast<Worker&>(worker).lane().stop_reason();
  if (reason == StopReason::kCpu) {
    return LimitError(RunErrorCode::kCpuLimit, Limit::kCpu, limits.cpu_ms, "the program used up");
  }
  if (reason != StopReason::kNone) {
    return LimitError(RunErrorCode::kTimeout, Limit::kWall, limits.wall_ms, "the program used up");
  }
  if (port.log_exhausted) {
    return LimitError(RunErrorCode::kResourceLimit, Limit::kLog, limits.log_bytes,
                      "the program used up");
  }
  if (port.panic.empty() && outcome.trap_message == "out of bounds memory access") {
    return LimitError(RunErrorCode::kStackOverflow, Limit::kStack, limits.stack_bytes,
                      "the program recursed beyond");
  }
  RunError error;
  error.message = "the sandbox's guest gave up while loading the program: " +
                  (port.panic.empty() ? std::string(outcome.trap_message) : port.panic);
  return error;
}

}  // namespace

std::expected<LoaderOutput, Sandbox::LoadError> RunLoader(Worker& worker, Slot& slot,
                                                          Export function, std::string_view input,
                                                          std::int32_t a,
                                                          const LoaderLimits& limits,
                                                          const ProgramSpec& spec, bool* trapped) {
  LoaderPort port(worker, limits.log_bytes);
  const std::uint32_t mailbox = slot.image()->base().mailbox();
  auto& box = *reinterpret_cast<nx_mailbox*>(slot.memory() + mailbox);
  box.stack_limit = static_cast<std::uint32_t>(limits.stack_bytes);
  const std::int64_t now = MonotonicNs();
  WatchLane::Alarm alarm;
  alarm.wall_ns = now + static_cast<std::int64_t>(limits.wall_ms) * kNsPerMs;
  alarm.cpu_left_ns = static_cast<std::int64_t>(limits.cpu_ms) * kNsPerMs;
  alarm.cpu_start_ns = ThreadCpuNs();
  alarm.interrupt_word = reinterpret_cast<std::atomic<std::uint32_t>*>(&box.interrupt);
  alarm.poll_countdown = PollCountdown(slot, box);

  const auto fail = [&](RunError error) {
    return std::unexpected(Sandbox::LoadError{std::move(error), std::move(port.logs)});
  };
  const auto too_large = [&] {
    RunError error;
    error.code = RunErrorCode::kMemoryLimit;
    error.limit = LimitName(Limit::kMemory);
    error.message = "the program does not fit into its memory of " +
                    FormatLimit(Limit::kMemory, limits.memory_bytes);
    return error;
  };
  std::uint32_t address = mailbox + offsetof(nx_mailbox, in);
  if (input.size() > NX_IN_BYTES) {
    const CallOutcome allocated = worker.Enter(slot.instance(), &port, &alarm, now, Export::kAlloc,
                                               static_cast<std::int32_t>(input.size()));
    address = static_cast<std::uint32_t>(allocated.value);
    const std::uint64_t end = std::uint64_t{address} + input.size();
    if (allocated.trapped || address == 0 || end > slot.instance().memory_bytes()) {
      *trapped = allocated.trapped;
      return fail(too_large());
    }
  }
  std::memcpy(slot.memory() + address, input.data(), input.size());
  const CallOutcome outcome =
      worker.Enter(slot.instance(), &port, &alarm, now, function,
                   static_cast<std::int32_t>(address), static_cast<std::int32_t>(input.size()), a);
  *trapped = outcome.trapped;
  if (outcome.trapped) return fail(TrapError(outcome, worker, port, limits));
  const std::uint64_t end = std::uint64_t{box.out_ptr} + box.out_len;
  if (end > slot.instance().memory_bytes()) {
    *trapped = true;
    RunError error;
    error.message = "the guest's output lies outside of its memory";
    return fail(std::move(error));
  }
  const std::string_view out(reinterpret_cast<const char*>(slot.memory()) + box.out_ptr,
                             box.out_len);
  if (outcome.value == NX_DONE) {
    return LoaderOutput{std::string(out), std::move(port.logs), false};
  }
  const Result<Value> value = DecodeValue(out);
  RunError error;
  if (value) error = ReportGuestError(*value, spec);
  if (worker.lane().stop_reason() != StopReason::kNone) {
    const CallOutcome stopped;
    error = TrapError(stopped, worker, port, limits);
  } else if (error.code == RunErrorCode::kMemoryLimit) {
    error = too_large();
  } else if (error.code == RunErrorCode::kExecutionError ||
             error.code == RunErrorCode::kPermissionDenied) {
    error.code = RunErrorCode::kCompilationError;  // The top level threw.
  }
  return fail(std::move(error));
}

}  // namespace nexus::internal
