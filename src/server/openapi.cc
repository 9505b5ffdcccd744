#include "server/openapi.h"

#include <initializer_list>
#include <string_view>
#include <utility>

#include "base/json.h"
#include "base/value.h"

namespace nexus {
namespace {

Value Ref(const char* schema) {
  return Value::Object({{"$ref", std::string("#/components/schemas/") + schema}});
}

Value Text(const char* type) { return Value::Object({{"type", type}}); }

Value Content(Value schema) {
  return Value::Object({{"application/json", Value::Object({{"schema", std::move(schema)}})}});
}

Value PathParameter(const std::string& name) {
  return Value::Object(
      {{"name", name}, {"in", "path"}, {"required", true}, {"schema", Text("string")}});
}

Value QueryParameter(const char* name, const char* type, const char* what) {
  return Value::Object(
      {{"name", name}, {"in", "query"}, {"description", what}, {"schema", Text(type)}});
}

struct Operation {
  const char* path;
  const char* method;
  const char* id;
  const char* summary;
  const char* status;
  const char* answer;           // Schema; nullptr: no body.
  const char* body = nullptr;   // Schema; nullptr: none.
  const char* query = nullptr;  // One query parameter.
  const char* query_type = "integer";
  bool open = false;  // Without authentication.
};

constexpr Operation kOperations[] = {
    {"/healthz", "get", "live", "The process lives", "200", "Status", nullptr, nullptr, "", true},
    {"/readyz", "get", "ready", "Calls are taken; 503 with the reason when not", "200", "Status",
     nullptr, nullptr, "", true},
    {"/health", "get", "health", "How it stands", "200", "Health", nullptr, nullptr, "", true},
    {"/auth/me", "get", "me", "Who the caller is", "200", "Me"},
    {"/auth/tickets", "post", "createTicket", "A one-time ticket for a WebSocket", "200", "Ticket",
     "TicketRequest"},
    {"/panels", "get", "listPanels", "The panels the caller may see", "200", "PanelList"},
    {"/panels", "post", "createPanel", "Mounts a panel", "201", "Created", "CreateRequest"},
    {"/panels/from-nxml", "post", "createPanelFromNxml", "Mounts a panel; a taken id gets a suffix",
     "201", "Created", "CreateRequest"},
    {"/panels/{id}", "get", "getPanel", "A panel with its definition", "200", "Panel"},
    {"/panels/{id}", "delete", "deletePanel", "Unmounts a panel and removes its data", "204",
     nullptr},
    {"/panels/{id}/state", "get", "getState", "State and computed values", "200", "State", nullptr,
     "revision"},
    {"/panels/{id}/state/{key}", "put", "putState", "Writes one key", "200", "Revision",
     "StateWrite"},
    {"/panels/{id}/trigger/{tool}", "post", "callTool", "Calls a tool; the body is its arguments",
     "200", "RunResult", "Arguments", "wait", "boolean"},
    {"/panels/{id}/runs", "get", "listRuns", "Newest runs first", "200", "RunList", nullptr,
     "limit"},
    {"/panels/{id}/runs/{runId}", "get", "getRun", "One run", "200", "Run"},
    {"/panels/{id}/runs/{runId}/cancel", "post", "cancelRun", "Stops a run", "204", nullptr},
    {"/approvals", "get", "listApprovals", "Runs that ask for rights; status=all: decided ones too",
     "200", "ApprovalList", nullptr, "status", "string"},
    {"/approvals/{id}", "get", "getApproval", "One request for rights", "200", "Approval"},
    {"/approvals/{id}/approve", "post", "approve",
     "Grants it; needs panel:approve and the right itself", "200", "Approval", "ApproveRequest"},
    {"/approvals/{id}/deny", "post", "deny", "Refuses it", "200", "Approval", "DenyRequest"},
    {"/panels/{id}/logs", "get", "listLogs", "Newest log lines", "200", "LogList", nullptr,
     "limit"},
};

Value Schemas() {
  const auto object = [](std::initializer_list<ValueObject::Entry> members) {
    return Value::Object({{"type", "object"}, {"properties", Value::Object(members)}});
  };
  const auto list = [](Value items) {
    return Value::Object({{"type", "array"}, {"items", std::move(items)}});
  };
  const Value any = Value::Object();
  const Value text = Text("string");
  const Value whole = Text("integer");
  const Value map = Text("object");
  return Value::Object({
      {"Error", object({{"error", object({{"code", text}, {"message", text}, {"details", any}})}})},
      {"Status", object({{"status", text}})},
      {"Health", object({{"status", text},
                         {"version", text},
                         {"uptime", whole},
                         {"panels", map},
                         {"runtime", map}})},
      {"Me", object({{"principal", text},
                     {"capabilities", list(text)},
                     {"permissions", list(text)},
                     {"authRequired", Text("boolean")}})},
      {"Ticket", object({{"ticket", text}, {"expiresInMs", whole}})},
      {"TicketRequest", object({{"panelId", text}})},
      {"CreateRequest", object({{"id", text},
                                {"nxmlSource", text},
                                {"source", text},
                                {"initialState", map},
                                {"tools", list(map)},
                                {"title", text}})},
      {"Created", object({{"id", text}, {"status", text}, {"wsUrl", text}})},
      {"PanelInfo", object({{"id", text},
                            {"title", text},
                            {"description", text},
                            {"status", text},
                            {"owner", text},
                            {"revision", whole},
                            {"tools", list(text)},
                            {"clientCount", whole},
                            {"createdAt", whole}})},
      {"PanelList", object({{"panels", list(Ref("PanelInfo"))}, {"total", whole}})},
      {"Panel", object({{"id", text}, {"title", text}, {"owner", text}, {"definition", map}})},
      {"State",
       object({{"panelId", text}, {"revision", whole}, {"state", map}, {"computed", map}})},
      {"StateWrite", object({{"value", any}})},
      {"Revision", object({{"revision", whole}})},
      {"Arguments", map},
      {"RunResult", object({{"runId", text},
                            {"status", text},
                            {"returnValue", any},
                            {"stateMutations", list(map)},
                            {"events", list(map)},
                            {"viewCommands", list(map)},
                            {"error", map},
                            {"metrics", map}})},
      {"Run", object({{"runId", text},
                      {"handler", text},
                      {"principal", text},
                      {"startedAt", whole},
                      {"args", map},
                      {"result", Ref("RunResult")}})},
      {"RunList", object({{"runs", list(Ref("Run"))}})},
      {"Approval", object({{"id", text},
                           {"status", text},
                           {"capabilities", list(text)},
                           {"grants", list(map)},
                           {"reason", text},
                           {"forMs", whole},
                           {"panelId", text},
                           {"handler", text},
                           {"runId", text},
                           {"principal", text},
                           {"askedAt", whole},
                           {"decidedBy", text},
                           {"decidedAt", whole},
                           {"note", text},
                           {"expiresAt", whole},
                           {"mayApprove", Text("boolean")}})},
      {"ApprovalList", object({{"approvals", list(Ref("Approval"))}})},
      {"ApproveRequest", object({{"forMs", whole}})},
      {"DenyRequest", object({{"reason", text}})},
      {"LogList",
       object(
           {{"logs", list(object({{"level", text}, {"message", text}, {"timestamp", whole}}))}})},
  });
}

Value OperationValue(const Operation& operation) {
  ValueObject answers;
  ValueObject good{{"description", operation.summary}};
  if (operation.answer != nullptr) good.Append("content", Content(Ref(operation.answer)));
  answers.Append(operation.status, std::move(good));
  answers.Append("default", Value::Object({{"description", "What went wrong"},
                                           {"content", Content(Ref("Error"))}}));
  ValueArray parameters;
  const std::string_view path = operation.path;
  for (std::size_t at = path.find('{'); at != std::string_view::npos; at = path.find('{', at + 1)) {
    parameters.push_back(
        PathParameter(std::string(path.substr(at + 1, path.find('}', at) - at - 1))));
  }
  if (operation.query != nullptr) {
    parameters.push_back(QueryParameter(operation.query, operation.query_type, operation.query));
  }
  ValueObject value{{"operationId", operation.id}, {"summary", operation.summary}};
  if (!parameters.empty()) value.Append("parameters", std::move(parameters));
  if (operation.body != nullptr) {
    value.Append("requestBody", Value::Object({{"content", Content(Ref(operation.body))}}));
  }
  value.Append("responses", std::move(answers));
  if (operation.open) value.Append("security", ValueArray());
  return value;
}

std::string Make() {
  ValueObject paths;
  for (const Operation& operation : kOperations) {
    Value* path = paths.Find(operation.path);
    if (path == nullptr) {
      paths.Append(operation.path, Value::Object());
      path = paths.Find(operation.path);
    }
    path->As<ValueObject>()->Append(operation.method, OperationValue(operation));
  }
  const Value bearer = Value::Object({{"type", "http"}, {"scheme", "bearer"}});
  const Value key = Value::Object({{"type", "apiKey"}, {"in", "header"}, {"name", "X-API-Key"}});
  return ToJson(Value::Object(
      {{"openapi", "3.1.0"},
       {"info", Value::Object({{"title", "Nexus"},
                               {"version", NEXUS_VERSION},
                               {"description", "Panels over HTTP; WebSocket: docs/API.md"}})},
       {"paths", std::move(paths)},
       {"components",
        Value::Object({{"schemas", Schemas()},
                       {"securitySchemes", Value::Object({{"bearer", bearer}, {"key", key}})}})},
       {"security", Value::Array({Value::Object({{"bearer", ValueArray()}}),
                                  Value::Object({{"key", ValueArray()}})})}}));
}

}  // namespace

const std::string& OpenApiDocument() {
  static const std::string document = Make();
  return document;
}

}  // namespace nexus
