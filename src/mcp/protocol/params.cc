#include "mcp/protocol/params.h"

#include <cmath>
#include <utility>

#include "mcp/protocol/internal/fields.h"

namespace nexus::mcp {
namespace {

using internal::Fields;

bool IsToken(const Value& value) {
  return value.As<std::string>() != nullptr || value.As<double>() != nullptr;
}

InputAnswers TakeInput(Fields& fields) {
  InputAnswers input;
  if (fields.Has("inputResponses")) {
    input.responses = fields.Required<ValueObject>("inputResponses", "an object");
    for (const auto& [key, response] : input.responses) {
      if (response.As<ValueObject>() == nullptr) {
        fields.Wrong("inputResponses",
                     "'" + key + "' must be an object: the answer to that request");
      }
    }
  }
  input.request_state = fields.Optional<std::string>("requestState", "a string");
  return input;
}

void CheckTexts(Fields& fields, std::string_view name, const ValueObject& object) {
  for (const auto& [key, value] : object) {
    if (value.As<std::string>() == nullptr) fields.Wrong(name, "'" + key + "' must be a string");
  }
}

void TakeModern(Fields& fields, RequestMeta& read) {
  read.protocol_version = fields.Required<std::string>(meta::kProtocolVersion, "a string");
  if (fields.Has(meta::kClientInfo)) {
    RpcResult<Implementation> client = ReadImplementation(fields.Any(meta::kClientInfo));
    if (client) {
      read.client_info = *std::move(client);
    } else {
      fields.Wrong(meta::kClientInfo, client.error().message);
    }
  }
  RpcResult<ClientCapabilities> capabilities =
      ReadClientCapabilities(fields.Any(meta::kClientCapabilities));
  if (capabilities) {
    read.client = *std::move(capabilities);
  } else {
    fields.Wrong(meta::kClientCapabilities, "an object of objects, {} for none");
  }
  if (const auto word = fields.Optional<std::string>(meta::kLogLevel, "a log level")) {
    read.log_level = LogLevelFromWord(*word);
    if (!read.log_level) fields.Wrong(meta::kLogLevel, "debug, info, ... or emergency");
  }
}

}  // namespace

bool HasModernMeta(const Value& params) {
  const Value* const found = params.Find("_meta");
  return found != nullptr && found->Find(meta::kProtocolVersion) != nullptr;
}

RpcResult<RequestMeta> TakeMeta(Value& params, bool modern) {
  RequestMeta read;
  auto* const object = params.As<ValueObject>();
  Value* const found = object == nullptr ? nullptr : object->Find("_meta");
  if (found == nullptr) {
    if (!modern) return read;
    return Refuse(
        code::kInvalidParams,
        "params._meta: every request carries its protocol version and capabilities there");
  }
  Fields fields(std::move(*found), "params._meta");
  object->Erase("_meta");
  if (fields.Has(meta::kProgressToken)) {
    read.progress_token = fields.Any(meta::kProgressToken);
    if (!IsToken(read.progress_token)) fields.Wrong(meta::kProgressToken, "a string or a number");
  }
  // A trace that is not well-formed is ignored, as W3C Trace Context wants it.
  Value trace = fields.Any(meta::kTraceParent);
  if (auto* text = trace.As<std::string>()) read.traceparent = std::move(*text);
  if (modern) TakeModern(fields, read);
  read.extra = fields.Rest();
  if (!fields.ok()) return fields.Failure();
  return read;
}

RpcResult<CallToolParams> ReadCallTool(Value params) {
  Fields fields(std::move(params), "params");
  CallToolParams read;
  read.name = fields.Text("name");
  read.arguments = fields.Any("arguments");
  if (!read.arguments.is_undefined() && read.arguments.As<ValueObject>() == nullptr) {
    fields.Wrong("arguments", "an object with the arguments by name");
  }
  read.input = TakeInput(fields);
  read.extra = fields.Rest();
  if (!fields.ok()) return fields.Failure();
  return read;
}

RpcResult<ReadResourceParams> ReadReadResource(Value params) {
  Fields fields(std::move(params), "params");
  ReadResourceParams read;
  read.uri = fields.Text("uri");
  read.input = TakeInput(fields);
  read.extra = fields.Rest();
  if (!fields.ok()) return fields.Failure();
  return read;
}

RpcResult<GetPromptParams> ReadGetPrompt(Value params) {
  Fields fields(std::move(params), "params");
  GetPromptParams read;
  read.name = fields.Text("name");
  read.arguments = fields.ObjectOr("arguments");
  CheckTexts(fields, "arguments", read.arguments);
  read.input = TakeInput(fields);
  read.extra = fields.Rest();
  if (!fields.ok()) return fields.Failure();
  return read;
}

RpcResult<CompleteParams> ReadComplete(Value params) {
  Fields fields(std::move(params), "params");
  CompleteParams read;
  Fields ref(Value(fields.Required<ValueObject>("ref", "an object with a type")), "params.ref");
  const std::string type = ref.Text("type");
  if (type == "ref/prompt") {
    read.ref = ref.Text("name");
  } else if (type == "ref/resource") {
    read.is_prompt = false;
    read.ref = ref.Text("uri");
  } else {
    ref.Wrong("type", "ref/prompt or ref/resource");
  }
  Fields argument(Value(fields.Required<ValueObject>("argument", "an object")), "params.argument");
  read.argument = argument.Text("name");
  read.value = argument.Text("value");
  Fields context(Value(fields.ObjectOr("context")), "params.context");
  read.context = context.ObjectOr("arguments");
  CheckTexts(context, "arguments", read.context);
  for (Fields* part : {&ref, &argument, &context}) {
    if (!part->ok()) fields.Take(part->Failure().error());
  }
  if (!fields.ok()) return fields.Failure();
  return read;
}

RpcResult<InitializeParams> ReadInitialize(Value params) {
  Fields fields(std::move(params), "params");
  InitializeParams read;
  read.protocol_version = fields.Text("protocolVersion");
  RpcResult<ClientCapabilities> capabilities = ReadClientCapabilities(fields.Any("capabilities"));
  if (capabilities) {
    read.client = *std::move(capabilities);
  } else {
    fields.Take(capabilities.error());
  }
  RpcResult<Implementation> client = ReadImplementation(fields.Any("clientInfo"));
  if (client) {
    read.client_info = *std::move(client);
  } else {
    fields.Take(client.error());
  }
  read.extra = fields.Rest();
  if (!fields.ok()) return fields.Failure();
  return read;
}

RpcResult<ListenFilter> ReadListen(Value params) {
  Fields fields(std::move(params), "params");
  Fields wanted(Value(fields.Required<ValueObject>("notifications", "an object")),
                "params.notifications");
  ListenFilter filter;
  filter.tools = wanted.Flag("toolsListChanged").value_or(false);
  filter.prompts = wanted.Flag("promptsListChanged").value_or(false);
  filter.resources = wanted.Flag("resourcesListChanged").value_or(false);
  for (Value& uri : wanted.ListOr("resourceSubscriptions")) {
    auto* const text = uri.As<std::string>();
    if (text == nullptr) {
      wanted.Wrong("resourceSubscriptions", "a list of URIs");
      break;
    }
    filter.uris.push_back(std::move(*text));
  }
  if (!wanted.ok()) fields.Take(wanted.Failure().error());
  if (!fields.ok()) return fields.Failure();
  return filter;
}

RpcResult<CancelledParams> ReadCancelled(Value params) {
  Fields fields(std::move(params), "params");
  CancelledParams read;
  if (std::optional<RequestId> id = RequestId::From(fields.Any("requestId"))) {
    read.request_id = *std::move(id);
  } else {
    fields.Wrong("requestId", "the id of the request to cancel");
  }
  read.reason = fields.TextOr("reason");
  if (!fields.ok()) return fields.Failure();
  return read;
}

RpcResult<ProgressParams> ReadProgress(Value params) {
  Fields fields(std::move(params), "params");
  ProgressParams read;
  read.token = fields.Any("progressToken");
  if (!IsToken(read.token)) fields.Wrong("progressToken", "a string or a number");
  read.progress = fields.Required<double>("progress", "a number");
  read.total = fields.Number("total");
  read.message = fields.TextOr("message");
  if (!fields.ok()) return fields.Failure();
  return read;
}

RpcResult<LogLevel> ReadSetLevel(Value params) {
  Fields fields(std::move(params), "params");
  const std::string word = fields.Text("level");
  if (!fields.ok()) return fields.Failure();
  const std::optional<LogLevel> level = LogLevelFromWord(word);
  if (!level) return Refuse(code::kInvalidParams, "params.level: debug, info, ... or emergency");
  return *level;
}

RpcResult<std::string> ReadUri(Value params) {
  Fields fields(std::move(params), "params");
  std::string uri = fields.Text("uri");
  if (!fields.ok()) return fields.Failure();
  return uri;
}

RpcResult<std::string> ReadCursor(Value params) {
  Fields fields(std::move(params), "params");
  std::string cursor = fields.TextOr("cursor");
  if (!fields.ok()) return fields.Failure();
  return cursor;
}

Value ModernMeta(const Implementation& client, const ValueObject& capabilities, Revision revision) {
  return Value::Object({{std::string(meta::kProtocolVersion), RevisionName(revision)},
                        {std::string(meta::kClientInfo), ToValue(client, revision)},
                        {std::string(meta::kClientCapabilities), capabilities}});
}

Value ToValue(const ProgressParams& params) {
  ValueObject object{{"progressToken", params.token}, {"progress", params.progress}};
  if (params.total) object.Append("total", *params.total);
  if (!params.message.empty()) object.Append("message", params.message);
  return Value(std::move(object));
}

Value ToValue(const ListenFilter& filter) {
  ValueObject object;
  if (filter.tools) object.Append("toolsListChanged", true);
  if (filter.prompts) object.Append("promptsListChanged", true);
  if (filter.resources) object.Append("resourcesListChanged", true);
  if (!filter.uris.empty()) {
    ValueArray uris(filter.uris.begin(), filter.uris.end());
    object.Append("resourceSubscriptions", std::move(uris));
  }
  return Value(std::move(object));
}

}  // namespace nexus::mcp
