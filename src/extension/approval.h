#pragma once
/// The extension `approval`: a run asks for a right it does not have, and waits until a person or a
/// policy answers.
///
///   await $ext.approval.request({capability: 'ext:http.post', reason: 'Send the report',
///                                forMs: 60_000})
///
/// answers {id, capabilities, expiresAt, by} when it is granted; a refusal is an exception with the
/// code PERMISSION_DENIED. What is granted belongs to that run, ends with it, and at the latest
/// `forMs` after the decision. It is never more than the ceiling allows, and who approves must hold
/// the right itself.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "capability/set.h"
#include "sandbox/bindings.h"

namespace nexus {

struct ApprovalOptions {
  std::string file;                      ///< Where requests and decisions are kept; empty: memory.
  const Clock* clock = nullptr;          ///< Borrowed; nullptr: the system's.
  std::optional<CapabilitySet> ceiling;  ///< What can be granted at all; nullopt: anything.
  CapabilitySet allowed;                 ///< Granted at once, by policy.
  CapabilitySet denied;                  ///< Refused at once; wins over `allowed`.
  std::size_t waiting_max = 1'000;       ///< Above: a request fails as OVERLOADED.
  std::int64_t for_ms_max = 3'600'000;   ///< Longer grants are cut to this.
  std::int64_t wait_ms_max = std::int64_t{24} * 3'600'000;  ///< Then nobody has answered.
  /// Decided requests are kept so long, as the record of who granted what.
  std::int64_t kept_ms = std::int64_t{90} * 24 * 3'600'000;
};

enum class ApprovalStatus : std::uint8_t { kWaiting, kApproved, kDenied, kExpired };
/// "waiting", "approved", "denied", "expired" (nobody answered in time).
std::string_view ApprovalStatusName(ApprovalStatus status);

/// One request and what became of it.
struct Approval {
  std::string id;  ///< ULID
  std::string run_id, panel_id, handler;
  std::string principal;  ///< Who started the run.
  Value capability;       ///< As asked for, cut to the ceiling: [{type, scope, ...}]
  std::string reason;     ///< The program's words: not to be trusted, to be read.
  std::int64_t for_ms = 0;
  std::int64_t asked_unix_ms = 0;
  ApprovalStatus status = ApprovalStatus::kWaiting;
  std::string decided_by;  ///< A principal, or "policy"; "" while it waits.
  std::string note;        ///< Why it was denied, in the decider's words.
  std::int64_t decided_unix_ms = 0;
  std::int64_t expires_unix_ms = 0;  ///< Of the grant, when approved.

  /// The rights asked for.
  CapabilitySet Asked() const;
  /// As the API shows it: {id, status, capabilities, reason, ...}.
  Value ToValue() const;
};

/// Who decides.
struct Approver {
  std::string name;
  CapabilitySet capabilities;
  bool everything = false;  ///< Holds every right.
  /// Whether it may grant what `approval` asks for.
  bool Holds(const Approval& approval) const;
};

/// Thread-safe. Requests survive a restart of the host: the run's call is repeated with the key it
/// had, and finds its request, or the decision. Cost of a request and of a decision: one synced
/// write with a file.
class ApprovalExtension final : public Extension {
 public:
  /// Errors: as SqliteFile::Open for a file that cannot be used; kDataLoss for one of another kind.
  static Result<std::shared_ptr<ApprovalExtension>> Create(ApprovalOptions options);
  /// Ends the waits with UNAVAILABLE; the requests stay.
  ~ApprovalExtension() override;

  std::string_view name() const override { return "approval"; }
  std::span<const MethodDescriptor> methods() const override;
  void Call(ExtensionCall call, AnswerFunction done) override;
  void Abandon(std::string_view run_id) override;

  /// Those a run waits for, oldest first.
  std::vector<Approval> Waiting() const;
  /// The newest, whatever became of them, newest first, at most `limit`.
  Result<std::vector<Approval>> History(std::size_t limit) const;
  Result<Approval> Find(std::string_view id) const;

  /// Grants it; `for_ms` (0: as asked) can only shorten. The run goes on.
  /// Errors: kNotFound, kPermissionDenied when the approver lacks the right (naming it),
  /// kInvalidArgument when it is decided already or its run is gone.
  Result<Approval> Approve(std::string_view id, const Approver& approver, std::int64_t for_ms = 0);
  /// Errors: kNotFound, kInvalidArgument as Approve. Refusing takes no right.
  Result<Approval> Deny(std::string_view id, const std::string& by, const std::string& note);

  struct Stats {
    std::size_t waiting = 0;
    std::uint64_t approved = 0, denied = 0, expired = 0;
  };
  Stats GetStats() const;

 private:
  class Desk;
  explicit ApprovalExtension(std::unique_ptr<Desk> desk);
  std::unique_ptr<Desk> desk_;
};

}  // namespace nexus
