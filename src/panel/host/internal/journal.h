#pragma once
/// The node's journal: what all panels did, in one SQLite file, many records to one sync.
///
/// One thread writes. It takes everything that waits, writes it in one transaction, and then tells
/// each entry in the order of submission: so a slow disk makes bigger groups, not longer queues.
/// Format: docs/format/journal.md.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

#include "base/metrics.h"
#include "base/result.h"
#include "panel/host/internal/journal_record.h"
#include "store/sqlite.h"

namespace nexus::internal {

/// A panel's place in the journal. Its epoch grows when a write of the panel failed: entries of an
/// older epoch build on what was lost, and are refused.
struct JournalLane {
  std::uint32_t panel = 0;
  std::atomic<std::uint64_t> epoch{1};
  std::vector<std::int64_t> rows;  ///< Of records since the newest checkpoint. Journal's thread.
};

// What an entry may write.
struct AppendRecord {
  std::uint64_t revision = 0;
  std::string sealed;  ///< Seal of EncodeRecord: made where the record is, not on the one thread.
};
struct PutCheckpoint {
  std::uint64_t revision = 0;
  std::string state;         ///< EncodeValue of the state object.
  std::uint64_t keep_after;  ///< Nobody asks for a revision below this one any more; 0: all stay.
};
struct PutPanel {
  std::string id, owner, source;
  std::int64_t created_unix_ms = 0;
};
struct RemovePanel {};
/// A suspended run, so that it can go on after a crash.
struct PutRun {
  std::string run_id;
  std::string body;
  std::uint64_t answers_in = 0;  ///< Answers up to this number are in the body: their rows go.
};
/// With its answers.
struct RemoveRun {
  std::string run_id;
};
/// What a call of a suspended run was answered, before the run sees it.
struct PutAnswer {
  std::string run_id;
  std::uint64_t number = 0;  ///< Counts the run's answers from 1: the order of delivery.
  std::string body;
};
/// Records from this row on cannot be used: out of the way with them, so that what is written after
/// them can.
struct SetAside {
  std::int64_t after_row = 0;
};
struct PutTrigger {
  std::uint32_t trigger = 0;
  std::int64_t last_unix_ms = 0;
};
using JournalWrite = std::variant<AppendRecord, PutCheckpoint, PutPanel, RemovePanel, PutRun,
                                  RemoveRun, PutAnswer, SetAside, PutTrigger>;

struct JournalEntry {
  std::shared_ptr<JournalLane> lane;
  std::uint64_t epoch = 0;
  std::vector<JournalWrite> writes;  ///< None: `done` waits for what was submitted before.
  /// Called once, on the journal's thread, after the sync; kUnavailable or kResourceExhausted when
  /// the writes are not on disk.
  std::move_only_function<void(Status)> done;
};

struct StoredRun {
  std::string id;
  std::string body;                                            ///< "" : damaged.
  std::vector<std::pair<std::uint64_t, std::string>> answers;  ///< Number, body; in order.
  std::uint64_t answers_max = 0;  ///< The highest number, of damaged answers too.
  bool answers_end = false;       ///< Behind `answers` stood one that is damaged.
};

/// What a panel is reopened from.
struct StoredPanel {
  std::uint32_t number = 0;
  std::string id, owner, source;
  std::int64_t created_unix_ms = 0;
  std::uint64_t checkpoint_revision = 0;
  std::optional<Value> checkpoint;
  std::int64_t checkpoint_row = 0;     ///< Of the newest record before it.
  std::vector<JournalRecord> records;  ///< After the checkpoint, in order, without gaps.
  std::vector<std::int64_t> rows;      ///< Of all records after the checkpoint.
  std::int64_t sound_row = 0;          ///< Of the last of `records`.
  /// From just before the checkpoint, those that ended a call with an idempotency key: whoever
  /// made it may not have heard of it yet.
  std::vector<JournalRecord> keyed;
  std::vector<StoredRun> runs;
  std::vector<std::pair<std::uint32_t, std::int64_t>> triggers;
  bool initial_lost = false;  ///< No checkpoint is sound: values given at mounting are gone.
  std::string loss;           ///< What could not be recovered; "" : all is there.
};

class Journal {
 public:
  /// Errors: as SqliteFile's, and kUnavailable when another process has the journal open.
  /// `pages_max`: as PanelHostOptions::journal_pages_max.
  static Result<std::unique_ptr<Journal>> Open(const std::filesystem::path& file, bool synced,
                                               std::function<std::int64_t()> pages_max);
  ~Journal();

  /// Thread-safe. Entries of one lane are written in the order of submission.
  void Submit(JournalEntry entry);
  /// For a panel that is not in the journal yet.
  std::shared_ptr<JournalLane> NewLane();
  /// For one that was loaded.
  static std::shared_ptr<JournalLane> LaneOf(const StoredPanel& panel);

  /// What was there at Open. Read before the first Submit.
  Result<std::vector<StoredPanel>> Load();
  /// Records of revisions in (after, to], oldest first. kNotFound when the first of them is gone.
  Result<std::vector<JournalRecord>> Records(std::uint32_t panel, std::uint64_t after,
                                             std::uint64_t to);
  /// The newest checkpoint at or below `revision`; nullopt: there is none.
  Result<std::optional<std::pair<std::uint64_t, Value>>> CheckpointAt(std::uint32_t panel,
                                                                      std::uint64_t revision);
  /// The reason while the last write failed.
  Status Health() const;
  std::uint64_t commits() const { return commits_.value(); }
  std::uint64_t records() const { return records_.value(); }

 private:
  struct Statements;
  Journal(SqliteFile writer, SqliteFile reader, std::function<std::int64_t()> pages_max);
  Status Prepare();
  void Loop();
  void WriteBatch(std::vector<JournalEntry>& batch);
  Status Write(const std::vector<JournalEntry>& batch, const std::vector<bool>& refused);
  Status WriteOne(JournalLane& lane, const JournalWrite& write);
  Status WriteCheckpoint(JournalLane& lane, const PutCheckpoint& checkpoint);
  Status DeleteRecords(JournalLane& lane, std::int64_t up_to_revision);
  std::vector<std::int64_t> RowsOf(const JournalLane& lane) const;
  Status LoadCheckpoint(StoredPanel& panel);
  Status LoadKeyed(StoredPanel& panel);
  Status LoadRecords(std::vector<StoredPanel>& panels);
  Status LoadRuns(std::vector<StoredPanel>& panels);
  Status LoadTriggers(std::vector<StoredPanel>& panels);

  SqliteFile writer_;
  SqliteFile reader_;
  const std::function<std::int64_t()> pages_max_;
  std::int64_t pages_limit_ = 0;
  std::unique_ptr<Statements> statements_;
  std::int64_t newest_row_ = 0;  ///< Journal's thread.
  /// What the open transaction does to the rows of its lanes: a new one, or kNoRow when a
  /// checkpoint begins anew.
  std::vector<std::pair<JournalLane*, std::int64_t>> uncommitted_;
  std::mutex reader_mutex_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<JournalEntry> queue_;
  bool stopping_ = false;
  std::optional<Error> failure_;
  std::uint32_t panels_ = 0;
  Counter commits_, records_;
  std::thread thread_;
};

}  // namespace nexus::internal
