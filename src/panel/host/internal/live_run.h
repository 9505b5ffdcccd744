#pragma once
/// One call of a handler on its way through a panel.

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "panel/host/internal/computed.h"
#include "panel/host/internal/panel_state.h"
#include "panel/host/internal/run_trace.h"
#include "panel/host/panel_host.h"
#include "sandbox/sandbox.h"

namespace nexus::internal {

/// A handler made ready to run.
struct LoadedHandler {
  std::string name;  ///< As records have it: the tool's name, "lifecycle:mount".
  ProgramPtr program;
  CapabilitySet capabilities;
  std::vector<std::string> computed;     ///< Computed values it asks to read.
  const ToolDefinition* tool = nullptr;  ///< nullptr: a lifecycle handler.
  bool atomic = false;
};

/// A panel's definition with everything compiled. Immutable; kept as long as the panel, because
/// runs of before an update still use it.
struct LoadedPanel {
  PanelDefinition definition;
  std::string source;
  std::vector<std::unique_ptr<LoadedHandler>> handlers;
  std::unique_ptr<ComputedValues> computed;
  std::vector<ExtensionBinding> extensions;

  const LoadedHandler* FindHandler(std::string_view name) const {
    for (const auto& handler : handlers) {
      if (handler->name == name) return handler.get();
    }
    return nullptr;
  }
};

/// `$state` of a run: the head of the panel, computed values among it. What an atomic run reads is
/// noted, so that a conflict can be told.
class RunState final : public StateBinding {
 public:
  RunState(PanelState& state, ComputedValues& computed, bool note_reads)
      : state_(state), computed_(computed), note_reads_(note_reads) {}

  Value Get(std::string_view key) override;
  bool Has(std::string_view key) override;
  std::vector<std::string> Keys() override;
  Result<std::uint64_t> Set(std::string_view key, std::span<const PathStep> path,
                            const Value& value) override;
  Result<std::uint64_t> Delete(std::string_view key, std::span<const PathStep> path) override;

  /// Keys read or written; empty unless noted.
  const std::set<std::string, std::less<>>& touched() const { return touched_; }
  /// Of a restored run: what it had touched before.
  void AddTouched(std::string key) { touched_.insert(std::move(key)); }

 private:
  void Note(std::string_view key) {
    if (note_reads_) touched_.emplace(key);
  }
  PanelState& state_;
  ComputedValues& computed_;
  const bool note_reads_;
  std::set<std::string, std::less<>> touched_;
};

/// The head of a panel as computed values read it.
class HeadReader final : public StateReader {
 public:
  explicit HeadReader(const PanelState& state) : state_(state) {}
  Value Get(std::string_view key) const override { return state_.Get(key); }
  bool Has(std::string_view key) const override { return state_.Has(key); }
  std::vector<std::string> Keys() const override { return state_.Keys(); }
  std::optional<std::uint64_t> Revision(std::string_view key) const override {
    return state_.KeyRevision(key);
  }

 private:
  const PanelState& state_;
};

/// The names `$tools` has. The calls themselves never come here: a panel runs its handlers slice by
/// slice and makes their calls itself.
class PanelToolNames final : public ToolBinding {
 public:
  explicit PanelToolNames(const PanelDefinition& definition) : definition_(definition) {}
  void CallTool(std::string_view run_id, std::string_view name, Value args,
                AnswerFunction done) override;
  std::vector<std::string> ToolNames() const override;

 private:
  const PanelDefinition& definition_;
};

/// Touched by its panel's strand only, except where it says otherwise.
struct LiveRun {
  std::string run_id;
  const LoadedPanel* loaded = nullptr;
  const LoadedHandler* handler = nullptr;
  std::string principal;
  std::string idempotency_key;
  std::string traceparent;
  std::shared_ptr<RunTrace> trace;  ///< nullptr: nobody keeps it.
  Value args;
  Value scope;
  Limits limits;
  /// Given to this run while it waited, beside the rights of its handler (contract 4, elevation).
  std::vector<Grant> elevated;
  std::int64_t started_unix_ms = 0;
  std::int64_t deadline_unix_ms = 0;
  std::uint64_t queued_ns = 0;
  int depth = 0;  ///< Of `$tools` calls and triggers: what started this run, how often removed.
  std::vector<RunObserver> observers;  ///< Guarded by the panel's mutex.

  std::unique_ptr<RunState> state;
  std::unique_ptr<PanelToolNames> tools;
  std::unique_ptr<Run> run;  ///< Set under the panel's mutex, because Cancel reads it.
  RunResult all;             ///< Everything so far.
  bool started = false;
  bool suspended = false;
  bool finished = false;
  bool stored = false;  ///< The journal has its snapshot.
  /// Suspensions of that snapshot.
  std::set<std::string, std::less<>> kept;
  std::uint64_t answers = 0;            ///< Numbers given to answers in the journal.
  std::uint64_t answers_delivered = 0;  ///< The last the run has seen.
  std::uint64_t slices = 0;             ///< Tells one suspension from the next.
  std::uint64_t base_revision = 0;      ///< Before the first write of this slice.
  std::vector<StateMutation> stash;     ///< Of an atomic run that waits: taken out of the head.
  std::uint64_t stash_revision = 0;     ///< What the stash was made on.
  int attempts = 0;                     ///< Changed under the panel's mutex.
  /// Suspensions whose call has been made. Guarded by the panel's mutex.
  std::set<std::string, std::less<>> called;
  std::atomic<bool> cancelled{false};
};
using LiveRunPtr = std::shared_ptr<LiveRun>;

}  // namespace nexus::internal
