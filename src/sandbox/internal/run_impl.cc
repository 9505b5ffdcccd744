// The life of a run: new -> (guest code <-> suspended)* -> done.

#include "sandbox/internal/run_impl.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>

#include "base/check.h"
#include "base/codec.h"
#include "base/log.h"
#include "base/random.h"
#include "base/ulid.h"
#include "sandbox/answer_once.h"
#include "sandbox/internal/sandbox_impl.h"

namespace nexus::internal {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;
/// A run that waits this long gives its instance up and is kept as pages.
constexpr std::int64_t kParkAfterNs = 20 * kNsPerMs;

constexpr std::int64_t kReplayNsMax = 120'000 * kNsPerMs;

std::uint64_t NewSeed() {
  thread_local FastRng rng(SystemEntropy64());
  return rng.Next();
}

std::string HexOf(std::uint64_t n) {
  char text[16];
  const auto [end, error] = std::to_chars(text, text + sizeof(text), n, 16);
  return {text, end};
}

std::uint64_t Microseconds(std::int64_t ns) { return static_cast<std::uint64_t>(ns / 1000); }

void Deliver(AnswerQueue& queue, std::uint32_t number, Answer answer) {
  const std::lock_guard lock(queue.mutex);
  if (queue.closed) {
    Log(Severity::kDebug, "answer after the end of its run", {{"success", answer.success}});
    return;
  }
  queue.answers.emplace_back(number, std::move(answer));
  queue.arrived.notify_one();
}

std::int64_t AfterMs(std::int64_t from_ns, std::uint64_t ms) {
  if (ms >= static_cast<std::uint64_t>((INT64_MAX - from_ns) / kNsPerMs)) return INT64_MAX;
  return from_ns + static_cast<std::int64_t>(ms) * kNsPerMs;
}

}  // namespace

RunImpl::RunImpl(SandboxImpl& sandbox, std::shared_ptr<const ProgramImpl> program,
                 ExecutionContext context)
    : sandbox_(sandbox),
      program_(std::move(program)),
      context_(std::move(context)),
      state_(context_.state != nullptr ? context_.state : &own_state_),
      gate_(context_.capabilities, &sandbox.audit(),
            context_.run_id.empty() ? NewUlid(sandbox.UnixMs()) : context_.run_id,
            program_->spec().name),
      queue_(std::make_shared<AnswerQueue>()) {
  result_.run_id = gate_.run_id();
  PrepareLimits();
}

RunImpl::~RunImpl() {
  if (phase_ == Phase::kDone) return;
  if (phase_ == Phase::kSuspended) {
    FinishOutside(RunErrorCode::kCancelled, "the run was given up");
  }
}

void RunImpl::PrepareLimits() {
  const SandboxOptions& options = sandbox_.options();
  const Limits named =
      context_.limits.LowestWith(program_->spec().limits).LowestWith(options.node_limits);
  limits_ = ResolvedLimits(named);
  image_ = program_->image();
  // The image fixes the linear memory; a run that names less gets a smaller heap in it.
  const std::uint64_t memory = limits_[Limit::kMemory];
  const std::uint64_t image_memory = image_->base().memory_bytes();
  heap_bytes_ = std::clamp(memory, kGuestMemoryBytesMin, image_memory);
}

// What can be wrong before any guest code runs.
bool RunImpl::CheckStart() {
  if (context_.args.is_undefined()) context_.args = Value::Object();
  RunError error;
  error.code = RunErrorCode::kInvalidArgument;
  if (context_.args.As<ValueObject>() == nullptr) {
    error.message = "args: expected an object, got " + std::string(context_.args.TypeName());
  } else if (!context_.scope.is_undefined() && context_.scope.As<ValueObject>() == nullptr) {
    error.message = "scope: expected an object, got " + std::string(context_.scope.TypeName());
  } else if (limits_[Limit::kStack] > kGuestStackBytesMax) {
    error.message = "limit stack: at most " + FormatLimit(Limit::kStack, kGuestStackBytesMax);
  } else if (limits_[Limit::kMemory] > sandbox_.options().memory_bytes_max) {
    error.message = "limit memory: this node gives at most " +
                    FormatLimit(Limit::kMemory, sandbox_.options().memory_bytes_max);
  } else if (limits_[Limit::kMemory] < kGuestMemoryBytesMin) {
    error.message =
        "limit memory: the guest itself needs " + FormatLimit(Limit::kMemory, kGuestMemoryBytesMin);
  } else {
    return PrepareImage();
  }
  Fail(std::move(error));
  return false;
}

bool RunImpl::PrepareImage() {
  if (limits_[Limit::kMemory] <= image_->base().memory_bytes()) return true;
  auto image = sandbox_.ImageFor(*program_, limits_[Limit::kMemory]);
  if (!image) {
    Fail(image.error());
    return false;
  }
  image_ = *image;
  heap_bytes_ = std::min<std::uint64_t>(limits_[Limit::kMemory], image_->base().memory_bytes());
  return true;
}

std::string RunImpl::EncodeInput(std::uint64_t seed) {
  const bool has_scope = !context_.scope.is_undefined();
  const bool has_tools = context_.tools != nullptr;
  std::string bytes;
  bytes.reserve(256);
  bytes += static_cast<char>(ValueTag::kObject);
  AppendVarint(bytes, std::uint64_t{2} + has_scope + has_tools);
  const auto member = [&bytes](std::string_view key, const Value& value) -> Status {
    AppendVarint(bytes, key.size());
    bytes += key;
    return EncodeValue(value, bytes);
  };
  Status encoded = member("args", context_.args);
  if (encoded) encoded = member("seed", BigInt{HexOf(seed)});
  if (encoded && has_scope) encoded = member("scope", context_.scope);
  if (encoded && has_tools) {
    ValueArray names;
    for (std::string& name : context_.tools->ToolNames()) names.emplace_back(std::move(name));
    encoded = member("tools", names);
  }
  if (!encoded) {
    RunError error;
    error.code = RunErrorCode::kInvalidArgument;
    error.message = "args: " + encoded.error().message();
    Fail(std::move(error));
    bytes.clear();
  }
  return bytes;
}

bool RunImpl::AcquireSlot(WorkerPool::Lease& worker) {
  if (slot_ != nullptr) return true;
  bool fresh = false;
  const Result<Slot*> slot = worker->Acquire(image_, &fresh);
  if (!slot) {
    RunError error;
    error.code = slot.error().code() == Code::kResourceExhausted ? RunErrorCode::kOverloaded
                                                                 : RunErrorCode::kUnavailable;
    error.message = slot.error().message();
    Fail(std::move(error));
    return false;
  }
  slot_ = *slot;
  if (fresh && result_.metrics.start_kind == StartKind::kPooled) {
    result_.metrics.start_kind = StartKind::kFresh;
  }
  if (parked_) {
    slot_->ApplyDelta(parked_->pages);
    parked_.reset();
  }
  nx_mailbox& box = mailbox();
  box.heap_limit = HeapLimitFor(heap_bytes_, image_->base());
  box.stack_limit = static_cast<std::uint32_t>(limits_[Limit::kStack]);
  box.result_limit =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(limits_[Limit::kResult], UINT32_MAX));
  // One more than allowed, so that it is the host that refuses and names the limit.
  box.slots_limit = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(limits_[Limit::kSuspensions], UINT32_MAX - 1) + 1);
  return true;
}

void RunImpl::ReleaseSlot(Worker& worker) {
  if (slot_ == nullptr) return;
  result_.metrics.dirty_pages = worker.Release(slot_, trapped_);
  slot_ = nullptr;
  trapped_ = false;
}

// Keeps the run as the pages it wrote and gives the instance back.
void RunImpl::Park(Worker& worker) {
  if (slot_ == nullptr) return;
  parked_.emplace();
  parked_->pages = slot_->CaptureDelta(*worker.config().dirty);
  worker.Release(slot_, false);
  slot_ = nullptr;
}

RunImpl::Stretch RunImpl::RunStretch(Worker& worker, Export function, std::uint32_t slot, bool ok,
                                     std::string_view input) {
  nx_mailbox& box = mailbox();
  std::uint32_t address = image_->base().mailbox() + offsetof(nx_mailbox, in);
  const std::int64_t now = MonotonicNs();
  WatchLane::Alarm alarm;
  const auto left = [](std::uint64_t limit_ms, std::int64_t used_ns) {
    const std::int64_t limit_ns = AfterMs(0, limit_ms);
    return limit_ns == INT64_MAX ? INT64_MAX : std::max<std::int64_t>(limit_ns - used_ns, 0);
  };
  std::int64_t wall_left = left(limits_[Limit::kWall], running_ns_);
  std::int64_t cpu_left = left(limits_[Limit::kCpu], cpu_ns_);
  if (replay_ != nullptr &&
      (!replay_->FinalStop() || replay_->FinalStop()->how == RecordedStop::kSoft)) {
    // The recording says where to stop; this machine may be slower than the one that made it. But a
    // recording that never stops is stopped.
    wall_left = kReplayNsMax;
    cpu_left = INT64_MAX;
  }
  alarm.wall_ns = wall_left == INT64_MAX ? INT64_MAX : now + wall_left;
  alarm.deadline_ns = deadline_ns_;
  alarm.cpu_left_ns = cpu_left;
  alarm.cpu_start_ns = worker.RoughCpuNs(now);
  alarm.interrupt_word = reinterpret_cast<std::atomic<std::uint32_t>*>(&box.interrupt);
  alarm.poll_countdown = PollCountdown(*slot_, box);
  alarm.cancelled = &cancel_requested_;

  gate_.set_now_unix_ms(sandbox_.UnixMs());
  worker_ = &worker;
  running_on_.store(&worker, std::memory_order_release);
  CallOutcome outcome;
  if (input.size() > NX_IN_BYTES) {
    outcome = worker.Enter(slot_->instance(), this, &alarm, now, Export::kAlloc,
                           static_cast<std::int32_t>(input.size()));
    address = static_cast<std::uint32_t>(outcome.value);
    const std::uint64_t end = std::uint64_t{address} + input.size();
    if (outcome.trapped || address == 0 || end > slot_->instance().memory_bytes()) {
      running_on_.store(nullptr, std::memory_order_release);
      RunError error;
      error.code = RunErrorCode::kMemoryLimit;
      error.limit = LimitName(Limit::kMemory);
      error.message = "the arguments do not fit into the run's memory of " +
                      FormatLimit(Limit::kMemory, limits_[Limit::kMemory]);
      Fail(std::move(error));
      trapped_ = outcome.trapped;
      return Stretch::kDone;
    }
  }
  std::memcpy(slot_->memory() + address, input.data(), input.size());
  // A recorded soft stop is met by asking at every poll whether this is the one.
  if (replay_ != nullptr) box.interrupt = replay_->FinalStop() ? 1 : 0;
  outcome = function == Export::kRun
                ? worker.Enter(slot_->instance(), this, &alarm, now, Export::kRun,
                               static_cast<std::int32_t>(address),
                               static_cast<std::int32_t>(input.size()))
                : worker.Enter(slot_->instance(), this, &alarm, now, Export::kResume,
                               static_cast<std::int32_t>(slot), ok ? 1 : 0,
                               static_cast<std::int32_t>(address),
                               static_cast<std::int32_t>(input.size()));
  running_on_.store(nullptr, std::memory_order_release);
  const std::int64_t end = MonotonicNs();
  running_ns_ += end - now;
  cpu_ns_ += std::clamp<std::int64_t>(worker.RoughCpuNs(end) - alarm.cpu_start_ns, 0, end - now);
  const Stretch stretch = Conclude(outcome);
  worker_ = nullptr;
  return stretch;
}

RunImpl::Stretch RunImpl::StartStretch(Worker& worker) {
  started_ns_ = MonotonicNs();
  deadline_ns_ = AfterMs(started_ns_, limits_[Limit::kDeadline]);
  const std::uint64_t seed = context_.seed.value_or(0);
  const std::string input = EncodeInput(context_.seed ? seed : NewSeed());
  if (result_.error) return Stretch::kDone;
  if (context_.record) {
    recording_.Begin(RecordingStart{.run_id = result_.run_id,
                                    .program_key = program_->key(),
                                    .image_hash = image_->hash(),
                                    .program_name = program_->spec().name,
                                    .panel_id = context_.panel_id,
                                    .handler_name = context_.handler_name,
                                    .started_unix_ms = sandbox_.UnixMs(),
                                    .memory_bytes = limits_[Limit::kMemory],
                                    .stack_bytes = limits_[Limit::kStack],
                                    .heap_bytes = heap_bytes_,
                                    .result_bytes = limits_[Limit::kResult],
                                    .suspensions_max = limits_[Limit::kSuspensions],
                                    .wall_ms = limits_[Limit::kWall],
                                    .cpu_ms = limits_[Limit::kCpu],
                                    .deadline_ms = limits_[Limit::kDeadline],
                                    .input = input});
  }
  return RunStretch(worker, Export::kRun, 0, true, input);
}

RunImpl::Stretch RunImpl::AnswerStretch(Worker& worker, std::uint32_t number, Answer answer) {
  const auto call = std::find_if(pending_.begin(), pending_.end(),
                                 [&](const PendingCall& c) { return c.number == number; });
  NEXUS_CHECK(call != pending_.end());
  std::string bytes;
  Status encoded;
  if (answer.success) encoded = EncodeValue(answer.value, bytes);
  if (!encoded) {
    answer = Answer::Failed("the answer cannot cross the boundary: " + encoded.error().message());
  }
  if (!answer.success) {
    ValueObject error;
    error.Append("code", std::string(RunErrorCodeName(answer.code)));
    error.Append("message", answer.message);
    if (!answer.details.is_undefined()) error.Append("details", std::move(answer.details));
    bytes.clear();
    if (!EncodeValue(error, bytes)) {
      error.Erase("details");
      NEXUS_CHECK(EncodeValue(error, bytes).has_value());
    }
  }
  const std::uint32_t slot = call->slot;
  pending_.erase(call);
  ++result_.metrics.suspensions;
  if (context_.record) {
    recording_.Answered(slot, answer.success, bytes);
    BoundRecording();
  }
  state_->Refresh();
  return RunStretch(worker, Export::kResume, slot, answer.success, bytes);
}

// Every call the guest made in the last stretch, after what it did before is visible.
void RunImpl::DispatchCalls() {
  const std::int64_t deadline_unix_ms =
      deadline_ns_ == INT64_MAX ? 0 : sandbox_.UnixMs() + (deadline_ns_ - MonotonicNs()) / kNsPerMs;
  for (PendingCall& call : pending_) {
    if (call.dispatched) continue;
    call.dispatched = true;
    AnswerFunction done = AnswerOnce([queue = queue_, number = call.number](Answer answer) {
      Deliver(*queue, number, std::move(answer));
    });
    Suspension& suspension = call.suspension;
    if (call.is_tool) {
      // ContinueToEnd may have to make the call again, so the arguments stay.
      Value args = suspension.args.empty() ? Value() : suspension.args.front();
      context_.tools->CallTool(result_.run_id, suspension.method, std::move(args), std::move(done));
      continue;
    }
    call.extension->Call({.run_id = result_.run_id,
                          .suspension_id = suspension.suspension_id,
                          .extension = suspension.extension_name,
                          .method = suspension.method,
                          .args = suspension.args,
                          .idempotency_key = suspension.suspension_id,
                          .deadline_unix_ms = deadline_unix_ms,
                          .panel_id = context_.panel_id},
                         std::move(done));
  }
}

RunImpl::Wait RunImpl::WaitForAnswer(std::pair<std::uint32_t, Answer>* answer,
                                     std::int64_t until_ns) {
  std::unique_lock lock(queue_->mutex);
  const auto ready = [&] { return !queue_->answers.empty() || queue_->cancelled; };
  if (!ready()) {
    const std::int64_t until = std::min(until_ns, deadline_ns_);
    if (until == INT64_MAX) {
      queue_->arrived.wait(lock, ready);
    } else {
      const auto left = std::chrono::nanoseconds(std::max<std::int64_t>(until - MonotonicNs(), 0));
      if (!queue_->arrived.wait_for(lock, left, ready)) {
        return MonotonicNs() >= deadline_ns_ ? Wait::kDeadline : Wait::kIdle;
      }
    }
  }
  if (queue_->cancelled) return Wait::kCancelled;
  *answer = std::move(queue_->answers.front());
  queue_->answers.erase(queue_->answers.begin());
  return Wait::kAnswer;
}

// A new run, or a restored one, to its end on this thread. The instance is kept while answers come
// at once, and given up when one takes its time.
RunResult RunImpl::ServeToEnd(Stretch stretch, std::optional<WorkerPool::Lease>& worker) {
  while (stretch == Stretch::kPending) {
    Flush();
    DispatchCalls();
    std::pair<std::uint32_t, Answer> answer;
    Wait wait = WaitForAnswer(&answer, slot_ != nullptr ? MonotonicNs() + kParkAfterNs : INT64_MAX);
    if (wait == Wait::kIdle) {
      Park(**worker);
      worker.reset();
      wait = WaitForAnswer(&answer, INT64_MAX);
    }
    if (wait == Wait::kAnswer && !IsPending(answer.first)) continue;
    if (wait == Wait::kAnswer) {
      if (!worker) {
        Result<WorkerPool::Lease> lease = sandbox_.pool().Checkout();
        if (lease) worker.emplace(*std::move(lease));
      }
      if (!worker) {
        FinishOutside(RunErrorCode::kUnavailable, "no worker to resume the run on");
        break;
      }
      stretch = AcquireSlot(*worker)
                    ? AnswerStretch(**worker, answer.first, std::move(answer.second))
                    : Stretch::kDone;
    } else if (wait == Wait::kCancelled) {
      FinishOutside(RunErrorCode::kCancelled, "the run was cancelled");
      break;
    } else {
      Fail(StopError(StopReason::kDeadline));
      break;
    }
  }
  if (worker) ReleaseSlot(**worker);
  Finish();
  Flush();
  return TakeAll();
}

RunResult RunImpl::RunToEnd() {
  if (CurrentGuestFrame() == nullptr) [[likely]]
    return RunToEndHere();
  RunResult result;
  OutsideGuest([&] { result = RunToEndHere(); });
  return result;
}

RunResult RunImpl::RunToEndHere() {
  std::optional<WorkerPool::Lease> worker;
  if (phase_ != Phase::kNew) {
    return Misused("the run has been started before");
  }
  Stretch stretch = Stretch::kDone;
  if (CheckStart()) {
    Result<WorkerPool::Lease> lease = sandbox_.pool().Checkout();
    if (!lease) {
      FinishOutside(RunErrorCode::kUnavailable, lease.error().message());
    } else {
      worker.emplace(*std::move(lease));
      if (AcquireSlot(*worker)) stretch = StartStretch(**worker);
    }
  }
  return ServeToEnd(stretch, worker);
}

RunResult RunImpl::ContinueToEnd() {
  RunResult result;
  OutsideGuest([&] { result = ContinueToEndHere(); });
  return result;
}

RunResult RunImpl::ContinueToEndHere() {
  std::optional<WorkerPool::Lease> worker;
  if (phase_ != Phase::kSuspended) {
    return Misused("the run is not suspended");
  }
  phase_ = Phase::kNew;
  gate_.set_now_unix_ms(sandbox_.UnixMs());
  for (PendingCall& call : pending_) {
    if (std::optional<Answer> refusal = RefuseRepeat(call)) {
      Deliver(*queue_, call.number, *std::move(refusal));
    } else {
      call.dispatched = false;
    }
  }
  return ServeToEnd(Stretch::kPending, worker);
}

// Why an outstanding call cannot be made again; nullopt: it can. The rights are those of now.
std::optional<Answer> RunImpl::RefuseRepeat(const PendingCall& call) {
  const Suspension& suspension = call.suspension;
  const std::string name = suspension.extension_name + "." + suspension.method;
  if (!call.idempotent) {
    return Answer::Failed(name +
                          ": outcome unknown: the host stopped while the call was under way and it "
                          "may not be repeated");
  }
  if (call.is_tool ? context_.tools == nullptr : call.extension == nullptr) {
    return Answer::Failed(name + ": it is not there any more", RunErrorCode::kExtensionNotFound);
  }
  const bool allowed =
      call.is_tool ? gate_.Check(Right::kToolCall, suspension.method)
                   : gate_.Check(Right::kExtension, suspension.extension_name, suspension.method,
                                 PathArgument(*call.extension, suspension.method, suspension.args));
  if (allowed) return std::nullopt;
  return Answer::Failed("permission denied: " + gate_.missing() + " is " + gate_.reason(),
                        RunErrorCode::kPermissionDenied);
}

RunResult RunImpl::Start() {
  RunResult result;
  OutsideGuest([&] { result = StartHere(); });
  return result;
}

RunResult RunImpl::StartHere() {
  if (phase_ != Phase::kNew) {
    return Misused("the run has been started before");
  }
  if (!CheckStart()) {
    Finish();
    return TakeSlice();
  }
  Result<WorkerPool::Lease> worker = sandbox_.pool().Checkout();
  if (!worker) {
    FinishOutside(RunErrorCode::kUnavailable, worker.error().message());
    return TakeSlice();
  }
  const Stretch stretch = AcquireSlot(*worker) ? StartStretch(**worker) : Stretch::kDone;
  if (stretch == Stretch::kPending) {
    phase_ = Phase::kSuspended;
    Park(**worker);
    RefreshSuspensions();
  } else {
    ReleaseSlot(**worker);
    Finish();
  }
  return TakeSlice();
}

Result<RunResult> RunImpl::Resume(std::string_view suspension_id, Answer answer) {
  Result<RunResult> result = RunResult();
  OutsideGuest([&] { result = ResumeHere(suspension_id, std::move(answer)); });
  return result;
}

Result<RunResult> RunImpl::ResumeHere(std::string_view suspension_id, Answer answer) {
  const auto call = std::find_if(pending_.begin(), pending_.end(), [&](const PendingCall& c) {
    return c.suspension.suspension_id == suspension_id;
  });
  if (phase_ != Phase::kSuspended || call == pending_.end()) {
    return nexus::Fail(Code::kNotFound, "resume: no suspension " + std::string(suspension_id) +
                                            " is open: it was answered before, or never was");
  }
  NEXUS_TRY(WorkerPool::Lease worker, sandbox_.pool().Checkout());
  if (parked_ && !parked_->compressed.empty()) NEXUS_TRY_STATUS(Expand());
  const bool late = MonotonicNs() >= deadline_ns_;
  const bool cancelled = cancel_requested_.load(std::memory_order_acquire);
  Stretch stretch = Stretch::kDone;
  if (cancelled) {
    Fail(StopError(StopReason::kCancelled));
  } else if (late) {
    Fail(StopError(StopReason::kDeadline));
  } else if (AcquireSlot(worker)) {
    stretch = AnswerStretch(*worker, call->number, std::move(answer));
  }
  if (stretch == Stretch::kPending) {
    Park(*worker);
    RefreshSuspensions();
  } else {
    ReleaseSlot(*worker);
    Finish();
  }
  return TakeSlice();
}

bool RunImpl::IsPending(std::uint32_t number) const {
  return std::any_of(pending_.begin(), pending_.end(),
                     [number](const PendingCall& call) { return call.number == number; });
}

void RunImpl::Cancel() {
  cancel_requested_.store(true, std::memory_order_seq_cst);
  if (Worker* const worker = running_on_.load(std::memory_order_acquire)) {
    sandbox_.watchdog().Stop(worker->lane(), StopReason::kCancelled,
                             [&] { return running_on_.load(std::memory_order_acquire) == worker; });
  }
  const std::lock_guard lock(queue_->mutex);
  queue_->cancelled = true;
  queue_->arrived.notify_all();
}

void RunImpl::FinishOutside(RunErrorCode code, std::string message) {
  RunError error;
  error.code = code;
  error.message = std::move(message);
  Fail(std::move(error));
  Finish();
}

// A call that the run's state does not allow: an error for the caller, nothing changes for the run.
RunResult RunImpl::Misused(std::string message) const {
  RunResult result;
  result.run_id = result_.run_id;
  result.status = RunStatus::kError;
  result.error.emplace();
  result.error->code = RunErrorCode::kSuspensionNotFound;
  result.error->message = std::move(message);
  result.error->run_id = result_.run_id;
  return result;
}

std::uint32_t HeapLimitFor(std::uint64_t memory_bytes, const BaseImage& base) {
  const std::uint32_t at = base.mailbox() + offsetof(nx_mailbox, heap_limit);
  std::uint32_t whole = 0;
  std::memcpy(&whole, base.page(at / kPageBytes) + at % kPageBytes, sizeof(whole));
  const std::uint64_t less = base.memory_bytes() - memory_bytes;
  NEXUS_CHECK(memory_bytes <= base.memory_bytes() && less < whole);
  return static_cast<std::uint32_t>(whole - less);
}

void RunImpl::RefreshSuspensions() {
  open_suspensions_.clear();
  for (PendingCall& call : pending_) {
    call.dispatched = true;  // From here on it is the caller's to make.
    open_suspensions_.push_back(call.suspension);
  }
  result_.status = RunStatus::kSuspended;
}

// The run is over: outstanding calls go on in the host, their outcome is only logged.
void RunImpl::Finish() {
  if (phase_ == Phase::kDone) return;
  phase_ = Phase::kDone;
  parked_.reset();
  open_suspensions_.clear();
  {
    const std::lock_guard lock(queue_->mutex);
    queue_->closed = true;
  }
  if (result_.error) {
    for (const PendingCall& call : pending_) {
      if (call.extension != nullptr) call.extension->Abandon(result_.run_id);
    }
  }
  pending_.clear();
  RunMetrics& metrics = result_.metrics;
  metrics.duration_us = started_ns_ == 0 ? 0 : Microseconds(MonotonicNs() - started_ns_);
  metrics.cpu_us = Microseconds(cpu_ns_);
  metrics.cache_hit = program_->load_report().cache_hit;
  if (program_->load_report().compilation_us != 0) {
    metrics.compilation_time_us = program_->load_report().compilation_us;
  }
  for (const HostCallInfo& info : kHostCallTable) {
    const std::uint32_t count = host_call_counts_[static_cast<std::size_t>(info.op)];
    if (count != 0) metrics.host_calls.push_back({info.name, count});
  }
  sandbox_.CountRun(result_.error.has_value(), gate_.denials());
}

// Shows the observer what is new since it was last asked.
void RunImpl::Flush() {
  if (context_.observer == nullptr) return;
  RunResult flush;
  flush.run_id = result_.run_id;
  flush.status = phase_ == Phase::kDone ? result_.status : RunStatus::kSuspended;
  const auto take_new = [](const auto& all, auto& part, std::size_t& from) {
    part.assign(all.begin() + static_cast<std::ptrdiff_t>(from), all.end());
    from = all.size();
  };
  take_new(result_.state_mutations, flush.state_mutations, flushed_mutations_);
  take_new(result_.events, flush.events, flushed_events_);
  take_new(result_.view_commands, flush.view_commands, flushed_views_);
  take_new(result_.logs, flush.logs, flushed_logs_);
  for (const PendingCall& call : pending_) flush.suspensions.push_back(call.suspension);
  if (phase_ == Phase::kDone) {
    flush.return_value = result_.return_value;
    flush.error = result_.error;
    flush.metrics = result_.metrics;
  }
  context_.observer->OnFlush(flush);
}

RunResult RunImpl::TakeSlice() {
  Flush();
  RunResult slice;
  slice.run_id = result_.run_id;
  slice.status = result_.status;
  slice.return_value = std::move(result_.return_value);
  slice.state_mutations = std::exchange(result_.state_mutations, {});
  slice.events = std::exchange(result_.events, {});
  slice.view_commands = std::exchange(result_.view_commands, {});
  slice.logs = std::exchange(result_.logs, {});
  slice.suspensions = open_suspensions_;
  slice.error = result_.error;
  slice.metrics = result_.metrics;
  flushed_mutations_ = flushed_events_ = flushed_views_ = flushed_logs_ = 0;
  return slice;
}

RunResult RunImpl::TakeAll() {
  const std::string run_id = result_.run_id;
  RunResult all = std::move(result_);
  result_ = RunResult();
  result_.run_id = run_id;
  return all;
}

Result<RunResult> RunImpl::ReplayFrom(RecordingReader& reader) {
  replay_ = &reader;
  context_.record = false;
  if (!CheckStart()) {
    Finish();
    return TakeAll();
  }
  if (reader.header().image_hash != image_->hash()) {
    FinishOutside(RunErrorCode::kInternalError,
                  "replay: the recording was made with another image: another guest or engine");
    return TakeAll();
  }
  NEXUS_TRY(WorkerPool::Lease worker, sandbox_.pool().Checkout());
  Stretch stretch = Stretch::kDone;
  started_ns_ = MonotonicNs();
  if (AcquireSlot(worker)) {
    stretch = RunStretch(*worker, Export::kRun, 0, true, reader.header().input);
  }
  while (stretch == Stretch::kPending) {
    const Result<std::optional<RecordedAnswer>> answer = reader.NextAnswer();
    if (!answer || !*answer) {
      FinishOutside(RunErrorCode::kInternalError,
                    "the recording ends while the run waits for an answer");
      break;
    }
    std::erase_if(pending_, [&](const PendingCall& c) { return c.slot == (*answer)->slot; });
    ++result_.metrics.suspensions;
    stretch =
        RunStretch(*worker, Export::kResume, (*answer)->slot, (*answer)->ok, (*answer)->value);
  }
  ReleaseSlot(*worker);
  pending_.clear();
  Finish();
  return TakeAll();
}

}  // namespace nexus::internal
