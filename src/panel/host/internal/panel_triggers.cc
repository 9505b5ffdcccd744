// Timers, events and state changes that call tools.
#include <algorithm>
#include <charconv>
#include <utility>
#include <variant>

#include "base/log.h"
#include "panel/host/internal/live_panel.h"
#include "panel/host/internal/panel_flush.h"

namespace nexus::internal {
namespace {

// A trigger whose tool sets off a trigger whose tool ... has to end somewhere.
constexpr int kTriggerDepthMax = 16;
constexpr int kMissedMax = 1000;

bool MatchesPattern(std::string_view pattern, std::string_view name) {
  if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == name;
}

std::string DottedPath(const StateMutation& mutation) {
  std::string path = mutation.key;
  for (const PathStep& step : mutation.path) {
    path += '.';
    if (const auto* name = std::get_if<std::string>(&step)) {
      path += *name;
    } else {
      path += std::to_string(std::get<std::uint32_t>(step));
    }
  }
  return path;
}

// One is at or above the other: a write to `a` changes `a.b`, and one to `a.b` changes `a`.
bool Touches(std::string_view changed, std::string_view watched) {
  const std::string_view shorter = changed.size() < watched.size() ? changed : watched;
  const std::string_view longer = changed.size() < watched.size() ? watched : changed;
  return longer.starts_with(shorter) &&
         (longer.size() == shorter.size() || longer[shorter.size()] == '.');
}

}  // namespace

std::optional<std::int64_t> LivePanel::NextDue(const TriggerDefinition& trigger,
                                               std::int64_t after) const {
  if (trigger.kind == TriggerKind::kInterval) return after + trigger.every_ms;
  if (trigger.kind != TriggerKind::kCron) return std::nullopt;
  const Result<CronSchedule> schedule = CronSchedule::Parse(trigger.expression, trigger.timezone);
  return schedule ? schedule->NextAfter(after) : std::nullopt;
}

// Sets every timed trigger going; what was missed while the node was down is made up for as the
// trigger says.
void LivePanel::ArmTriggers() {
  const LoadedPanel* const panel = loaded();
  const std::int64_t now = NowMs();
  for (std::uint32_t index = 0; index < panel->definition.triggers.size(); ++index) {
    const TriggerDefinition& trigger = panel->definition.triggers[index];
    if (trigger.kind != TriggerKind::kInterval && trigger.kind != TriggerKind::kCron) continue;
    std::int64_t last = now;
    {
      const std::lock_guard lock(mutex_);
      const auto found = trigger_last_.find(index);
      if (found != trigger_last_.end()) last = std::min(found->second, now);
    }
    auto due = NextDue(trigger, last);
    int missed = 0;
    while (due && *due <= now && missed < kMissedMax) {
      ++missed;
      last = *due;
      due = NextDue(trigger, last);
    }
    const int make_up = trigger.missed == MissedRuns::kAll    ? missed
                        : trigger.missed == MissedRuns::kOnce ? std::min(missed, 1)
                                                              : 0;
    for (int i = 0; i < make_up; ++i) Trigger(trigger, index, {}, {}, 0);
    ArmTimed(index, last);
  }
}

void LivePanel::ArmTimed(std::uint32_t index, std::int64_t last_unix_ms) {
  const LoadedPanel* const panel = loaded();
  const TriggerDefinition& trigger = panel->definition.triggers[index];
  auto due = NextDue(trigger, last_unix_ms);
  const std::int64_t now = NowMs();
  // After a long stall (a suspended machine) go on from now rather than race through the past.
  if (due && *due <= now - 60'000) due = NextDue(trigger, now);
  if (!due) return;
  services_->timers->At(*due, [weak = weak_from_this(), panel, index, due = *due] {
    if (const auto self = weak.lock()) self->FireTimed(panel, index, due);
  });
}

void LivePanel::FireTimed(const LoadedPanel* panel, std::uint32_t index, std::int64_t due_unix_ms) {
  // An update armed its own.
  if (panel != loaded() || closed() || services_->draining) return;
  const TriggerDefinition& trigger = panel->definition.triggers[index];
  bool busy = false;
  {
    const std::lock_guard lock(mutex_);
    trigger_last_[index] = due_unix_ms;
    const auto running = trigger_runs_.find(index);
    busy = running != trigger_runs_.end() && live_.contains(running->second);
  }
  if (lane_ != nullptr) {
    Post([this, index, due_unix_ms] {
      services_->journal->Submit({.lane = lane_,
                                  .epoch = epoch_,
                                  .writes = {PutTrigger{index, due_unix_ms}},
                                  .done = [](const Status&) {}});
    });
  }
  // A tool that takes longer than its interval is not called on top of itself.
  if (!busy) Trigger(trigger, index, {}, {}, 0);
  ArmTimed(index, due_unix_ms);
}

void LivePanel::Trigger(const TriggerDefinition& trigger, std::uint32_t index, Value event,
                        Value change, int depth) {
  const LoadedHandler* const handler = loaded()->FindHandler(trigger.tool);
  if (handler == nullptr || handler->tool == nullptr) return;
  ValueObject args;
  for (const ArgDefinition& arg : handler->tool->args) {
    if (arg.name == "event" && !event.is_undefined()) args.Append("event", event);
    if (arg.name == "change" && !change.is_undefined()) args.Append("change", change);
  }
  ToolCall call;
  call.tool = trigger.tool;
  call.args = std::move(args);
  call.principal = "trigger";
  const std::string run_id =
      StartRun({.handler = handler, .call = std::move(call), .depth = depth, .run_id = {}},
               [panel = id_, tool = trigger.tool](const RunResult& result) {
                 if (result.status != RunStatus::kError) return;
                 Log(Severity::kWarn, "a triggered run failed",
                     {{"panel", panel},
                      {"tool", tool},
                      {"reason", result.error ? result.error->message : std::string()}});
               });
  const std::lock_guard lock(mutex_);
  trigger_runs_[index] = run_id;
}

void LivePanel::FireOn(const PanelUpdate& update, int depth) {
  const auto& triggers = loaded()->definition.triggers;
  for (std::uint32_t index = 0; index < triggers.size(); ++index) {
    const TriggerDefinition& trigger = triggers[index];
    if (trigger.kind != TriggerKind::kEvent && trigger.kind != TriggerKind::kStateChange) continue;
    const auto fire = [&](Value event, Value change) {
      if (depth < kTriggerDepthMax) {
        return Trigger(trigger, index, std::move(event), std::move(change), depth + 1);
      }
      KeepLogs({{.level = LogLevel::kError,
                 .message = "trigger of " + trigger.tool +
                            " not followed: triggers set each other "
                            "off more than " +
                            std::to_string(kTriggerDepthMax) + " times",
                 .unix_ms = NowMs()}});
    };
    if (trigger.kind == TriggerKind::kEvent) {
      for (const EmittedEvent& event : update.events) {
        if (!MatchesPattern(trigger.pattern, event.name)) continue;
        fire(Value::Object({{"name", event.name}, {"payload", event.payload}}), {});
      }
      continue;
    }
    // Once an update, however many writes it holds.
    const auto changed = std::find_if(
        update.mutations.begin(), update.mutations.end(),
        [&](const StateMutation& mutation) { return Touches(DottedPath(mutation), trigger.path); });
    if (changed == update.mutations.end()) continue;
    fire({}, Value::Object({{"path", DottedPath(*changed)}, {"value", changed->value}}));
  }
}

}  // namespace nexus::internal
