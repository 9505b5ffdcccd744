#include "panel/host/internal/journal_record.h"

#include <utility>
#include <variant>

#include "base/codec.h"

namespace nexus::internal {
namespace {

constexpr std::uint64_t kVersion = 2;
// Of one record, decoded: far above what a run's limits allow, far below what would hurt.
constexpr std::uint64_t kNodesMax = 4'000'000;

Status AppendMutation(const StateMutation& mutation, std::string& out) {
  out += mutation.operation == StateMutation::Operation::kSet ? 's' : 'd';
  AppendText(out, mutation.key);
  AppendVarint(out, mutation.path.size());
  for (const PathStep& step : mutation.path) {
    if (const auto* name = std::get_if<std::string>(&step)) {
      out += 'n';
      AppendText(out, *name);
    } else {
      out += 'i';
      AppendVarint(out, std::get<std::uint32_t>(step));
    }
  }
  if (mutation.operation == StateMutation::Operation::kDelete) return {};
  return EncodeValue(mutation.value, out);
}

StateMutation ReadMutation(FieldReader& fields) {
  StateMutation mutation;
  const char operation = fields.Byte();
  fields.ok = fields.ok && (operation == 's' || operation == 'd');
  mutation.operation =
      operation == 'd' ? StateMutation::Operation::kDelete : StateMutation::Operation::kSet;
  mutation.key = fields.Text();
  for (std::size_t left = fields.Count(); fields.ok && left != 0; --left) {
    const char kind = fields.Byte();
    if (kind == 'n') {
      mutation.path.emplace_back(std::string(fields.Text()));
    } else {
      fields.ok = fields.ok && kind == 'i';
      mutation.path.emplace_back(static_cast<std::uint32_t>(fields.Number()));
    }
  }
  if (operation == 's') mutation.value = fields.Decoded(kNodesMax);
  return mutation;
}

RunStatus StatusFromName(std::string_view name) {
  for (const RunStatus status :
       {RunStatus::kSuccess, RunStatus::kError, RunStatus::kSuspended, RunStatus::kCancelled}) {
    if (RunStatusName(status) == name) return status;
  }
  return RunStatus::kError;
}

RunError ErrorFromValue(const Value& value) {
  RunError error;
  error.code =
      RunErrorCodeFromName(value.StringOr("code", "")).value_or(RunErrorCode::kInternalError);
  error.message = value.StringOr("message", "");
  error.stack = value.StringOr("stack", "");
  error.file = value.StringOr("file", "");
  error.snippet = value.StringOr("snippet", "");
  error.capability = value.StringOr("capability", "");
  error.limit = value.StringOr("limit", "");
  error.cause = value.StringOr("cause", "");
  error.panel_id = value.StringOr("panelId", "");
  error.handler_name = value.StringOr("handlerName", "");
  error.run_id = value.StringOr("runId", "");
  error.step = value.StringOr("step", "");
  if (const Value* location = value.Find("location")) {
    error.location.line = static_cast<std::uint32_t>(location->NumberOr("line", 0));
    error.location.column = static_cast<std::uint32_t>(location->NumberOr("column", 0));
  }
  return error;
}

Status AppendOutcome(const RunResult& outcome, std::string& out) {
  AppendText(out, RunStatusName(outcome.status));
  NEXUS_TRY_STATUS(EncodeValue(outcome.return_value, out));
  NEXUS_TRY_STATUS(
      EncodeValue(outcome.error ? RunErrorToValue(*outcome.error) : Value(nullptr), out));
  AppendWide(out, outcome.metrics.duration_us);
  AppendWide(out, outcome.metrics.cpu_us);
  return {};
}

RunResult ReadOutcome(FieldReader& fields, const std::string& run_id) {
  RunResult outcome;
  outcome.run_id = run_id;
  outcome.status = StatusFromName(fields.Text());
  outcome.return_value = fields.Decoded(kNodesMax);
  const Value error = fields.Decoded(kNodesMax);
  if (error.As<ValueObject>() != nullptr) outcome.error = ErrorFromValue(error);
  outcome.metrics.duration_us = fields.Wide();
  outcome.metrics.cpu_us = fields.Wide();
  return outcome;
}

// As the first version wrote it: one value.
RunResult FirstOutcome(const Value& fields, const std::string& run_id) {
  RunResult outcome;
  outcome.run_id = run_id;
  outcome.status = StatusFromName(fields.StringOr("status", ""));
  if (const Value* value = fields.Find("returnValue")) outcome.return_value = *value;
  if (const Value* error = fields.Find("error")) outcome.error = ErrorFromValue(*error);
  outcome.metrics.duration_us = static_cast<std::uint64_t>(fields.NumberOr("durationUs", 0));
  outcome.metrics.cpu_us = static_cast<std::uint64_t>(fields.NumberOr("cpuUs", 0));
  return outcome;
}

}  // namespace

Status EncodeRecord(const RecordParts& record, std::string& out) {
  AppendVarint(out, kVersion);
  AppendWide(out, record.revision);
  AppendWide(out, static_cast<std::uint64_t>(record.unix_ms));
  AppendText(out, record.run_id);
  AppendText(out, record.handler);
  AppendText(out, record.principal);
  AppendText(out, record.idempotency_key);
  AppendVarint(out, record.mutations.size());
  for (const StateMutation& mutation : record.mutations) {
    NEXUS_TRY_STATUS(AppendMutation(mutation, out));
  }
  AppendVarint(out, record.events.size());
  for (const EmittedEvent& event : record.events) {
    AppendText(out, event.name);
    NEXUS_TRY_STATUS(EncodeValue(event.payload, out));
  }
  const bool finished = record.outcome != nullptr;
  out += finished ? 'f' : '-';
  if (!finished) return {};
  NEXUS_TRY_STATUS(EncodeValue(*record.args, out));
  return AppendOutcome(*record.outcome, out);
}

Result<JournalRecord> DecodeRecord(std::string_view bytes) {
  FieldReader fields{bytes};
  JournalRecord record;
  const std::uint64_t version = fields.Number();
  if (version == 0 || version > kVersion) {
    return Fail(Code::kDataLoss, "journal record: of another version than this program knows");
  }
  record.revision = fields.Wide();
  record.unix_ms = static_cast<std::int64_t>(fields.Wide());
  record.run_id = fields.Text();
  record.handler = fields.Text();
  record.principal = fields.Text();
  record.idempotency_key = fields.Text();
  const std::size_t mutations = fields.Count();
  for (std::size_t i = 0; fields.ok && i < mutations; ++i) {
    record.mutations.push_back(ReadMutation(fields));
    record.mutations.back().revision = record.revision - (mutations - 1 - i);
  }
  for (std::size_t left = fields.Count(); fields.ok && left != 0; --left) {
    EmittedEvent event;
    event.name = fields.Text();
    event.payload = fields.Decoded(kNodesMax);
    record.events.push_back(std::move(event));
  }
  const char finished = fields.Byte();
  record.finished = finished == 'f';
  if (record.finished) {
    record.args = fields.Decoded(kNodesMax);
    record.outcome = version == 1 ? FirstOutcome(fields.Decoded(kNodesMax), record.run_id)
                                  : ReadOutcome(fields, record.run_id);
  }
  if (!fields.ok || !fields.rest.empty() || (finished != 'f' && finished != '-')) {
    return Fail(Code::kDataLoss, "journal record: it is cut off or damaged");
  }
  return record;
}

}  // namespace nexus::internal
