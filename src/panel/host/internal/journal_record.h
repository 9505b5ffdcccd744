#pragma once
/// What a panel's journal holds, one record a flush of a run: docs/format/journal.md.

#include <cstdint>
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
  /// Set with the run's last record: status, return value, error, metrics; effects left out.
  bool finished = false;
  Value args;
  Value outcome;
};

/// Appends the encoding, without a checksum: that is the journal's.
Status EncodeRecord(const JournalRecord& record, std::string& out);
/// Errors: kDataLoss.
Result<JournalRecord> DecodeRecord(std::string_view bytes);

/// Outcome of a run, for JournalRecord::outcome, and back; what only a live process knows (logs,
/// host call counts) is left out.
Value OutcomeToValue(const RunResult& result);
RunResult OutcomeFromValue(const Value& outcome, std::string run_id);

}  // namespace nexus::internal
