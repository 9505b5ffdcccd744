#pragma once
/// What completions cost, against what they may: reserved before a provider is asked, settled when
/// it has answered. Kept across restarts, reservations included, so that a crash cannot spend
/// twice.

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"
#include "extension/llm.h"
#include "store/sqlite.h"

namespace nexus::internal {

/// Tokens, and money in billionths of a US dollar, so that sums are exact.
struct LlmCost {
  std::int64_t tokens = 0;
  std::int64_t nano_usd = 0;
};

/// Thread-safe; several processes may share the file.
class LlmLedger {
 public:
  /// Errors: as SqliteFile::Open; kDataLoss for a foreign database.
  static Result<std::unique_ptr<LlmLedger>> Open(const LlmBudget& budget,
                                                 std::function<std::int64_t()> clock_unix_ms);

  /// Books `cost` for the call `key` (again for the same key: instead of what was booked).
  /// Errors: kResourceExhausted, naming the budget, what is left of it and when there is more;
  /// nothing is booked then.
  Status Reserve(std::string_view key, std::string_view run_id, std::string_view panel_id,
                 LlmCost cost);
  /// What the call really cost, instead of what was booked for it.
  Status Settle(std::string_view key, LlmCost cost);

 private:
  struct Statements {
    SqliteStatement begin, commit, rollback, used, add, book, booked, unbook, purge;
  };
  LlmLedger(const LlmBudget& budget, std::function<std::int64_t()> clock, SqliteFile file,
            Statements statements)
      : budget_(budget),
        clock_unix_ms_(std::move(clock)),
        file_(std::move(file)),
        statements_(std::move(statements)) {}

  Status InTransaction(const std::function<Status()>& work);
  Status Run(SqliteStatement& statement);
  Status Add(std::string_view scope, std::int64_t day, LlmCost cost);
  Status Unbook(std::string_view key, LlmCost instead);
  /// `day` -1: of all days.
  Result<LlmCost> Used(std::string_view scope, std::int64_t day);
  Status Check(std::string_view what, LlmCost used, LlmCost more, std::uint64_t tokens_max,
               double usd_max, std::string_view remedy) const;
  std::int64_t Today() const;

  const LlmBudget budget_;
  const std::function<std::int64_t()> clock_unix_ms_;
  std::mutex mutex_;
  SqliteFile file_;        // guarded by mutex_
  Statements statements_;  // guarded by mutex_
};

}  // namespace nexus::internal
