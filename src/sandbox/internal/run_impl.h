#pragma once
/// One execution: the state machine behind Run, and the host side of its host calls.

#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "capability/gate.h"
#include "sandbox/internal/host_call_table.h"
#include "sandbox/internal/program_impl.h"
#include "sandbox/internal/recording.h"
#include "sandbox/internal/worker.h"
#include "sandbox/sandbox.h"

namespace nexus::internal {

class SandboxImpl;

/// The guest is linked with this much stack; a run may name less.
inline constexpr std::uint64_t kGuestStackBytesMax = std::uint64_t{1} << 20;
/// Below this the guest's own data and stack do not fit.
inline constexpr std::uint64_t kGuestMemoryBytesMin = std::uint64_t{4} << 20;
/// The guest's heap limit for a run that names less memory than its image has: what the guest's
/// code and stack take counts as memory too.
std::uint32_t HeapLimitFor(std::uint64_t memory_bytes, const BaseImage& base);

/// Answers on their way to a run, from any thread; outlives the run when a call does.
struct AnswerQueue {
  std::mutex mutex;
  std::condition_variable arrived;
  std::vector<std::pair<std::uint32_t, Answer>> answers;  ///< Suspension number, answer.
  bool cancelled = false;
  bool closed = false;  ///< The run has ended: late answers are logged and dropped.
};

/// A call the guest waits for.
struct PendingCall {
  std::uint32_t number = 0;  ///< Counts the run's suspensions from 1; its id is "RUN.number".
  std::uint32_t slot = 0;    ///< The guest's promise slot.
  bool dispatched = false;
  bool idempotent = false;
  bool is_tool = false;
  std::shared_ptr<Extension> extension;  ///< Null: a tool, or not bound any more.
  Suspension suspension;
};

/// What of a suspended run is kept: pages, or the same compressed.
struct ParkedState {
  PageDelta pages;
  std::string compressed;  ///< Non-empty: `pages` was given up for it.
};

/// The argument of `method` that path-prefix grants judge; empty when it names none.
std::string_view PathArgument(const Extension& extension, std::string_view method,
                              const ValueArray& args);

class RunImpl final : public Run, private HostPort {
 public:
  RunImpl(SandboxImpl& sandbox, std::shared_ptr<const ProgramImpl> program,
          ExecutionContext context);
  ~RunImpl() override;

  const std::string& id() const override { return result_.run_id; }
  RunResult Start() override;
  Result<RunResult> Resume(std::string_view suspension_id, Answer answer) override;
  RunResult RunToEnd() override;
  RunResult ContinueToEnd() override;
  void Cancel() override;
  void ReplaceCapabilities(CapabilitySet granted) override { gate_.Replace(std::move(granted)); }
  Result<std::string> Snapshot() override;
  std::size_t held_bytes() const override;
  Status Compact() override;
  const std::vector<Suspension>& suspensions() const override { return open_suspensions_; }
  std::string Recording() const override { return recording_.bytes(); }

  /// From a snapshot's fields (snapshot.cc).
  Status Expand();
  Status RestoreFrom(std::string_view snapshot);
  Status RestoreFields(const Value& fields);
  /// Runs a recording; the run must be new.
  Result<RunResult> ReplayFrom(RecordingReader& reader);
  std::string TakeRecording() { return recording_.Take(); }

 private:
  enum class Phase : std::uint8_t { kNew, kSuspended, kDone };
  /// What one stretch of guest code led to.
  enum class Stretch : std::uint8_t { kPending, kDone };

  // run_impl.cc: life cycle
  void PrepareLimits();
  RunResult StartHere();
  Result<RunResult> ResumeHere(std::string_view suspension_id, Answer answer);
  RunResult RunToEndHere();
  RunResult ContinueToEndHere();
  bool CheckStart();
  bool PrepareImage();
  std::string EncodeInput(std::uint64_t seed);
  bool AcquireSlot(WorkerPool::Lease& worker);
  void ReleaseSlot(Worker& worker);
  void Park(Worker& worker);
  Stretch RunStretch(Worker& worker, Export function, std::uint32_t slot, bool ok,
                     std::string_view input);
  Stretch StartStretch(Worker& worker);
  Stretch AnswerStretch(Worker& worker, std::uint32_t number, Answer answer);
  RunResult ServeToEnd(Stretch stretch, std::optional<WorkerPool::Lease>& worker);
  void DispatchCalls();
  enum class Wait : std::uint8_t { kAnswer, kIdle, kDeadline, kCancelled };
  Wait WaitForAnswer(std::pair<std::uint32_t, Answer>* answer, std::int64_t until_ns);
  void FinishOutside(RunErrorCode code, std::string message);
  RunResult Misused(std::string message) const;
  std::optional<Answer> RefuseRepeat(const PendingCall& call);
  bool IsPending(std::uint32_t number) const;
  void RefreshSuspensions();
  RunResult TakeSlice();
  RunResult TakeAll();
  void Flush();
  void Finish();

  // run_outcome.cc: what the guest's return means
  Stretch Conclude(const CallOutcome& outcome);
  void ConcludeDone();
  void ConcludeError();
  void ConcludeTrap(const CallOutcome& outcome);
  void Fail(RunError error);
  RunError StopError(StopReason reason) const;
  RunError GuestError(const Value& error) const;
  std::string_view GuestOutput() const;
  std::int64_t RunningNs() const { return running_ns_; }

  // run_host_calls.cc
  std::int64_t OnHostCall(std::int32_t op, std::int32_t a, std::uint8_t* bytes,
                          std::uint32_t n) override;
  struct Request;
  std::int64_t Dispatch(const HostCallInfo& info, std::int32_t a, std::string_view request);
  std::int64_t Replayed(const HostCallInfo& info, std::int32_t a, std::string_view request);
  bool Authorize(HostOp op, std::int32_t a, Request& request);
  std::int64_t Perform(HostOp op, std::int32_t a, Request& request);
  std::int64_t StateGet(Request& request);
  std::int64_t StateSet(Request& request);
  std::int64_t StateDelete(Request& request);
  std::int64_t StateKeys(std::int32_t a);
  std::int64_t EmitEvent(Request& request);
  std::int64_t UpdateView(Request& request);
  std::int64_t WriteLog(std::int32_t level, Request& request);
  std::int64_t CallExtension(std::int32_t slot, Request& request);
  std::int64_t CallTool(std::int32_t slot, Request& request);
  std::int64_t AddPending(std::int32_t slot, PendingCall call);
  std::int64_t ListExtensions();
  std::int64_t ListMethods(Request& request);
  void ReplayFatal();
  std::int64_t Interrupted(std::uint32_t polls);
  std::int64_t FetchReply(std::uint8_t* bytes, std::uint32_t n);
  std::int64_t Panic(std::string_view message);
  std::int64_t Reply(const Value& value);
  std::int64_t ReplyBytes();
  std::int64_t ReplyError(RunErrorCode code, std::string message, std::string capability = {});
  std::int64_t Exhausted(Limit limit);
  std::int64_t Malformed();
  bool Count(Limit limit, std::uint64_t amount = 1);
  bool Keep(std::uint64_t bytes);
  Result<Value> TakeValue(std::string_view& bytes);
  std::int64_t TooMuchKept();
  std::int64_t HandOver(std::int64_t code);
  void BoundRecording();
  const ExtensionBinding* FindAlias(std::string_view alias) const;
  void ApplyEffect(HostOp op, std::int32_t a, std::string_view request, std::uint64_t revision);

  nx_mailbox& mailbox() const;

  SandboxImpl& sandbox_;
  const std::shared_ptr<const ProgramImpl> program_;
  ExecutionContext context_;
  MemoryState own_state_;
  StateBinding* state_;
  ResolvedLimits limits_;
  std::shared_ptr<const Image> image_;
  std::uint64_t heap_bytes_ = 0;
  Gate gate_;

  Phase phase_ = Phase::kNew;
  Slot* slot_ = nullptr;
  Worker* worker_ = nullptr;  ///< While guest code runs.
  std::optional<ParkedState> parked_;
  bool trapped_ = false;

  RunResult result_;  ///< Accumulates; effect lists since the last flush.
  std::array<std::uint32_t, kHostOpMax> host_call_counts_{};
  std::array<std::uint64_t, kLimitCount> used_{};
  std::optional<RunError> fatal_;  ///< Ends the run whatever the guest makes of it.
  std::vector<PendingCall> pending_;
  std::vector<Suspension> open_suspensions_;
  std::uint32_t suspension_count_ = 0;
  std::shared_ptr<AnswerQueue> queue_;
  std::atomic<bool> cancel_requested_{false};
  std::atomic<Worker*> running_on_{nullptr};

  std::int64_t started_ns_ = 0;
  std::int64_t deadline_ns_ = INT64_MAX;
  std::int64_t running_ns_ = 0;  ///< Of guest code so far.
  std::int64_t cpu_ns_ = 0;
  std::size_t flushed_mutations_ = 0, flushed_events_ = 0, flushed_views_ = 0, flushed_logs_ = 0;

  std::uint64_t kept_bytes_ = 0;  ///< By the host for this run: effects, arguments.
  std::string reply_;             ///< The last reply, for Fetch.
  bool reply_is_error_ = false;
  std::uint64_t revision_made_ = 0;
  RecordingWriter recording_;
  RecordingReader* replay_ = nullptr;
  std::string replay_divergence_;
  std::uint32_t replay_calls_ = 0;
};

}  // namespace nexus::internal
