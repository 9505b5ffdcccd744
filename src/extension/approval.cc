#include "extension/approval.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/ulid.h"
#include "extension/internal/approval_store.h"
#include "extension/internal/call_arguments.h"

namespace nexus {
namespace {

using internal::ApprovalStore;

constexpr std::int64_t kForMsDefault = 60'000;
constexpr std::size_t kGrantsMax = 16;
constexpr std::int64_t kCheckMs = 1'000;  // How often a simulated clock is looked at.

const MethodDescriptor kMethods[] = {
    {.name = "request",
     .summary = "Ask for a right and wait until a person or a policy answers",
     .idempotent = true,
     .path_argument = {},
     .parameters = R"({"prefixItems": [{"title": "request", "type": "object",
       "properties": {
         "capability": {"type": ["string", "object"], "description": "a token, ext:http.get"},
         "reason": {"type": "string", "minLength": 1, "maxLength": 1000,
                    "description": "what it is needed for, for the person who decides"},
         "forMs": {"type": "integer", "minimum": 1000, "maximum": 86400000,
                   "description": "how long, from the decision; 60000 when absent"}},
       "required": ["capability", "reason"], "additionalProperties": false}], "minItems": 1})",
     .result = R"({"type": "object", "properties": {
       "id": {"type": "string"}, "capabilities": {"type": "array", "items": {"type": "string"}},
       "expiresAt": {"type": "integer", "description": "Unix milliseconds"},
       "by": {"type": "string"}}})"},
};

std::string Tokens(const Approval& approval) {
  return fmt::format("{}", fmt::join(approval.Asked().ToStrings(), ", "));
}

Answer Refused(const Approval& approval) {
  const std::string what = Tokens(approval);
  std::string message;
  if (approval.status == ApprovalStatus::kExpired) {
    message = fmt::format("approval: nobody answered the request for {} in time", what);
  } else {
    message = fmt::format("approval: {} refused {}", approval.decided_by, what);
    if (!approval.note.empty()) message += ": " + approval.note;
  }
  Answer answer = Answer::Failed(std::move(message), RunErrorCode::kPermissionDenied);
  answer.details = Value::Object({{"approvalId", approval.id}, {"by", approval.decided_by}});
  return answer;
}

Answer Granted(const Approval& approval) {
  ValueArray tokens;
  for (const std::string& token : approval.Asked().ToStrings()) tokens.emplace_back(token);
  Answer answer = Answer::Ok(Value::Object({{"id", approval.id},
                                            {"capabilities", std::move(tokens)},
                                            {"expiresAt", approval.expires_unix_ms},
                                            {"by", approval.decided_by}}));
  const CapabilitySet asked = approval.Asked();
  for (Grant grant : asked.grants()) {
    auto& expires = grant.conditions.expires_unix_ms;
    expires = std::min(expires.value_or(INT64_MAX), approval.expires_unix_ms);
    grant.conditions.budgets.clear();
    answer.grants.push_back(std::move(grant));
  }
  return answer;
}

Answer AnswerFor(const Approval& approval) {
  return approval.status == ApprovalStatus::kApproved ? Granted(approval) : Refused(approval);
}

}  // namespace

std::string_view ApprovalStatusName(ApprovalStatus status) {
  switch (status) {
    case ApprovalStatus::kWaiting:
      return "waiting";
    case ApprovalStatus::kApproved:
      return "approved";
    case ApprovalStatus::kDenied:
      return "denied";
    case ApprovalStatus::kExpired:
      return "expired";
  }
  return "expired";
}

CapabilitySet Approval::Asked() const {
  Result<CapabilitySet> set = CapabilitySet::FromValue(capability);
  return set ? *std::move(set) : CapabilitySet();
}

Value Approval::ToValue() const {
  ValueArray tokens;
  for (const std::string& token : Asked().ToStrings()) tokens.emplace_back(token);
  ValueObject value{{"id", id},
                    {"status", ApprovalStatusName(status)},
                    {"capabilities", std::move(tokens)},
                    {"grants", capability},
                    {"reason", reason},
                    {"forMs", for_ms},
                    {"panelId", panel_id},
                    {"handler", handler},
                    {"runId", run_id},
                    {"principal", principal},
                    {"askedAt", asked_unix_ms}};
  if (status != ApprovalStatus::kWaiting) {
    value.Append("decidedBy", decided_by);
    value.Append("decidedAt", decided_unix_ms);
  }
  if (!note.empty()) value.Append("note", note);
  if (status == ApprovalStatus::kApproved) value.Append("expiresAt", expires_unix_ms);
  return Value(std::move(value));
}

bool Approver::Holds(const Approval& approval) const {
  const CapabilitySet asked = approval.Asked();
  return everything || (!asked.empty() && asked.IsSubsetOf(capabilities));
}

// The requests under decision. Answers are given outside the lock.
class ApprovalExtension::Desk {
 public:
  Desk(ApprovalOptions options, ApprovalStore store)
      : options_(std::move(options)),
        clock_(options_.clock != nullptr ? *options_.clock : system_clock_),
        store_(std::move(store)) {}
  ~Desk();

  void Ask(ExtensionCall call, AnswerFunction done);
  void Abandon(std::string_view run_id);
  std::vector<Approval> Waiting() const;
  Result<std::vector<Approval>> History(std::size_t limit) const;
  Result<Approval> Find(std::string_view id) const;
  Result<Approval> Decide(std::string_view id, const std::function<Status(Approval&)>& decision);
  Stats GetStats() const;
  std::int64_t NowMs() const { return clock_.UnixMs(); }
  const ApprovalOptions& options() const { return options_; }

 private:
  struct Open {
    Approval approval;
    std::string key;
    std::int64_t until_unix_ms = 0;
    AnswerFunction done;
  };
  Result<Approval> Read(const ExtensionCall& call) const;
  std::optional<Answer> Admit(ExtensionCall& call, Approval approval, AnswerFunction& done);
  /// What policy says at once; false: a person decides.
  bool JudgeByPolicy(Approval& approval) const;
  void Record(const Approval& approval);
  void Loop();

  const ApprovalOptions options_;
  const SystemClock system_clock_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  mutable ApprovalStore store_;                    // guarded by mutex_
  std::map<std::string, Open, std::less<>> open_;  // guarded by mutex_; by id
  Stats stats_;                                    // guarded by mutex_
  std::uint64_t asked_ = 0;                        // guarded by mutex_
  bool stopping_ = false;                          // guarded by mutex_
  std::thread thread_;                             // guarded by mutex_ until joined
};

ApprovalExtension::Desk::~Desk() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  for (auto& [id, open] : open_) {
    open.done(Answer::Failed("approval: the host is shutting down", RunErrorCode::kUnavailable));
  }
}

Result<Approval> ApprovalExtension::Desk::Read(const ExtensionCall& call) const {
  const Value& request = call.args.empty() ? Value() : call.args.front();
  const Value* const capability = request.Find("capability");
  if (capability == nullptr || request.As<ValueObject>() == nullptr) {
    return Fail(Code::kInvalidArgument,
                "approval.request: give {capability: 'ext:http.get', reason, forMs}");
  }
  NEXUS_TRY(CapabilitySet asked, CapabilitySet::FromValue(Value::Array({*capability})));
  if (asked.empty() || asked.grants().size() > kGrantsMax) {
    return Fail(Code::kInvalidArgument,
                fmt::format("approval.request: ask for 1 to {} rights at once", kGrantsMax));
  }
  const std::string words = fmt::format("{}", fmt::join(asked.ToStrings(), ", "));
  if (options_.ceiling) asked = asked.AttenuatedBy(*options_.ceiling);
  if (asked.empty()) {
    return Fail(Code::kPermissionDenied, "approval.request: " + words +
                                             " is above the ceiling of this node: no one can "
                                             "grant it");
  }
  Approval approval;
  approval.capability = GrantsToValue(asked.grants());
  approval.reason = request.StringOr("reason", "");
  if (approval.reason.empty()) {
    return Fail(Code::kInvalidArgument, "approval.request: say in 'reason' what it is needed for");
  }
  const double for_ms = request.NumberOr("forMs", static_cast<double>(kForMsDefault));
  if (!(for_ms >= 1)) return Fail(Code::kInvalidArgument, "approval.request: forMs: milliseconds");
  approval.for_ms =
      static_cast<std::int64_t>(std::min(for_ms, static_cast<double>(options_.for_ms_max)));
  approval.run_id = call.run_id;
  approval.panel_id = call.panel_id;
  approval.handler = call.handler;
  approval.principal = call.principal;
  return approval;
}

bool ApprovalExtension::Desk::JudgeByPolicy(Approval& approval) const {
  const CapabilitySet asked = approval.Asked();
  // One part that is refused refuses the whole.
  const bool refused = !asked.AttenuatedBy(options_.denied).empty();
  if (!refused && !asked.IsSubsetOf(options_.allowed)) return false;
  approval.status = refused ? ApprovalStatus::kDenied : ApprovalStatus::kApproved;
  approval.decided_by = "policy";
  approval.decided_unix_ms = approval.asked_unix_ms;
  if (!refused) approval.expires_unix_ms = approval.decided_unix_ms + approval.for_ms;
  return true;
}

// Counted, and on the log: who granted what to whom.
void ApprovalExtension::Desk::Record(const Approval& approval) {
  switch (approval.status) {
    case ApprovalStatus::kApproved:
      ++stats_.approved;
      break;
    case ApprovalStatus::kDenied:
      ++stats_.denied;
      break;
    default:
      ++stats_.expired;
  }
  Log(Severity::kInfo, "approval decided",
      {{"id", approval.id},
       {"status", ApprovalStatusName(approval.status)},
       {"capability", Tokens(approval)},
       {"panel", approval.panel_id},
       {"handler", approval.handler},
       {"run", approval.run_id},
       {"asked_by", approval.principal},
       {"decided_by", approval.decided_by}});
}

void ApprovalExtension::Desk::Ask(ExtensionCall call, AnswerFunction done) {
  Result<Approval> read = Read(call);
  if (!read) return done(internal::ToAnswer(read.error()));
  if (std::optional<Answer> at_once = Admit(call, *std::move(read), done))
    done(*std::move(at_once));
}

// The answer, or nothing: then `done` is taken, and a person decides.
std::optional<Answer> ApprovalExtension::Desk::Admit(ExtensionCall& call, Approval approval,
                                                     AnswerFunction& done) {
  approval.asked_unix_ms = NowMs();
  const std::lock_guard lock(mutex_);
  if (asked_++ % 256 == 0) (void)store_.ForgetBefore(approval.asked_unix_ms - options_.kept_ms);
  // Asked before, by this call: the host was restarted, or an atomic run is tried again. A key says
  // nothing about what is asked, so only the same words find the earlier request.
  if (!call.idempotency_key.empty()) {
    Result<std::vector<Approval>> earlier = store_.OfKey(call.idempotency_key);
    if (!earlier) return internal::ToAnswer(earlier.error());
    for (Approval& known : *earlier) {
      if (known.run_id != approval.run_id || known.capability != approval.capability) continue;
      approval = std::move(known);
      break;
    }
  }
  if (approval.status != ApprovalStatus::kWaiting) return AnswerFor(approval);
  if (open_.size() >= options_.waiting_max) {
    return Answer::Failed(
        fmt::format("approval: {} requests wait already: ask later", options_.waiting_max),
        RunErrorCode::kOverloaded);
  }
  const bool is_new = approval.id.empty();
  if (is_new) approval.id = NewUlid(approval.asked_unix_ms);
  const bool judged = JudgeByPolicy(approval);
  if (is_new || judged) {
    const Status kept = store_.Put(approval, call.idempotency_key);
    if (!kept) return internal::ToAnswer(kept.error());
  }
  if (judged) {
    Record(approval);
    return AnswerFor(approval);
  }
  std::int64_t until = approval.asked_unix_ms + options_.wait_ms_max;
  if (call.deadline_unix_ms != 0) until = std::min(until, call.deadline_unix_ms);
  Log(Severity::kInfo, "approval asked for",
      {{"id", approval.id},
       {"capability", Tokens(approval)},
       {"panel", approval.panel_id},
       {"handler", approval.handler},
       {"run", approval.run_id}});
  const std::string id = approval.id;
  open_.insert_or_assign(
      id, Open{std::move(approval), std::move(call.idempotency_key), until, std::move(done)});
  if (!thread_.joinable()) thread_ = std::thread([this] { Loop(); });
  changed_.notify_all();
  return std::nullopt;
}

void ApprovalExtension::Desk::Loop() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const std::int64_t now = NowMs();
    std::int64_t next = INT64_MAX;
    std::vector<Open> late;
    for (auto at = open_.begin(); at != open_.end();) {
      if (at->second.until_unix_ms > now) {
        next = std::min(next, at->second.until_unix_ms);
        ++at;
        continue;
      }
      late.push_back(std::move(at->second));
      at = open_.erase(at);
    }
    for (Open& open : late) {
      open.approval.status = ApprovalStatus::kExpired;
      open.approval.decided_unix_ms = now;
      if (const Status kept = store_.Put(open.approval, open.key); !kept) {
        Log(Severity::kWarn, "approval not kept", {{"why", kept.error().message()}});
      }
      Record(open.approval);
    }
    if (!late.empty()) {
      lock.unlock();
      for (Open& open : late) open.done(Refused(open.approval));
      lock.lock();
      continue;
    }
    if (open_.empty()) {
      changed_.wait(lock);
    } else {
      changed_.wait_for(lock, std::chrono::milliseconds(std::min(next - now, kCheckMs)));
    }
  }
}

// The request stays where it is kept: a run that goes on after a restart asks again.
void ApprovalExtension::Desk::Abandon(std::string_view run_id) {
  std::vector<Open> dropped;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = open_.begin(); at != open_.end();) {
      if (at->second.approval.run_id != run_id) {
        ++at;
        continue;
      }
      dropped.push_back(std::move(at->second));
      at = open_.erase(at);
    }
  }
  for (Open& open : dropped) {
    open.done(Answer::Failed("approval: the run is gone", RunErrorCode::kCancelled));
  }
}

std::vector<Approval> ApprovalExtension::Desk::Waiting() const {
  const std::lock_guard lock(mutex_);
  std::vector<Approval> all;
  for (const auto& [id, open] : open_) all.push_back(open.approval);
  return all;
}

Result<std::vector<Approval>> ApprovalExtension::Desk::History(std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  return store_.Newest(limit);
}

Result<Approval> ApprovalExtension::Desk::Find(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  NEXUS_TRY(std::optional<Approval> found, store_.Find(id));
  if (found) return *std::move(found);
  return Fail(Code::kNotFound, fmt::format("there is no request '{}'", id.substr(0, 64)));
}

Result<Approval> ApprovalExtension::Desk::Decide(std::string_view id,
                                                 const std::function<Status(Approval&)>& decision) {
  std::unique_lock lock(mutex_);
  const auto found = open_.find(id);
  if (found == open_.end()) {
    NEXUS_TRY(const std::optional<Approval> known, store_.Find(id));
    if (!known) {
      return Fail(Code::kNotFound, fmt::format("there is no request '{}'", id.substr(0, 64)));
    }
    return Fail(Code::kInvalidArgument,
                known->status == ApprovalStatus::kWaiting
                    ? "the run that asked for it is gone"
                    : fmt::format("it is {} already", ApprovalStatusName(known->status)));
  }
  Approval decided = found->second.approval;
  NEXUS_TRY_STATUS(decision(decided));
  decided.decided_unix_ms = NowMs();
  if (decided.status == ApprovalStatus::kApproved) {
    decided.expires_unix_ms = decided.decided_unix_ms + decided.for_ms;
  }
  // On disk before the run learns of it.
  NEXUS_TRY_STATUS(store_.Put(decided, found->second.key));
  AnswerFunction done = std::move(found->second.done);
  open_.erase(found);
  Record(decided);
  lock.unlock();
  done(AnswerFor(decided));
  return decided;
}

ApprovalExtension::Stats ApprovalExtension::Desk::GetStats() const {
  const std::lock_guard lock(mutex_);
  Stats stats = stats_;
  stats.waiting = open_.size();
  return stats;
}

ApprovalExtension::ApprovalExtension(std::unique_ptr<Desk> desk) : desk_(std::move(desk)) {}
ApprovalExtension::~ApprovalExtension() = default;

Result<std::shared_ptr<ApprovalExtension>> ApprovalExtension::Create(ApprovalOptions options) {
  NEXUS_TRY(ApprovalStore store, ApprovalStore::Open(options.file));
  return std::shared_ptr<ApprovalExtension>(
      new ApprovalExtension(std::make_unique<Desk>(std::move(options), std::move(store))));
}

std::span<const MethodDescriptor> ApprovalExtension::methods() const { return kMethods; }

void ApprovalExtension::Call(ExtensionCall call, AnswerFunction done) {
  desk_->Ask(std::move(call), std::move(done));
}

void ApprovalExtension::Abandon(std::string_view run_id) { desk_->Abandon(run_id); }

std::vector<Approval> ApprovalExtension::Waiting() const { return desk_->Waiting(); }

Result<std::vector<Approval>> ApprovalExtension::History(std::size_t limit) const {
  return desk_->History(limit);
}

Result<Approval> ApprovalExtension::Find(std::string_view id) const { return desk_->Find(id); }

Result<Approval> ApprovalExtension::Approve(std::string_view id, const Approver& approver,
                                            std::int64_t for_ms) {
  return desk_->Decide(id, [&](Approval& approval) -> Status {
    if (!approver.Holds(approval)) {
      return Fail(Code::kPermissionDenied,
                  fmt::format("who approves must hold the right itself: {} does not hold {}",
                              approver.name, Tokens(approval)));
    }
    approval.status = ApprovalStatus::kApproved;
    approval.decided_by = approver.name;
    if (for_ms > 0) approval.for_ms = std::min(approval.for_ms, for_ms);
    return {};
  });
}

Result<Approval> ApprovalExtension::Deny(std::string_view id, const std::string& by,
                                         const std::string& note) {
  return desk_->Decide(id, [&](Approval& approval) -> Status {
    approval.status = ApprovalStatus::kDenied;
    approval.decided_by = by;
    approval.note = note;
    return {};
  });
}

ApprovalExtension::Stats ApprovalExtension::GetStats() const { return desk_->GetStats(); }

}  // namespace nexus
