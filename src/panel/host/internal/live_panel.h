#pragma once
/// A mounted panel: its queue of work, which one thread at a time works off, its state, its runs,
/// its watchers.
///
/// live_panel.cc      what Panel promises: calls, state, subscriptions, history
/// panel_runs.cc      a run from start to end: slices, effects, atomic runs, calls it makes
/// panel_delivery.cc  what is told to whom once it is on disk
/// panel_suspended.cc runs that wait: kept, answered, gone on with after a restart
/// panel_restore.cc   opening a panel from the journal
/// panel_triggers.cc  timers, events and state changes that call tools

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "panel/host/internal/idempotency.h"
#include "panel/host/internal/journal.h"
#include "panel/host/internal/live_run.h"
#include "panel/host/internal/panel_state.h"
#include "panel/host/internal/timers.h"
#include "panel/host/internal/work_queue.h"
#include "panel/host/panel_host.h"
#include "panel/schedule/cron.h"

namespace nexus::internal {

class LivePanel;

/// What a panel needs of its host. Outlives the host while calls of extensions are under way; the
/// pointers are good as long as the host's workers run.
struct PanelServices {
  const PanelHostOptions* options = nullptr;
  Sandbox* sandbox = nullptr;
  Journal* journal = nullptr;  ///< nullptr: nothing is kept.
  Timers* timers = nullptr;
  WorkQueue queue;
  std::atomic<std::uint64_t> runs{0}, errors{0};
  std::atomic<std::size_t> queued{0}, running{0}, suspended{0};
  std::atomic<bool> draining{false};
};

class LivePanel final : public Panel, public std::enable_shared_from_this<LivePanel> {
 public:
  LivePanel(std::shared_ptr<PanelServices> services, std::unique_ptr<LoadedPanel> loaded,
            std::string owner, std::int64_t created_unix_ms);

  const std::string& id() const override { return id_; }
  const std::string& owner() const override { return owner_; }
  std::int64_t created_unix_ms() const override { return created_unix_ms_; }
  const PanelDefinition& definition() const override { return loaded()->definition; }
  std::string CallTool(ToolCall call, RunObserver observer) override;
  std::size_t waiting() const override;
  Status Cancel(std::string_view run_id) override;
  void SetState(std::string_view key, Value value, std::string_view principal,
                std::function<void(Result<std::uint64_t>)> done) override;
  std::uint64_t revision() const override { return state_.durable_revision(); }
  PanelSnapshot State() override;
  Result<ValueObject> StateAt(std::uint64_t revision) override;
  Result<std::uint64_t> Subscribe(std::optional<std::uint64_t> after_revision,
                                  UpdateObserver observer) override;
  void Unsubscribe(std::uint64_t subscription) override;
  std::vector<RunRecord> Runs(std::size_t limit) const override;
  std::optional<RunRecord> FindRun(std::string_view run_id) const override;
  std::vector<LogEntry> Logs(std::size_t limit) const override;

  // For the host.
  /// Works off some of the queue on the calling thread. True: there is more.
  bool Work();
  const LoadedPanel* loaded() const { return current_.load(std::memory_order_acquire); }
  /// Journals the panel; `done` on the journal's thread. Then runs the mount handler.
  void Begin(std::function<void(Status)> done);
  /// Goes on with what the journal had, and says what of it is lost. Before anything else is
  /// called.
  std::string Restore(StoredPanel stored);
  /// Initial values instead of the declared defaults. Before Begin.
  Status Preset(const ValueObject& values);
  void Update(std::unique_ptr<LoadedPanel> loaded, std::function<void(Status)> done);
  /// Starts a lifecycle handler; false: there is none.
  bool RunLifecycle(LifecycleEvent event, RunObserver observer);
  void ArmTriggers();
  /// No more calls; every live run is cancelled; `done` when the journal has forgotten the panel.
  void End(std::function<void(Status)> done);
  /// The host goes: drops everything that waits. No worker runs any more.
  void Abandon();
  bool closed() const { return closed_.load(std::memory_order_acquire); }

 private:
  using Job = std::move_only_function<void()>;
  struct Flush;
  struct Start {
    const LoadedHandler* handler = nullptr;
    ToolCall call;
    int depth = 0;
    std::string run_id;
  };

  // live_panel.cc
  void Post(Job job);
  void Schedule();
  WorkQueue::Job Turn();
  std::string StartRun(Start start, RunObserver observer);
  std::optional<RunResult> Refusal(const LoadedHandler* handler, ToolCall& call,
                                   const std::string& run_id);
  RunResult ErrorResult(std::string run_id, const std::string& handler, RunErrorCode code,
                        std::string message) const;
  Result<AppendRecord> MakeAppend(const RecordParts& record) const;
  std::int64_t NowMs() const { return services_->timers->NowMs(); }

  // panel_runs.cc
  void Begin(const LiveRunPtr& run);
  ExecutionContext ContextFor(LiveRun& run) const;
  CapabilitySet RightsOf(const LiveRun& run) const;
  CapabilitySet UpToCeiling(CapabilitySet given) const;
  void Elevate(LiveRun& run, std::vector<Grant> grants);
  void RunSlice(const LiveRunPtr& run, const std::function<RunResult()>& slice);
  void AfterSlice(const LiveRunPtr& run, RunResult slice);
  void AfterAtomicSlice(LiveRun& run, RunResult& slice);
  void Resume(const LiveRunPtr& run, int attempt, const std::string& suspension_id, Answer answer);
  bool PutBackStash(const LiveRunPtr& run);
  void Retry(const LiveRunPtr& run);
  void FailRun(const LiveRunPtr& run, RunErrorCode code, std::string message);
  void MakeCalls(const LiveRunPtr& run, int attempt, const std::vector<Suspension>& suspensions,
                 bool again);
  void CallOfTool(const LiveRunPtr& run, const Suspension& suspension, std::string traceparent,
                  AnswerFunction done);
  AnswerFunction AnswerTo(const LiveRunPtr& run, int attempt, const Suspension& suspension);
  void FallBackIfFailed();

  // panel_delivery.cc
  void Submit(std::shared_ptr<Flush> flush);
  void Delivered(const std::shared_ptr<Flush>& flush, const Status& status);
  void Tell(const std::shared_ptr<const PanelUpdate>& update);
  void Finish(const LiveRunPtr& run);
  void Lost(const LiveRunPtr& run, const std::string& why);
  std::shared_ptr<PanelUpdate> UpdateFor(const LiveRun* run, const RunResult& effects,
                                         std::uint64_t revision, bool finished);
  std::vector<ValueObject::Entry> ChangedComputed();
  void CheckpointIfDue(JournalEntry& entry, std::uint64_t revision);
  void KeepRecord(RunRecord record);
  void KeepLogs(const std::vector<LogEntry>& logs);

  // panel_suspended.cc
  std::string EncodeRun(const LiveRun& run) const;
  void KeepSuspended(LiveRun& run, bool acted, Flush& flush);
  void Answered(const LiveRunPtr& run, int attempt, const std::string& suspension_id,
                Answer answer);
  void Forget(const std::string& run_id);
  void CompactIfIdle(const LiveRunPtr& run, std::uint64_t slice);
  LiveRunPtr DecodeRun(const std::string& run_id, const Value& fields);
  Status Revive(LiveRun& run, const Value& fields);
  Job RestoreRun(const StoredRun& stored, RunResult before);

  // panel_restore.cc
  void RestoreFinished(JournalRecord record, RunResult effects);
  void Repair(const StoredPanel& stored);
  Result<std::vector<std::shared_ptr<const PanelUpdate>>> UpdatesAfter(std::uint64_t revision);

  // panel_triggers.cc
  void ArmTimed(std::uint32_t index, std::int64_t last_unix_ms);
  void FireTimed(const LoadedPanel* loaded, std::uint32_t index, std::int64_t due_unix_ms);
  std::optional<std::int64_t> NextDue(const TriggerDefinition& trigger, std::int64_t after) const;
  void FireOn(const PanelUpdate& update, int depth);
  void Trigger(const TriggerDefinition& trigger, std::uint32_t index, Value event, Value change,
               int depth);

  const std::shared_ptr<PanelServices> services_;
  const std::string id_;
  const std::string owner_;
  const std::int64_t created_unix_ms_;
  std::atomic<const LoadedPanel*> current_{nullptr};
  std::shared_ptr<JournalLane> lane_;  ///< nullptr: nothing is kept.
  std::uint64_t epoch_ = 1;            ///< Strand only.
  PanelState state_;

  mutable std::mutex mutex_;  ///< Of everything down to the next remark.
  std::vector<std::unique_ptr<LoadedPanel>> versions_;
  std::deque<Job> jobs_;
  bool scheduled_ = false;
  std::map<std::string, LiveRunPtr, std::less<>> live_;
  IdempotencyKeys idempotent_;
  std::deque<RunRecord> history_;  ///< Newest last.
  std::size_t history_bytes_ = 0;
  std::deque<LogEntry> logs_;
  std::map<std::uint32_t, std::int64_t> trigger_last_;
  std::map<std::uint32_t, std::string> trigger_runs_;  ///< The newest run of each.

  /// Held while watchers are told, so that Unsubscribe can promise silence. Before mutex_.
  std::recursive_mutex delivery_mutex_;
  std::map<std::uint64_t, UpdateObserver> watchers_;
  std::uint64_t next_watcher_ = 1;
  std::atomic<std::size_t> watcher_count_{0};
  std::atomic<bool> watchers_are_new_{false};

  // Strand only.
  ValueObject told_computed_;
  std::uint64_t checkpoint_revision_ = 0;
  std::size_t bytes_since_checkpoint_ = 0;
  std::uint64_t restored_from_ = 0;  ///< Of older revisions it is not known what they wrote.
  std::atomic<bool> closed_{false};
};

}  // namespace nexus::internal
