#pragma once
/// The gate every host call passes. One gate belongs to one run and dies with it: that is what
/// binds a token to its run.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "capability/set.h"

namespace nexus {

/// What a denied call looks like to the host's audit log.
struct Denial {
  std::string run_id;
  std::string program;  ///< Agent or handler name.
  std::string token;    ///< What would have been needed: "ext:http.get".
  /// "not granted", "expired", "call count used up", "outside path prefix".
  std::string reason;
  std::int64_t unix_ms = 0;
};

/// Where denials go. Implementations must be thread-safe and must not block.
class AuditSink {
 public:
  virtual ~AuditSink() = default;
  virtual void RecordDenial(const Denial& denial) = 0;
};

/// Keeps the newest denials and counts all: older ones fall out when `entries_max` are held.
/// Thread-safe.
class AuditLog final : public AuditSink {
 public:
  explicit AuditLog(std::size_t entries_max = 1024);
  ~AuditLog() override;
  void RecordDenial(const Denial& denial) override;
  std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }
  /// Oldest first.
  std::vector<Denial> Recent() const;

 private:
  struct State;
  const std::size_t entries_max_;
  std::atomic<std::uint64_t> count_{0};
  std::unique_ptr<State> state_;
};

/// Lives on the thread of its run. Borrows `audit` for its lifetime (may be null).
class Gate {
 public:
  Gate(CapabilitySet granted, AuditSink* audit, std::string run_id, std::string program);

  /// True: go on. False: denied; `missing()` is the token to declare and the denial is on record.
  /// `path` is given by methods that name one (for path-prefix conditions).
  /// Cost: no allocation when the grant is unconditional.
  bool Check(Right right, std::string_view name, std::string_view method = {},
             std::string_view path = {});
  /// As Check, without a denial on record and without using up a call count: for lists that show
  /// only what may be used.
  /// Path prefixes are not judged. An extension without a method: some method of it.
  bool Would(Right right, std::string_view name, std::string_view method = {}) const;

  /// The token the last denied Check needed, e.g. "state:write:count", and why it was denied.
  const std::string& missing() const { return missing_; }
  const std::string& reason() const { return reason_; }
  std::uint32_t denials() const { return denials_; }
  const std::string& run_id() const { return run_id_; }
  /// For a run that goes on under the id it had before.
  void set_run_id(std::string run_id) { run_id_ = std::move(run_id); }
  const CapabilitySet& granted() const { return granted_; }
  /// Grants valid now replace those of before: a resumed run. Used calls stay used.
  void Replace(CapabilitySet granted) { granted_ = std::move(granted); }
  /// The clock conditions are judged by; the run sets it from its own clock.
  void set_now_unix_ms(std::int64_t now) { now_unix_ms_ = now; }
  /// Uses of counted grants so far, by CallBudget id: a snapshot carries them.
  const std::map<std::string, std::uint32_t>& uses() const { return uses_; }
  void RestoreUses(std::map<std::string, std::uint32_t> uses) { uses_ = std::move(uses); }

 private:
  bool Deny(Right right, std::string_view name, std::string_view method, std::string_view why);
  /// "" when the conditions of `grant` are met now, else the reason. `path` null: not judged.
  std::string_view Unmet(const Grant& grant, const std::string_view* path) const;

  CapabilitySet granted_;
  AuditSink* audit_;
  std::string run_id_;
  std::string program_;
  std::string missing_;
  std::string reason_;
  std::uint32_t denials_ = 0;
  std::int64_t now_unix_ms_ = 0;
  std::map<std::string, std::uint32_t> uses_;
};

}  // namespace nexus
