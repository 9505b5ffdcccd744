#include "server/internal/messages.h"

#include <charconv>

#include "base/json.h"

namespace nexus::internal {
namespace {

template <typename Number>
void AppendNumber(std::string& out, Number n) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, n).ptr);
}

void AppendTail(std::string& out, const PanelUpdate& update) {
  if (!update.run_id.empty()) {
    out += ",\"runId\":";
    AppendJsonString(out, update.run_id);
  }
  out += ",\"timestamp\":";
  AppendNumber(out, update.unix_ms);
  out += '}';
}

}  // namespace

std::string PathText(const StateMutation& mutation) {
  std::string out;
  if (mutation.path.empty()) return out;
  JsonBuilder json(out);
  AppendPathJson(json, mutation.path);
  return out;
}

void AppendMutation(std::string& out, const StateMutation& mutation) {
  JsonBuilder json(out);
  AppendMutationJson(json, mutation);
}

void AppendFiltered(std::string& out, const ValueObject& members, const KeyFilter& filter) {
  out += '{';
  bool first = true;
  for (const auto& [key, value] : members) {
    if (value.is_undefined() || (filter && !filter(key))) continue;
    if (!std::exchange(first, false)) out += ',';
    AppendJsonString(out, key);
    out += ':';
    AppendJson(out, value);
  }
  out += '}';
}

std::string PatchText(const PanelUpdate& update, const KeyFilter& filter) {
  std::string out = "{\"type\":\"PATCH\",\"revision\":";
  AppendNumber(out, update.revision);
  out += ",\"mutations\":[";
  bool first = true;
  bool anything = false;
  for (const StateMutation& mutation : update.mutations) {
    if (filter && !filter(mutation.key)) continue;
    if (!std::exchange(first, false)) out += ',';
    AppendMutation(out, mutation);
    anything = true;
  }
  out += "],\"computed\":{";
  first = true;
  for (const auto& [name, value] : update.computed) {
    if (filter && !filter(name)) continue;
    if (!std::exchange(first, false)) out += ',';
    AppendJsonString(out, name);
    out += ':';
    if (value.is_undefined()) {
      out += "null";
    } else {
      AppendJson(out, value);
    }
    anything = true;
  }
  out += '}';
  if (!anything) return {};
  AppendTail(out, update);
  return out;
}

std::string EventText(const PanelUpdate& update, std::string_view name, const Value& payload) {
  std::string out = "{\"type\":\"EVENT\",\"name\":";
  AppendJsonString(out, name);
  out += ",\"payload\":";
  if (payload.is_undefined()) {
    out += "null";
  } else {
    AppendJson(out, payload);
  }
  AppendTail(out, update);
  return out;
}

std::string LogText(const PanelUpdate& update, const LogEntry& entry) {
  return EventText(
      update, "system:log",
      Value::Object({{"level", LogLevelName(entry.level)}, {"message", entry.message}}));
}

std::string ViewText(const PanelUpdate& update) {
  ValueArray commands;
  for (const ViewCommand& command : update.view_commands) {
    commands.push_back(Value::Object(
        {{"type", command.type}, {"componentId", command.component_id}, {"args", command.args}}));
  }
  ValueObject message{{"type", "VIEW"}, {"commands", std::move(commands)}};
  if (!update.run_id.empty()) message.Append("runId", update.run_id);
  return ToJson(Value(std::move(message)));
}

std::string ErrorText(const std::string* request_id, std::string_view code,
                      std::string_view message) {
  ValueObject text{{"type", "ERROR"}};
  if (request_id != nullptr && !request_id->empty()) text.Append("requestId", *request_id);
  text.Append("code", code);
  text.Append("message", message);
  return ToJson(Value(std::move(text)));
}

std::string ResultJson(const RunResult& result, const KeyFilter& filter) {
  std::string out;
  if (!filter) {
    result.AppendJson(out);
    return out;
  }
  RunResult cut = result;
  std::erase_if(cut.state_mutations, [&](const auto& m) { return !filter(m.key); });
  cut.AppendJson(out);
  return out;
}

Value RunRecordToValue(const RunRecord& record, const KeyFilter& filter) {
  RunResult cut = record.result;
  if (filter) std::erase_if(cut.state_mutations, [&](const auto& m) { return !filter(m.key); });
  return Value::Object({{"runId", record.run_id},
                        {"handler", record.handler},
                        {"principal", record.principal},
                        {"startedAt", record.started_unix_ms},
                        {"args", record.args.is_undefined() ? Value::Object() : record.args},
                        {"result", cut.ToValue()}});
}

std::string ErrorBody(std::string_view code, std::string_view message, const Value& details) {
  ValueObject error{{"code", code}, {"message", message}};
  if (!details.is_undefined()) error.Append("details", details);
  return ToJson(Value::Object({{"error", std::move(error)}}));
}

}  // namespace nexus::internal
