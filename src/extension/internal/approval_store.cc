#include "extension/internal/approval_store.h"

#include <fmt/format.h>

#include <utility>

#include "base/json.h"

namespace nexus::internal {
namespace {

// "Nxa1". A decision is on disk before the run learns of it: synchronous = FULL.
constexpr std::int64_t kApplicationId = 1316512049;
constexpr const char* kSchema = R"(
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA application_id = 1316512049;
  CREATE TABLE IF NOT EXISTS nexus_approval (
    id TEXT PRIMARY KEY, key TEXT NOT NULL, run TEXT NOT NULL, panel TEXT NOT NULL,
    handler TEXT NOT NULL, principal TEXT NOT NULL, capability TEXT NOT NULL,
    reason TEXT NOT NULL, for_ms INTEGER NOT NULL, asked_ms INTEGER NOT NULL,
    status INTEGER NOT NULL, decided_by TEXT NOT NULL, note TEXT NOT NULL,
    decided_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS nexus_approval_key ON nexus_approval (key);
)";
constexpr const char* kColumns =
    "SELECT id, run, panel, handler, principal, capability, reason, for_ms, asked_ms, status, "
    "decided_by, note, decided_ms, expires_ms FROM nexus_approval ";

Approval RowOf(const SqliteStatement& row) {
  Approval approval;
  approval.id = row.Text(0);
  approval.run_id = row.Text(1);
  approval.panel_id = row.Text(2);
  approval.handler = row.Text(3);
  approval.principal = row.Text(4);
  if (Result<Value> capability = ParseJson(row.Text(5))) {
    approval.capability = *std::move(capability);
  }
  approval.reason = row.Text(6);
  approval.for_ms = row.Integer(7);
  approval.asked_unix_ms = row.Integer(8);
  const std::int64_t status = row.Integer(9);
  // A status this version does not know grants nothing.
  approval.status =
      status >= 0 && status <= 3 ? static_cast<ApprovalStatus>(status) : ApprovalStatus::kExpired;
  approval.decided_by = row.Text(10);
  approval.note = row.Text(11);
  approval.decided_unix_ms = row.Integer(12);
  approval.expires_unix_ms = row.Integer(13);
  return approval;
}

Status CheckIsOurs(SqliteFile& file, const std::string& name) {
  NEXUS_TRY(SqliteStatement id, file.Prepare("PRAGMA application_id"));
  NEXUS_TRY(const bool has_id, id.Step(file));
  NEXUS_TRY(SqliteStatement tables, file.Prepare("SELECT count(*) FROM sqlite_schema"));
  NEXUS_TRY(const bool has_count, tables.Step(file));
  const bool ours = has_id && id.Integer(0) == kApplicationId;
  const bool empty = has_count && tables.Integer(0) == 0;
  if (ours || empty) return {};
  return Fail(
      Code::kDataLoss,
      fmt::format("database '{}': holds something else than approvals: name another file", name));
}

}  // namespace

Result<ApprovalStore> ApprovalStore::Open(const std::string& file) {
  ApprovalStore store;
  if (file.empty()) return store;
  NEXUS_TRY(SqliteFile opened, SqliteFile::Open(file));
  NEXUS_TRY_STATUS(CheckIsOurs(opened, file));
  NEXUS_TRY_STATUS(opened.Execute(kSchema));
  const std::string columns = kColumns;
  NEXUS_TRY(SqliteStatement put,
            opened.Prepare("INSERT OR REPLACE INTO nexus_approval VALUES "
                           "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)"));
  NEXUS_TRY(SqliteStatement find, opened.Prepare((columns + "WHERE id = ?1").c_str()));
  NEXUS_TRY(SqliteStatement of_key,
            opened.Prepare((columns + "WHERE key = ?1 ORDER BY id").c_str()));
  NEXUS_TRY(SqliteStatement newest,
            opened.Prepare((columns + "ORDER BY id DESC LIMIT ?1").c_str()));
  NEXUS_TRY(SqliteStatement forget,
            opened.Prepare("DELETE FROM nexus_approval WHERE asked_ms < ?1"));
  store.table_ = std::make_unique<Table>(std::move(opened), std::move(put), std::move(find),
                                         std::move(of_key), std::move(newest), std::move(forget));
  return store;
}

Status ApprovalStore::Put(const Approval& approval, const std::string& key) {
  if (table_ == nullptr) {
    memory_.insert_or_assign(approval.id, Kept{approval, key});
    return {};
  }
  table_->put.Reset()
      .Bind(1, approval.id)
      .Bind(2, key)
      .Bind(3, approval.run_id)
      .Bind(4, approval.panel_id)
      .Bind(5, approval.handler)
      .Bind(6, approval.principal)
      .Bind(7, ToJson(approval.capability))
      .Bind(8, approval.reason)
      .Bind(9, approval.for_ms)
      .Bind(10, approval.asked_unix_ms)
      .Bind(11, static_cast<std::int64_t>(approval.status))
      .Bind(12, approval.decided_by)
      .Bind(13, approval.note)
      .Bind(14, approval.decided_unix_ms)
      .Bind(15, approval.expires_unix_ms);
  const Result<bool> done = table_->put.Step(table_->file);
  table_->put.Reset();
  return done ? Status() : Status(std::unexpected(done.error()));
}

Result<std::vector<Approval>> ApprovalStore::Rows(SqliteStatement& statement) {
  std::vector<Approval> rows;
  while (true) {
    Result<bool> more = statement.Step(table_->file);
    if (!more) {
      statement.Reset();
      return std::unexpected(std::move(more).error());
    }
    if (!*more) break;
    rows.push_back(RowOf(statement));
  }
  statement.Reset();
  return rows;
}

Result<std::optional<Approval>> ApprovalStore::Find(std::string_view id) {
  if (table_ == nullptr) {
    const auto found = memory_.find(id);
    return found == memory_.end() ? std::nullopt : std::optional(found->second.approval);
  }
  table_->find.Reset().Bind(1, id);
  NEXUS_TRY(std::vector<Approval> rows, Rows(table_->find));
  return rows.empty() ? std::nullopt : std::optional(std::move(rows.front()));
}

Result<std::vector<Approval>> ApprovalStore::OfKey(const std::string& key) {
  if (table_ == nullptr) {
    std::vector<Approval> rows;
    for (const auto& [id, kept] : memory_) {
      if (kept.key == key) rows.push_back(kept.approval);
    }
    return rows;
  }
  table_->of_key.Reset().Bind(1, key);
  return Rows(table_->of_key);
}

Result<std::vector<Approval>> ApprovalStore::Newest(std::size_t limit) {
  if (table_ == nullptr) {
    std::vector<Approval> rows;
    for (auto at = memory_.rbegin(); at != memory_.rend() && rows.size() < limit; ++at) {
      rows.push_back(at->second.approval);
    }
    return rows;
  }
  table_->newest.Reset().Bind(1, static_cast<std::int64_t>(limit));
  return Rows(table_->newest);
}

Status ApprovalStore::ForgetBefore(std::int64_t unix_ms) {
  if (table_ == nullptr) {
    std::erase_if(memory_,
                  [&](const auto& entry) { return entry.second.approval.asked_unix_ms < unix_ms; });
    return {};
  }
  table_->forget.Reset().Bind(1, unix_ms);
  const Result<bool> done = table_->forget.Step(table_->file);
  table_->forget.Reset();
  return done ? Status() : Status(std::unexpected(done.error()));
}

}  // namespace nexus::internal
