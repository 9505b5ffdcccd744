#include "capability/gate.h"

#include <algorithm>
#include <deque>
#include <mutex>

#include "base/utf8.h"

namespace nexus {
namespace {

// A guest chooses the names it asks for; what is kept of one in messages and records is bounded.
constexpr std::size_t kNameBytesMax = 256;

std::string Shortened(std::string_view name) {
  if (name.size() <= kNameBytesMax) return ToValidUtf8(name);
  std::string_view head = name.substr(0, kNameBytesMax);
  while (!head.empty() && (static_cast<unsigned char>(name[head.size()]) & 0xc0) == 0x80) {
    head.remove_suffix(1);
  }
  return ToValidUtf8(head) + "...";
}

}  // namespace

struct AuditLog::State {
  mutable std::mutex mutex;
  std::deque<Denial> recent;
};

AuditLog::AuditLog(std::size_t entries_max)
    : entries_max_(entries_max), state_(std::make_unique<State>()) {}
AuditLog::~AuditLog() = default;

void AuditLog::RecordDenial(const Denial& denial) {
  count_.fetch_add(1, std::memory_order_relaxed);
  const std::lock_guard lock(state_->mutex);
  state_->recent.push_back(denial);
  if (state_->recent.size() > entries_max_) state_->recent.pop_front();
}

std::vector<Denial> AuditLog::Recent() const {
  const std::lock_guard lock(state_->mutex);
  return {state_->recent.begin(), state_->recent.end()};
}

Gate::Gate(CapabilitySet granted, AuditSink* audit, std::string run_id, std::string program)
    : granted_(std::move(granted)),
      audit_(audit),
      run_id_(std::move(run_id)),
      program_(std::move(program)) {}

bool Gate::Check(Right right, std::string_view name, std::string_view method,
                 std::string_view path) {
  switch (granted_.CoverageOf(right, name, method)) {
    case Coverage::kAlways:
      return true;
    case Coverage::kNone:
      return Deny(right, name, method, "not granted");
    case Coverage::kConditional:
      break;
  }
  std::string_view why = "not granted";
  for (const Grant* grant : granted_.Covering(right, name, method)) {
    why = Unmet(*grant, &path);
    if (!why.empty()) continue;
    for (const CallBudget& budget : grant->conditions.budgets) ++uses_[budget.id];
    return true;
  }
  return Deny(right, name, method, why);
}

bool Gate::Would(Right right, std::string_view name, std::string_view method) const {
  if (granted_.CoverageOf(right, name, method) == Coverage::kAlways) return true;
  const bool any_method = right == Right::kExtension && method.empty();
  const std::vector<const Grant*> covering =
      any_method ? granted_.CoveringPartOf(name) : granted_.Covering(right, name, method);
  return std::any_of(covering.begin(), covering.end(),
                     [&](const Grant* grant) { return Unmet(*grant, nullptr).empty(); });
}

std::string_view Gate::Unmet(const Grant& grant, const std::string_view* path) const {
  const GrantConditions& conditions = grant.conditions;
  if (conditions.expires_unix_ms && now_unix_ms_ >= *conditions.expires_unix_ms) return "expired";
  if (conditions.path_prefix && path != nullptr) {
    const std::optional<std::string> normal = NormalizePath(*path);
    if (!normal || (path->empty() && !conditions.path_prefix->empty()) ||
        !IsAtOrBelow(*normal, *conditions.path_prefix)) {
      return "outside path prefix";
    }
  }
  for (const CallBudget& budget : conditions.budgets) {
    const auto used = uses_.find(budget.id);
    if ((used == uses_.end() ? 0 : used->second) >= budget.calls_max) {
      return "call count used up";
    }
  }
  return {};
}

bool Gate::Deny(Right right, std::string_view name, std::string_view method, std::string_view why) {
  ++denials_;
  std::string scope = Shortened(name);
  if (!method.empty()) scope += "." + Shortened(method);
  missing_ = std::string(RightWord(right)) + ":" + scope;
  reason_ = why;
  // One run must not push every other run's denials out of the log; all are counted.
  constexpr std::uint32_t kRecordedMax = 256;
  if (audit_ != nullptr && denials_ <= kRecordedMax) {
    audit_->RecordDenial({.run_id = run_id_,
                          .program = program_,
                          .token = missing_,
                          .reason = reason_,
                          .unix_ms = now_unix_ms_});
  }
  return false;
}

}  // namespace nexus
