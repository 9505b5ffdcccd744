// Goal: the disk that fails, fails as a disk does and not otherwise. Method: a plain table in WAL
// mode; at every sync and at every write power is cut, and what was committed has to be there.
#include "store/testing/fault_vfs.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "store/sqlite.h"

namespace nexus::testing {
namespace {

const std::string kFile = "/t.db";

std::optional<SqliteFile> OpenTable() {
  auto file = SqliteFile::Open(kFile);
  if (!file) return std::nullopt;
  if (!file->Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                     "PRAGMA wal_autocheckpoint = 4;"
                     "CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, text TEXT)")) {
    return std::nullopt;
  }
  return *std::move(file);
}

// Returns how many rows were committed.
int Fill(int rows) {
  auto file = OpenTable();
  if (!file) return 0;
  for (int i = 1; i <= rows; ++i) {
    const std::string row = "INSERT INTO t VALUES (" + std::to_string(i) + ", '" +
                            std::string(static_cast<std::size_t>(i) * 300, 'x') + "')";
    if (!file->Execute(row.c_str())) return i - 1;
  }
  return rows;
}

std::string Asked(SqliteFile& file, const char* sql) {
  auto statement = file.Prepare(sql);
  if (!statement) return statement.error().message();
  const auto row = statement->Reset().Step(file);
  if (!row) return row.error().message();
  return *row ? statement->Text(0) : "";
}

void ExpectRows(int committed, const std::string& what) {
  auto file = OpenTable();
  ASSERT_TRUE(file) << what;
  EXPECT_EQ(Asked(*file, "PRAGMA integrity_check"), "ok") << what;
  const int rows = std::atoi(Asked(*file, "SELECT count(*) FROM t").c_str());
  EXPECT_GE(rows, committed) << what;
  EXPECT_LE(rows, committed + 1) << what;
  EXPECT_EQ(Asked(*file, "SELECT coalesce(max(n), 0) FROM t"), std::to_string(rows)) << what;
}

TEST(FaultVfs, CommittedRowsOutliveACutAtEveryPoint) {
  std::uint64_t points = 0;
  std::uint64_t syncs = 0;
  {
    FaultVfs disk(1);
    EXPECT_EQ(Fill(12), 12);
    points = disk.points();
    syncs = disk.syncs();
    disk.Reboot();
    ExpectRows(12, "no cut");
  }
  ASSERT_GT(syncs, 12u);
  for (std::uint64_t at = 1; at <= points; ++at) {
    FaultVfs disk(at);
    disk.CutAtPoint(at);
    const int committed = Fill(12);
    EXPECT_TRUE(disk.cut());
    disk.Reboot();
    ExpectRows(committed, "cut at point " + std::to_string(at));
  }
}

TEST(FaultVfs, WhatWasNotSyncedCanBeLost) {
  bool lost = false;
  for (std::uint64_t seed = 1; seed <= 16 && !lost; ++seed) {
    FaultVfs disk(seed);
    {
      auto file = OpenTable();
      ASSERT_TRUE(file);
      ASSERT_TRUE(file->Execute("PRAGMA synchronous = OFF; INSERT INTO t VALUES (1, 'x')"));
      disk.CutAtPoint(disk.points() + 1);
      (void)file->Execute("INSERT INTO t VALUES (2, 'x')");
    }
    disk.Reboot();
    auto file = OpenTable();
    lost = !file || Asked(*file, "SELECT count(*) FROM t") != "1";
  }
  EXPECT_TRUE(lost) << "a disk that never loses anything tests nothing";
}

TEST(FaultVfs, SyncsFailAndTheDiskFillsUpOnRequest) {
  FaultVfs disk(1);
  auto file = OpenTable();
  ASSERT_TRUE(file);
  disk.FailSyncs(true);
  const Status unsynced = file->Execute("INSERT INTO t VALUES (1, 'x')");
  ASSERT_FALSE(unsynced);
  EXPECT_EQ(unsynced.error().code(), Code::kUnavailable);
  disk.FailSyncs(false);
  EXPECT_TRUE(file->Execute("INSERT INTO t VALUES (1, 'x')"));
  disk.SetFull(true);
  const Status full = file->Execute("INSERT INTO t VALUES (2, hex(zeroblob(100000)))");
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code(), Code::kResourceExhausted);
  EXPECT_EQ(Asked(*file, "SELECT count(*) FROM t"), "1");
  disk.SetFull(false);
  EXPECT_TRUE(file->Execute("INSERT INTO t VALUES (2, 'x')"));
}

}  // namespace
}  // namespace nexus::testing
