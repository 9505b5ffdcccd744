#pragma once
/// What a panel's journal holds, one record a flush of a run: docs/format/journal.md.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/value.h"
#include "sandbox/run_result.h"

namespace nexus::internal {

/// What happened in a panel between two revisions.
struct JournalRecord {
  std::uint64_t revision = 0;  ///< After `mutations`.
  std::int64_t unix_ms = 0;
  std::string run_id;  ///< "" for writes from outside.
  std::string handler;
  std::string principal;
  std::string idempotency_key;
  std::vector<StateMutation> mutations;
  std::vector<EmittedEvent> events;
  /// With the run's last record. Of the outcome: run id, status, return value, error, duration and
  /// CPU time; effects are left out, and what only a live process knows (logs, host calls).
  bool finished = false;
  Value args;
  RunResult outcome;
};

/// A record where its parts lie: what is written is not copied for it.
struct RecordParts {
  std::uint64_t revision = 0;
  std::int64_t unix_ms = 0;
  std::string_view run_id, handler, principal, idempotency_key;
  std::span<const StateMutation> mutations;
  std::span<const EmittedEvent> events;
  const Value* args = nullptr;         ///< Both or neither.
  const RunResult* outcome = nullptr;  ///< Its effects are not written.
};

/// Appends the encoding, without a checksum: that is the journal's.
Status EncodeRecord(const RecordParts& record, std::string& out);
/// Errors: kDataLoss.
Result<JournalRecord> DecodeRecord(std::string_view bytes);

}  // namespace nexus::internal
