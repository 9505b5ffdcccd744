// Opening a panel from the journal, and reading its past.
#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "base/codec.h"
#include "base/log.h"
#include "panel/host/internal/live_panel.h"
#include "panel/host/internal/panel_flush.h"

namespace nexus::internal {
namespace {

constexpr std::uint64_t kMissedUpdatesMax = 10'000;

}  // namespace

Status LivePanel::Preset(const ValueObject& values) {
  for (const auto& [key, value] : values) {
    if (const auto set = state_.Set(key, {}, value); !set) return std::unexpected(set.error());
  }
  // What a panel begins with is no change: revision 0.
  state_.Restore(state_.Head(), 0);
  return {};
}

void LivePanel::Begin(std::function<void(Status)> done) {
  if (services_->journal == nullptr) return done({});
  lane_ = services_->journal->NewLane();
  epoch_ = lane_->epoch;
  PutCheckpoint first{.revision = 0, .state = {}, .keep_after = 0};
  if (const Status encoded = EncodeValue(state_.Head(), first.state); !encoded) {
    return done(encoded);
  }
  JournalEntry entry{.lane = lane_, .epoch = epoch_, .writes = {}, .done = std::move(done)};
  entry.writes.emplace_back(PutPanel{
      .id = id_, .owner = owner_, .source = loaded()->source, .created_unix_ms = created_unix_ms_});
  entry.writes.emplace_back(std::move(first));
  services_->journal->Submit(std::move(entry));
}

std::string LivePanel::Restore(StoredPanel stored) {
  lane_ = Journal::LaneOf(stored);
  epoch_ = lane_->epoch;
  if (stored.checkpoint && stored.checkpoint->As<ValueObject>() != nullptr) {
    state_.Restore(std::move(*stored.checkpoint->As<ValueObject>()), stored.checkpoint_revision);
  }
  checkpoint_revision_ = restored_from_ = stored.checkpoint_revision;
  if (stored.initial_lost) {
    stored.loss += "its checkpoint is damaged: the values it was mounted with are lost; ";
  }
  for (JournalRecord& record : stored.keyed) {
    RunResult last;  // What it did in its last slice; of the ones before only the outcome counts.
    last.state_mutations = std::move(record.mutations);
    last.events = std::move(record.events);
    RestoreFinished(std::move(record), std::move(last));
  }
  std::map<std::string, RunResult> effects;  // Of each run, slice by slice.
  for (JournalRecord& record : stored.records) {
    if (!record.mutations.empty()) {
      const Status replayed = state_.Replay(record.mutations, record.revision);
      if (!replayed) {
        stored.loss += "revision " + std::to_string(record.revision) + ": " +
                       replayed.error().message() + "; ";
        break;
      }
    }
    if (record.run_id.empty()) continue;
    RunResult& all = effects[record.run_id];
    std::move(record.mutations.begin(), record.mutations.end(),
              std::back_inserter(all.state_mutations));
    std::move(record.events.begin(), record.events.end(), std::back_inserter(all.events));
    if (record.finished) {
      const std::string run_id = record.run_id;
      RestoreFinished(std::move(record), std::move(all));
      effects.erase(run_id);
    }
  }
  for (const auto& [trigger, last] : stored.triggers) trigger_last_[trigger] = last;
  if (!stored.loss.empty()) Repair(stored);
  std::vector<Job> jobs;
  for (const StoredRun& run : stored.runs) {
    jobs.push_back(RestoreRun(run, std::move(effects[run.id])));
  }
  for (Job& job : jobs) Post(std::move(job));
  return std::move(stored.loss);
}

void LivePanel::RestoreFinished(JournalRecord record, RunResult effects) {
  RunResult result = std::move(record.outcome);
  result.state_mutations = std::move(effects.state_mutations);
  result.events = std::move(effects.events);
  if (!record.idempotency_key.empty()) {
    idempotent_.Ended(record.idempotency_key, result, true);
  }
  KeepRecord({.run_id = record.run_id,
              .handler = record.handler,
              .principal = record.principal,
              .started_unix_ms = record.unix_ms,
              .args = std::move(record.args),
              .result = std::move(result)});
}

// Names what is lost, and begins anew behind it: else what is written from here on would stand
// behind the damage, and be lost at the next start.
void LivePanel::Repair(const StoredPanel& stored) {
  Log(Severity::kError, "panel recovered in part", {{"panel", id_}, {"loss", stored.loss}});
  KeepLogs({{.level = LogLevel::kError,
             .message = "recovered in part: " + stored.loss,
             .unix_ms = NowMs()}});
  PutCheckpoint sound{.revision = state_.revision(), .state = {}, .keep_after = 0};
  if (!EncodeValue(state_.Head(), sound.state)) return;
  JournalEntry entry{.lane = lane_, .epoch = epoch_, .writes = {}, .done = [](const Status&) {}};
  entry.writes.emplace_back(SetAside{.after_row = stored.sound_row});
  entry.writes.emplace_back(std::move(sound));
  services_->journal->Submit(std::move(entry));
}

Result<std::vector<std::shared_ptr<const PanelUpdate>>> LivePanel::UpdatesAfter(
    std::uint64_t revision) {
  const std::uint64_t durable = state_.durable_revision();
  std::vector<std::shared_ptr<const PanelUpdate>> updates;
  if (revision == durable) return updates;
  if (lane_ == nullptr || revision > durable || durable - revision > kMissedUpdatesMax) {
    return Fail(Code::kNotFound, "revision " + std::to_string(revision) +
                                     ": what came after it is not kept; take the whole state");
  }
  NEXUS_TRY(std::vector<JournalRecord> records,
            services_->journal->Records(lane_->panel, revision, durable));
  for (JournalRecord& record : records) {
    auto update = std::make_shared<PanelUpdate>();
    update->panel_id = id_;
    update->unix_ms = record.unix_ms;
    update->revision = record.revision;
    update->run_id = std::move(record.run_id);
    update->mutations = std::move(record.mutations);
    updates.push_back(std::move(update));
  }
  if (!updates.empty()) {
    // Computed values follow from the state as it is now: once, with the last.
    auto last = std::make_shared<PanelUpdate>(*updates.back());
    ValueObject computed = State().computed;
    last->computed = std::move(computed.entries());
    updates.back() = std::move(last);
  }
  return updates;
}

Result<ValueObject> LivePanel::StateAt(std::uint64_t revision) {
  PanelState::View view = state_.Durable();
  if (revision == view.revision) return std::move(view.values);
  if (revision > view.revision) {
    return Fail(Code::kNotFound, "revision " + std::to_string(revision) + ": the newest is " +
                                     std::to_string(view.revision));
  }
  if (lane_ == nullptr) {
    return Fail(Code::kNotFound, "revision " + std::to_string(revision) +
                                     ": this panel keeps no past (it has no journal)");
  }
  NEXUS_TRY(auto checkpoint, services_->journal->CheckpointAt(lane_->panel, revision));
  if (!checkpoint || checkpoint->second.As<ValueObject>() == nullptr) {
    return Fail(Code::kNotFound,
                "revision " + std::to_string(revision) + ": it was compacted away");
  }
  // Records end where a run's flush ended, which may be behind `revision`: only as far as it goes.
  NEXUS_TRY(const std::vector<JournalRecord> records,
            services_->journal->Records(lane_->panel, checkpoint->first, view.revision));
  PanelState past(loaded()->definition, {.bytes_max = SIZE_MAX, .depth_max = INT32_MAX});
  past.Restore(std::move(*checkpoint->second.As<ValueObject>()), checkpoint->first);
  for (const JournalRecord& record : records) {
    std::vector<StateMutation> mutations;
    for (const StateMutation& mutation : record.mutations) {
      if (mutation.revision <= revision) mutations.push_back(mutation);
    }
    NEXUS_TRY_STATUS(past.Replay(mutations, std::min(record.revision, revision)));
    if (record.revision >= revision) break;
  }
  return past.Head();
}

void LivePanel::Update(std::unique_ptr<LoadedPanel> loaded, std::function<void(Status)> done) {
  auto shared = std::make_shared<std::unique_ptr<LoadedPanel>>(std::move(loaded));
  Post([this, shared, done = std::move(done)]() mutable {
    state_.Redefine((*shared)->definition);
    told_computed_ = ValueObject();
    const std::string source = (*shared)->source;
    current_.store(shared->get(), std::memory_order_release);
    {
      const std::lock_guard lock(mutex_);
      versions_.push_back(std::move(*shared));
    }
    if (lane_ == nullptr) return done({});
    JournalEntry entry{.lane = lane_, .epoch = epoch_, .writes = {}, .done = std::move(done)};
    entry.writes.emplace_back(PutPanel{
        .id = id_, .owner = owner_, .source = source, .created_unix_ms = created_unix_ms_});
    PutCheckpoint now{.revision = state_.revision(), .state = {}, .keep_after = 0};
    if (EncodeValue(state_.Head(), now.state)) entry.writes.emplace_back(std::move(now));
    services_->journal->Submit(std::move(entry));
  });
}

void LivePanel::End(std::function<void(Status)> done) {
  closed_ = true;
  std::vector<std::string> ids;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, run] : live_) ids.push_back(id);
  }
  for (const std::string& id : ids) (void)Cancel(id);
  Post([this, done = std::move(done)]() mutable {
    if (lane_ == nullptr) return done({});
    services_->journal->Submit(
        {.lane = lane_, .epoch = epoch_, .writes = {RemovePanel{}}, .done = std::move(done)});
  });
}

}  // namespace nexus::internal
