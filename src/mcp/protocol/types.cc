#include "mcp/protocol/types.h"

#include <algorithm>
#include <array>
#include <utility>

#include "mcp/protocol/internal/fields.h"

namespace nexus::mcp {
namespace {

using internal::Fields;

constexpr std::array<std::string_view, 8> kLevels = {"debug", "info",     "notice", "warning",
                                                     "error", "critical", "alert",  "emergency"};

bool HasObject(const ValueObject& object, std::string_view key) {
  const Value* const found = object.Find(key);
  return found != nullptr && found->As<ValueObject>() != nullptr;
}

void AppendText(ValueObject& to, const char* name, const std::string& text) {
  if (!text.empty()) to.Append(name, text);
}

void AppendFlag(ValueObject& to, const char* name, const std::optional<bool>& flag) {
  if (flag) to.Append(name, *flag);
}

// What all listed things end with.
template <typename T>
void AppendTail(ValueObject& to, const T& item, Revision revision) {
  if (!item.icons.empty() && revision >= Revision::k20251125) to.Append("icons", item.icons);
  if (!item.meta.empty() && revision >= Revision::k20250618) to.Append("_meta", item.meta);
  for (const auto& [name, value] : item.extra) to.Append(name, value);
}

void AppendTitle(ValueObject& to, const std::string& title, Revision revision) {
  if (revision >= Revision::k20250618) AppendText(to, "title", title);
}

template <typename T>
void TakeTail(Fields& fields, T& item) {
  item.icons = fields.ListOr("icons");
  item.meta = fields.ObjectOr("_meta");
  item.extra = fields.Rest();
}

ToolAnnotations TakeAnnotations(Fields& tool) {
  ToolAnnotations annotations;
  Value value = tool.Any("annotations");
  if (value.is_undefined()) return annotations;
  Fields fields(std::move(value), "annotations");
  annotations.title = fields.TextOr("title");
  annotations.read_only = fields.Flag("readOnlyHint");
  annotations.destructive = fields.Flag("destructiveHint");
  annotations.idempotent = fields.Flag("idempotentHint");
  annotations.open_world = fields.Flag("openWorldHint");
  if (!fields.ok()) tool.Take(fields.Failure().error());
  return annotations;
}

}  // namespace

std::string_view LogLevelWord(LogLevel level) { return kLevels[static_cast<std::size_t>(level)]; }

std::optional<LogLevel> LogLevelFromWord(std::string_view word) {
  const auto* const found = std::find(kLevels.begin(), kLevels.end(), word);
  if (found == kLevels.end()) return std::nullopt;
  return static_cast<LogLevel>(found - kLevels.begin());
}

bool ClientCapabilities::CanAnswer(std::string_view method) const {
  if (method == "sampling/createMessage") return sampling;
  if (method == "elicitation/create") return elicitation_form || elicitation_url;
  if (method == "roots/list") return roots;
  return false;
}

Value ClientCapabilities::NeededFor(std::string_view method) {
  const char* const name = method == "sampling/createMessage" ? "sampling"
                           : method == "roots/list"           ? "roots"
                                                              : "elicitation";
  return Value::Object({{name, Value::Object()}});
}

Value TextContent(std::string text) {
  return Value::Object({{"type", "text"}, {"text", std::move(text)}});
}

Value ImageContent(std::string data_base64, std::string mime_type) {
  return Value::Object(
      {{"type", "image"}, {"data", std::move(data_base64)}, {"mimeType", std::move(mime_type)}});
}

Value AudioContent(std::string data_base64, std::string mime_type) {
  return Value::Object(
      {{"type", "audio"}, {"data", std::move(data_base64)}, {"mimeType", std::move(mime_type)}});
}

Value EmbeddedResource(const ResourceContents& contents) {
  return Value::Object({{"type", "resource"}, {"resource", ToValue(contents)}});
}

Value ResourceLink(const Resource& resource) {
  ValueObject link{{"type", "resource_link"}};
  Value members = ToValue(resource, kNewest);
  for (auto& [name, value] : members.As<ValueObject>()->entries()) {
    link.Append(std::move(name), std::move(value));
  }
  return Value(std::move(link));
}

std::optional<RpcError> CheckContent(const Value& block) {
  Fields fields(block, "content");
  if (!block.As<ValueObject>()) fields.Wrong("", "an object with a type");
  const std::string type = fields.Text("type");
  if (type == "text") {
    (void)fields.Text("text");
  } else if (type == "image" || type == "audio") {
    (void)fields.Text("data");
    (void)fields.Text("mimeType");
  } else if (type == "resource") {
    RpcResult<ResourceContents> contents = ReadResourceContents(fields.Any("resource"));
    if (!contents) fields.Take(contents.error());
  } else if (type == "resource_link") {
    (void)fields.Text("uri");
    (void)fields.Text("name");
  }
  if (fields.ok()) return std::nullopt;
  return fields.Failure().error();
}

RpcResult<Implementation> ReadImplementation(Value value) {
  Fields fields(std::move(value), "implementation");
  Implementation implementation;
  implementation.name = fields.Text("name");
  implementation.version = fields.Text("version");
  implementation.title = fields.TextOr("title");
  implementation.extra = fields.Rest();
  if (!fields.ok()) return fields.Failure();
  return implementation;
}

Value ToValue(const Implementation& implementation, Revision revision) {
  ValueObject object{{"name", implementation.name}, {"version", implementation.version}};
  AppendTitle(object, implementation.title, revision);
  for (const auto& [name, value] : implementation.extra) object.Append(name, value);
  return Value(std::move(object));
}

RpcResult<ClientCapabilities> ReadClientCapabilities(Value value) {
  auto* const object = value.As<ValueObject>();
  if (object == nullptr) return Refuse(code::kInvalidParams, "capabilities: an object");
  for (const auto& [name, member] : *object) {
    if (member.As<ValueObject>() == nullptr) {
      return Refuse(code::kInvalidParams, "capabilities." + name + ": an object");
    }
  }
  ClientCapabilities capabilities;
  capabilities.roots = HasObject(*object, "roots");
  if (const Value* sampling = object->Find("sampling")) {
    capabilities.sampling = true;
    capabilities.sampling_tools = HasObject(*sampling->As<ValueObject>(), "tools");
  }
  if (const Value* elicitation = object->Find("elicitation")) {
    const auto& modes = *elicitation->As<ValueObject>();
    capabilities.elicitation_url = HasObject(modes, "url");
    // An empty object means forms: that was all there was before there were modes.
    capabilities.elicitation_form = HasObject(modes, "form") || !capabilities.elicitation_url;
  }
  capabilities.raw = std::move(*object);
  return capabilities;
}

RpcResult<Tool> ReadTool(Value value) {
  Fields fields(std::move(value), "tool");
  Tool tool;
  tool.name = fields.Text("name");
  tool.title = fields.TextOr("title");
  tool.description = fields.TextOr("description");
  tool.input_schema = fields.Any("inputSchema");
  if (tool.input_schema.StringOr("type", "") != "object") {
    fields.Wrong("inputSchema", "an object with type \"object\"");
  }
  tool.output_schema = fields.Any("outputSchema");
  if (!tool.output_schema.is_undefined() && tool.output_schema.As<ValueObject>() == nullptr) {
    fields.Wrong("outputSchema", "an object");
  }
  tool.annotations = TakeAnnotations(fields);
  TakeTail(fields, tool);
  if (!fields.ok()) return fields.Failure();
  return tool;
}

Value ToValue(const Tool& tool, Revision revision) {
  ValueObject object{{"name", tool.name}};
  AppendTitle(object, tool.title, revision);
  AppendText(object, "description", tool.description);
  object.Append("inputSchema", tool.input_schema);
  if (!tool.output_schema.is_undefined() && revision >= Revision::k20250618) {
    // Before 2026-07-28 what a tool gives as structured content is an object.
    if (IsModern(revision) || tool.output_schema.StringOr("type", "") == "object") {
      object.Append("outputSchema", tool.output_schema);
    }
  }
  if (!tool.annotations.empty() && revision >= Revision::k20250326) {
    ValueObject hints;
    AppendText(hints, "title", tool.annotations.title);
    AppendFlag(hints, "readOnlyHint", tool.annotations.read_only);
    AppendFlag(hints, "destructiveHint", tool.annotations.destructive);
    AppendFlag(hints, "idempotentHint", tool.annotations.idempotent);
    AppendFlag(hints, "openWorldHint", tool.annotations.open_world);
    object.Append("annotations", std::move(hints));
  }
  AppendTail(object, tool, revision);
  return Value(std::move(object));
}

RpcResult<Resource> ReadResource(Value value) {
  Fields fields(std::move(value), "resource");
  Resource resource;
  resource.uri = fields.Text("uri");
  resource.name = fields.Text("name");
  resource.title = fields.TextOr("title");
  resource.description = fields.TextOr("description");
  resource.mime_type = fields.TextOr("mimeType");
  resource.size = fields.Number("size");
  resource.annotations = fields.Any("annotations");
  TakeTail(fields, resource);
  if (!fields.ok()) return fields.Failure();
  return resource;
}

Value ToValue(const Resource& resource, Revision revision) {
  ValueObject object{{"uri", resource.uri}, {"name", resource.name}};
  AppendTitle(object, resource.title, revision);
  AppendText(object, "description", resource.description);
  AppendText(object, "mimeType", resource.mime_type);
  if (resource.size) object.Append("size", *resource.size);
  if (!resource.annotations.is_undefined()) object.Append("annotations", resource.annotations);
  AppendTail(object, resource, revision);
  return Value(std::move(object));
}

RpcResult<ResourceTemplate> ReadResourceTemplate(Value value) {
  Fields fields(std::move(value), "resourceTemplate");
  ResourceTemplate item;
  item.uri_template = fields.Text("uriTemplate");
  item.name = fields.Text("name");
  item.title = fields.TextOr("title");
  item.description = fields.TextOr("description");
  item.mime_type = fields.TextOr("mimeType");
  item.annotations = fields.Any("annotations");
  TakeTail(fields, item);
  if (!fields.ok()) return fields.Failure();
  return item;
}

Value ToValue(const ResourceTemplate& item, Revision revision) {
  ValueObject object{{"uriTemplate", item.uri_template}, {"name", item.name}};
  AppendTitle(object, item.title, revision);
  AppendText(object, "description", item.description);
  AppendText(object, "mimeType", item.mime_type);
  if (!item.annotations.is_undefined()) object.Append("annotations", item.annotations);
  AppendTail(object, item, revision);
  return Value(std::move(object));
}

RpcResult<Prompt> ReadPrompt(Value value) {
  Fields fields(std::move(value), "prompt");
  Prompt prompt;
  prompt.name = fields.Text("name");
  prompt.title = fields.TextOr("title");
  prompt.description = fields.TextOr("description");
  for (Value& argument : fields.ListOr("arguments")) {
    Fields members(std::move(argument), "prompt.arguments");
    prompt.arguments.push_back({.name = members.Text("name"),
                                .title = members.TextOr("title"),
                                .description = members.TextOr("description"),
                                .required = members.Flag("required").value_or(false)});
    if (!members.ok()) fields.Take(members.Failure().error());
  }
  TakeTail(fields, prompt);
  if (!fields.ok()) return fields.Failure();
  return prompt;
}

Value ToValue(const Prompt& prompt, Revision revision) {
  ValueObject object{{"name", prompt.name}};
  AppendTitle(object, prompt.title, revision);
  AppendText(object, "description", prompt.description);
  if (!prompt.arguments.empty()) {
    ValueArray arguments;
    for (const PromptArgument& argument : prompt.arguments) {
      ValueObject item{{"name", argument.name}};
      AppendTitle(item, argument.title, revision);
      AppendText(item, "description", argument.description);
      if (argument.required) item.Append("required", true);
      arguments.emplace_back(std::move(item));
    }
    object.Append("arguments", std::move(arguments));
  }
  AppendTail(object, prompt, revision);
  return Value(std::move(object));
}

RpcResult<ResourceContents> ReadResourceContents(Value value) {
  Fields fields(std::move(value), "contents");
  ResourceContents contents;
  contents.uri = fields.Text("uri");
  contents.mime_type = fields.TextOr("mimeType");
  contents.text = fields.Optional<std::string>("text", "a string");
  contents.blob_base64 = fields.Optional<std::string>("blob", "a string");
  if (contents.text.has_value() == contents.blob_base64.has_value()) {
    fields.Wrong("", "either a text or a blob");
  }
  contents.meta = fields.ObjectOr("_meta");
  contents.extra = fields.Rest();
  if (!fields.ok()) return fields.Failure();
  return contents;
}

Value ToValue(const ResourceContents& contents) {
  ValueObject object{{"uri", contents.uri}};
  AppendText(object, "mimeType", contents.mime_type);
  if (contents.text) object.Append("text", *contents.text);
  if (contents.blob_base64) object.Append("blob", *contents.blob_base64);
  if (!contents.meta.empty()) object.Append("_meta", contents.meta);
  for (const auto& [name, value] : contents.extra) object.Append(name, value);
  return Value(std::move(object));
}

}  // namespace nexus::mcp
