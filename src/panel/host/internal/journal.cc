#include "panel/host/internal/journal.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/codec.h"
#include "base/log.h"
#include "base/thread.h"
#include "panel/host/internal/journal_schema.h"
#include "panel/host/internal/journal_seal.h"

namespace nexus::internal {
namespace {

// The WAL is copied into the file every so many pages: rarely, because it costs two syncs.
constexpr const char* kSettings = R"(
PRAGMA journal_mode = WAL;
PRAGMA wal_autocheckpoint = 8000;
PRAGMA locking_mode = NORMAL;
PRAGMA temp_store = MEMORY;
PRAGMA mmap_size = 0;
)";

constexpr std::int64_t kNoRow = 0;

}  // namespace

struct Journal::Statements {
  SqliteStatement begin, commit, rollback;
  SqliteStatement append, checkpoint, put_chunk, old_chunks, remove_chunks, remove_record;
  SqliteStatement trim_checkpoints, put_panel, remove_panel, remove_checkpoints, remove_runs;
  SqliteStatement remove_triggers, put_run, remove_run, put_trigger, put_answer, remove_answers;
  SqliteStatement remove_all_answers, copy_damaged, remove_damaged;
};

Journal::Journal(SqliteFile writer, SqliteFile reader, std::function<std::int64_t()> pages_max)
    : writer_(std::move(writer)), reader_(std::move(reader)), pages_max_(std::move(pages_max)) {}

Result<std::unique_ptr<Journal>> Journal::Open(const std::filesystem::path& file, bool synced,
                                               std::function<std::int64_t()> pages_max) {
  NEXUS_TRY(SqliteFile writer, SqliteFile::Open(file.string()));
  NEXUS_TRY_STATUS(writer.Execute(kSettings));
  NEXUS_TRY_STATUS(
      writer.Execute(synced ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = OFF"));
  NEXUS_TRY_STATUS(UpgradeJournalSchema(writer));
  NEXUS_TRY(SqliteFile reader, SqliteFile::Open(file.string()));
  std::unique_ptr<Journal> journal(
      new Journal(std::move(writer), std::move(reader), std::move(pages_max)));
  NEXUS_TRY_STATUS(journal->Prepare());
  Journal* const raw = journal.get();
  journal->thread_ = std::thread([raw] { raw->Loop(); });
  return journal;
}

Journal::~Journal() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

Status Journal::Prepare() {
  // Rows are counted here, because SQLite would give the number of a removed last row out again,
  // and a checkpoint says with one what is older than itself.
  NEXUS_TRY(SqliteStatement newest,
            writer_.Prepare("SELECT max(coalesce((SELECT max(seq) FROM journal), 0), "
                            "coalesce((SELECT max(seq) FROM checkpoints), 0))"));
  NEXUS_TRY(const bool any, newest.Reset().Step(writer_));
  newest_row_ = any ? newest.Integer(0) : 0;
  const auto prepare = [this](const char* sql) { return writer_.Prepare(sql); };
  NEXUS_TRY(SqliteStatement begin, prepare("BEGIN IMMEDIATE"));
  NEXUS_TRY(SqliteStatement commit, prepare("COMMIT"));
  NEXUS_TRY(SqliteStatement rollback, prepare("ROLLBACK"));
  NEXUS_TRY(SqliteStatement append,
            prepare("INSERT INTO journal (seq, panel, revision, body) VALUES (?, ?, ?, ?)"));
  NEXUS_TRY(SqliteStatement checkpoint,
            prepare("INSERT OR REPLACE INTO checkpoints (panel, revision, seq, state) VALUES "
                    "(?, ?, ?, ?)"));
  NEXUS_TRY(SqliteStatement put_chunk,
            prepare("INSERT OR REPLACE INTO chunks (panel, revision, seq, rows) VALUES "
                    "(?, ?, ?, ?)"));
  NEXUS_TRY(SqliteStatement old_chunks,
            prepare("SELECT rows FROM chunks WHERE panel = ? AND revision <= ?"));
  NEXUS_TRY(SqliteStatement remove_chunks,
            prepare("DELETE FROM chunks WHERE panel = ? AND revision <= ?"));
  // By its row, and only what is meant: a chunk might be damaged.
  NEXUS_TRY(SqliteStatement remove_record,
            prepare("DELETE FROM journal WHERE seq = ? AND panel = ? AND revision <= ?"));
  NEXUS_TRY(SqliteStatement trim_checkpoints,
            prepare("DELETE FROM checkpoints WHERE panel = ?1 AND revision < (SELECT "
                    "max(revision) FROM checkpoints WHERE panel = ?1 AND revision <= ?2)"));
  NEXUS_TRY(SqliteStatement put_panel,
            prepare("INSERT INTO panels (number, id, owner, source, created_ms) VALUES "
                    "(?, ?, ?, ?, ?) ON CONFLICT (number) DO UPDATE SET source = excluded.source"));
  NEXUS_TRY(SqliteStatement remove_panel, prepare("DELETE FROM panels WHERE number = ?"));
  NEXUS_TRY(SqliteStatement remove_checkpoints, prepare("DELETE FROM checkpoints WHERE panel = ?"));
  NEXUS_TRY(SqliteStatement remove_runs, prepare("DELETE FROM runs WHERE panel = ?"));
  NEXUS_TRY(SqliteStatement remove_triggers, prepare("DELETE FROM triggers WHERE panel = ?"));
  NEXUS_TRY(SqliteStatement put_run,
            prepare("INSERT OR REPLACE INTO runs (run_id, panel, body) VALUES (?, ?, ?)"));
  NEXUS_TRY(SqliteStatement remove_run, prepare("DELETE FROM runs WHERE run_id = ?"));
  NEXUS_TRY(SqliteStatement put_trigger,
            prepare("INSERT OR REPLACE INTO triggers (panel, trigger, last_ms) VALUES (?, ?, ?)"));
  NEXUS_TRY(SqliteStatement put_answer,
            prepare("INSERT INTO answers (run_id, number, panel, body) VALUES (?, ?, ?, ?)"));
  NEXUS_TRY(SqliteStatement remove_answers,
            prepare("DELETE FROM answers WHERE run_id = ? AND number <= ?"));
  NEXUS_TRY(SqliteStatement remove_all_answers, prepare("DELETE FROM answers WHERE panel = ?"));
  NEXUS_TRY(SqliteStatement copy_damaged,
            prepare("INSERT OR REPLACE INTO damaged SELECT seq, panel, revision, body FROM journal "
                    "WHERE seq > ? AND panel = ?"));
  NEXUS_TRY(SqliteStatement remove_damaged,
            prepare("DELETE FROM journal WHERE seq > ? AND panel = ?"));
  statements_ = std::make_unique<Statements>(Statements{std::move(begin),
                                                        std::move(commit),
                                                        std::move(rollback),
                                                        std::move(append),
                                                        std::move(checkpoint),
                                                        std::move(put_chunk),
                                                        std::move(old_chunks),
                                                        std::move(remove_chunks),
                                                        std::move(remove_record),
                                                        std::move(trim_checkpoints),
                                                        std::move(put_panel),
                                                        std::move(remove_panel),
                                                        std::move(remove_checkpoints),
                                                        std::move(remove_runs),
                                                        std::move(remove_triggers),
                                                        std::move(put_run),
                                                        std::move(remove_run),
                                                        std::move(put_trigger),
                                                        std::move(put_answer),
                                                        std::move(remove_answers),
                                                        std::move(remove_all_answers),
                                                        std::move(copy_damaged),
                                                        std::move(remove_damaged)});
  return {};
}

std::shared_ptr<JournalLane> Journal::NewLane() {
  auto lane = std::make_shared<JournalLane>();
  const std::lock_guard lock(mutex_);
  lane->panel = ++panels_;
  return lane;
}

std::shared_ptr<JournalLane> Journal::LaneOf(const StoredPanel& panel) {
  auto lane = std::make_shared<JournalLane>();
  lane->panel = panel.number;
  lane->rows = panel.rows;
  return lane;
}

void Journal::Submit(JournalEntry entry) {
  const std::lock_guard lock(mutex_);
  queue_.push_back(std::move(entry));
  if (queue_.size() == 1) changed_.notify_one();
}

Status Journal::Health() const {
  const std::lock_guard lock(mutex_);
  if (failure_) return std::unexpected(*failure_);
  return {};
}

void Journal::Loop() {
  NameThisThread("journal");
  std::vector<JournalEntry> batch;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      batch.swap(queue_);
    }
    WriteBatch(batch);
    batch.clear();
  }
}

void Journal::WriteBatch(std::vector<JournalEntry>& batch) {
  std::vector<bool> refused(batch.size());
  bool writes = false;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    refused[i] = batch[i].epoch != batch[i].lane->epoch.load(std::memory_order_acquire);
    writes = writes || (!refused[i] && !batch[i].writes.empty());
  }
  Status written;
  if (writes) written = Write(batch, refused);
  if (writes) {
    const std::lock_guard lock(mutex_);
    failure_.reset();
    if (!written) failure_.emplace(written.error());
  }
  if (!written) {
    Log(Severity::kError, "journal write failed", {{"reason", written.error().message()}});
    for (JournalEntry& entry : batch) {
      // Once for each panel, however many of its entries are in the batch.
      std::uint64_t epoch = entry.epoch;
      entry.lane->epoch.compare_exchange_strong(epoch, entry.epoch + 1);
    }
  }
  const Status lost = Fail(Code::kUnavailable,
                           "the journal: an earlier write of this panel failed, so this one, which "
                           "builds on it, was not made: try again");
  for (std::size_t i = 0; i < batch.size(); ++i) {
    batch[i].done(refused[i] ? lost : written);
    batch[i].done = nullptr;
  }
}

Status Journal::Write(const std::vector<JournalEntry>& batch, const std::vector<bool>& refused) {
  Statements& s = *statements_;
  const auto run = [this](SqliteStatement& statement) -> Status {
    if (auto step = statement.Reset().Step(writer_); !step) return std::unexpected(step.error());
    statement.Reset();
    return {};
  };
  if (const std::int64_t limit = pages_max_ ? pages_max_() : 0; limit != pages_limit_) {
    pages_limit_ = limit;
    const std::string all = std::to_string(limit > 0 ? limit : 4294967294);
    NEXUS_TRY_STATUS(writer_.Execute(("PRAGMA max_page_count = " + all).c_str()));
  }
  Status status = run(s.begin);
  if (!status) return status;
  for (std::size_t i = 0; status && i < batch.size(); ++i) {
    if (refused[i]) continue;
    for (const JournalWrite& write : batch[i].writes) {
      status = WriteOne(*batch[i].lane, write);
      if (!status) break;
    }
  }
  if (status) status = run(s.commit);
  if (status) {
    commits_.Add();
    for (const auto& [lane, row] : uncommitted_) {
      row == kNoRow ? lane->rows.clear() : lane->rows.push_back(row);
    }
    uncommitted_.clear();
    return {};
  }
  uncommitted_.clear();
  // SQLite may have rolled back by itself; that this then fails says nothing new.
  (void)s.rollback.Reset().Step(writer_);
  s.rollback.Reset();
  return status;
}

Status Journal::WriteOne(JournalLane& lane, const JournalWrite& write) {
  const std::uint32_t panel = lane.panel;
  Statements& s = *statements_;
  const auto step = [this](SqliteStatement& statement) -> Status {
    auto done = statement.Step(writer_);
    statement.Reset();
    if (!done) return std::unexpected(done.error());
    return {};
  };
  const auto number = static_cast<std::int64_t>(panel);
  const auto signed64 = [](std::uint64_t n) { return static_cast<std::int64_t>(n); };
  if (const auto* record = std::get_if<AppendRecord>(&write)) {
    records_.Add();
    uncommitted_.emplace_back(&lane, ++newest_row_);
    return step(s.append.Reset()
                    .Bind(1, newest_row_)
                    .Bind(2, number)
                    .Bind(3, signed64(record->revision))
                    .BindBlob(4, record->sealed));
  }
  if (const auto* checkpoint = std::get_if<PutCheckpoint>(&write)) {
    return WriteCheckpoint(lane, *checkpoint);
  }
  if (const auto* put = std::get_if<PutPanel>(&write)) {
    return step(s.put_panel.Reset()
                    .Bind(1, number)
                    .Bind(2, put->id)
                    .Bind(3, put->owner)
                    .Bind(4, put->source)
                    .Bind(5, put->created_unix_ms));
  }
  if (std::holds_alternative<RemovePanel>(write)) {
    NEXUS_TRY_STATUS(DeleteRecords(lane, INT64_MAX));
    for (SqliteStatement* remove : {&s.remove_panel, &s.remove_checkpoints, &s.remove_runs,
                                    &s.remove_triggers, &s.remove_all_answers}) {
      NEXUS_TRY_STATUS(step(remove->Reset().Bind(1, number)));
    }
    return {};
  }
  if (const auto* run = std::get_if<PutRun>(&write)) {
    NEXUS_TRY_STATUS(step(s.put_run.Reset()
                              .Bind(1, run->run_id)
                              .Bind(2, number)
                              .BindBlob(3, Sealed(panel, 0, run->body))));
    if (run->answers_in == 0) return {};
    return step(s.remove_answers.Reset().Bind(1, run->run_id).Bind(2, signed64(run->answers_in)));
  }
  if (const auto* run = std::get_if<RemoveRun>(&write)) {
    NEXUS_TRY_STATUS(step(s.remove_run.Reset().Bind(1, run->run_id)));
    return step(s.remove_answers.Reset().Bind(1, run->run_id).Bind(2, INT64_MAX));
  }
  if (const auto* answer = std::get_if<PutAnswer>(&write)) {
    return step(s.put_answer.Reset()
                    .Bind(1, answer->run_id)
                    .Bind(2, signed64(answer->number))
                    .Bind(3, number)
                    .BindBlob(4, Sealed(panel, answer->number, answer->body)));
  }
  if (const auto* aside = std::get_if<SetAside>(&write)) {
    NEXUS_TRY_STATUS(step(s.copy_damaged.Reset().Bind(1, aside->after_row).Bind(2, number)));
    return step(s.remove_damaged.Reset().Bind(1, aside->after_row).Bind(2, number));
  }
  const auto& trigger = std::get<PutTrigger>(write);
  return step(s.put_trigger.Reset()
                  .Bind(1, number)
                  .Bind(2, static_cast<std::int64_t>(trigger.trigger))
                  .Bind(3, trigger.last_unix_ms));
}

// The state, and where the records since the last one are: so those can be found again without an
// index of each.
Status Journal::WriteCheckpoint(JournalLane& lane, const PutCheckpoint& checkpoint) {
  Statements& s = *statements_;
  const auto step = [this](SqliteStatement& statement) -> Status {
    auto done = statement.Step(writer_);
    statement.Reset();
    if (!done) return std::unexpected(done.error());
    return {};
  };
  const auto number = static_cast<std::int64_t>(lane.panel);
  const auto revision = static_cast<std::int64_t>(checkpoint.revision);
  NEXUS_TRY_STATUS(
      step(s.checkpoint.Reset()
               .Bind(1, number)
               .Bind(2, revision)
               .Bind(3, newest_row_)
               .BindBlob(4, Sealed(lane.panel, checkpoint.revision, checkpoint.state))));
  const std::string rows = EncodeRows(RowsOf(lane));
  uncommitted_.emplace_back(&lane, kNoRow);
  if (!rows.empty()) {
    NEXUS_TRY_STATUS(step(s.put_chunk.Reset()
                              .Bind(1, number)
                              .Bind(2, revision)
                              .Bind(3, newest_row_)
                              .BindBlob(4, rows)));
  }
  if (checkpoint.keep_after == 0) return {};
  const auto keep = static_cast<std::int64_t>(checkpoint.keep_after);
  NEXUS_TRY_STATUS(DeleteRecords(lane, keep));
  return step(s.trim_checkpoints.Reset().Bind(1, number).Bind(2, keep));
}

// Whole chunks of them; INT64_MAX: all.
Status Journal::DeleteRecords(JournalLane& lane, std::int64_t up_to_revision) {
  Statements& s = *statements_;
  const auto number = static_cast<std::int64_t>(lane.panel);
  std::vector<std::int64_t> rows;
  if (up_to_revision == INT64_MAX) rows = RowsOf(lane);
  s.old_chunks.Reset().Bind(1, number).Bind(2, up_to_revision);
  for (auto row = s.old_chunks.Step(writer_);; row = s.old_chunks.Step(writer_)) {
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    const std::string chunk = s.old_chunks.Text(0);
    DecodeRows(chunk, rows);
  }
  s.old_chunks.Reset();
  for (const std::int64_t row : rows) {
    s.remove_record.Reset().Bind(1, row).Bind(2, number).Bind(3, up_to_revision);
    if (auto done = s.remove_record.Step(writer_); !done) return std::unexpected(done.error());
  }
  s.remove_record.Reset();
  s.remove_chunks.Reset().Bind(1, number).Bind(2, up_to_revision);
  auto done = s.remove_chunks.Step(writer_);
  s.remove_chunks.Reset();
  if (!done) return std::unexpected(done.error());
  return {};
}

// Those of the open transaction too.
std::vector<std::int64_t> Journal::RowsOf(const JournalLane& lane) const {
  std::vector<std::int64_t> rows = lane.rows;
  for (const auto& [of, row] : uncommitted_) {
    if (of != &lane) continue;
    row == kNoRow ? rows.clear() : rows.push_back(row);
  }
  return rows;
}

Result<std::vector<JournalRecord>> Journal::Records(std::uint32_t panel, std::uint64_t after,
                                                    std::uint64_t to) {
  const std::lock_guard lock(reader_mutex_);
  std::vector<JournalRecord> records;
  // Where to begin: the newest checkpoint that is not newer.
  NEXUS_TRY(SqliteStatement begin,
            reader_.Prepare("SELECT coalesce(max(seq), 0) FROM checkpoints WHERE panel = ? AND "
                            "revision <= ?"));
  const auto number = static_cast<std::int64_t>(panel);
  begin.Reset().Bind(1, number).Bind(2, static_cast<std::int64_t>(after));
  NEXUS_TRY(const bool any, begin.Step(reader_));
  const std::int64_t seq = any ? begin.Integer(0) : 0;
  NEXUS_TRY(SqliteStatement select,
            reader_.Prepare("SELECT revision, body FROM journal WHERE seq > ? AND panel = ? AND "
                            "revision > ? AND revision <= ? ORDER BY seq"));
  select.Reset().Bind(1, seq).Bind(2, number);
  select.Bind(3, static_cast<std::int64_t>(after)).Bind(4, static_cast<std::int64_t>(to));
  std::uint64_t last = after;
  for (auto row = select.Step(reader_);; row = select.Step(reader_)) {
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    NEXUS_TRY(JournalRecord record,
              OpenRecord(panel, static_cast<std::uint64_t>(select.Integer(0)), select.Text(1)));
    if (record.revision - record.mutations.size() > last) break;
    last = record.revision;
    records.push_back(std::move(record));
  }
  if (last != to) {
    return Fail(Code::kNotFound, "revision " + std::to_string(after) + ": it was compacted away");
  }
  return records;
}

Result<std::optional<std::pair<std::uint64_t, Value>>> Journal::CheckpointAt(
    std::uint32_t panel, std::uint64_t revision) {
  const std::lock_guard lock(reader_mutex_);
  NEXUS_TRY(SqliteStatement select,
            reader_.Prepare("SELECT revision, state FROM checkpoints WHERE panel = ? AND "
                            "revision <= ? ORDER BY revision DESC"));
  select.Reset().Bind(1, static_cast<std::int64_t>(panel));
  select.Bind(2, static_cast<std::int64_t>(revision));
  std::optional<std::pair<std::uint64_t, Value>> found;
  bool damaged = false;
  while (true) {
    NEXUS_TRY(const bool any, select.Step(reader_));
    if (!any) break;
    const auto at = static_cast<std::uint64_t>(select.Integer(0));
    const std::string sealed = select.Text(1);
    const auto bytes = Opened(panel, at, sealed);
    Result<Value> state = bytes ? DecodeValue(*bytes) : Fail(Code::kDataLoss, "checksum");
    if (state) {
      found.emplace(at, *std::move(state));
      return found;
    }
    damaged = true;  // The one before it does as well.
  }
  if (damaged) return Fail(Code::kDataLoss, "checkpoint: its checksum does not match");
  return found;
}

}  // namespace nexus::internal
