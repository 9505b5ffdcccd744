#include "mcp/panels/internal/resources.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/json.h"
#include "mcp/panels/panel_provider.h"

namespace nexus::mcp::internal {
namespace {

constexpr std::string_view kScheme = "nexus://";
constexpr const char* kJson = "application/json";

std::optional<std::string> Decode(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = digit(text[i + 1]);
    const int low = digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

Resource Describe(const Panel& panel, std::string_view part, std::string what) {
  Resource resource;
  resource.uri = PanelUri(panel.id(), part);
  resource.name = panel.id() + "/" + std::string(part);
  resource.title = panel.definition().title + ": " + std::string(part);
  resource.description = std::move(what);
  resource.mime_type = kJson;
  return resource;
}

ValueObject Readable(ValueObject members, const Caller& caller) {
  std::erase_if(members.entries(),
                [&](const ValueObject::Entry& entry) { return !caller.MayRead(entry.first); });
  return members;
}

Value Meta(const Panel& panel, const Caller& caller) {
  const PanelDefinition& definition = panel.definition();
  ValueArray tools, states, computed, tags;
  for (const ToolDefinition& tool : definition.tools) {
    if (caller.MayCall(tool.name)) tools.emplace_back(tool.name);
  }
  for (const StateDefinition& state : definition.states) {
    if (!caller.MayRead(state.name)) continue;
    states.push_back(Value::Object({{"name", state.name}, {"type", PanelTypeName(state.type)}}));
  }
  for (const ComputedDefinition& value : definition.computed) {
    if (caller.MayRead(value.name)) computed.emplace_back(value.name);
  }
  for (const std::string& tag : definition.tags) tags.emplace_back(tag);
  return Value::Object({{"id", panel.id()},
                        {"title", definition.title},
                        {"description", definition.description},
                        {"version", definition.version},
                        {"author", definition.author},
                        {"tags", std::move(tags)},
                        {"owner", panel.owner()},
                        {"createdAt", panel.created_unix_ms()},
                        {"tools", std::move(tools)},
                        {"state", std::move(states)},
                        {"computed", std::move(computed)}});
}

Value Logs(const Panel& panel, std::size_t limit) {
  ValueArray lines;
  for (const LogEntry& entry : panel.Logs(limit)) {
    lines.push_back(Value::Object({{"level", LogLevelName(entry.level)},
                                   {"message", entry.message},
                                   {"timestamp", entry.unix_ms}}));
  }
  return Value(std::move(lines));
}

std::optional<Value> Run(const Panel& panel, const std::string& run_id, const Caller& caller) {
  std::optional<RunRecord> record = panel.FindRun(run_id);
  if (!record || (!caller.MayRead("*") && record->principal != caller.principal)) {
    return std::nullopt;
  }
  std::erase_if(record->result.state_mutations,
                [&](const StateMutation& mutation) { return !caller.MayRead(mutation.key); });
  return Value::Object({{"runId", record->run_id},
                        {"handler", record->handler},
                        {"principal", record->principal},
                        {"startedAt", record->started_unix_ms},
                        {"args", record->args},
                        {"result", record->result.ToValue()}});
}

std::optional<Value> StateOf(Panel& panel, const PanelPath& path, const Caller& caller,
                             std::uint64_t& revision) {
  PanelSnapshot snapshot = panel.State();
  revision = snapshot.revision;
  ValueObject members =
      Readable(std::move(path.part == "state" ? snapshot.state : snapshot.computed), caller);
  if (path.key.empty()) return Value(std::move(members));
  Value* const member = members.Find(path.key);
  if (member == nullptr) return std::nullopt;
  return std::move(*member);
}

}  // namespace

std::optional<PanelPath> ParsePanelUri(std::string_view uri) {
  if (!uri.starts_with(kScheme)) return std::nullopt;
  uri.remove_prefix(kScheme.size());
  const std::size_t first = uri.find('/');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = uri.find('/', first + 1);
  const bool keyed = second != std::string_view::npos;
  std::optional<std::string> id = Decode(uri.substr(0, first));
  std::optional<std::string> key = Decode(keyed ? uri.substr(second + 1) : std::string_view());
  if (!id || id->empty() || !key || (keyed && key->empty())) return std::nullopt;
  return PanelPath{.panel_id = *std::move(id),
                   .part = std::string(uri.substr(first + 1, second - first - 1)),
                   .key = *std::move(key)};
}

void AppendResources(const Panel& panel, const Caller& caller, std::vector<Resource>& out) {
  if (!caller.may_read) return;
  const PanelDefinition& definition = panel.definition();
  const auto readable = [&](const auto& item) { return caller.MayRead(item.name); };
  out.push_back(Describe(panel, "meta", "What the panel is, and its tools"));
  if (std::any_of(definition.states.begin(), definition.states.end(), readable)) {
    out.push_back(Describe(panel, "state", "The panel's state"));
  }
  if (std::any_of(definition.computed.begin(), definition.computed.end(), readable)) {
    out.push_back(Describe(panel, "computed", "What follows from the state"));
  }
  if (definition.view) out.push_back(Describe(panel, "view", "The definition of the view"));
  if (caller.MayRead("*")) out.push_back(Describe(panel, "log", "The newest log lines"));
}

std::vector<ResourceTemplate> PanelTemplates() {
  const auto make = [](const char* uri_template, const char* name, const char* what) {
    ResourceTemplate item;
    item.uri_template = uri_template;
    item.name = name;
    item.description = what;
    item.mime_type = kJson;
    return item;
  };
  return {make("nexus://{panelId}/state/{key}", "state", "One state value of a panel"),
          make("nexus://{panelId}/computed/{name}", "computed", "One computed value of a panel"),
          make("nexus://{panelId}/runs/{runId}", "run", "One run of a panel's tool")};
}

bool MayReadPath(const Panel& panel, const PanelPath& path, const Caller& caller) {
  if (!caller.may_read) return false;
  const PanelDefinition& definition = panel.definition();
  const bool keyed = !path.key.empty();
  if (path.part == "state") {
    return !keyed || (definition.FindState(path.key) != nullptr && caller.MayRead(path.key));
  }
  if (path.part == "computed") {
    return !keyed || (definition.FindComputed(path.key) != nullptr && caller.MayRead(path.key));
  }
  if (path.part == "runs") return keyed;
  if (keyed) return false;
  if (path.part == "view") return definition.view.has_value();
  return path.part == "meta" || (path.part == "log" && caller.MayRead("*"));
}

bool IsSlow(const PanelPath& path) { return path.part == "state" || path.part == "computed"; }

std::optional<ReadResourceResult> ReadPath(Panel& panel, const PanelPath& path,
                                           const std::string& uri, const Caller& caller,
                                           std::size_t log_lines_max) {
  std::optional<Value> value;
  std::uint64_t revision = 0;
  if (path.part == "meta") {
    value = Meta(panel, caller);
  } else if (path.part == "log") {
    value = Logs(panel, log_lines_max);
  } else if (path.part == "view") {
    const Value definition = PanelToValue(panel.definition());
    if (const Value* view = definition.Find("view")) value = *view;
  } else if (path.part == "runs") {
    value = Run(panel, path.key, caller);
  } else {
    value = StateOf(panel, path, caller, revision);
  }
  if (!value) return std::nullopt;
  ReadResourceResult result;
  ResourceContents contents;
  contents.uri = uri;
  contents.mime_type = kJson;
  contents.text = ToJson(*value);
  if (revision != 0) contents.meta.Append("nexus/revision", revision);
  result.contents.push_back(std::move(contents));
  return result;
}

std::vector<std::string> ChangedUris(const PanelUpdate& update) {
  std::set<std::string> uris;
  for (const StateMutation& mutation : update.mutations) {
    uris.insert(PanelUri(update.panel_id, "state"));
    uris.insert(PanelUri(update.panel_id, "state", mutation.key));
  }
  for (const auto& [name, value] : update.computed) {
    uris.insert(PanelUri(update.panel_id, "computed"));
    uris.insert(PanelUri(update.panel_id, "computed", name));
  }
  if (!update.logs.empty()) uris.insert(PanelUri(update.panel_id, "log"));
  if (update.finished) uris.insert(PanelUri(update.panel_id, "runs", update.finished->run_id));
  return {uris.begin(), uris.end()};
}

}  // namespace nexus::mcp::internal
