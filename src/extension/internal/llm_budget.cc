#include "extension/internal/llm_budget.h"

#include <fmt/format.h>

#include <utility>

#include "base/clock.h"
#include "extension/internal/owned_database.h"

namespace nexus::internal {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kDaysKept = 400;  // A run may wait for a year.
constexpr double kNano = 1e9;

constexpr const char* kSchema = R"(
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA application_id = 1315466317;
  CREATE TABLE IF NOT EXISTS nexus_llm_used (
    scope TEXT NOT NULL, day INTEGER NOT NULL, tokens INTEGER NOT NULL, nano_usd INTEGER NOT NULL,
    PRIMARY KEY (scope, day)
  ) STRICT, WITHOUT ROWID;
  -- Calls that are under way, or were when the host died: what was booked for them stays booked.
  CREATE TABLE IF NOT EXISTS nexus_llm_booked (
    key TEXT PRIMARY KEY, run TEXT NOT NULL, panel TEXT NOT NULL, day INTEGER NOT NULL,
    tokens INTEGER NOT NULL, nano_usd INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
)";
constexpr std::int64_t kApplicationId = 1315466317;

std::string RunScope(std::string_view run_id) { return "run:" + std::string(run_id); }
std::string PanelScope(std::string_view panel_id) { return "panel:" + std::string(panel_id); }

}  // namespace

Result<std::unique_ptr<LlmLedger>> LlmLedger::Open(const LlmBudget& budget,
                                                   std::function<std::int64_t()> clock_unix_ms) {
  NEXUS_TRY(SqliteFile file, OpenOwnedDatabase(budget.file, kApplicationId, kSchema, "budgets"));
  NEXUS_TRY(SqliteStatement begin, file.Prepare("BEGIN IMMEDIATE"));
  NEXUS_TRY(SqliteStatement commit, file.Prepare("COMMIT"));
  NEXUS_TRY(SqliteStatement rollback, file.Prepare("ROLLBACK"));
  NEXUS_TRY(SqliteStatement used,
            file.Prepare("SELECT coalesce(sum(tokens), 0), coalesce(sum(nano_usd), 0) FROM "
                         "nexus_llm_used WHERE scope = ?1 AND (?2 < 0 OR day = ?2)"));
  NEXUS_TRY(SqliteStatement add,
            file.Prepare("INSERT INTO nexus_llm_used VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE "
                         "SET tokens = tokens + ?3, nano_usd = nano_usd + ?4"));
  NEXUS_TRY(
      SqliteStatement book,
      file.Prepare("INSERT OR REPLACE INTO nexus_llm_booked VALUES (?1, ?2, ?3, ?4, ?5, ?6)"));
  NEXUS_TRY(SqliteStatement booked,
            file.Prepare("SELECT run, panel, day, tokens, nano_usd FROM nexus_llm_booked WHERE "
                         "key = ?1"));
  NEXUS_TRY(SqliteStatement unbook, file.Prepare("DELETE FROM nexus_llm_booked WHERE key = ?1"));
  NEXUS_TRY(SqliteStatement purge, file.Prepare("DELETE FROM nexus_llm_used WHERE day < ?1"));
  Statements statements{std::move(begin),  std::move(commit), std::move(rollback),
                        std::move(used),   std::move(add),    std::move(book),
                        std::move(booked), std::move(unbook), std::move(purge)};
  return std::unique_ptr<LlmLedger>(
      new LlmLedger(budget, std::move(clock_unix_ms), std::move(file), std::move(statements)));
}

std::int64_t LlmLedger::Today() const {
  return (clock_unix_ms_ ? clock_unix_ms_() : SystemClock().UnixMs()) / kDayMs;
}

// One step of a statement that gives no rows.
Status LlmLedger::Run(SqliteStatement& statement) {
  NEXUS_TRY([[maybe_unused]] const bool row, statement.Step(file_));
  statement.Reset();
  return {};
}

Status LlmLedger::InTransaction(const std::function<Status()>& work) {
  NEXUS_TRY_STATUS(Run(statements_.begin.Reset()));
  Status done = work();
  if (done) done = Run(statements_.commit.Reset());
  if (!done) (void)Run(statements_.rollback.Reset());
  return done;
}

Status LlmLedger::Add(std::string_view scope, std::int64_t day, LlmCost cost) {
  statements_.add.Reset().Bind(1, scope).Bind(2, day).Bind(3, cost.tokens).Bind(4, cost.nano_usd);
  return Run(statements_.add);
}

Result<LlmCost> LlmLedger::Used(std::string_view scope, std::int64_t day) {
  statements_.used.Reset().Bind(1, scope).Bind(2, day);
  NEXUS_TRY(const bool row, statements_.used.Step(file_));
  LlmCost used;
  if (row) used = {.tokens = statements_.used.Integer(0), .nano_usd = statements_.used.Integer(1)};
  statements_.used.Reset();
  return used;
}

// Takes back what is booked for `key`, if anything, and adds `instead` where it was booked.
Status LlmLedger::Unbook(std::string_view key, LlmCost instead) {
  SqliteStatement& booked = statements_.booked;
  booked.Reset().Bind(1, key);
  NEXUS_TRY(const bool found, booked.Step(file_));
  if (!found) return {};
  const std::string run = booked.Text(0), panel = booked.Text(1);
  const std::int64_t day = booked.Integer(2);
  const LlmCost change{.tokens = instead.tokens - booked.Integer(3),
                       .nano_usd = instead.nano_usd - booked.Integer(4)};
  booked.Reset();
  NEXUS_TRY_STATUS(Add(RunScope(run), day, change));
  NEXUS_TRY_STATUS(Add(PanelScope(panel), day, change));
  statements_.unbook.Reset().Bind(1, key);
  return Run(statements_.unbook);
}

Status LlmLedger::Check(std::string_view what, LlmCost used, LlmCost more, std::uint64_t tokens_max,
                        double usd_max, std::string_view remedy) const {
  const auto tokens = static_cast<std::int64_t>(tokens_max);
  if (tokens != 0 && used.tokens + more.tokens > tokens) {
    return Fail(Code::kResourceExhausted,
                fmt::format("the budget of {} is {} tokens, {} are used, this call may take {}: {}",
                            what, tokens, used.tokens, more.tokens, remedy));
  }
  const double spent = static_cast<double>(used.nano_usd) / kNano;
  const double next = static_cast<double>(more.nano_usd) / kNano;
  if (usd_max > 0 && spent + next > usd_max) {
    return Fail(Code::kResourceExhausted,
                fmt::format("the budget of {} is {} USD, {:.6f} are spent, this call may cost "
                            "{:.6f}: {}",
                            what, usd_max, spent, next, remedy));
  }
  return {};
}

Status LlmLedger::Reserve(std::string_view key, std::string_view run_id, std::string_view panel_id,
                          LlmCost cost) {
  const std::int64_t day = Today();
  const std::scoped_lock lock(mutex_);
  return InTransaction([&]() -> Status {
    NEXUS_TRY_STATUS(Unbook(key, {}));
    NEXUS_TRY(const LlmCost of_run, Used(RunScope(run_id), -1));
    NEXUS_TRY_STATUS(Check("this run", of_run, cost, budget_.run_tokens, budget_.run_usd,
                           "lower maxTokens or send less, or the operator raises runTokens or "
                           "runUsd"));
    NEXUS_TRY(const LlmCost of_panel, Used(PanelScope(panel_id), day));
    NEXUS_TRY_STATUS(Check(fmt::format("panel '{}' for today", panel_id), of_panel, cost,
                           budget_.panel_day_tokens, budget_.panel_day_usd,
                           "it begins anew at 00:00 UTC, or the operator raises panelDayTokens or "
                           "panelDayUsd"));
    NEXUS_TRY_STATUS(Add(RunScope(run_id), day, cost));
    NEXUS_TRY_STATUS(Add(PanelScope(panel_id), day, cost));
    statements_.book.Reset().Bind(1, key).Bind(2, run_id).Bind(3, panel_id).Bind(4, day);
    statements_.book.Bind(5, cost.tokens).Bind(6, cost.nano_usd);
    NEXUS_TRY_STATUS(Run(statements_.book));
    statements_.purge.Reset().Bind(1, day - kDaysKept);
    return Run(statements_.purge);
  });
}

Status LlmLedger::Settle(std::string_view key, LlmCost cost) {
  const std::scoped_lock lock(mutex_);
  return InTransaction([&] { return Unbook(key, cost); });
}

}  // namespace nexus::internal
