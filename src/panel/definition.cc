#include "panel/definition.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include "base/json.h"
#include "base/text.h"

namespace nexus {
namespace {

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

// As JavaScript's Number() reads a text; NaN when it is none.
double JsNumber(std::string_view text) {
  text = Trim(text);
  if (text.empty()) return 0;
  const bool negative = text.front() == '-';
  std::string_view digits = text;
  if (digits.front() == '-' || digits.front() == '+') digits.remove_prefix(1);
  const bool has_sign = digits.size() != text.size();
  if (digits == "Infinity") return negative ? -HUGE_VAL : HUGE_VAL;
  int base = 10;
  if (!has_sign && digits.size() > 2 && digits[0] == '0') {
    const char mark = static_cast<char>(std::tolower(static_cast<unsigned char>(digits[1])));
    base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
  }
  if (base != 10) {
    std::uint64_t number = 0;
    const auto [end, error] =
        std::from_chars(digits.data() + 2, digits.data() + digits.size(), number, base);
    const bool whole = error == std::errc() && end == digits.data() + digits.size();
    return whole ? static_cast<double>(number) : std::nan("");
  }
  // from_chars also takes "inf", "nan" and hexadecimal floats; JavaScript does not.
  if (digits.find_first_not_of("0123456789.eE+-") != std::string_view::npos) return std::nan("");
  double number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nan("");
  return negative ? -number : number;
}

std::optional<Value> CoerceList(std::string_view text) {
  if (auto json = ParseJson(text)) {
    if (json->As<ValueArray>() != nullptr) return *std::move(json);
    return Value::Array({*std::move(json)});
  }
  if (text.find(',') == std::string_view::npos || text.starts_with('[')) return std::nullopt;
  ValueArray items;
  for (const std::string_view item : Split(text, ',')) items.emplace_back(Trim(item));
  return Value(std::move(items));
}

void AppendText(ValueObject& object, std::string key, const std::string& text) {
  if (!text.empty()) object.Append(std::move(key), text);
}

Value TextToValue(const ViewText& text) {
  constexpr std::array<std::string_view, 3> kKinds = {"literal", "binding", "interpolated"};
  ValueObject object;
  object.Append("kind", kKinds[static_cast<std::size_t>(text.kind)]);
  object.Append("raw", text.raw);
  if (!text.expressions.empty()) {
    ValueArray expressions;
    for (const std::string& expression : text.expressions) expressions.emplace_back(expression);
    object.Append("expressions", std::move(expressions));
  }
  return Value(std::move(object));
}

Value NodeToValue(const ViewNode& node) {
  if (node.type.empty()) return Value::Object({{"text", TextToValue(node.text)}});
  ValueObject object;
  object.Append("type", node.type);
  AppendText(object, "id", node.id);
  ValueObject props;
  for (const auto& [name, text] : node.props) props.Set(name, TextToValue(text));
  object.Append("props", std::move(props));
  ValueArray children;
  for (const ViewNode& child : node.children) children.push_back(NodeToValue(child));
  object.Append("children", std::move(children));
  return Value(std::move(object));
}

Value ArgToValue(const ArgDefinition& arg) {
  ValueObject object;
  object.Append("name", arg.name);
  object.Append("type", PanelTypeName(arg.type));
  object.Append("required", arg.required && !arg.default_value);
  if (arg.default_value) object.Append("default", *arg.default_value);
  AppendText(object, "description", arg.description);
  return Value(std::move(object));
}

void AppendHandler(ValueObject& object, const HandlerDefinition& handler, bool with_code) {
  ValueArray capabilities;
  for (const CapabilityToken& token : handler.requested) capabilities.push_back(token.ToString());
  object.Append("capabilities", std::move(capabilities));
  object.Append("inferred", !handler.declared.has_value());
  if (with_code) object.Append("code", handler.code);
}

Value ToolToValue(const ToolDefinition& tool, bool with_code) {
  ValueObject object;
  object.Append("name", tool.name);
  AppendText(object, "description", tool.description);
  object.Append("atomic", tool.atomic);
  const auto hint = [&object](std::string key, const std::optional<bool>& value) {
    if (value) object.Append(std::move(key), *value);
  };
  hint("readOnly", tool.read_only);
  hint("destructive", tool.destructive);
  hint("idempotent", tool.idempotent);
  hint("openWorld", tool.open_world);
  object.Append("task", NameIn(kTaskModeNames, tool.task));
  object.Append("onDisconnect", NameIn(kOnDisconnectNames, tool.on_disconnect));
  ValueArray args;
  for (const ArgDefinition& arg : tool.args) args.push_back(ArgToValue(arg));
  object.Append("args", std::move(args));
  object.Append("inputSchema", ToolInputSchema(tool));
  if (tool.output_schema) object.Append("outputSchema", *tool.output_schema);
  AppendHandler(object, tool.handler, with_code);
  return Value(std::move(object));
}

Value TriggerToValue(const TriggerDefinition& trigger) {
  ValueObject object;
  object.Append("on", NameIn(kTriggerKindNames, trigger.kind));
  if (trigger.kind == TriggerKind::kInterval) {
    object.Append("everyMs", static_cast<double>(trigger.every_ms));
  }
  AppendText(object, "expression", trigger.expression);
  AppendText(object, "pattern", trigger.pattern);
  AppendText(object, "path", trigger.path);
  object.Append("tool", trigger.tool);
  if (trigger.kind == TriggerKind::kCron) object.Append("timezone", trigger.timezone);
  object.Append("missed", NameIn(kMissedRunsNames, trigger.missed));
  return Value(std::move(object));
}

template <typename T, typename F>
ValueArray ListOf(const std::vector<T>& items, F to_value) {
  ValueArray list;
  for (const T& item : items) list.push_back(to_value(item));
  return list;
}

}  // namespace

std::string_view PanelTypeName(PanelType type) { return NameIn(kPanelTypeNames, type); }

std::optional<PanelType> PanelTypeFromName(std::string_view name) {
  const auto* const found = std::find(std::begin(kPanelTypeNames), std::end(kPanelTypeNames), name);
  if (found == std::end(kPanelTypeNames)) return std::nullopt;
  return static_cast<PanelType>(found - std::begin(kPanelTypeNames));
}

Value EmptyOfType(PanelType type) {
  switch (type) {
    case PanelType::kString:
      return "";
    case PanelType::kNumber:
      return 0;
    case PanelType::kBoolean:
      return false;
    case PanelType::kList:
      return ValueArray();
    case PanelType::kObject:
      return ValueObject();
  }
  return {};
}

bool IsOfType(const Value& value, PanelType type) {
  switch (type) {
    case PanelType::kString:
      return value.As<std::string>() != nullptr;
    case PanelType::kNumber:
      return value.As<double>() != nullptr;
    case PanelType::kBoolean:
      return value.As<bool>() != nullptr;
    case PanelType::kList:
      return value.As<ValueArray>() != nullptr;
    case PanelType::kObject:
      return value.As<ValueObject>() != nullptr;
  }
  return false;
}

std::optional<Value> CoerceText(std::string_view text, PanelType type) {
  if (type == PanelType::kString) return Value(text);
  if (Trim(text).empty()) return EmptyOfType(type);
  switch (type) {
    case PanelType::kNumber: {
      const double number = JsNumber(text);
      if (std::isfinite(number)) return Value(number);
      return std::nullopt;
    }
    case PanelType::kBoolean: {
      const std::string word = Lower(Trim(text));
      if (word == "true" || word == "yes" || word == "1" || word == "on") return Value(true);
      if (word == "false" || word == "no" || word == "0" || word == "off") return Value(false);
      return std::nullopt;
    }
    case PanelType::kList:
      return CoerceList(Trim(text));
    default: {
      auto json = ParseJson(text);
      if (json && json->As<ValueObject>() != nullptr) return *std::move(json);
      return std::nullopt;
    }
  }
}

const ToolDefinition* PanelDefinition::FindTool(std::string_view name) const {
  const auto found = std::find_if(tools.begin(), tools.end(),
                                  [name](const ToolDefinition& t) { return t.name == name; });
  return found == tools.end() ? nullptr : &*found;
}

const StateDefinition* PanelDefinition::FindState(std::string_view name) const {
  const auto found = std::find_if(states.begin(), states.end(),
                                  [name](const StateDefinition& s) { return s.name == name; });
  return found == states.end() ? nullptr : &*found;
}

const ComputedDefinition* PanelDefinition::FindComputed(std::string_view name) const {
  const auto found = std::find_if(computed.begin(), computed.end(),
                                  [name](const ComputedDefinition& c) { return c.name == name; });
  return found == computed.end() ? nullptr : &*found;
}

Value ToolInputSchema(const ToolDefinition& tool) {
  constexpr std::array<std::string_view, 5> kSchemaTypes = {"string", "number", "boolean", "array",
                                                            "object"};
  ValueObject properties;
  ValueArray required;
  for (const ArgDefinition& arg : tool.args) {
    ValueObject property;
    property.Append("type", kSchemaTypes[static_cast<std::size_t>(arg.type)]);
    AppendText(property, "description", arg.description);
    if (arg.default_value) property.Append("default", *arg.default_value);
    properties.Set(arg.name, std::move(property));
    if (arg.required && !arg.default_value) required.emplace_back(arg.name);
  }
  ValueObject schema;
  schema.Append("type", "object");
  schema.Append("properties", std::move(properties));
  if (!required.empty()) schema.Append("required", std::move(required));
  schema.Append("additionalProperties", false);
  return Value(std::move(schema));
}

Value PanelToValue(const PanelDefinition& panel, bool with_code) {
  ValueObject object;
  object.Append("id", panel.id);
  object.Append("title", panel.title);
  AppendText(object, "description", panel.description);
  AppendText(object, "version", panel.version);
  AppendText(object, "author", panel.author);
  object.Append("tags", ListOf(panel.tags, [](const std::string& tag) { return Value(tag); }));
  object.Append("states", ListOf(panel.states, [](const StateDefinition& state) {
                  return Value::Object({{"name", state.name},
                                        {"type", PanelTypeName(state.type)},
                                        {"default", state.initial}});
                }));
  object.Append("computed", ListOf(panel.computed, [](const ComputedDefinition& computed) {
                  return Value::Object({{"name", computed.name}, {"value", computed.expression}});
                }));
  object.Append("extensions", ListOf(panel.extensions, [](const ExtensionUse& use) {
                  return Value::Object({{"name", use.name}, {"alias", use.alias}});
                }));
  object.Append("tools", ListOf(panel.tools, [with_code](const ToolDefinition& tool) {
                  return ToolToValue(tool, with_code);
                }));
  object.Append("lifecycles", ListOf(panel.lifecycles, [with_code](const auto& lifecycle) {
                  ValueObject item;
                  item.Append("on", NameIn(kLifecycleEventNames, lifecycle.on));
                  AppendHandler(item, lifecycle.handler, with_code);
                  return Value(std::move(item));
                }));
  object.Append("triggers", ListOf(panel.triggers, TriggerToValue));
  object.Append("prompts", ListOf(panel.prompts, [](const PromptDefinition& prompt) {
                  ValueObject item;
                  item.Append("name", prompt.name);
                  AppendText(item, "description", prompt.description);
                  item.Append("args", ListOf(prompt.args, ArgToValue));
                  item.Append("text", prompt.text);
                  return Value(std::move(item));
                }));
  if (panel.view) object.Append("view", NodeToValue(*panel.view));
  return Value(std::move(object));
}

}  // namespace nexus
