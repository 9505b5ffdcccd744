// A run from start to end: one slice at a time, on the panel's strand.
#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "panel/host/internal/live_panel.h"
#include "panel/host/internal/panel_flush.h"
#include "sandbox/answer_once.h"

namespace nexus::internal {
namespace {

constexpr int kDepthMax = 16;
constexpr int kAtomicAttemptsMax = 3;

template <typename T>
void MoveBehind(std::vector<T>& all, std::vector<T>& more) {
  if (all.empty()) {
    all = std::move(more);
  } else {
    all.insert(all.end(), std::make_move_iterator(more.begin()),
               std::make_move_iterator(more.end()));
  }
  more.clear();
}

}  // namespace

// Writes that did not reach the disk are taken back before anything builds on them.
void LivePanel::FallBackIfFailed() {
  if (lane_ == nullptr) return;
  const std::uint64_t epoch = lane_->epoch.load(std::memory_order_acquire);
  if (epoch == epoch_) return;
  epoch_ = epoch;
  state_.RevertTo(state_.durable_revision());
  told_computed_ = ValueObject();
  Log(Severity::kWarn, "panel fell back to what is on disk",
      {{"panel", id_}, {"revision", static_cast<double>(state_.revision())}});
}

ExecutionContext LivePanel::ContextFor(LiveRun& run) const {
  ExecutionContext context;
  context.args = run.args;
  context.scope = run.scope;
  context.capabilities = RightsOf(run);
  context.limits = run.limits;
  if (run.deadline_unix_ms != 0) {
    const std::int64_t left = std::max<std::int64_t>(run.deadline_unix_ms - NowMs(), 1);
    Limits deadline;
    deadline.Set(Limit::kDeadline, static_cast<std::uint64_t>(left));
    context.limits = context.limits.LowestWith(deadline);
  }
  context.state = run.state.get();
  context.extensions = run.loaded->extensions;
  context.tools = run.tools.get();
  context.run_id = run.run_id;
  context.panel_id = id_;
  context.handler_name = run.handler->name;
  return context;
}

CapabilitySet LivePanel::RightsOf(const LiveRun& run) const {
  if (run.elevated.empty()) return run.handler->capabilities;
  std::vector<Grant> grants = run.handler->capabilities.grants();
  grants.insert(grants.end(), run.elevated.begin(), run.elevated.end());
  return CapabilitySet(std::move(grants));
}

CapabilitySet LivePanel::UpToCeiling(CapabilitySet given) const {
  const auto& ceiling = services_->options->ceiling;
  return ceiling ? given.AttenuatedBy(*ceiling) : given;
}

// What a run was given while it waited, up to the ceiling. It dies with the run.
void LivePanel::Elevate(LiveRun& run, std::vector<Grant> grants) {
  const CapabilitySet given = UpToCeiling(CapabilitySet(std::move(grants)));
  run.elevated.insert(run.elevated.end(), given.grants().begin(), given.grants().end());
  run.run->ReplaceCapabilities(RightsOf(run));
}

void LivePanel::Begin(const LiveRunPtr& run) {
  if (run->cancelled) return FailRun(run, RunErrorCode::kCancelled, "the run was cancelled");
  if (run->deadline_unix_ms != 0 && NowMs() >= run->deadline_unix_ms) {
    return FailRun(run, RunErrorCode::kTimeout, "the deadline passed before the run began");
  }
  ComputedValues& computed = *run->loaded->computed;
  run->state = std::make_unique<RunState>(state_, computed, run->handler->atomic);
  if (!run->loaded->definition.tools.empty()) {
    run->tools = std::make_unique<PanelToolNames>(run->loaded->definition);
  }
  // Now, because a run that meets a stale value has to start a run in a run.
  for (const std::string& name : run->handler->computed) {
    const HeadReader head(state_);
    if (computed.IsStale(name, head)) (void)computed.Evaluate(name, head);
  }
  auto started = services_->sandbox->NewRun(run->handler->program, ContextFor(*run));
  {
    const std::lock_guard lock(mutex_);
    run->run = std::move(started);
    run->started = true;
  }
  RunSlice(run, [&run] { return run->run->Start(); });
}

void LivePanel::RunSlice(const LiveRunPtr& run, const std::function<RunResult()>& slice) {
  if (run->slices++ == 0) {
    const std::uint64_t now = SystemClock().MonotonicNs();
    run->all.metrics.queue_us = run->queued_ns == 0 ? 0 : (now - run->queued_ns) / 1000;
  }
  run->base_revision = state_.revision();
  ++services_->running;
  RunResult result = slice();
  --services_->running;
  AfterSlice(run, std::move(result));
}

// What an atomic run did stays out of the head until it has succeeded.
void LivePanel::AfterAtomicSlice(LiveRun& run, RunResult& slice) {
  const std::uint64_t before = run.stash.empty() ? run.base_revision : run.stash_revision;
  if (slice.status == RunStatus::kSuspended) {
    MoveBehind(run.stash, slice.state_mutations);
    state_.RevertTo(before);
    run.stash_revision = before;
  } else if (slice.status == RunStatus::kSuccess) {
    MoveBehind(run.stash, slice.state_mutations);
    slice.state_mutations = std::exchange(run.stash, {});
    std::uint64_t revision = state_.revision() - slice.state_mutations.size();
    for (StateMutation& mutation : slice.state_mutations) mutation.revision = ++revision;
  } else {
    state_.RevertTo(before);
    run.stash.clear();
    slice.state_mutations.clear();
    slice.events.clear();
    slice.view_commands.clear();
    run.all.events.clear();
    run.all.view_commands.clear();
  }
}

void LivePanel::AfterSlice(const LiveRunPtr& run, RunResult slice) {
  const bool finished = slice.status != RunStatus::kSuspended;
  const bool atomic = run->handler->atomic;
  if (atomic) AfterAtomicSlice(*run, slice);
  if (finished && !run->stored && run->slices == 1 && slice.metrics.suspensions == 0) {
    slice.metrics.queue_us = run->all.metrics.queue_us;
  }
  auto flush = std::make_shared<Flush>();
  flush->run = run;
  flush->finished = finished;
  flush->slices = run->slices;
  flush->attempt = run->attempts;
  flush->revision = state_.revision();
  flush->suspensions = slice.suspensions;
  KeepLogs(slice.logs);
  // Effects of an atomic run are told at its end, all at once.
  const bool held_back = atomic && !finished;
  if (atomic && finished) {
    MoveBehind(run->all.events, slice.events);
    MoveBehind(run->all.view_commands, slice.view_commands);
    slice.events = std::exchange(run->all.events, {});
    slice.view_commands = std::exchange(run->all.view_commands, {});
  }
  run->all.run_id = run->run_id;
  run->all.status = slice.status;
  run->all.return_value = std::move(slice.return_value);
  run->all.error = std::move(slice.error);
  const std::uint64_t queue_us = run->all.metrics.queue_us;
  run->all.metrics = slice.metrics;
  run->all.metrics.queue_us = queue_us;
  if (!held_back) flush->update = UpdateFor(run.get(), slice, flush->revision, finished);
  const bool changed = !slice.state_mutations.empty() && !held_back;
  const bool keep = changed || (finished && !run->idempotency_key.empty());
  if (lane_ != nullptr && keep) {
    auto append = MakeAppend({.revision = flush->revision,
                              .unix_ms = NowMs(),
                              .run_id = run->run_id,
                              .handler = run->handler->name,
                              .principal = run->principal,
                              .idempotency_key = run->idempotency_key,
                              .mutations = slice.state_mutations,
                              .events = slice.events,
                              .args = finished ? &run->args : nullptr,
                              .outcome = finished ? &run->all : nullptr});
    if (!append) {
      // Cannot be: state holds JSON of bounded depth. But a journal with a hole would be worse.
      state_.RevertTo(run->base_revision);
      return FailRun(run, RunErrorCode::kInternalError, append.error().message());
    }
    flush->writes.emplace_back(*std::move(append));
  }
  if (lane_ != nullptr && finished && run->stored) {
    flush->writes.emplace_back(RemoveRun{run->run_id});
  }
  if (!finished && !held_back) {
    bool observed = false;
    {
      const std::lock_guard lock(mutex_);
      observed = !run->observers.empty();
    }
    if (observed) {
      RunResult& told = flush->slice.emplace();
      told.run_id = run->run_id;
      told.status = RunStatus::kSuspended;
      told.state_mutations = slice.state_mutations;
      told.events = slice.events;
      told.view_commands = slice.view_commands;
      told.logs = slice.logs;
      told.suspensions = slice.suspensions;
      told.metrics = run->all.metrics;
    }
  }
  const bool acted =
      !slice.state_mutations.empty() || !slice.events.empty() || !slice.view_commands.empty();
  MoveBehind(run->all.state_mutations, slice.state_mutations);
  MoveBehind(run->all.events, slice.events);
  MoveBehind(run->all.view_commands, slice.view_commands);
  MoveBehind(run->all.logs, slice.logs);
  if (!finished) {
    if (lane_ != nullptr) KeepSuspended(*run, acted, *flush);
    if (!std::exchange(run->suspended, true)) ++services_->suspended;
  } else {
    if (std::exchange(run->suspended, false)) --services_->suspended;
    run->finished = true;
  }
  Submit(std::move(flush));
}

// A run that ends without (or in spite of) its program.
void LivePanel::FailRun(const LiveRunPtr& run, RunErrorCode code, std::string message) {
  if (run->finished) return;
  RunResult slice = ErrorResult(run->run_id, run->handler->name, code, std::move(message));
  slice.metrics = run->all.metrics;
  run->base_revision = state_.revision();
  AfterSlice(run, std::move(slice));
}

// An extension may keep what it gets here for as long as it likes, so it keeps neither panel nor
// run: they hold the extension.
AnswerFunction LivePanel::AnswerTo(const LiveRunPtr& run, int attempt,
                                   const Suspension& suspension) {
  return AnswerOnce([weak_panel = weak_from_this(), weak_run = std::weak_ptr(run), attempt,
                     id = suspension.suspension_id](Answer answer) {
    const auto panel = weak_panel.lock();
    const auto live = weak_run.lock();
    if (panel == nullptr || live == nullptr) return;
    panel->Post([raw = panel.get(), live, attempt, id, answer = std::move(answer)]() mutable {
      raw->Answered(live, attempt, id, std::move(answer));
    });
  });
}

// `again`: after a restart, when only what may be repeated is.
void LivePanel::MakeCalls(const LiveRunPtr& run, int attempt,
                          const std::vector<Suspension>& suspensions, bool again) {
  for (const Suspension& suspension : suspensions) {
    {
      const std::lock_guard lock(mutex_);
      // The first answer may have made the run begin anew. The next attempt's calls have the same
      // ids, and other arguments.
      if (run->attempts != attempt) return;
      if (!run->called.insert(suspension.suspension_id).second) continue;
    }
    auto [done, traceparent] =
        RunTrace::Around(run->trace, suspension, AnswerTo(run, attempt, suspension));
    if (suspension.extension_name == "$tools") {
      const ToolDefinition* const tool = run->loaded->definition.FindTool(suspension.method);
      if (again && !(tool != nullptr && tool->idempotent.value_or(false))) {
        done(Answer::Failed("$tools." + suspension.method +
                            ": outcome unknown: the host stopped while the call was under way and "
                            "the tool is not declared idempotent"));
        continue;
      }
      CallOfTool(run, suspension, run->trace ? traceparent : run->traceparent, std::move(done));
      continue;
    }
    const auto binding =
        std::find_if(run->loaded->extensions.begin(), run->loaded->extensions.end(),
                     [&](const ExtensionBinding& b) {
                       return b.extension->name() == suspension.extension_name;
                     });
    if (binding == run->loaded->extensions.end()) {
      done(Answer::Failed(suspension.extension_name + ": it is not there any more",
                          RunErrorCode::kExtensionNotFound));
      continue;
    }
    Extension& extension = *binding->extension;
    const auto methods = extension.methods();
    const auto method = std::find_if(methods.begin(), methods.end(),
                                     [&](const auto& m) { return m.name == suspension.method; });
    if (again && (method == methods.end() || !method->idempotent)) {
      done(Answer::Failed(suspension.extension_name + "." + suspension.method +
                          ": outcome unknown: the host stopped while the call was under way and it "
                          "may not be repeated"));
      continue;
    }
    extension.Call({.run_id = run->run_id,
                    .suspension_id = suspension.suspension_id,
                    .extension = suspension.extension_name,
                    .method = suspension.method,
                    .args = suspension.args,
                    .idempotency_key = suspension.suspension_id,
                    .deadline_unix_ms = run->deadline_unix_ms,
                    .panel_id = id_,
                    .handler = run->handler->name,
                    .principal = run->principal},
                   std::move(done));
  }
}

void LivePanel::CallOfTool(const LiveRunPtr& run, const Suspension& suspension,
                           std::string traceparent, AnswerFunction done) {
  if (run->depth >= kDepthMax) {
    return done(Answer::Failed("$tools." + suspension.method +
                                   ": tools call each other more than " +
                                   std::to_string(kDepthMax) + " deep",
                               RunErrorCode::kResourceLimit));
  }
  const LoadedHandler* const handler = run->loaded->FindHandler(suspension.method);
  if (handler == nullptr || handler->tool == nullptr) {
    return done(Answer::Failed("$tools." + suspension.method + ": there is no such tool",
                               RunErrorCode::kMethodNotFound));
  }
  auto shared_done = std::make_shared<AnswerFunction>(std::move(done));
  ToolCall call;
  call.tool = suspension.method;
  call.args = suspension.args.empty() ? Value() : suspension.args.front();
  call.principal = run->principal;
  call.deadline_unix_ms = run->deadline_unix_ms;
  call.traceparent = std::move(traceparent);
  call.limits = run->limits;
  StartRun({.handler = handler, .call = std::move(call), .depth = run->depth + 1, .run_id = {}},
           [shared_done](const RunResult& result) {
             if (result.status == RunStatus::kSuspended) return;
             if (result.status == RunStatus::kSuccess) {
               return (*shared_done)(Answer::Ok(result.return_value));
             }
             (*shared_done)(
                 Answer::Failed(result.error ? result.error->message : "the tool was cancelled",
                                result.error ? result.error->code : RunErrorCode::kCancelled));
           });
}

void LivePanel::Resume(const LiveRunPtr& run, int attempt, const std::string& suspension_id,
                       Answer answer) {
  if (run->finished || !run->suspended || run->attempts != attempt) {
    Log(Severity::kDebug, "answer after the end of its run",
        {{"run", run->run_id}, {"success", answer.success}});
    return;
  }
  const std::uint64_t base = state_.revision();
  if (run->handler->atomic && !PutBackStash(run)) return Retry(run);
  for (const std::string& name : run->handler->computed) {
    const HeadReader head(state_);
    if (run->loaded->computed->IsStale(name, head)) {
      (void)run->loaded->computed->Evaluate(name, head);
    }
  }
  const auto& open = run->run->suspensions();
  const bool awaited = std::any_of(open.begin(), open.end(), [&](const Suspension& s) {
    return s.suspension_id == suspension_id;
  });
  if (awaited && !answer.grants.empty()) Elevate(*run, std::move(answer.grants));
  ++services_->running;
  Result<RunResult> result = run->run->Resume(suspension_id, std::move(answer));
  --services_->running;
  if (!result) {
    // Answered before, or of an attempt that was given up: nothing has changed.
    state_.RevertTo(base);
    Log(Severity::kDebug, "answer to nothing", {{"reason", result.error().message()}});
    return;
  }
  ++run->slices;
  run->base_revision = base;
  if (run->handler->atomic) run->stash_revision = base;
  AfterSlice(run, *std::move(result));
}

// Applies what an atomic run did before it waited to the head as it is now. False: something it
// read or wrote has changed since.
bool LivePanel::PutBackStash(const LiveRunPtr& run) {
  if (run->stash_revision < restored_from_) return false;
  for (const std::string& key : run->state->touched()) {
    if (state_.KeyRevision(key) > run->stash_revision) return false;
  }
  const std::uint64_t base = state_.revision();
  for (const StateMutation& mutation : run->stash) {
    const bool is_set = mutation.operation == StateMutation::Operation::kSet;
    const auto done = is_set ? state_.Set(mutation.key, mutation.path, mutation.value)
                             : state_.Delete(mutation.key, mutation.path);
    if (!done) {
      state_.RevertTo(base);
      return false;
    }
  }
  return true;
}

void LivePanel::Retry(const LiveRunPtr& run) {
  run->stash.clear();
  {
    const std::lock_guard lock(mutex_);
    run->called.clear();
    ++run->attempts;
  }
  if (run->attempts >= kAtomicAttemptsMax) {
    return FailRun(run, RunErrorCode::kConflict,
                   "what it read was changed by others while it waited, " +
                       std::to_string(kAtomicAttemptsMax) +
                       " times: nothing of it was kept; try again");
  }
  if (std::exchange(run->suspended, false)) --services_->suspended;
  const std::uint64_t queue_us = run->all.metrics.queue_us;
  run->all = RunResult();
  run->all.metrics.queue_us = queue_us;
  std::unique_ptr<Run> given_up;
  {
    const std::lock_guard lock(mutex_);
    given_up = std::move(run->run);
  }
  given_up.reset();
  Begin(run);
}

}  // namespace nexus::internal
