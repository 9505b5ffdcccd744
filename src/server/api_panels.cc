// Routes below /panels.
#include <algorithm>
#include <utility>

#include "base/json.h"
#include "panel/nxml/nxml.h"
#include "server/internal/api_impl.h"
#include "server/internal/json_panel.h"

namespace nexus::internal {
namespace {

constexpr std::size_t kListMax = 1'000;
constexpr std::size_t kListDefault = 50;

HttpResponse Denied(std::string_view what) {
  return ErrorResponse(403, "PERMISSION_DENIED", "this needs " + std::string(what));
}

HttpResponse WrongMethod(std::string_view allowed) {
  HttpResponse response =
      ErrorResponse(405, "INVALID_ARGUMENT", "this route takes " + std::string(allowed) + " only");
  response.headers.emplace_back("Allow", allowed);
  return response;
}

std::size_t LimitOf(std::string_view query) {
  const auto text = QueryValue(query, "limit");
  const auto number = text ? WholeNumber(*text) : std::nullopt;
  return std::min<std::size_t>(number.value_or(kListDefault), kListMax);
}

KeyFilter ReadableBy(const PrincipalPtr& principal) {
  if (principal->MayReadAll()) return nullptr;
  return [principal](std::string_view key) { return principal->MayRead(key); };
}

HttpResponse InvalidNxml(const std::vector<NxmlProblem>& problems) {
  ValueArray errors;
  for (const NxmlProblem& problem : problems) {
    errors.push_back(Value::Object({{"code", problem.code},
                                    {"message", problem.message},
                                    {"line", problem.position.line},
                                    {"column", problem.position.column},
                                    {"path", problem.path}}));
  }
  const std::string first = problems.empty() ? "the panel cannot be read" : problems[0].message;
  return ErrorResponse(400, "INVALID_NXML", first, Value::Object({{"errors", std::move(errors)}}));
}

// What the caller may see of a panel's tools.
Value CutDefinition(const PanelDefinition& definition, const Principal& principal) {
  Value value = PanelToValue(definition);
  const auto cut = [&value](std::string_view list, const auto& may) {
    Value* items = value.As<ValueObject>()->Find(list);
    ValueArray* array = items == nullptr ? nullptr : items->As<ValueArray>();
    if (array == nullptr) return;
    std::erase_if(*array, [&](const Value& item) { return !may(item.StringOr("name", "")); });
  };
  cut("tools", [&](std::string_view name) { return principal.MayCall(name); });
  cut("states", [&](std::string_view name) { return principal.MayRead(name); });
  cut("computed", [&](std::string_view name) { return principal.MayRead(name); });
  if (const Value* tools = value.Find("tools")) {
    ValueArray described;
    for (const Value& item : *tools->As<ValueArray>()) {
      Value tool = item;
      const ToolDefinition* known = definition.FindTool(item.StringOr("name", ""));
      if (known != nullptr) {
        tool.As<ValueObject>()->Set("inputSchema", ToolInputSchema(*known));
      }
      described.push_back(std::move(tool));
    }
    value.As<ValueObject>()->Set("tools", std::move(described));
  }
  return value;
}

bool MayChange(const Principal& principal, const Panel& panel) {
  return principal.everything || principal.May(Permission::kAdmin) ||
         (principal.May(Permission::kDelete) && panel.owner() == principal.name);
}

}  // namespace

void ApiImpl::Slowly(const ExchangePtr& exchange, std::move_only_function<void()> job) {
  if (workers_->Add(std::move(job))) return;
  HttpResponse response = ErrorResponse(503, "OVERLOADED", "too much waits already");
  response.headers.emplace_back("Retry-After", "1");
  exchange->respond(std::move(response));
}

void ApiImpl::RoutePanels(const ExchangePtr& exchange) {
  const std::string& method = exchange->request.method;
  if (exchange->size() == 1) {
    if (method == "GET" || method == "HEAD") return List(exchange);
    if (method == "POST") return Create(exchange, false);
    return exchange->respond(WrongMethod("GET, POST"));
  }
  if (exchange->size() == 2 && exchange->segment(1) == "from-nxml" && method == "POST") {
    return Create(exchange, true);
  }
  const std::shared_ptr<Panel> panel = host_.Find(exchange->segment(1));
  if (panel == nullptr || !exchange->principal->May(Permission::kRead)) {
    // Who may not read learns nothing of what there is, unless it may call.
    if (panel == nullptr || !exchange->principal->May(Permission::kExecute)) {
      return exchange->respond(panel == nullptr && exchange->principal->May(Permission::kRead)
                                   ? PanelNotFound(exchange->segment(1))
                                   : Denied("panel:read"));
    }
    if (exchange->size() != 4 || exchange->segment(2) != "trigger") {
      return exchange->respond(Denied("panel:read"));
    }
  }
  RoutePanel(exchange, panel);
}

void ApiImpl::RoutePanel(const ExchangePtr& exchange, const std::shared_ptr<Panel>& panel) {
  const std::string& method = exchange->request.method;
  const bool reads = method == "GET" || method == "HEAD";
  const std::size_t size = exchange->size();
  if (size == 2) {
    if (reads) return Describe(exchange, panel);
    if (method == "DELETE") return Delete(exchange, panel);
    return exchange->respond(WrongMethod("GET, DELETE"));
  }
  const std::string& part = exchange->segment(2);
  if (part == "trigger" && size == 4) {
    if (method != "POST") return exchange->respond(WrongMethod("POST"));
    return Trigger(exchange, panel);
  }
  if (part == "state" && size == 3) {
    if (!reads) return exchange->respond(WrongMethod("GET"));
    return ReadState(exchange, panel);
  }
  if (part == "state" && size == 4) {
    if (method != "PUT") return exchange->respond(WrongMethod("PUT"));
    return WriteState(exchange, panel);
  }
  if (part == "runs" && size <= 5) return Runs(exchange, panel);
  if (part == "logs" && size == 3) {
    if (!reads) return exchange->respond(WrongMethod("GET"));
    return exchange->respond(Logs(*exchange, *panel));
  }
  if (part == "ws" && size == 3) {
    return exchange->respond(
        ErrorResponse(400, "INVALID_ARGUMENT", "this is a WebSocket: connect with ws://"));
  }
  exchange->respond(
      ErrorResponse(404, "NOT_FOUND", "there is no such route: /openapi.json has all"));
}

// The hot path: one parse, one call, one text.
void ApiImpl::Trigger(const ExchangePtr& exchange, const std::shared_ptr<Panel>& panel) {
  const HttpRequest& request = exchange->request;
  const std::string& tool = exchange->segment(3);
  if (!exchange->principal->May(Permission::kExecute) || !exchange->principal->MayCall(tool)) {
    return exchange->respond(Denied("panel:execute and tools:call:" + tool));
  }
  if (panel->definition().FindTool(tool) == nullptr) {
    return exchange->respond(ErrorResponse(404, "TOOL_NOT_FOUND",
                                           "panel " + panel->id() + " has no tool '" + tool + "'"));
  }
  if (request.idempotency_key.size() > 255) {
    return exchange->respond(
        ErrorResponse(400, "INVALID_ARGUMENT", "Idempotency-Key: at most 255 bytes"));
  }
  ToolCall call;
  call.tool = tool;
  if (!request.body.empty()) {
    Result<Value> args = ParseJson(request.body, {.bytes_max = 64 << 20, .depth_max = 128});
    if (!args) {
      return exchange->respond(
          ErrorResponse(400, "INVALID_ARGUMENT", "the body: " + args.error().message()));
    }
    if (args->As<ValueObject>() == nullptr) {
      return exchange->respond(ErrorResponse(
          400, "INVALID_ARGUMENT", "the body: an object with the tool's arguments by name"));
    }
    call.args = *std::move(args);
  }
  call.principal = exchange->principal->name;
  // One principal's keys are not another's: a guessed key must not tell a foreign result.
  if (!request.idempotency_key.empty()) {
    call.idempotency_key = exchange->principal->name + "\n" + request.idempotency_key;
  }
  call.traceparent = request.traceparent;
  const bool waits = QueryValue(exchange->target.query, "wait").value_or("true") != "false";
  const KeyFilter filter = ReadableBy(exchange->principal);
  auto observer = [this, exchange, panel_id = panel->id(), filter, waits](const RunResult& flush) {
    if (flush.status == RunStatus::kSuspended) return;
    metrics_.CountRun(panel_id, flush);
    if (!waits) return;
    if (flush.error && flush.state_mutations.empty() &&
        (flush.error->code == RunErrorCode::kOverloaded ||
         flush.error->code == RunErrorCode::kUnavailable)) {
      HttpResponse busy =
          ErrorResponse(503, RunErrorCodeName(flush.error->code), flush.error->message);
      busy.headers.emplace_back("Retry-After", "1");
      return exchange->respond(std::move(busy));
    }
    exchange->respond(HttpResponse{.body = ResultJson(flush, filter)});
  };
  const std::string run_id = panel->CallTool(std::move(call), std::move(observer));
  if (!waits) exchange->respond(JsonResponse(202, Value::Object({{"runId", run_id}})));
}

void ApiImpl::Create(const ExchangePtr& exchange, bool unique) {
  if (!exchange->principal->May(Permission::kCreate)) {
    return exchange->respond(Denied("panel:create"));
  }
  Slowly(exchange, [this, exchange, unique] {
    Result<Value> body = ParseJson(exchange->request.body);
    if (!body || body->As<ValueObject>() == nullptr) {
      return exchange->respond(ErrorResponse(
          400, "INVALID_ARGUMENT",
          "the body: " + (body ? "an object with nxmlSource" : body.error().message())));
    }
    std::string source(body->StringOr("nxmlSource", body->StringOr("source", "")));
    if (source.empty()) {
      Result<std::string> made = NxmlFromJsonPanel(*body);
      if (!made) return exchange->respond(FailResponse(made.error()));
      source = *std::move(made);
    }
    NxmlReport report = ReadNxml(source, {.file = "panel.nxml", .limits = {}});
    if (!report.panel) return exchange->respond(InvalidNxml(report.errors));
    if (const std::string_view id = body->StringOr("id", ""); !id.empty()) report.panel->id = id;
    const std::string base = report.panel->id;
    if (base.empty() || base.size() > 128 || base == "from-nxml" ||
        !std::all_of(base.begin(), base.end(), [](unsigned char c) {
          return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
        })) {
      return exchange->respond(
          ErrorResponse(400, "INVALID_ARGUMENT", "id: 1 to 128 letters, digits, '-', '_' and '.'"));
    }
    for (int n = 1; host_.Find(report.panel->id) != nullptr; ++n) {
      if (!unique) {
        return exchange->respond(
            ErrorResponse(409, "CONFLICT", "there is a panel '" + base + "' already"));
      }
      report.panel->id = base + "-" + std::to_string(n);
    }
    ValueObject initial;
    if (const Value* state = body->Find("initialState"); state != nullptr && !state->is_null()) {
      const auto* members = state->As<ValueObject>();
      if (members == nullptr) {
        return exchange->respond(ErrorResponse(400, "INVALID_ARGUMENT", "initialState: an object"));
      }
      initial = *members;
    }
    const std::string id = report.panel->id;
    auto panel = host_.Mount(*std::move(report.panel), std::move(source), exchange->principal->name,
                             std::move(initial));
    if (!panel) {
      if (host_.Find(id) != nullptr) {
        return exchange->respond(ErrorResponse(409, "CONFLICT", panel.error().message()));
      }
      return exchange->respond(panel.error().code() == Code::kInvalidArgument
                                   ? ErrorResponse(400, "INVALID_NXML", panel.error().message())
                                   : FailResponse(panel.error()));
    }
    if (options_.on_panels_changed) options_.on_panels_changed();
    const std::string scheme = exchange->request.secure ? "wss://" : "ws://";
    exchange->respond(JsonResponse(201, Value::Object({{"id", id},
                                                       {"status", "running"},
                                                       {"wsUrl", scheme + exchange->request.host +
                                                                     "/panels/" + id + "/ws"}})));
  });
}

ValueObject ApiImpl::Info(const Panel& panel, std::size_t clients,
                          const Principal& principal) const {
  const PanelDefinition& definition = panel.definition();
  ValueArray tools;
  for (const ToolDefinition& tool : definition.tools) {
    if (principal.MayCall(tool.name)) tools.emplace_back(tool.name);
  }
  return ValueObject{{"id", panel.id()},
                     {"title", definition.title},
                     {"description", definition.description},
                     {"status", "running"},
                     {"owner", panel.owner()},
                     {"tools", std::move(tools)},
                     {"clientCount", std::uint64_t{clients}},
                     {"createdAt", panel.created_unix_ms()}};
}

void ApiImpl::List(const ExchangePtr& exchange) {
  if (!exchange->principal->May(Permission::kRead)) return exchange->respond(Denied("panel:read"));
  auto panels = host_.List();
  std::vector<std::size_t> clients;
  for (const auto& panel : panels) clients.push_back(hub_->CountOf(panel->id()));
  Slowly(exchange, [this, exchange, panels = std::move(panels), clients = std::move(clients)] {
    ValueArray list;
    for (std::size_t i = 0; i < panels.size(); ++i) {
      ValueObject info = Info(*panels[i], clients[i], *exchange->principal);
      info.Append("revision", panels[i]->State().revision);
      list.emplace_back(std::move(info));
    }
    const std::uint64_t total = list.size();
    exchange->respond(
        JsonResponse(200, Value::Object({{"panels", std::move(list)}, {"total", total}})));
  });
}

void ApiImpl::Describe(const ExchangePtr& exchange, const std::shared_ptr<Panel>& panel) {
  const std::size_t clients = hub_->CountOf(panel->id());
  Slowly(exchange, [this, exchange, panel, clients] {
    ValueObject info = Info(*panel, clients, *exchange->principal);
    info.Append("revision", panel->State().revision);
    info.Append("definition", CutDefinition(panel->definition(), *exchange->principal));
    exchange->respond(JsonResponse(200, Value(std::move(info))));
  });
}

void ApiImpl::ReadState(const ExchangePtr& exchange, const std::shared_ptr<Panel>& panel) {
  std::optional<std::uint64_t> revision;
  if (const auto text = QueryValue(exchange->target.query, "revision")) {
    revision = WholeNumber(*text);
    if (!revision) {
      return exchange->respond(ErrorResponse(400, "INVALID_ARGUMENT", "revision: a whole number"));
    }
  }
  Slowly(exchange, [exchange, panel, revision] {
    const KeyFilter filter = ReadableBy(exchange->principal);
    PanelSnapshot snapshot;
    if (revision) {
      Result<ValueObject> then = panel->StateAt(*revision);
      if (!then) return exchange->respond(FailResponse(then.error()));
      snapshot.state = *std::move(then);
      snapshot.revision = *revision;
    } else {
      snapshot = panel->State();
    }
    HttpResponse response;
    std::string& out = response.body;
    out = "{\"panelId\":";
    AppendJsonString(out, panel->id());
    out += ",\"revision\":" + std::to_string(snapshot.revision) + ",\"state\":";
    AppendFiltered(out, snapshot.state, filter);
    // Computed values are of now: of a past revision there are none.
    if (!revision) {
      out += ",\"computed\":";
      AppendFiltered(out, snapshot.computed, filter);
    }
    out += '}';
    exchange->respond(std::move(response));
  });
}

void ApiImpl::WriteState(const ExchangePtr& exchange, const std::shared_ptr<Panel>& panel) {
  const std::string& key = exchange->segment(3);
  if (!exchange->principal->May(Permission::kExecute) || !exchange->principal->MayWrite(key)) {
    return exchange->respond(Denied("panel:execute and state:write:" + key));
  }
  if (panel->definition().FindState(key) == nullptr) {
    return exchange->respond(ErrorResponse(
        404, "NOT_FOUND", "panel " + panel->id() + " declares no state '" + key + "'"));
  }
  Result<Value> body = ParseJson(exchange->request.body);
  const Value* value = body ? body->Find("value") : nullptr;
  if (value == nullptr) {
    return exchange->respond(ErrorResponse(
        400, "INVALID_ARGUMENT",
        "the body: " + (body ? "an object {\"value\": ...}" : body.error().message())));
  }
  panel->SetState(key, *value, exchange->principal->name, [exchange](Result<std::uint64_t> done) {
    if (!done) return exchange->respond(FailResponse(done.error()));
    exchange->respond(JsonResponse(200, Value::Object({{"revision", *done}})));
  });
}

void ApiImpl::Delete(const ExchangePtr& exchange, const std::shared_ptr<Panel>& panel) {
  if (!MayChange(*exchange->principal, *panel)) {
    return exchange->respond(Denied("panel:delete and to be its owner, or admin"));
  }
  Slowly(exchange, [this, exchange, panel] {
    const Status gone = host_.Unmount(panel->id());
    if (!gone) return exchange->respond(FailResponse(gone.error()));
    if (options_.on_panels_changed) options_.on_panels_changed();
    sockets_.post([this, exchange, panel] {
      hub_->Gone(panel->id());
      exchange->respond(HttpResponse{.status = 204});
    });
  });
}

void ApiImpl::Runs(const ExchangePtr& exchange, const std::shared_ptr<Panel>& panel) {
  const std::string& method = exchange->request.method;
  const PrincipalPtr& principal = exchange->principal;
  const auto sees = [&principal](const RunRecord& record) {
    return principal->MayReadAll() || record.principal == principal->name;
  };
  if (exchange->size() == 5) {
    if (exchange->segment(4) != "cancel" || method != "POST") {
      return exchange->respond(WrongMethod("POST"));
    }
    if (!principal->May(Permission::kExecute)) return exchange->respond(Denied("panel:execute"));
    const auto record = panel->FindRun(exchange->segment(3));
    if (record && !sees(*record)) return exchange->respond(Denied("state:read:*"));
    const Status cancelled = panel->Cancel(exchange->segment(3));
    if (!cancelled) return exchange->respond(FailResponse(cancelled.error()));
    return exchange->respond(HttpResponse{.status = 204});
  }
  if (method != "GET" && method != "HEAD") return exchange->respond(WrongMethod("GET"));
  const KeyFilter filter = ReadableBy(principal);
  if (exchange->size() == 4) {
    const auto record = panel->FindRun(exchange->segment(3));
    if (!record || !sees(*record)) {
      return exchange->respond(ErrorResponse(404, "NOT_FOUND", "there is no such run any more"));
    }
    return exchange->respond(JsonResponse(200, RunRecordToValue(*record, filter)));
  }
  Slowly(exchange, [exchange, panel, filter] {
    ValueArray runs;
    const std::size_t limit = LimitOf(exchange->target.query);
    const PrincipalPtr& reader = exchange->principal;
    for (const RunRecord& record : panel->Runs(kListMax)) {
      if (runs.size() >= limit) break;
      if (!reader->MayReadAll() && record.principal != reader->name) continue;
      runs.push_back(RunRecordToValue(record, filter));
    }
    exchange->respond(JsonResponse(200, Value::Object({{"runs", std::move(runs)}})));
  });
}

HttpResponse ApiImpl::Logs(const Exchange& exchange, const Panel& panel) const {
  if (!exchange.principal->MayReadAll()) return Denied("state:read:*");
  ValueArray logs;
  for (const LogEntry& entry : panel.Logs(LimitOf(exchange.target.query))) {
    logs.push_back(Value::Object({{"level", LogLevelName(entry.level)},
                                  {"message", entry.message},
                                  {"timestamp", entry.unix_ms}}));
  }
  return JsonResponse(200, Value::Object({{"logs", std::move(logs)}}));
}

}  // namespace nexus::internal
