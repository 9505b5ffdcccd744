// What is told to whom, once it is on disk.
#include <algorithm>
#include <utility>

#include "base/codec.h"
#include "base/log.h"
#include "panel/host/internal/live_panel.h"
#include "panel/host/internal/panel_flush.h"

namespace nexus::internal {
namespace {

constexpr std::uint64_t kCheckpointRevisions = 10'000;
constexpr std::size_t kCheckpointBytes = std::size_t{16} << 20;
constexpr std::size_t kHistoryMax = 200;
constexpr std::size_t kHistoryBytesMax = std::size_t{4} << 20;
constexpr std::size_t kLogsMax = 1000;

std::size_t RecordBytes(const RunRecord& record) {
  return ValueBytes(record.args) + ResultBytes(record.result);
}

EmittedEvent SystemError(const RunResult& result) {
  ValueObject payload;
  if (result.error) {
    payload.Append("code", RunErrorCodeName(result.error->code));
    payload.Append("message", result.error->message);
    payload.Append("handlerName", result.error->handler_name);
  }
  payload.Append("runId", result.run_id);
  return {.name = "system:error", .payload = std::move(payload)};
}

}  // namespace

// nullptr when nobody would be told.
std::shared_ptr<PanelUpdate> LivePanel::UpdateFor(const LiveRun* run, const RunResult& effects,
                                                  std::uint64_t revision, bool finished) {
  const auto& triggers = loaded()->definition.triggers;
  const bool listens = std::any_of(triggers.begin(), triggers.end(), [](const auto& trigger) {
    return trigger.kind == TriggerKind::kEvent || trigger.kind == TriggerKind::kStateChange;
  });
  const bool watched = watcher_count_ != 0;
  if (!watched && !listens) return nullptr;
  auto update = std::make_shared<PanelUpdate>();
  update->panel_id = id_;
  update->revision = revision;
  update->unix_ms = NowMs();
  if (run != nullptr) update->run_id = run->run_id;
  update->mutations = effects.state_mutations;
  update->events = effects.events;
  update->view_commands = effects.view_commands;
  update->logs = effects.logs;
  if (watched) update->computed = ChangedComputed();
  if (finished && run != nullptr) {
    if (run->all.status == RunStatus::kError) update->events.push_back(SystemError(run->all));
    if (watched) {
      RunRecord& record = update->finished.emplace();
      record.run_id = run->run_id;
      record.handler = run->handler->name;
      record.principal = run->principal;
      record.started_unix_ms = run->started_unix_ms;
      record.args = run->args;
      record.result = run->all;
      const auto add = [](auto& all, const auto& more) {
        all.insert(all.end(), more.begin(), more.end());
      };
      add(record.result.state_mutations, effects.state_mutations);
      add(record.result.events, effects.events);
      add(record.result.view_commands, effects.view_commands);
      add(record.result.logs, effects.logs);
    }
  }
  return update;
}

// Computed values that are different from what watchers were told last.
std::vector<ValueObject::Entry> LivePanel::ChangedComputed() {
  if (watchers_are_new_.exchange(false)) told_computed_ = ValueObject();
  std::vector<ValueObject::Entry> changed;
  ComputedValues& computed = *loaded()->computed;
  const HeadReader head(state_);
  for (const std::string& name : computed.names()) {
    const Value* const told = told_computed_.Find(name);
    if (told != nullptr && !computed.IsStale(name, head)) continue;
    Value value = computed.Evaluate(name, head).value;
    if (told != nullptr && *told == value) continue;
    told_computed_.Set(name, value);
    changed.emplace_back(name, std::move(value));
  }
  return changed;
}

void LivePanel::CheckpointIfDue(JournalEntry& entry, std::uint64_t revision) {
  for (const JournalWrite& write : entry.writes) {
    if (const auto* record = std::get_if<AppendRecord>(&write)) {
      bytes_since_checkpoint_ += record->sealed.size();
    }
  }
  if (revision - checkpoint_revision_ < kCheckpointRevisions &&
      bytes_since_checkpoint_ < kCheckpointBytes) {
    return;
  }
  // The head is at `revision`: this runs on the strand, right after the slice that made it.
  PutCheckpoint checkpoint{.revision = revision, .state = {}, .keep_after = 0};
  if (!EncodeValue(state_.Head(), checkpoint.state)) return;
  const std::uint64_t kept = services_->options->revisions_kept;
  if (revision > kept) checkpoint.keep_after = revision - kept;
  checkpoint_revision_ = revision;
  bytes_since_checkpoint_ = 0;
  entry.writes.emplace_back(std::move(checkpoint));
}

void LivePanel::Submit(std::shared_ptr<Flush> flush) {
  if (lane_ == nullptr) return Delivered(flush, {});
  JournalEntry entry{
      .lane = lane_, .epoch = epoch_, .writes = std::move(flush->writes), .done = {}};
  if (!entry.writes.empty()) CheckpointIfDue(entry, flush->revision);
  if (!services_->options->synced) {
    // Acknowledged before it is on disk: the journal writes it when it can.
    entry.done = [](const Status&) {};
    services_->journal->Submit(std::move(entry));
    return Delivered(flush, {});
  }
  entry.done = [panel = shared_from_this(), flush](const Status& status) {
    panel->Delivered(flush, status);
  };
  services_->journal->Submit(std::move(entry));
}

void LivePanel::Delivered(const std::shared_ptr<Flush>& flush, const Status& status) {
  const LiveRunPtr& run = flush->run;
  if (!status) {
    if (flush->written) return flush->written(std::unexpected(status.error()));
    return Post([this, flush, why = status.error().message()] { Lost(flush->run, why); });
  }
  if (flush->update != nullptr) {
    const std::lock_guard delivery(delivery_mutex_);
    state_.MarkDurable(flush->revision);
    Tell(flush->update);
  } else {
    state_.MarkDurable(flush->revision);
  }
  if (flush->written) return flush->written(flush->revision);
  if (flush->finished) {
    Finish(run);
  } else {
    if (flush->slice) {
      std::vector<RunObserver> observers;
      {
        const std::lock_guard lock(mutex_);
        observers = run->observers;
      }
      for (const RunObserver& observer : observers) observer(*flush->slice);
    }
    // Calls may block for a while (a database, a name look-up): not on the journal's thread.
    auto calls = [panel = shared_from_this(), flush] {
      panel->MakeCalls(flush->run, flush->attempt, flush->suspensions, false);
    };
    if (lane_ != nullptr && services_->options->synced) {
      services_->queue.Add(std::move(calls));
    } else {
      calls();
    }
    const std::int64_t idle = services_->options->compact_suspended_after_ms;
    if (idle > 0) {
      // Most runs have ended by then, and must not be held for it.
      services_->timers->At(NowMs() + idle, [weak = weak_from_this(), waits = std::weak_ptr(run),
                                             slice = flush->slices] {
        const auto panel = weak.lock();
        const LiveRunPtr there = waits.lock();
        if (panel == nullptr || there == nullptr) return;
        panel->Post([raw = panel.get(), there, slice] { raw->CompactIfIdle(there, slice); });
      });
    }
  }
  if (flush->update != nullptr) FireOn(*flush->update, run == nullptr ? 0 : run->depth);
}

// Its last writes are not on disk, so they did not happen: whoever waits is told so.
void LivePanel::Lost(const LiveRunPtr& run, const std::string& why) {
  FallBackIfFailed();
  if (std::exchange(run->suspended, false)) --services_->suspended;
  run->finished = true;
  if (run->stored) Forget(run->run_id);
  const RunMetrics metrics = run->all.metrics;
  run->all = ErrorResult(run->run_id, run->handler->name, RunErrorCode::kUnavailable,
                         "what this run did could not be kept and was taken back: " + why);
  run->all.metrics = metrics;
  Finish(run);
}

void LivePanel::Tell(const std::shared_ptr<const PanelUpdate>& update) {
  // A watcher may unsubscribe itself, or another one, while it is told.
  std::vector<std::uint64_t> ids;
  for (const auto& [id, watcher] : watchers_) ids.push_back(id);
  for (const std::uint64_t id : ids) {
    const auto watcher = watchers_.find(id);
    if (watcher != watchers_.end()) UpdateObserver(watcher->second)(update);
  }
}

void LivePanel::Finish(const LiveRunPtr& run) {
  ++services_->runs;
  if (run->all.error) ++services_->errors;
  if (run->trace) run->trace->End(id_, run->handler->name, run->all);
  std::vector<RunObserver> observers;
  {
    const std::lock_guard lock(mutex_);
    observers = std::move(run->observers);
    if (!run->idempotency_key.empty()) {
      // A failure to keep it is no result of the call: it may be tried again.
      if (run->all.error && run->all.error->code == RunErrorCode::kUnavailable) {
        idempotent_.Release(run->idempotency_key);
      } else {
        idempotent_.Ended(run->idempotency_key, run->all);
      }
    }
  }
  for (const RunObserver& observer : observers) observer(run->all);
  RunRecord record{.run_id = run->run_id,
                   .handler = run->handler->name,
                   .principal = run->principal,
                   .started_unix_ms = run->started_unix_ms,
                   .args = {},
                   .result = std::move(run->all)};
  {
    const std::lock_guard lock(mutex_);
    record.args = std::move(run->args);  // Until now Runs may be copying them.
    live_.erase(run->run_id);
    KeepRecord(std::move(record));
  }
}

// Under mutex_.
void LivePanel::KeepRecord(RunRecord record) {
  history_bytes_ += RecordBytes(record);
  history_.push_back(std::move(record));
  while (history_.size() > kHistoryMax ||
         (history_bytes_ > kHistoryBytesMax && history_.size() > 1)) {
    history_bytes_ -= std::min(history_bytes_, RecordBytes(history_.front()));
    history_.pop_front();
  }
}

void LivePanel::KeepLogs(const std::vector<LogEntry>& logs) {
  if (logs.empty()) return;
  const std::lock_guard lock(mutex_);
  logs_.insert(logs_.end(), logs.begin(), logs.end());
  while (logs_.size() > kLogsMax) logs_.pop_front();
}

}  // namespace nexus::internal
