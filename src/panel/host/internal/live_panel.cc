#include "panel/host/internal/live_panel.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "base/ulid.h"
#include "panel/host/internal/arguments.h"
#include "panel/host/internal/journal_seal.h"
#include "panel/host/internal/panel_flush.h"

namespace nexus::internal {
namespace {

// A panel gives its worker up after so much, so that others get theirs.
constexpr int kJobsAtOnce = 4;

/// A durable state as computed values read it: what was written since is not told of.
class ViewReader final : public StateReader {
 public:
  explicit ViewReader(const PanelState::View& view) : view_(view) {}
  Value Get(std::string_view key) const override {
    const Value* const value = view_.values.Find(key);
    return value == nullptr ? Value() : *value;
  }
  bool Has(std::string_view key) const override { return view_.values.Find(key) != nullptr; }
  std::vector<std::string> Keys() const override {
    std::vector<std::string> keys;
    for (const auto& [key, value] : view_.values) keys.push_back(key);
    return keys;
  }
  std::optional<std::uint64_t> Revision(std::string_view key) const override {
    const auto found = view_.key_revisions.find(key);
    if (found != view_.key_revisions.end()) return found->second;
    return view_.dirty.contains(key) ? std::nullopt : std::optional<std::uint64_t>(0);
  }

 private:
  const PanelState::View& view_;
};

std::uint64_t MonotonicNow() { return SystemClock().MonotonicNs(); }

}  // namespace

LivePanel::LivePanel(std::shared_ptr<PanelServices> services, std::unique_ptr<LoadedPanel> loaded,
                     std::string owner, std::int64_t created_unix_ms)
    : services_(std::move(services)),
      id_(loaded->definition.id),
      owner_(std::move(owner)),
      created_unix_ms_(created_unix_ms),
      state_(loaded->definition, {.bytes_max = services_->options->state_bytes_max,
                                  .depth_max = services_->options->state_depth_max}) {
  current_.store(loaded.get(), std::memory_order_release);
  versions_.push_back(std::move(loaded));
}

void LivePanel::Post(Job job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    if (std::exchange(scheduled_, true)) return;
  }
  Schedule();
}

WorkQueue::Job LivePanel::Turn() {
  return [panel = shared_from_this()] {
    // Others first, but on this thread.
    if (panel->Work()) panel->services_->queue.AddFromWorker(panel->Turn());
  };
}

void LivePanel::Schedule() { services_->queue.Add(Turn()); }

void LivePanel::Abandon() {
  std::deque<Job> jobs;
  std::map<std::string, LiveRunPtr, std::less<>> live;
  {
    const std::lock_guard lock(mutex_);
    scheduled_ = true;  // Nothing is scheduled any more.
    jobs.swap(jobs_);
    live.swap(live_);
    idempotent_.Clear();
  }
  for (const auto& [id, run] : live) {
    const auto observers = std::exchange(run->observers, {});
    const auto program = std::exchange(run->run, nullptr);
  }
}

bool LivePanel::Work() {
  for (int done = 0; done < kJobsAtOnce; ++done) {
    Job job;
    {
      const std::lock_guard lock(mutex_);
      if (jobs_.empty()) {
        scheduled_ = false;
        return false;
      }
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    FallBackIfFailed();
    job();
  }
  return true;
}

RunResult LivePanel::ErrorResult(std::string run_id, const std::string& handler, RunErrorCode code,
                                 std::string message) const {
  RunResult result;
  result.run_id = run_id;
  result.status = code == RunErrorCode::kCancelled ? RunStatus::kCancelled : RunStatus::kError;
  RunError& error = result.error.emplace();
  error.code = code;
  error.message = std::move(message);
  error.panel_id = id_;
  error.handler_name = handler;
  error.run_id = std::move(run_id);
  return result;
}

std::string LivePanel::CallTool(ToolCall call, RunObserver observer) {
  const std::string name = call.tool;
  const LoadedPanel* const panel = loaded();
  const ToolDefinition* const tool = panel->definition.FindTool(name);
  std::string run_id = NewUlid(NowMs());
  if (tool == nullptr) {
    std::vector<std::string_view> names;
    for (const ToolDefinition& known : panel->definition.tools) names.push_back(known.name);
    observer(ErrorResult(run_id, name, RunErrorCode::kMethodNotFound,
                         "panel " + id_ + " has no tool '" + name + "'" + DidYouMean(name, names)));
    return run_id;
  }
  return StartRun(
      {.handler = panel->FindHandler(name), .call = std::move(call), .run_id = std::move(run_id)},
      std::move(observer));
}

// Why a call is not even queued.
std::optional<RunResult> LivePanel::Refusal(const LoadedHandler* handler, ToolCall& call,
                                            const std::string& run_id) {
  const auto refuse = [&](RunErrorCode code, std::string message) {
    return ErrorResult(run_id, handler->name, code, std::move(message));
  };
  if (closed()) return refuse(RunErrorCode::kUnavailable, "panel " + id_ + " is being removed");
  if (services_->draining) {
    return refuse(RunErrorCode::kUnavailable, "this node is shutting down: try another, or later");
  }
  if (services_->queued >= services_->options->queued_calls_max) {
    return refuse(RunErrorCode::kOverloaded,
                  std::to_string(services_->queued) + " calls wait already: try again later");
  }
  if (handler->tool == nullptr) return std::nullopt;
  auto checked = CheckArguments(*handler->tool, std::move(call.args));
  if (!checked) {
    RunResult result = refuse(checked.error().code, checked.error().message);
    return result;
  }
  call.args = *std::move(checked);
  return std::nullopt;
}

std::string LivePanel::StartRun(Start start, RunObserver observer) {
  if (start.run_id.empty()) start.run_id = NewUlid(NowMs());
  if (auto refusal = Refusal(start.handler, start.call, start.run_id)) {
    if (observer) observer(*refusal);
    return start.run_id;
  }
  auto run = std::make_shared<LiveRun>();
  run->run_id = start.run_id;
  run->loaded = loaded();
  run->handler = start.handler;
  run->principal = std::move(start.call.principal);
  run->idempotency_key = std::move(start.call.idempotency_key);
  run->traceparent = std::move(start.call.traceparent);
  run->trace = RunTrace::Begin(services_->options->spans, run->traceparent);
  run->args = std::move(start.call.args);
  run->scope = std::move(start.call.scope);
  run->limits = start.call.limits.LowestWith(services_->options->limits);
  run->started_unix_ms = NowMs();
  run->deadline_unix_ms = start.call.deadline_unix_ms;
  run->queued_ns = MonotonicNow();
  run->depth = start.depth;
  std::optional<RunResult> known;
  {
    const std::lock_guard lock(mutex_);
    if (!run->idempotency_key.empty()) {
      const auto* const same = idempotent_.Claim(run->idempotency_key, run);
      if (same != nullptr && same->run != nullptr) {
        if (observer) same->run->observers.push_back(std::move(observer));
        return same->run->run_id;
      }
      if (same != nullptr) known = same->result;
    }
    if (!known) {
      if (observer) run->observers.push_back(std::move(observer));
      live_.emplace(run->run_id, run);
    }
  }
  if (known) {
    if (observer) observer(*known);
    return known->run_id;
  }
  ++services_->queued;
  Post([this, run] {
    --services_->queued;
    Begin(run);
  });
  return run->run_id;
}

bool LivePanel::RunLifecycle(LifecycleEvent event, RunObserver observer) {
  const LoadedHandler* const handler = loaded()->FindHandler(
      event == LifecycleEvent::kMount ? "lifecycle:mount" : "lifecycle:unmount");
  if (handler == nullptr) return false;
  StartRun({.handler = handler, .call = {}, .run_id = {}}, std::move(observer));
  return true;
}

std::size_t LivePanel::waiting() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

Status LivePanel::Cancel(std::string_view run_id) {
  LiveRunPtr run;
  {
    const std::lock_guard lock(mutex_);
    const auto found = live_.find(run_id);
    if (found == live_.end()) {
      return Fail(Code::kNotFound, "run " + std::string(run_id) + ": no such run lives in panel " +
                                       id_ + "; it may have ended");
    }
    run = found->second;
    run->cancelled = true;
    if (run->run != nullptr) run->run->Cancel();
  }
  Post([this, run] {
    if (run->finished || !run->suspended || run->run->suspensions().empty()) return;
    // The run sees that it was cancelled before it looks at the answer.
    const std::string id = run->run->suspensions().front().suspension_id;
    Resume(run, run->attempts, id, Answer::Failed("cancelled"));
  });
  return {};
}

void LivePanel::SetState(std::string_view key, Value value, std::string_view principal,
                         std::function<void(Result<std::uint64_t>)> done) {
  Post([this, key = std::string(key), value = std::move(value), who = std::string(principal),
        done = std::move(done)]() mutable {
    Result<std::uint64_t> revision = state_.Set(key, {}, value);
    if (!revision) return done(std::move(revision));
    RunResult effects;
    effects.state_mutations.push_back(
        {.key = key, .path = {}, .value = state_.Get(key), .revision = *revision});
    auto flush = std::make_shared<Flush>();
    flush->revision = *revision;
    flush->update = UpdateFor(nullptr, effects, *revision, false);
    flush->written = std::move(done);
    if (lane_ != nullptr) {
      auto append = MakeAppend({.revision = *revision,
                                .unix_ms = NowMs(),
                                .principal = who,
                                .mutations = effects.state_mutations});
      if (!append) {
        state_.RevertTo(*revision - 1);
        return flush->written(std::unexpected(append.error()));
      }
      flush->writes.emplace_back(*std::move(append));
    }
    Submit(std::move(flush));
  });
}

Result<AppendRecord> LivePanel::MakeAppend(const RecordParts& record) const {
  AppendRecord append{.revision = record.revision, .sealed = std::string(kSealBytes, '\0')};
  NEXUS_TRY_STATUS(EncodeRecord(record, append.sealed));
  Seal(lane_->panel, record.revision, append.sealed);
  return append;
}

PanelSnapshot LivePanel::State() {
  PanelState::View view = state_.Durable();
  PanelSnapshot snapshot;
  snapshot.revision = view.revision;
  ComputedValues& computed = *loaded()->computed;
  if (!computed.empty()) snapshot.computed = computed.EvaluateAll(ViewReader(view));
  snapshot.state = std::move(view.values);
  return snapshot;
}

Result<std::uint64_t> LivePanel::Subscribe(std::optional<std::uint64_t> after_revision,
                                           UpdateObserver observer) {
  const std::lock_guard delivery(delivery_mutex_);
  if (after_revision) {
    NEXUS_TRY(const auto missed, UpdatesAfter(*after_revision));
    for (const auto& update : missed) observer(update);
  }
  if (watcher_count_ == 0) watchers_are_new_ = true;
  const std::uint64_t subscription = next_watcher_++;
  watchers_.emplace(subscription, std::move(observer));
  ++watcher_count_;
  return subscription;
}

void LivePanel::Unsubscribe(std::uint64_t subscription) {
  const std::lock_guard delivery(delivery_mutex_);
  if (watchers_.erase(subscription) != 0) --watcher_count_;
}

std::vector<RunRecord> LivePanel::Runs(std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  std::vector<RunRecord> records;
  for (auto run = live_.rbegin(); run != live_.rend() && records.size() < limit; ++run) {
    if (!run->second->started) continue;
    RunRecord record{.run_id = run->first,
                     .handler = run->second->handler->name,
                     .principal = run->second->principal,
                     .started_unix_ms = run->second->started_unix_ms,
                     .args = run->second->args,
                     .result = {}};
    record.result.run_id = run->first;
    record.result.status = RunStatus::kSuspended;
    records.push_back(std::move(record));
  }
  for (auto at = history_.rbegin(); at != history_.rend() && records.size() < limit; ++at) {
    records.push_back(*at);
  }
  return records;
}

std::optional<RunRecord> LivePanel::FindRun(std::string_view run_id) const {
  for (RunRecord& record : Runs(SIZE_MAX)) {
    if (record.run_id == run_id) return std::move(record);
  }
  return std::nullopt;
}

std::vector<LogEntry> LivePanel::Logs(std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  const std::size_t count = std::min(limit, logs_.size());
  return {logs_.rbegin(), logs_.rbegin() + static_cast<std::ptrdiff_t>(count)};
}

}  // namespace nexus::internal
