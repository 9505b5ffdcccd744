#include "panel/host/internal/journal_schema.h"

#include <array>
#include <string>

namespace nexus::internal {
namespace {

// `PRAGMA user_version` is how many of these were made. The first must do for files of before
// versions were counted: they have the tables.
constexpr std::array kSteps = {
    R"(
CREATE TABLE IF NOT EXISTS panels (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, source TEXT NOT NULL,
  created_ms INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS journal (
  seq INTEGER PRIMARY KEY, panel INTEGER NOT NULL, revision INTEGER NOT NULL, body BLOB NOT NULL)
  STRICT;
CREATE TABLE IF NOT EXISTS checkpoints (
  panel INTEGER NOT NULL, revision INTEGER NOT NULL, seq INTEGER NOT NULL, state BLOB NOT NULL,
  PRIMARY KEY (panel, revision)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
  run_id TEXT PRIMARY KEY, panel INTEGER NOT NULL, body BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS triggers (
  panel INTEGER NOT NULL, trigger INTEGER NOT NULL, last_ms INTEGER NOT NULL,
  PRIMARY KEY (panel, trigger)) STRICT, WITHOUT ROWID;
)",
    // Answers of extensions. An index of records by panel in chunks, one a checkpoint: an ordinary
    // one would be touched at as many places as panels wrote, with every commit. Rows that were
    // found damaged.
    R"(
CREATE TABLE answers (
  run_id TEXT NOT NULL, number INTEGER NOT NULL, panel INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (run_id, number)) STRICT, WITHOUT ROWID;
CREATE TABLE chunks (
  panel INTEGER NOT NULL, revision INTEGER NOT NULL, seq INTEGER NOT NULL, rows BLOB NOT NULL,
  PRIMARY KEY (panel, revision, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE damaged (
  seq INTEGER PRIMARY KEY, panel INTEGER NOT NULL, revision INTEGER NOT NULL, body BLOB NOT NULL)
  STRICT;
)",
};

Result<std::int64_t> VersionOf(SqliteFile& file) {
  NEXUS_TRY(SqliteStatement version, file.Prepare("PRAGMA user_version"));
  NEXUS_TRY(const bool any, version.Reset().Step(file));
  return any ? version.Integer(0) : 0;
}

}  // namespace

Status UpgradeJournalSchema(SqliteFile& file) {
  NEXUS_TRY(const std::int64_t version, VersionOf(file));
  const auto known = static_cast<std::int64_t>(kSteps.size());
  if (version > known) {
    return Fail(Code::kInvalidArgument, "journal: written by a newer version of Nexus (format " +
                                            std::to_string(version) + ", this one knows " +
                                            std::to_string(known) +
                                            "): start that version, or give another data folder");
  }
  for (auto step = static_cast<std::size_t>(version); step < kSteps.size(); ++step) {
    const std::string sql = "BEGIN IMMEDIATE;" + std::string(kSteps[step]) +
                            "PRAGMA user_version = " + std::to_string(step + 1) + ";COMMIT;";
    const Status made = file.Execute(sql.c_str());
    if (!made) {
      (void)file.Execute("ROLLBACK");
      return made;
    }
  }
  return {};
}

}  // namespace nexus::internal
