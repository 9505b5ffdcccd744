#include "panel/host/internal/journal.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/check.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/thread.h"

namespace nexus::internal {
namespace {

constexpr std::size_t kChecksumBytes = 8;

// The WAL is copied into the file every so many pages: rarely, because it costs two syncs.
constexpr const char* kSettings = R"(
PRAGMA journal_mode = WAL;
PRAGMA wal_autocheckpoint = 8000;
PRAGMA locking_mode = NORMAL;
PRAGMA temp_store = MEMORY;
PRAGMA mmap_size = 0;
)";

constexpr const char* kSchema = R"(
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
)";

// Bound to its place, so that a row that was moved or copied is found out too.
std::string Checksum(std::uint64_t panel, std::uint64_t revision, std::string_view bytes) {
  Sha256 hash;
  std::string place;
  AppendVarint(place, panel);
  AppendVarint(place, revision & 0xffffffff);
  AppendVarint(place, revision >> 32);
  return hash.UpdatePart(place).UpdatePart(bytes).Finish().substr(0, kChecksumBytes);
}

std::string Sealed(std::uint64_t panel, std::uint64_t revision, std::string_view bytes) {
  std::string sealed = Checksum(panel, revision, bytes);
  sealed.append(bytes);
  return sealed;
}

std::optional<std::string_view> Opened(std::uint64_t panel, std::uint64_t revision,
                                       std::string_view sealed) {
  if (sealed.size() < kChecksumBytes) return std::nullopt;
  const std::string_view bytes = sealed.substr(kChecksumBytes);
  if (Checksum(panel, revision, bytes) != sealed.substr(0, kChecksumBytes)) return std::nullopt;
  return bytes;
}

Result<JournalRecord> OpenRecord(std::uint32_t panel, std::uint64_t revision,
                                 std::string_view sealed) {
  const auto bytes = Opened(panel, revision, sealed);
  if (!bytes) return Fail(Code::kDataLoss, "journal record: its checksum does not match");
  NEXUS_TRY(JournalRecord record, DecodeRecord(*bytes));
  if (record.revision != revision) return Fail(Code::kDataLoss, "journal record: misplaced");
  return record;
}

}  // namespace

struct Journal::Statements {
  SqliteStatement begin, commit, rollback;
  SqliteStatement append, checkpoint, trim_records, trim_checkpoints;
  SqliteStatement put_panel, remove_panel, remove_records, remove_checkpoints, remove_runs;
  SqliteStatement remove_triggers, put_run, remove_run, put_trigger;
};

Journal::Journal(SqliteFile writer, SqliteFile reader, std::function<std::int64_t()> pages_max)
    : writer_(std::move(writer)), reader_(std::move(reader)), pages_max_(std::move(pages_max)) {}

Result<std::unique_ptr<Journal>> Journal::Open(const std::filesystem::path& file, bool synced,
                                               std::function<std::int64_t()> pages_max) {
  NEXUS_TRY(SqliteFile writer, SqliteFile::Open(file.string()));
  NEXUS_TRY_STATUS(writer.Execute(kSettings));
  NEXUS_TRY_STATUS(
      writer.Execute(synced ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = OFF"));
  NEXUS_TRY_STATUS(writer.Execute(kSchema));
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
  const auto prepare = [this](const char* sql) { return writer_.Prepare(sql); };
  NEXUS_TRY(SqliteStatement begin, prepare("BEGIN IMMEDIATE"));
  NEXUS_TRY(SqliteStatement commit, prepare("COMMIT"));
  NEXUS_TRY(SqliteStatement rollback, prepare("ROLLBACK"));
  NEXUS_TRY(SqliteStatement append,
            prepare("INSERT INTO journal (panel, revision, body) VALUES (?, ?, ?)"));
  NEXUS_TRY(SqliteStatement checkpoint,
            prepare("INSERT OR REPLACE INTO checkpoints (panel, revision, seq, state) VALUES "
                    "(?, ?, (SELECT coalesce(max(seq), 0) FROM journal), ?)"));
  NEXUS_TRY(SqliteStatement trim_records,
            prepare("DELETE FROM journal WHERE panel = ? AND revision <= ?"));
  NEXUS_TRY(SqliteStatement trim_checkpoints,
            prepare("DELETE FROM checkpoints WHERE panel = ? AND revision < ?"));
  NEXUS_TRY(SqliteStatement put_panel,
            prepare("INSERT INTO panels (number, id, owner, source, created_ms) VALUES "
                    "(?, ?, ?, ?, ?) ON CONFLICT (number) DO UPDATE SET source = excluded.source"));
  NEXUS_TRY(SqliteStatement remove_panel, prepare("DELETE FROM panels WHERE number = ?"));
  NEXUS_TRY(SqliteStatement remove_records, prepare("DELETE FROM journal WHERE panel = ?"));
  NEXUS_TRY(SqliteStatement remove_checkpoints, prepare("DELETE FROM checkpoints WHERE panel = ?"));
  NEXUS_TRY(SqliteStatement remove_runs, prepare("DELETE FROM runs WHERE panel = ?"));
  NEXUS_TRY(SqliteStatement remove_triggers, prepare("DELETE FROM triggers WHERE panel = ?"));
  NEXUS_TRY(SqliteStatement put_run,
            prepare("INSERT OR REPLACE INTO runs (run_id, panel, body) VALUES (?, ?, ?)"));
  NEXUS_TRY(SqliteStatement remove_run, prepare("DELETE FROM runs WHERE run_id = ?"));
  NEXUS_TRY(SqliteStatement put_trigger,
            prepare("INSERT OR REPLACE INTO triggers (panel, trigger, last_ms) VALUES (?, ?, ?)"));
  statements_ = std::make_unique<Statements>(
      Statements{std::move(begin), std::move(commit), std::move(rollback), std::move(append),
                 std::move(checkpoint), std::move(trim_records), std::move(trim_checkpoints),
                 std::move(put_panel), std::move(remove_panel), std::move(remove_records),
                 std::move(remove_checkpoints), std::move(remove_runs), std::move(remove_triggers),
                 std::move(put_run), std::move(remove_run), std::move(put_trigger)});
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
      status = WriteOne(batch[i].lane->panel, write);
      if (!status) break;
    }
  }
  if (status) status = run(s.commit);
  if (status) {
    commits_.Add();
    return {};
  }
  // SQLite may have rolled back by itself; that this then fails says nothing new.
  (void)s.rollback.Reset().Step(writer_);
  s.rollback.Reset();
  return status;
}

Status Journal::WriteOne(std::uint32_t panel, const JournalWrite& write) {
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
    return step(s.append.Reset()
                    .Bind(1, number)
                    .Bind(2, signed64(record->revision))
                    .BindBlob(3, Sealed(panel, record->revision, record->body)));
  }
  if (const auto* checkpoint = std::get_if<PutCheckpoint>(&write)) {
    NEXUS_TRY_STATUS(
        step(s.checkpoint.Reset()
                 .Bind(1, number)
                 .Bind(2, signed64(checkpoint->revision))
                 .BindBlob(3, Sealed(panel, checkpoint->revision, checkpoint->state))));
    if (checkpoint->keep_after == 0) return {};
    const std::int64_t keep = signed64(checkpoint->keep_after);
    NEXUS_TRY_STATUS(step(s.trim_records.Reset().Bind(1, number).Bind(2, keep)));
    return step(s.trim_checkpoints.Reset().Bind(1, number).Bind(2, keep));
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
    for (SqliteStatement* remove : {&s.remove_panel, &s.remove_records, &s.remove_checkpoints,
                                    &s.remove_runs, &s.remove_triggers}) {
      NEXUS_TRY_STATUS(step(remove->Reset().Bind(1, number)));
    }
    return {};
  }
  if (const auto* run = std::get_if<PutRun>(&write)) {
    return step(s.put_run.Reset()
                    .Bind(1, run->run_id)
                    .Bind(2, number)
                    .BindBlob(3, Sealed(panel, 0, run->body)));
  }
  if (const auto* run = std::get_if<RemoveRun>(&write)) {
    return step(s.remove_run.Reset().Bind(1, run->run_id));
  }
  const auto& trigger = std::get<PutTrigger>(write);
  return step(s.put_trigger.Reset()
                  .Bind(1, number)
                  .Bind(2, static_cast<std::int64_t>(trigger.trigger))
                  .Bind(3, trigger.last_unix_ms));
}

Result<std::vector<StoredPanel>> Journal::Load() {
  const std::lock_guard lock(reader_mutex_);
  std::vector<StoredPanel> panels;
  NEXUS_TRY(SqliteStatement all, reader_.Prepare("SELECT number, id, owner, source, created_ms "
                                                 "FROM panels ORDER BY number"));
  for (auto row = all.Step(reader_);; row = all.Step(reader_)) {
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    StoredPanel& panel = panels.emplace_back();
    panel.number = static_cast<std::uint32_t>(all.Integer(0));
    panel.id = all.Text(1);
    panel.owner = all.Text(2);
    panel.source = all.Text(3);
    panel.created_unix_ms = all.Integer(4);
    panels_ = std::max(panels_, panel.number);
  }
  NEXUS_TRY_STATUS(LoadRecords(panels));
  NEXUS_TRY(SqliteStatement runs,
            reader_.Prepare("SELECT run_id, body FROM runs WHERE panel = ? ORDER BY run_id"));
  NEXUS_TRY(SqliteStatement triggers,
            reader_.Prepare("SELECT trigger, last_ms FROM triggers WHERE panel = ?"));
  for (StoredPanel& panel : panels) {
    const auto number = static_cast<std::int64_t>(panel.number);
    runs.Reset().Bind(1, number);
    for (auto row = runs.Step(reader_); row && *row; row = runs.Step(reader_)) {
      const std::string sealed = runs.Text(1);
      if (const auto body = Opened(panel.number, 0, sealed)) {
        panel.runs.emplace_back(runs.Text(0), *body);
      } else {
        panel.loss += "suspended run " + runs.Text(0) + " is damaged and cannot go on; ";
      }
    }
    triggers.Reset().Bind(1, number);
    for (auto row = triggers.Step(reader_); row && *row; row = triggers.Step(reader_)) {
      panel.triggers.emplace_back(static_cast<std::uint32_t>(triggers.Integer(0)),
                                  triggers.Integer(1));
    }
  }
  return panels;
}

// The newest sound checkpoint of each panel, and in one pass the records behind it.
Status Journal::LoadRecords(std::vector<StoredPanel>& panels) {
  NEXUS_TRY(SqliteStatement newest,
            reader_.Prepare("SELECT revision, seq, state FROM checkpoints WHERE panel = ? "
                            "ORDER BY revision DESC"));
  std::map<std::uint32_t, StoredPanel*> by_number;
  std::int64_t first_seq = INT64_MAX;
  for (StoredPanel& panel : panels) {
    by_number[panel.number] = &panel;
    newest.Reset().Bind(1, static_cast<std::int64_t>(panel.number));
    std::int64_t seq = 0;
    for (auto row = newest.Step(reader_); row && *row; row = newest.Step(reader_)) {
      const auto revision = static_cast<std::uint64_t>(newest.Integer(0));
      const std::string sealed = newest.Text(2);
      const auto bytes = Opened(panel.number, revision, sealed);
      Result<Value> state = bytes ? DecodeValue(*bytes) : Fail(Code::kDataLoss, "checksum");
      if (state) {
        panel.checkpoint_revision = revision;
        panel.checkpoint = *std::move(state);
        seq = newest.Integer(1);
        break;
      }
      Log(Severity::kError, "checkpoint damaged",
          {{"panel", panel.id}, {"revision", static_cast<double>(revision)}});
    }
    first_seq = std::min(first_seq, seq);
  }
  NEXUS_TRY(
      SqliteStatement records,
      reader_.Prepare("SELECT panel, revision, body FROM journal WHERE seq > ? ORDER BY seq"));
  records.Reset().Bind(1, first_seq);
  while (!panels.empty()) {
    auto row = records.Step(reader_);
    if (!row) {
      for (StoredPanel& panel : panels) panel.loss += row.error().message() + "; ";
      break;
    }
    if (!*row) break;
    const auto found = by_number.find(static_cast<std::uint32_t>(records.Integer(0)));
    const auto revision = static_cast<std::uint64_t>(records.Integer(1));
    if (found == by_number.end() || !found->second->loss.empty()) continue;
    StoredPanel& panel = *found->second;
    if (revision < panel.checkpoint_revision) continue;
    Result<JournalRecord> record = OpenRecord(panel.number, revision, records.Text(2));
    const std::uint64_t last =
        panel.records.empty() ? panel.checkpoint_revision : panel.records.back().revision;
    if (!record || revision - record->mutations.size() > last) {
      panel.loss = "everything after revision " + std::to_string(last) +
                   " is lost: " + (record ? "the journal has a gap" : record.error().message()) +
                   "; ";
      continue;
    }
    if (revision == panel.checkpoint_revision && !record->mutations.empty()) continue;
    panel.records.push_back(*std::move(record));
  }
  return {};
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
                            "revision <= ? ORDER BY revision DESC LIMIT 1"));
  select.Reset().Bind(1, static_cast<std::int64_t>(panel));
  select.Bind(2, static_cast<std::int64_t>(revision));
  NEXUS_TRY(const bool any, select.Step(reader_));
  std::optional<std::pair<std::uint64_t, Value>> found;
  if (!any) return found;
  const auto at = static_cast<std::uint64_t>(select.Integer(0));
  const std::string sealed = select.Text(1);
  const auto bytes = Opened(panel, at, sealed);
  if (!bytes) return Fail(Code::kDataLoss, "checkpoint: its checksum does not match");
  NEXUS_TRY(Value state, DecodeValue(*bytes));
  found.emplace(at, std::move(state));
  return found;
}

}  // namespace nexus::internal
