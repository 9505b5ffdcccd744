#pragma once
/// Panels, live: tools run in fresh sandboxes, what they change is durable before anybody sees it,
/// and everybody who watches sees it at once.
///
/// The way of a call: CallTool puts it in its panel's queue; a worker runs it when no other run of
/// that panel executes; its changes go to the head state as they happen and to the journal when it
/// ends or waits; once the journal is synced the result, patches, events and extension calls leave.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/value.h"
#include "capability/set.h"
#include "panel/definition.h"
#include "sandbox/bindings.h"
#include "sandbox/limits.h"
#include "sandbox/run_result.h"

namespace nexus {

class Sandbox;

/// One call of a tool: the task request of contract 6, as far as a panel needs it.
struct ToolCall {
  std::string tool;
  Value args;   ///< Object, or undefined for none. Checked against the tool's Arg elements.
  Value scope;  ///< `$scope`; usually undefined.
  std::string principal;        ///< Who asks, for records; "" inside the process.
  std::string idempotency_key;  ///< Same key, same panel: the first call's result again. "" : none.
  std::int64_t deadline_unix_ms = 0;  ///< 0: none.
  std::string traceparent;            ///< W3C; "" : a new trace.
  Limits limits;                      ///< The call's own; only ever lower what holds.
};

/// One line of a panel's run history.
struct RunRecord {
  std::string run_id;
  std::string handler;  ///< Tool name, "lifecycle:mount"
  std::string principal;
  std::int64_t started_unix_ms = 0;
  Value args;
  RunResult result;  ///< status kSuspended while it waits.
};

/// What happened in a panel between two revisions, durable. Shared by all who watch.
struct PanelUpdate {
  std::string panel_id;
  std::int64_t unix_ms = 0;
  std::uint64_t revision = 0;  ///< After `mutations`; unchanged when there are none.
  std::string run_id;          ///< The run that did it; "" for writes from outside.
  std::vector<StateMutation> mutations;
  std::vector<ValueObject::Entry> computed;  ///< Computed values that are different now.
  std::vector<EmittedEvent> events;
  std::vector<ViewCommand> view_commands;
  std::vector<LogEntry> logs;
  std::optional<RunRecord> finished;  ///< The whole run, when it ended with this update.
};

struct PanelSnapshot {
  std::uint64_t revision = 0;  ///< Newest durable one.
  ValueObject state;
  ValueObject computed;
};

/// Called when a call has progressed: for each suspension what happened since the last one (status
/// kSuspended), and at the end the result with the effects of the whole run. Every call happens
/// after what it tells is durable. From any thread.
using RunObserver = std::function<void(const RunResult& flush)>;
/// From any thread; in revision order for one panel. Must not block.
using UpdateObserver = std::function<void(const std::shared_ptr<const PanelUpdate>&)>;

/// A mounted panel. Thread-safe.
class Panel {
 public:
  virtual ~Panel() = default;
  virtual const std::string& id() const = 0;
  virtual const std::string& owner() const = 0;
  virtual std::int64_t created_unix_ms() const = 0;
  /// Good as long as the panel, also after an update.
  virtual const PanelDefinition& definition() const = 0;

  /// Starts a call and returns its run id at once. Refusals (unknown tool, bad arguments, overload)
  /// come as an error result through `observer` too, so there is one path.
  virtual std::string CallTool(ToolCall call, RunObserver observer) = 0;
  /// Stops a run of this panel wherever it is. kNotFound when there is none that lives.
  virtual Status Cancel(std::string_view run_id) = 0;
  /// Writes one key from outside (a bound input): type-checked, journaled, seen by watchers.
  virtual void SetState(std::string_view key, Value value, std::string_view principal,
                        std::function<void(Result<std::uint64_t>)> done) = 0;

  /// The newest durable state. Computed values are brought up to date first, which may run code.
  virtual PanelSnapshot State() = 0;
  /// kNotFound when `revision` is newer than the newest or was compacted away.
  virtual Result<ValueObject> StateAt(std::uint64_t revision) = 0;

  /// `after_revision`: updates after it are delivered first, from the journal; nullopt: only new
  /// ones. kNotFound when they were compacted away: take State() and subscribe from its revision.
  virtual Result<std::uint64_t> Subscribe(std::optional<std::uint64_t> after_revision,
                                          UpdateObserver observer) = 0;
  /// After it returns the observer is not called again.
  virtual void Unsubscribe(std::uint64_t subscription) = 0;

  /// Newest first, at most `limit`.
  virtual std::vector<RunRecord> Runs(std::size_t limit) const = 0;
  virtual std::optional<RunRecord> FindRun(std::string_view run_id) const = 0;
  virtual std::vector<LogEntry> Logs(std::size_t limit) const = 0;
};

struct PanelHostOptions {
  Sandbox* sandbox = nullptr;  ///< Borrowed.
  /// Finds the extension a panel names; nullptr when the node does not offer it.
  std::function<std::shared_ptr<Extension>(std::string_view name)> find_extension;
  std::filesystem::path data_dir;  ///< Journal and runs; empty: in memory, lost at exit.
  /// False: acknowledged before it is on disk (benchmarks, throw-away panels).
  bool synced = true;
  unsigned workers = 0;                     ///< Threads that run handlers; 0: one a core.
  std::size_t queued_calls_max = 10'000;    ///< Above: OVERLOADED.
  std::size_t state_bytes_max = 64u << 20;  ///< A panel's state.
  int state_depth_max = 64;
  std::uint64_t revisions_kept = 100'000;  ///< Older ones are compacted into a checkpoint.
  std::int64_t compact_suspended_after_ms = 1'000;
  Limits limits;                                ///< Of the node; panels and handlers may go lower.
  std::optional<CapabilitySet> ceiling;         ///< What no panel may exceed; nullopt: no ceiling.
  bool strict = false;                          ///< Refuse handlers without declared capabilities.
  std::function<std::int64_t()> clock_unix_ms;  ///< null: the system clock.
  /// Pages (4 KiB) the journal's file may have, asked before each write; null or 0: what the disk
  /// has. Above: writes are refused as on a full disk.
  std::function<std::int64_t()> journal_pages_max;
};

/// All panels of a node. Thread-safe.
class PanelHost {
 public:
  /// Opens the journal and goes on with what was there: mounted panels, suspended runs, timers.
  static Result<std::unique_ptr<PanelHost>> Create(PanelHostOptions options);
  virtual ~PanelHost() = default;

  /// Compiles every handler, journals the panel, runs its mount handler. Errors: kInvalidArgument
  /// with every handler error at its line:column. An id that is taken is kInvalidArgument too; a
  /// server that wants to answer 409 asks Find first.
  /// `initial`: values to begin with instead of the declared defaults.
  virtual Result<std::shared_ptr<Panel>> Mount(PanelDefinition definition, std::string source,
                                               std::string owner, ValueObject initial = {}) = 0;
  /// Gives a mounted panel a new text: runs that are under way end with the old one, state that
  /// still fits its declaration stays, the mount handler runs again. The same text changes nothing.
  /// Errors: as Mount; kNotFound.
  virtual Result<std::shared_ptr<Panel>> Update(std::string_view id, PanelDefinition definition,
                                                std::string source) = 0;
  /// Runs the unmount handler, cancels its runs, removes its data.
  virtual Status Unmount(std::string_view id) = 0;
  virtual std::shared_ptr<Panel> Find(std::string_view id) const = 0;
  virtual std::vector<std::shared_ptr<Panel>> List() const = 0;

  struct Stats {
    std::uint64_t runs = 0, errors = 0, journal_commits = 0, journal_records = 0;
    std::size_t queued = 0, running = 0, suspended = 0, panels = 0;
  };
  virtual Stats GetStats() const = 0;
  /// False with the reason while writes are refused (disk full, journal damaged).
  virtual Status Ready() const = 0;
  /// Takes no new calls, waits up to `wait_ms` for running ones; those that wait are kept anyway.
  virtual void Drain(std::int64_t wait_ms) = 0;
};

}  // namespace nexus
