// What a journal that is opened has to tell.
#include <algorithm>
#include <map>
#include <utility>

#include "base/codec.h"
#include "base/log.h"
#include "panel/host/internal/idempotency.h"
#include "panel/host/internal/journal.h"
#include "panel/host/internal/journal_seal.h"

namespace nexus::internal {
namespace {

std::map<std::uint32_t, StoredPanel*> ByNumber(std::vector<StoredPanel>& panels) {
  std::map<std::uint32_t, StoredPanel*> by_number;
  for (StoredPanel& panel : panels) by_number[panel.number] = &panel;
  return by_number;
}

}  // namespace

Result<std::vector<StoredPanel>> Journal::Load() {
  const std::lock_guard lock(reader_mutex_);
  std::vector<StoredPanel> panels;
  NEXUS_TRY(SqliteStatement all, reader_.Prepare("SELECT number, id, owner, source, created_ms "
                                                 "FROM panels ORDER BY number"));
  for (auto row = all.Reset().Step(reader_);; row = all.Step(reader_)) {
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
  for (StoredPanel& panel : panels) {
    NEXUS_TRY_STATUS(LoadCheckpoint(panel));
    NEXUS_TRY_STATUS(LoadKeyed(panel));
  }
  NEXUS_TRY_STATUS(LoadRecords(panels));
  NEXUS_TRY_STATUS(LoadRuns(panels));
  NEXUS_TRY_STATUS(LoadTriggers(panels));
  return panels;
}

// The newest that is sound.
Status Journal::LoadCheckpoint(StoredPanel& panel) {
  NEXUS_TRY(SqliteStatement newest,
            reader_.Prepare("SELECT revision, seq, state FROM checkpoints WHERE panel = ? "
                            "ORDER BY revision DESC"));
  newest.Reset().Bind(1, static_cast<std::int64_t>(panel.number));
  bool damaged = false;
  while (true) {
    const auto row = newest.Step(reader_);
    if (!row) {
      panel.loss += row.error().message() + "; ";
      return {};
    }
    if (!*row) break;
    const auto revision = static_cast<std::uint64_t>(newest.Integer(0));
    const std::string sealed = newest.Text(2);
    const auto bytes = Opened(panel.number, revision, sealed);
    Result<Value> state = bytes ? DecodeValue(*bytes) : Fail(Code::kDataLoss, "checksum");
    if (state) {
      panel.checkpoint_revision = revision;
      panel.checkpoint = *std::move(state);
      panel.checkpoint_row = panel.sound_row = newest.Integer(1);
      return {};
    }
    damaged = true;
    Log(Severity::kError, "checkpoint damaged; the one before it is taken",
        {{"panel", panel.id}, {"revision", static_cast<double>(revision)}});
  }
  if (damaged) panel.initial_lost = true;
  return {};
}

Status Journal::LoadKeyed(StoredPanel& panel) {
  if (panel.checkpoint_revision == 0) return {};
  const auto number = static_cast<std::int64_t>(panel.number);
  NEXUS_TRY(SqliteStatement chunk,
            reader_.Prepare("SELECT rows FROM chunks WHERE panel = ? AND revision <= ? "
                            "ORDER BY revision DESC, seq DESC LIMIT 1"));
  chunk.Reset().Bind(1, number).Bind(2, static_cast<std::int64_t>(panel.checkpoint_revision));
  const auto any = chunk.Step(reader_);
  if (!any || !*any) return {};
  std::vector<std::int64_t> rows;
  DecodeRows(chunk.Text(0), rows);
  NEXUS_TRY(SqliteStatement select,
            reader_.Prepare("SELECT revision, body FROM journal WHERE seq = ? AND panel = ?"));
  const std::size_t first = rows.size() - std::min(rows.size(), kIdempotencyKeysMax);
  for (std::size_t i = first; i < rows.size(); ++i) {
    const auto row = select.Reset().Bind(1, rows[i]).Bind(2, number).Step(reader_);
    if (!row || !*row) continue;
    // One that is damaged is behind the checkpoint, and costs no more than its key.
    auto record =
        OpenRecord(panel.number, static_cast<std::uint64_t>(select.Integer(0)), select.Text(1));
    if (record && record->finished && !record->idempotency_key.empty()) {
      panel.keyed.push_back(*std::move(record));
    }
  }
  return {};
}

// In one pass those of all panels.
Status Journal::LoadRecords(std::vector<StoredPanel>& panels) {
  if (panels.empty()) return {};
  const std::map<std::uint32_t, StoredPanel*> by_number = ByNumber(panels);
  std::int64_t first = INT64_MAX;
  for (const StoredPanel& panel : panels) first = std::min(first, panel.checkpoint_row);
  NEXUS_TRY(SqliteStatement records,
            reader_.Prepare("SELECT seq, panel, revision, body FROM journal WHERE seq > ? "
                            "ORDER BY seq"));
  records.Reset().Bind(1, first);
  while (true) {
    const auto row = records.Step(reader_);
    if (!row) {
      for (StoredPanel& panel : panels) panel.loss += row.error().message() + "; ";
      return {};
    }
    if (!*row) return {};
    const std::int64_t at = records.Integer(0);
    const auto found = by_number.find(static_cast<std::uint32_t>(records.Integer(1)));
    if (found == by_number.end() || at <= found->second->checkpoint_row) continue;
    StoredPanel& panel = *found->second;
    panel.rows.push_back(at);
    if (!panel.loss.empty()) continue;
    const auto revision = static_cast<std::uint64_t>(records.Integer(2));
    Result<JournalRecord> record = OpenRecord(panel.number, revision, records.Text(3));
    const std::uint64_t last =
        panel.records.empty() ? panel.checkpoint_revision : panel.records.back().revision;
    if (!record || revision - record->mutations.size() != last) {
      panel.loss = "everything after revision " + std::to_string(last) +
                   " is lost: " + (record ? "the journal has a gap" : record.error().message()) +
                   "; ";
      continue;
    }
    panel.sound_row = at;
    panel.records.push_back(*std::move(record));
  }
}

Status Journal::LoadRuns(std::vector<StoredPanel>& panels) {
  const std::map<std::uint32_t, StoredPanel*> by_number = ByNumber(panels);
  std::map<std::string, std::pair<StoredPanel*, std::size_t>> by_id;
  NEXUS_TRY(SqliteStatement runs,
            reader_.Prepare("SELECT run_id, panel, body FROM runs ORDER BY run_id"));
  for (auto row = runs.Reset().Step(reader_);; row = runs.Step(reader_)) {
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    const auto found = by_number.find(static_cast<std::uint32_t>(runs.Integer(1)));
    if (found == by_number.end()) continue;
    StoredPanel& panel = *found->second;
    StoredRun& run = panel.runs.emplace_back();
    run.id = runs.Text(0);
    by_id[run.id] = {&panel, panel.runs.size() - 1};
    const std::string sealed = runs.Text(2);
    if (const auto body = Opened(panel.number, 0, sealed)) {
      run.body = *body;
    } else {
      panel.loss += "suspended run " + run.id + " is damaged and cannot go on; ";
    }
  }
  NEXUS_TRY(SqliteStatement answers,
            reader_.Prepare("SELECT run_id, number, body FROM answers ORDER BY run_id, number"));
  for (auto row = answers.Reset().Step(reader_);; row = answers.Step(reader_)) {
    if (!row) return std::unexpected(row.error());
    if (!*row) return {};
    const auto found = by_id.find(answers.Text(0));
    if (found == by_id.end()) continue;
    StoredPanel& panel = *found->second.first;
    StoredRun& run = panel.runs[found->second.second];
    const auto number = static_cast<std::uint64_t>(answers.Integer(1));
    const std::string sealed = answers.Text(2);
    const auto body = Opened(panel.number, number, sealed);
    // Where one is damaged its call counts as never answered, and so do those after it: they must
    // not come in another order than they did.
    if (!body && !run.answers_end) {
      run.answers_end = true;
      panel.loss += "an answer to suspended run " + run.id + " is damaged; ";
    }
    if (!run.answers_end) run.answers.emplace_back(number, *body);
    run.answers_max = number;
  }
}

Status Journal::LoadTriggers(std::vector<StoredPanel>& panels) {
  NEXUS_TRY(SqliteStatement triggers,
            reader_.Prepare("SELECT trigger, last_ms FROM triggers WHERE panel = ?"));
  for (StoredPanel& panel : panels) {
    triggers.Reset().Bind(1, static_cast<std::int64_t>(panel.number));
    for (auto row = triggers.Step(reader_); row && *row; row = triggers.Step(reader_)) {
      panel.triggers.emplace_back(static_cast<std::uint32_t>(triggers.Integer(0)),
                                  triggers.Integer(1));
    }
  }
  return {};
}

}  // namespace nexus::internal
