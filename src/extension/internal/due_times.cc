#include "extension/internal/due_times.h"

#include <utility>

#include "extension/internal/owned_database.h"

namespace nexus::internal {
namespace {

constexpr std::int64_t kApplicationId = 1315470708;  // "Nxt4"
constexpr std::uint32_t kPurgeEvery = 256;           // Purging is cheap but not free.

// A crash of the machine may lose the last moments (synchronous = NORMAL): then the sleep starts
// anew. A crash of the process loses nothing.
constexpr const char* kSchema = R"(
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA application_id = 1315470708;
  CREATE TABLE IF NOT EXISTS nexus_timer (
    key TEXT PRIMARY KEY, due_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS nexus_timer_due ON nexus_timer (due_ms);
)";

}  // namespace

Result<DueTimes> DueTimes::Open(const std::string& file) {
  DueTimes times;
  if (file.empty()) return times;
  NEXUS_TRY(SqliteFile opened,
            OpenOwnedDatabase(file, kApplicationId, kSchema, "the extension 'timer'"));
  NEXUS_TRY(SqliteStatement insert,
            opened.Prepare("INSERT INTO nexus_timer VALUES (?1, ?2) ON CONFLICT DO NOTHING"));
  NEXUS_TRY(SqliteStatement select,
            opened.Prepare("SELECT due_ms FROM nexus_timer WHERE key = ?1"));
  NEXUS_TRY(SqliteStatement purge, opened.Prepare("DELETE FROM nexus_timer WHERE due_ms < ?1"));
  times.table_.emplace(std::move(opened), std::move(insert), std::move(select), std::move(purge));
  return times;
}

Result<std::int64_t> DueTimes::KeepFirst(std::string_view key, std::int64_t due_ms,
                                         std::int64_t forget_ms) {
  const bool purge = calls_++ % kPurgeEvery == 0;
  if (!table_) {
    if (purge) std::erase_if(memory_, [&](const auto& kept) { return kept.second < forget_ms; });
    return memory_.try_emplace(std::string(key), due_ms).first->second;
  }
  if (purge) {
    table_->purge.Reset().Bind(1, forget_ms);
    NEXUS_TRY([[maybe_unused]] const bool row, table_->purge.Step(table_->file));
    table_->purge.Reset();
  }
  table_->insert.Reset().Bind(1, key).Bind(2, due_ms);
  NEXUS_TRY([[maybe_unused]] const bool row, table_->insert.Step(table_->file));
  table_->insert.Reset();
  if (table_->file.changes() == 1) return due_ms;
  table_->select.Reset().Bind(1, key);
  NEXUS_TRY(const bool found, table_->select.Step(table_->file));
  const std::int64_t kept = found ? table_->select.Integer(0) : due_ms;
  table_->select.Reset();
  return kept;
}

}  // namespace nexus::internal
