// Runs that wait outlive the process: what is written when one begins to wait and when it is
// answered, and how it goes on from that.
//
// With the changes of the slice that led to a suspension its snapshot is written, in the same
// transaction: so a run goes on after a crash from exactly what its panel has of it. An answer is
// written before the run sees it; the snapshot and the answers after it, delivered again in their
// order, lead to where the run was.
#include <algorithm>
#include <utility>

#include "base/codec.h"
#include "base/log.h"
#include "panel/host/internal/live_panel.h"
#include "panel/host/internal/panel_flush.h"

namespace nexus::internal {
namespace {

constexpr std::int64_t kJournalRetryMs = 250;

Value LimitsToValue(const Limits& limits) {
  ValueObject named;
  for (int i = 0; i < kLimitCount; ++i) {
    const auto limit = static_cast<Limit>(i);
    if (const auto value = limits.Get(limit)) {
      // "none" has no number that a double holds.
      named.Append(std::string(LimitName(limit)),
                   *value == kNoLimit ? Value(nullptr) : Value(static_cast<double>(*value)));
    }
  }
  return named;
}

Limits LimitsFromValue(const Value* value) {
  Limits limits;
  if (value == nullptr) return limits;
  for (int i = 0; i < kLimitCount; ++i) {
    const auto limit = static_cast<Limit>(i);
    const Value* const number = value->Find(LimitName(limit));
    if (number == nullptr) continue;
    const double* const n = number->As<double>();
    limits.Set(limit, n == nullptr ? kNoLimit : static_cast<std::uint64_t>(*n));
  }
  return limits;
}

Value ViewCommandsToValue(const std::vector<ViewCommand>& commands) {
  ValueArray array;
  for (const ViewCommand& command : commands) {
    array.push_back(Value::Object(
        {{"type", command.type}, {"component", command.component_id}, {"args", command.args}}));
  }
  return array;
}

std::vector<ViewCommand> ViewCommandsFromValue(const Value* value) {
  std::vector<ViewCommand> commands;
  const ValueArray* const array = value == nullptr ? nullptr : value->As<ValueArray>();
  if (array == nullptr) return commands;
  for (const Value& entry : *array) {
    ViewCommand& command = commands.emplace_back();
    command.type = entry.StringOr("type", "");
    command.component_id = entry.StringOr("component", "");
    if (const Value* args = entry.Find("args")) command.args = *args;
  }
  return commands;
}

// An atomic run's changes are nobody's but its own until it has succeeded.
Status EncodeHeldBack(const LiveRun& run, ValueObject& fields) {
  std::string bytes;
  NEXUS_TRY_STATUS(EncodeRecord({.revision = run.stash_revision + run.stash.size(),
                                 .mutations = run.stash,
                                 .events = run.all.events},
                                bytes));
  fields.Append("held", Bytes{std::move(bytes)});
  fields.Append("heldOn", static_cast<double>(run.stash_revision));
  fields.Append("heldViews", ViewCommandsToValue(run.all.view_commands));
  ValueArray touched;
  for (const std::string& key : run.state->touched()) touched.emplace_back(key);
  fields.Append("touched", std::move(touched));
  return {};
}

Status DecodeHeldBack(const Value& fields, LiveRun& run) {
  const Value* const held = fields.Find("held");
  if (held == nullptr || held->As<Bytes>() == nullptr) {
    return Fail(Code::kDataLoss, "what it held back is damaged");
  }
  NEXUS_TRY(JournalRecord record, DecodeRecord(held->As<Bytes>()->data));
  run.stash = std::move(record.mutations);
  run.all.events = std::move(record.events);
  run.all.view_commands = ViewCommandsFromValue(fields.Find("heldViews"));
  run.stash_revision = static_cast<std::uint64_t>(fields.NumberOr("heldOn", 0));
  const Value* const touched = fields.Find("touched");
  if (touched == nullptr || touched->As<ValueArray>() == nullptr) return {};
  for (const Value& key : *touched->As<ValueArray>()) {
    if (const std::string* name = key.As<std::string>()) run.state->AddTouched(*name);
  }
  return {};
}

std::string EncodeAnswer(int attempt, const std::string& suspension_id, const Answer& answer) {
  ValueObject fields;
  fields.Append("attempt", attempt);
  fields.Append("suspension", suspension_id);
  if (answer.success) {
    fields.Append("value", answer.value);
    if (!answer.grants.empty()) fields.Append("grants", GrantsToValue(answer.grants));
  } else {
    fields.Append("code", RunErrorCodeName(answer.code));
    fields.Append("message", answer.message);
    fields.Append("details", answer.details);
  }
  std::string body;
  if (EncodeValue(fields, body)) return body;
  // Too deep for the run too, which would be told so.
  return EncodeAnswer(attempt, suspension_id,
                      Answer::Failed("the answer is nested too deeply to be kept"));
}

struct StoredAnswer {
  std::uint64_t number = 0;
  int attempt = 0;
  std::string suspension_id;
  Answer answer;
};

std::optional<StoredAnswer> DecodeAnswer(std::uint64_t number, std::string_view body) {
  const Result<Value> fields = DecodeValue(body);
  if (!fields) return std::nullopt;
  StoredAnswer stored{.number = number,
                      .attempt = static_cast<int>(fields->NumberOr("attempt", 0)),
                      .suspension_id = std::string(fields->StringOr("suspension", "")),
                      .answer = {}};
  const std::string_view code = fields->StringOr("code", "");
  if (code.empty()) {
    const Value* const value = fields->Find("value");
    stored.answer = Answer::Ok(value == nullptr ? Value() : *value);
    if (const Value* grants = fields->Find("grants")) {
      if (const auto given = CapabilitySet::FromValue(*grants)) {
        stored.answer.grants = given->grants();
      }
    }
  } else {
    stored.answer =
        Answer::Failed(std::string(fields->StringOr("message", "")),
                       RunErrorCodeFromName(code).value_or(RunErrorCode::kExtensionError));
    if (const Value* details = fields->Find("details")) stored.answer.details = *details;
  }
  return stored;
}

}  // namespace

std::string LivePanel::EncodeRun(const LiveRun& run) const {
  ValueObject fields;
  fields.Append("handler", run.handler->name);
  fields.Append("principal", run.principal);
  fields.Append("key", run.idempotency_key);
  fields.Append("traceparent", run.traceparent);
  fields.Append("args", run.args);
  fields.Append("scope", run.scope);
  fields.Append("limits", LimitsToValue(run.limits));
  fields.Append("started", static_cast<double>(run.started_unix_ms));
  fields.Append("deadline", static_cast<double>(run.deadline_unix_ms));
  fields.Append("depth", run.depth);
  fields.Append("attempts", run.attempts);
  if (!run.elevated.empty()) fields.Append("elevated", GrantsToValue(run.elevated));
  Result<std::string> snapshot = run.run->Snapshot();
  Status held;
  if (run.handler->atomic) held = EncodeHeldBack(run, fields);
  if (snapshot && held) {
    fields.Append("snapshot", Bytes{*std::move(snapshot)});
  } else {
    // It waits in memory, and is told what became of it when the process does not last.
    fields.Append("lost", snapshot ? held.error().message() : snapshot.error().message());
  }
  std::string body;
  if (!EncodeValue(fields, body)) body.clear();
  return body;
}

// Adds what the run needs to go on after a crash to the slice's other writes. `acted`: the slice
// changed something or told somebody something.
void LivePanel::KeepSuspended(LiveRun& run, bool acted, Flush& flush) {
  const bool calls =
      std::any_of(flush.suspensions.begin(), flush.suspensions.end(),
                  [&](const auto& s) { return !run.kept.contains(s.suspension_id); });
  // Else the older snapshot and the answers since do: running them again leads to nothing that
  // anybody has seen. What an atomic run read counts too.
  if (run.stored && !run.handler->atomic && !acted && !calls) return;
  run.kept.clear();
  for (const Suspension& suspension : flush.suspensions) run.kept.insert(suspension.suspension_id);
  run.stored = true;
  flush.writes.emplace_back(
      PutRun{.run_id = run.run_id, .body = EncodeRun(run), .answers_in = run.answers_delivered});
}

// On the strand, so that answers of a run that has ended meanwhile are not kept.
void LivePanel::Answered(const LiveRunPtr& run, int attempt, const std::string& suspension_id,
                         Answer answer) {
  if (lane_ == nullptr || run->finished || run->attempts != attempt) {
    return Resume(run, attempt, suspension_id, std::move(answer));
  }
  const std::uint64_t number = ++run->answers;
  JournalEntry entry{.lane = lane_, .epoch = epoch_, .writes = {}, .done = {}};
  entry.writes.emplace_back(PutAnswer{.run_id = run->run_id,
                                      .number = number,
                                      .body = EncodeAnswer(attempt, suspension_id, answer)});
  if (!services_->options->synced) {
    entry.done = [](const Status&) {};
    services_->journal->Submit(std::move(entry));
    run->answers_delivered = number;
    return Resume(run, attempt, suspension_id, std::move(answer));
  }
  entry.done = [panel = shared_from_this(), run, attempt, suspension_id, number,
                answer = std::move(answer)](const Status& status) mutable {
    if (status) {
      panel->Post([raw = panel.get(), run, attempt, suspension_id, number,
                   answer = std::move(answer)]() mutable {
        run->answers_delivered = number;
        raw->Resume(run, attempt, suspension_id, std::move(answer));
      });
      return;
    }
    // Nothing is lost yet: the run goes on waiting until the disk takes the answer.
    panel->services_->timers->At(panel->NowMs() + kJournalRetryMs,
                                 [weak = panel->weak_from_this(), run, attempt, suspension_id,
                                  answer = std::move(answer)]() mutable {
                                   const auto there = weak.lock();
                                   if (there == nullptr) return;
                                   there->Post([raw = there.get(), run, attempt, suspension_id,
                                                answer = std::move(answer)]() mutable {
                                     raw->Answered(run, attempt, suspension_id, std::move(answer));
                                   });
                                 });
  };
  services_->journal->Submit(std::move(entry));
}

// Its callers were told that it is lost: it must not come back after a restart.
void LivePanel::Forget(const std::string& run_id) {
  if (lane_ == nullptr) return;
  JournalEntry entry{.lane = lane_, .epoch = epoch_, .writes = {}, .done = {}};
  entry.writes.emplace_back(RemoveRun{run_id});
  entry.done = [weak = weak_from_this(), run_id](const Status& status) {
    const auto panel = weak.lock();
    if (status || panel == nullptr) return;
    panel->services_->timers->At(panel->NowMs() + kJournalRetryMs, [weak, run_id] {
      const auto there = weak.lock();
      if (there != nullptr) there->Post([raw = there.get(), run_id] { raw->Forget(run_id); });
    });
  };
  services_->journal->Submit(std::move(entry));
}

// Holds a run that has waited for a while in fewer bytes.
void LivePanel::CompactIfIdle(const LiveRunPtr& run, std::uint64_t slice) {
  if (run->finished || !run->suspended || run->slices != slice) return;
  if (const Status compacted = run->run->Compact(); !compacted) {
    Log(Severity::kDebug, "a suspended run was not compacted",
        {{"reason", compacted.error().message()}});
  }
}

// What the run was, all but its snapshot. nullptr: nothing of it can be told.
LiveRunPtr LivePanel::DecodeRun(const std::string& run_id, const Value& fields) {
  auto run = std::make_shared<LiveRun>();
  run->run_id = run_id;
  run->loaded = loaded();
  run->stored = true;
  run->handler = run->loaded->FindHandler(std::string(fields.StringOr("handler", "")));
  if (run->handler == nullptr) return nullptr;
  run->principal = fields.StringOr("principal", "");
  run->idempotency_key = fields.StringOr("key", "");
  run->traceparent = fields.StringOr("traceparent", "");
  run->trace = RunTrace::Begin(services_->options->spans, run->traceparent);
  if (const Value* args = fields.Find("args")) run->args = *args;
  if (const Value* scope = fields.Find("scope")) run->scope = *scope;
  run->limits = LimitsFromValue(fields.Find("limits")).LowestWith(services_->options->limits);
  run->started_unix_ms = static_cast<std::int64_t>(fields.NumberOr("started", 0));
  run->deadline_unix_ms = static_cast<std::int64_t>(fields.NumberOr("deadline", 0));
  run->depth = static_cast<int>(fields.NumberOr("depth", 0));
  run->attempts = static_cast<int>(fields.NumberOr("attempts", 0));
  if (const Value* elevated = fields.Find("elevated")) {
    // The ceiling may be lower now.
    if (const auto given = CapabilitySet::FromValue(*elevated)) {
      run->elevated = UpToCeiling(*given).grants();
    }
  }
  run->state = std::make_unique<RunState>(state_, *run->loaded->computed, run->handler->atomic);
  if (!run->loaded->definition.tools.empty()) {
    run->tools = std::make_unique<PanelToolNames>(run->loaded->definition);
  }
  return run;
}

Status LivePanel::Revive(LiveRun& run, const Value& fields) {
  const Value* const snapshot = fields.Find("snapshot");
  if (snapshot == nullptr || snapshot->As<Bytes>() == nullptr) {
    return Fail(Code::kDataLoss, std::string(fields.StringOr("lost", "it is damaged")));
  }
  if (run.handler->atomic) NEXUS_TRY_STATUS(DecodeHeldBack(fields, run));
  ExecutionContext context = ContextFor(run);
  if (run.deadline_unix_ms != 0) {
    // From its start on: the snapshot knows how long ago that was.
    Limits deadline;
    deadline.Set(Limit::kDeadline, static_cast<std::uint64_t>(std::max<std::int64_t>(
                                       run.deadline_unix_ms - run.started_unix_ms, 1)));
    context.limits = run.limits.LowestWith(deadline);
  }
  NEXUS_TRY(run.run, services_->sandbox->Restore(run.handler->program, snapshot->As<Bytes>()->data,
                                                 std::move(context)));
  return {};
}

// Returns what is to be done on the strand when the whole panel is there; null: nothing.
LivePanel::Job LivePanel::RestoreRun(const StoredRun& stored, RunResult before) {
  const Result<Value> fields = DecodeValue(stored.body);
  const LiveRunPtr run = fields ? DecodeRun(stored.id, *fields) : nullptr;
  if (run == nullptr) {
    const std::string why = fields ? "the panel has no handler " +
                                         std::string(fields->StringOr("handler", "")) + " any more"
                                   : "it is damaged";
    Log(Severity::kError, "a suspended run cannot go on", {{"run", stored.id}, {"reason", why}});
    KeepLogs({{.level = LogLevel::kError,
               .message = "run " + stored.id + " cannot go on: " + why,
               .unix_ms = NowMs()}});
    return [this, id = stored.id] { Forget(id); };
  }
  run->all = std::move(before);
  const Status revived = Revive(*run, *fields);
  run->started = run->suspended = true;
  run->slices = 1;
  run->answers = stored.answers_max;
  ++services_->suspended;
  {
    const std::lock_guard lock(mutex_);
    live_.emplace(run->run_id, run);
    if (!run->idempotency_key.empty()) idempotent_.Claim(run->idempotency_key, run);
  }
  if (!revived) {
    return [this, run, why = revived.error().message()] {
      run->stash.clear();
      FailRun(
          run, RunErrorCode::kExtensionError,
          "outcome unknown: the host stopped while this run waited, and it cannot go on: " + why);
    };
  }
  std::vector<StoredAnswer> answers;
  for (const auto& [number, body] : stored.answers) {
    auto answer = DecodeAnswer(number, body);
    if (!answer) break;
    answers.push_back(*std::move(answer));
  }
  for (const Suspension& s : run->run->suspensions()) run->kept.insert(s.suspension_id);
  return [this, run, answers = std::move(answers)]() mutable {
    // A call that was answered is not made again; the others before anything new happens, because
    // a call that is not among them then is one that never was made.
    {
      const std::lock_guard lock(mutex_);
      for (const StoredAnswer& answer : answers) {
        if (answer.attempt == run->attempts) run->called.insert(answer.suspension_id);
      }
    }
    MakeCalls(run, run->attempts, run->run->suspensions(), true);
    for (StoredAnswer& answer : answers) {
      run->answers_delivered = answer.number;
      Resume(run, answer.attempt, answer.suspension_id, std::move(answer.answer));
    }
  };
}

}  // namespace nexus::internal
