// Opening a panel from the journal, and reading its past.
#include <algorithm>
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

void LivePanel::Restore(StoredPanel stored) {
  lane_ = Journal::LaneOf(stored);
  epoch_ = lane_->epoch;
  if (stored.checkpoint && stored.checkpoint->As<ValueObject>() != nullptr) {
    state_.Restore(std::move(*stored.checkpoint->As<ValueObject>()), stored.checkpoint_revision);
  }
  checkpoint_revision_ = stored.checkpoint_revision;
  for (JournalRecord& record : stored.records) {
    if (!record.mutations.empty()) {
      const Status replayed = state_.Replay(record.mutations, record.revision);
      if (!replayed) {
        stored.loss += "revision " + std::to_string(record.revision) + ": " +
                       replayed.error().message() + "; ";
        break;
      }
    }
    if (!record.finished) continue;
    RunResult result = OutcomeFromValue(record.outcome, record.run_id);
    result.state_mutations = std::move(record.mutations);
    result.events = std::move(record.events);
    if (!record.idempotency_key.empty()) {
      idempotent_[record.idempotency_key] = {.run = nullptr, .result = result};
      idempotent_order_.push_back(record.idempotency_key);
    }
    KeepRecord({.run_id = record.run_id,
                .handler = record.handler,
                .principal = record.principal,
                .started_unix_ms = record.unix_ms,
                .args = std::move(record.args),
                .result = std::move(result)});
  }
  for (const auto& [trigger, last] : stored.triggers) trigger_last_[trigger] = last;
  if (!stored.loss.empty()) {
    Log(Severity::kError, "panel recovered in part", {{"panel", id_}, {"loss", stored.loss}});
    KeepLogs({{.level = LogLevel::kError,
               .message = "recovered in part: " + stored.loss,
               .unix_ms = NowMs()}});
  }
  for (const auto& [run_id, body] : stored.runs) RestoreRun(run_id, body);
}

std::string LivePanel::EncodeRun(const LiveRun& run, const std::string& snapshot) const {
  const Value fields = Value::Object({{"handler", run.handler->name},
                                      {"principal", run.principal},
                                      {"key", run.idempotency_key},
                                      {"traceparent", run.traceparent},
                                      {"args", run.args},
                                      {"started", static_cast<double>(run.started_unix_ms)},
                                      {"deadline", static_cast<double>(run.deadline_unix_ms)},
                                      {"depth", run.depth},
                                      {"snapshot", Bytes{snapshot}}});
  std::string body;
  if (!EncodeValue(fields, body)) body.clear();
  return body;
}

void LivePanel::RestoreRun(const std::string& run_id, const std::string& body) {
  auto run = std::make_shared<LiveRun>();
  run->run_id = run_id;
  run->loaded = loaded();
  run->stored = true;
  const auto give_up = [&](const std::string& why) {
    Log(Severity::kError, "a suspended run cannot go on", {{"run", run_id}, {"reason", why}});
    KeepLogs({{.level = LogLevel::kError,
               .message = "run " + run_id + " cannot go on: " + why,
               .unix_ms = NowMs()}});
    services_->journal->Submit(
        {.lane = lane_, .epoch = epoch_, .writes = {RemoveRun{run_id}}, .done = [](const Status&) {
         }});
  };
  const Result<Value> fields = DecodeValue(body);
  const Value* const snapshot = fields ? fields->Find("snapshot") : nullptr;
  if (snapshot == nullptr || snapshot->As<Bytes>() == nullptr) return give_up("it is damaged");
  const std::string handler(fields->StringOr("handler", ""));
  run->handler = run->loaded->FindHandler(handler);
  if (run->handler == nullptr) return give_up("the panel has no handler " + handler + " any more");
  run->principal = fields->StringOr("principal", "");
  run->idempotency_key = fields->StringOr("key", "");
  run->traceparent = fields->StringOr("traceparent", "");
  if (const Value* args = fields->Find("args")) run->args = *args;
  run->started_unix_ms = static_cast<std::int64_t>(fields->NumberOr("started", 0));
  run->deadline_unix_ms = static_cast<std::int64_t>(fields->NumberOr("deadline", 0));
  run->depth = static_cast<int>(fields->NumberOr("depth", 0));
  run->limits = services_->options->limits;
  run->state = std::make_unique<RunState>(state_, *run->loaded->computed, false);
  run->tools = std::make_unique<PanelToolNames>(run->loaded->definition);
  auto restored = services_->sandbox->Restore(run->handler->program, snapshot->As<Bytes>()->data,
                                              ContextFor(*run));
  if (!restored) return give_up(restored.error().message());
  run->run = *std::move(restored);
  run->started = run->suspended = true;
  run->slices = 1;
  ++services_->suspended;
  live_.emplace(run_id, run);
  if (!run->idempotency_key.empty()) {
    idempotent_[run->idempotency_key] = {.run = run, .result = {}};
    idempotent_order_.push_back(run->idempotency_key);
  }
  Post([this, run] { MakeCalls(run, run->run->suspensions(), true); });
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

void LivePanel::StoreSuspended() {
  std::vector<LiveRunPtr> runs;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, run] : live_) runs.push_back(run);
  }
  for (const LiveRunPtr& run : runs) {
    Post([this, run] { StoreIfIdle(run, run->slices, true); });
  }
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
