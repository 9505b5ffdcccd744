#include "mcp/protocol/results.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "mcp/protocol/internal/fields.h"

namespace nexus::mcp {
namespace {

using internal::Fields;

constexpr std::size_t kCompletionsMax = 100;

CacheHints TakeCache(Fields& fields) {
  CacheHints hints;
  hints.ttl_ms = static_cast<std::int64_t>(
      std::clamp(fields.Number("ttlMs").value_or(0), 0.0, 9007199254740991.0));
  hints.shared = fields.TextOr("cacheScope") == "public";
  return hints;
}

template <typename T, typename Read>
RpcResult<Page<T>> ReadPage(Value value, std::string_view name, Read read) {
  Fields fields(std::move(value), "result");
  Page<T> page;
  for (Value& item : fields.Required<ValueArray>(name, "a list")) {
    RpcResult<T> one = read(std::move(item));
    if (!one) return std::unexpected(std::move(one).error());
    page.items.push_back(*std::move(one));
  }
  page.next_cursor = fields.TextOr("nextCursor");
  if (!fields.ok()) return fields.Failure();
  return page;
}

// What every result may have, so that it does not count as unknown.
ValueObject TakeFrame(Fields& fields) {
  (void)fields.Any("resultType");
  return fields.ObjectOr("_meta");
}

}  // namespace

CallToolResult ToolFailure(std::string message) {
  CallToolResult result;
  result.content.push_back(TextContent(std::move(message)));
  result.is_error = true;
  return result;
}

Value InputRequest(std::string_view method, Value params) {
  ValueObject request{{"method", method}};
  if (!params.is_undefined()) request.Append("params", std::move(params));
  return Value(std::move(request));
}

Value ToValue(const ServerCapabilities& capabilities, Revision revision) {
  ValueObject object;
  ValueObject changes;
  if (capabilities.list_changed) changes.Append("listChanged", true);
  if (capabilities.tools) object.Append("tools", changes);
  if (capabilities.resources) {
    ValueObject resources = changes;
    if (capabilities.subscribe) resources.Append("subscribe", true);
    object.Append("resources", std::move(resources));
  }
  if (capabilities.prompts) object.Append("prompts", changes);
  if (capabilities.completions && revision >= Revision::k20250326) {
    object.Append("completions", ValueObject());
  }
  if (capabilities.logging) object.Append("logging", ValueObject());
  if (IsModern(revision) && !capabilities.extensions.empty()) {
    object.Append("extensions", capabilities.extensions);
  }
  return Value(std::move(object));
}

ResultText::ResultText(const ResultFrame& frame, std::string_view type, const ValueObject& meta)
    : modern_(IsModern(frame.revision)) {
  const bool with_server = modern_ && !frame.server_info_json.empty();
  if (modern_) Json("resultType", std::string("\"").append(type).append("\""));
  if (!with_server && meta.empty()) return;
  Name("_meta");
  text_ += '{';
  if (with_server) {
    AppendJsonString(text_, meta::kServerInfo);
    text_ += ':';
    text_ += frame.server_info_json;
  }
  for (const auto& [name, value] : meta) {
    if (with_server && name == meta::kServerInfo) continue;
    if (text_.back() != '{') text_ += ',';
    AppendJsonString(text_, name);
    text_ += ':';
    AppendJson(text_, value);
  }
  text_ += '}';
}

void ResultText::Name(std::string_view name) {
  if (text_.size() > 1) text_ += ',';
  text_ += '"';
  text_ += name;
  text_ += "\":";
}

ResultText& ResultText::Member(std::string_view name, const Value& value) {
  Name(name);
  AppendJson(text_, value);
  return *this;
}

ResultText& ResultText::Json(std::string_view name, std::string_view json) {
  Name(name);
  text_ += json;
  return *this;
}

ResultText& ResultText::Members(const ValueObject& members) {
  for (const auto& [name, value] : members) {
    if (value.is_undefined()) continue;
    if (text_.size() > 1) text_ += ',';
    AppendJsonString(text_, name);
    text_ += ':';
    AppendJson(text_, value);
  }
  return *this;
}

ResultText& ResultText::Cache(const CacheHints& hints) {
  if (!modern_) return *this;
  Json("ttlMs", std::to_string(hints.ttl_ms));
  return Json("cacheScope", hints.shared ? "\"public\"" : "\"private\"");
}

std::string ResultText::Finish() && {
  text_ += '}';
  return std::move(text_);
}

std::string WriteResult(const CallToolResult& result, const ResultFrame& frame) {
  ResultText text(frame, "complete", result.meta);
  std::string content = "[";
  for (const Value& block : result.content) {
    if (content.size() > 1) content += ',';
    AppendJson(content, block);
  }
  content += ']';
  text.Json("content", content);
  if (!result.structured.is_undefined() && frame.revision >= Revision::k20250618) {
    // Before 2026-07-28 structured content is an object.
    if (IsModern(frame.revision) || result.structured.As<ValueObject>() != nullptr) {
      text.Member("structuredContent", result.structured);
    }
  }
  if (result.is_error) text.Json("isError", "true");
  return std::move(text.Members(result.extra)).Finish();
}

std::string WriteResult(const ReadResourceResult& result, const ResultFrame& frame) {
  ResultText text(frame, "complete", result.meta);
  ValueArray contents;
  for (const ResourceContents& each : result.contents) contents.push_back(ToValue(each));
  text.Member("contents", std::move(contents)).Cache(result.cache);
  return std::move(text.Members(result.extra)).Finish();
}

std::string WriteResult(const GetPromptResult& result, const ResultFrame& frame) {
  ResultText text(frame, "complete", result.meta);
  if (!result.description.empty()) text.Member("description", result.description);
  ValueArray messages;
  for (const PromptMessage& message : result.messages) {
    messages.push_back(Value::Object({{"role", message.role}, {"content", message.content}}));
  }
  text.Member("messages", std::move(messages));
  return std::move(text.Members(result.extra)).Finish();
}

std::string WriteResult(const CompleteResult& result, const ResultFrame& frame) {
  ResultText text(frame, "complete");
  const std::size_t shown = std::min(result.values.size(), kCompletionsMax);
  ValueArray values;
  for (std::size_t i = 0; i < shown; ++i) values.emplace_back(result.values[i]);
  ValueObject completion{{"values", std::move(values)}};
  if (result.total) {
    completion.Append("total", *result.total);
  } else if (shown < result.values.size()) {
    completion.Append("total", std::uint64_t{result.values.size()});
  }
  completion.Append("hasMore", result.has_more || shown < result.values.size());
  text.Member("completion", std::move(completion));
  return std::move(text).Finish();
}

std::string WriteResult(const InputRequired& result, const ResultFrame& frame) {
  ResultText text(frame, "input_required");
  if (!result.requests.empty()) text.Member("inputRequests", result.requests);
  if (result.request_state) text.Member("requestState", *result.request_state);
  return std::move(text).Finish();
}

std::string_view ResultTypeOf(const Value& result) {
  return result.StringOr("resultType", "complete");
}

RpcResult<CallToolResult> ReadCallToolResult(Value value) {
  Fields fields(std::move(value), "result");
  CallToolResult result;
  result.meta = TakeFrame(fields);
  // Before 2025-06-18 content was all there was; lists of no block are sent by some.
  result.content = fields.ListOr("content");
  for (const Value& block : result.content) {
    if (const auto wrong = CheckContent(block)) fields.Take(*wrong);
  }
  result.structured = fields.Any("structuredContent");
  result.is_error = fields.Flag("isError").value_or(false);
  result.extra = fields.Rest();
  if (!fields.ok()) return fields.Failure();
  return result;
}

RpcResult<ReadResourceResult> ReadReadResourceResult(Value value) {
  Fields fields(std::move(value), "result");
  ReadResourceResult result;
  result.meta = TakeFrame(fields);
  for (Value& item : fields.Required<ValueArray>("contents", "a list")) {
    RpcResult<ResourceContents> contents = ReadResourceContents(std::move(item));
    if (!contents) return std::unexpected(std::move(contents).error());
    result.contents.push_back(*std::move(contents));
  }
  result.cache = TakeCache(fields);
  result.extra = fields.Rest();
  if (!fields.ok()) return fields.Failure();
  return result;
}

RpcResult<GetPromptResult> ReadGetPromptResult(Value value) {
  Fields fields(std::move(value), "result");
  GetPromptResult result;
  result.meta = TakeFrame(fields);
  result.description = fields.TextOr("description");
  for (Value& item : fields.Required<ValueArray>("messages", "a list")) {
    Fields members(std::move(item), "result.messages");
    PromptMessage message{.role = members.Text("role"), .content = members.Any("content")};
    if (const auto wrong = CheckContent(message.content)) members.Take(*wrong);
    if (!members.ok()) return members.Failure();
    result.messages.push_back(std::move(message));
  }
  result.extra = fields.Rest();
  if (!fields.ok()) return fields.Failure();
  return result;
}

RpcResult<CompleteResult> ReadCompleteResult(Value value) {
  Fields fields(std::move(value), "result");
  Fields completion(Value(fields.Required<ValueObject>("completion", "an object")),
                    "result.completion");
  CompleteResult result;
  for (Value& item : completion.Required<ValueArray>("values", "a list")) {
    auto* const text = item.As<std::string>();
    if (text == nullptr) {
      completion.Wrong("values", "a list of strings");
      break;
    }
    result.values.push_back(std::move(*text));
  }
  result.total = completion.Number("total");
  result.has_more = completion.Flag("hasMore").value_or(false);
  if (!completion.ok()) fields.Take(completion.Failure().error());
  if (!fields.ok()) return fields.Failure();
  return result;
}

RpcResult<InputRequired> ReadInputRequired(Value value) {
  Fields fields(std::move(value), "result");
  InputRequired result;
  result.requests = fields.ObjectOr("inputRequests");
  for (const auto& [key, request] : result.requests) {
    const Value* const method = request.Find("method");
    if (method == nullptr || method->As<std::string>() == nullptr) {
      fields.Wrong("inputRequests", "'" + key + "' must be a request with a method");
    }
  }
  result.request_state = fields.Optional<std::string>("requestState", "a string");
  if (result.requests.empty() && !result.request_state) {
    fields.Wrong("", "an input-required result has inputRequests or a requestState");
  }
  if (!fields.ok()) return fields.Failure();
  return result;
}

RpcResult<Page<Tool>> ReadToolPage(Value value) {
  return ReadPage<Tool>(std::move(value), "tools", &ReadTool);
}
RpcResult<Page<Resource>> ReadResourcePage(Value value) {
  return ReadPage<Resource>(std::move(value), "resources", &ReadResource);
}
RpcResult<Page<ResourceTemplate>> ReadTemplatePage(Value value) {
  return ReadPage<ResourceTemplate>(std::move(value), "resourceTemplates", &ReadResourceTemplate);
}
RpcResult<Page<Prompt>> ReadPromptPage(Value value) {
  return ReadPage<Prompt>(std::move(value), "prompts", &ReadPrompt);
}

}  // namespace nexus::mcp
