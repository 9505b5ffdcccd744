// Tools, triggers, prompts, and handlers with their code.
#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <span>
#include <utility>

#include "base/json.h"
#include "capability/inference.h"
#include "panel/nxml/internal/reader.h"
#include "panel/schedule/cron.h"
#include "source/scopes.h"

namespace nexus::internal {
namespace {

// prototype-facts 2.4. `globalThis` is exempt: it is the sandbox's own.
constexpr std::string_view kForbiddenGlobals[] = {"window",
                                                  "document",
                                                  "self",
                                                  "frames",
                                                  "parent",
                                                  "top",
                                                  "fetch",
                                                  "XMLHttpRequest",
                                                  "WebSocket",
                                                  "Worker",
                                                  "SharedWorker",
                                                  "ServiceWorker",
                                                  "eval",
                                                  "Function",
                                                  "importScripts",
                                                  "localStorage",
                                                  "sessionStorage",
                                                  "indexedDB",
                                                  "caches",
                                                  "cookieStore",
                                                  "navigator",
                                                  "location",
                                                  "history",
                                                  "alert",
                                                  "confirm",
                                                  "prompt",
                                                  "open",
                                                  "close",
                                                  "print",
                                                  "postMessage",
                                                  "addEventListener",
                                                  "removeEventListener",
                                                  "dispatchEvent",
                                                  "setTimeout",
                                                  "setInterval",
                                                  "requestAnimationFrame",
                                                  "cancelAnimationFrame",
                                                  "queueMicrotask",
                                                  "crypto",
                                                  "performance"};

constexpr std::string_view kLimitNames[] = {
    "timeout",   "wall",   "cpu", "memory",       "stack",  "deadline",    "hostCalls",
    "mutations", "events", "log", "viewCommands", "result", "suspensions", "snapshot"};
constexpr std::string_view kExtMethods[] = {"list", "exists", "methods"};

bool IsExtensionName(std::string_view name) {
  if (name.empty() || name.size() > 128) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

// "90s", "5m", "500ms", "1h30m": milliseconds; nullopt when it is none.
std::optional<std::int64_t> ReadDuration(std::string_view text) {
  std::int64_t total = 0;
  text = Trim(text);
  if (text.empty()) return std::nullopt;
  bool bare = false;
  while (!text.empty() && !bare) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || number < 0 || number > 1'000'000'000) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    std::size_t unit = 0;
    while (unit < text.size() && (text[unit] < '0' || text[unit] > '9')) ++unit;
    const std::string_view name = Trim(text.substr(0, unit));
    text.remove_prefix(unit);
    bare = name.empty();  // Milliseconds, as the prototype had it.
    const std::int64_t factor = name == "ms" || bare ? 1
                                : name == "s"        ? 1000
                                : name == "m"        ? 60'000
                                : name == "h"        ? 3'600'000
                                : name == "d"        ? 86'400'000
                                                     : 0;
    if (factor == 0) return std::nullopt;
    total += number * factor;
  }
  return text.empty() && total > 0 ? std::optional(total) : std::nullopt;
}

bool IsTypeofOperand(const SyntaxTree& tree, SyntaxTree::Index node) {
  const SyntaxTree::Index parent = tree[node].parent;
  if (tree[parent].kind != SyntaxKind::kUnaryExpression) return false;
  return tree.Text(parent).starts_with("typeof");
}

// `name` after the dot of `object.name`; "" when the node is used otherwise.
std::string_view MemberOf(const SyntaxTree& tree, SyntaxTree::Index object) {
  const SyntaxTree::Index parent = tree[object].parent;
  if (tree[parent].kind != SyntaxKind::kMemberExpression ||
      tree.Child(parent, SyntaxField::kObject) != object) {
    return {};
  }
  const SyntaxTree::Index property = tree.Child(parent, SyntaxField::kProperty);
  return property == SyntaxTree::kNone ? std::string_view() : tree.Text(property);
}

// "3:7: reason" of a parse error as a place and a reason.
std::pair<SourcePosition, std::string> SplitPlace(const std::string& message) {
  SourcePosition at;
  const char* const end = message.data() + message.size();
  const auto line = std::from_chars(message.data(), end, at.line);
  if (line.ec != std::errc() || line.ptr == end || *line.ptr != ':') return {{}, message};
  const auto column = std::from_chars(line.ptr + 1, end, at.column);
  if (column.ec != std::errc() || column.ptr == end || *column.ptr != ':') return {{}, message};
  return {at, std::string(Trim(std::string_view(column.ptr + 1, end)))};
}

std::string DecodedEntities(std::string_view code) {
  std::string decoded;
  while (!code.empty()) {
    constexpr std::array<std::pair<std::string_view, char>, 5> kEntities = {
        {{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&apos;", '\''}}};
    const auto entity = std::find_if(kEntities.begin(), kEntities.end(),
                                     [code](const auto& e) { return code.starts_with(e.first); });
    decoded += entity == kEntities.end() ? code.front() : entity->second;
    code.remove_prefix(entity == kEntities.end() ? 1 : entity->first.size());
  }
  return decoded;
}

}  // namespace

void Reader::ReadLogic(const Element& logic) {
  CheckAttributes(logic, {}, "logic");
  CheckNoText(logic, "logic");
  for (const Content& content : logic.content) {
    if (content.element == nullptr) continue;
    const Element& element = *content.element;
    if (element.name == "Extension") {
      ReadExtension(element);
    } else if (element.name == "Tool") {
      ReadTool(element);
    } else if (element.name == "Lifecycle") {
      ReadLifecycle(element);
    } else if (element.name == "Trigger") {
      ReadTrigger(element);
    } else if (element.name == "Prompt") {
      ReadPrompt(element);
    } else {
      UnknownChild(element, "Logic", {"Extension", "Tool", "Lifecycle", "Trigger", "Prompt"},
                   "logic");
    }
  }
}

void Reader::ReadExtension(const Element& element) {
  ExtensionUse use;
  use.name = Text(element, "name");
  use.alias = Text(element, "alias");
  if (use.alias.empty()) use.alias = use.name.substr(use.name.find_last_of('.') + 1);
  const std::string path = "logic/extensions/" + use.alias;
  CheckAttributes(element, {"name", "alias", "source"}, path);
  CheckNoText(element, path);
  Required(element, "name", path);
  use.source = Text(element, "source");
  use.position = At(element.offset);
  const bool aliased = element.Find("alias") != nullptr;
  if (!use.name.empty() && !IsExtensionName(use.name)) {
    Error("INVALID_IDENTIFIER", element.OffsetOf("name"),
          "'" + use.name + "' is no extension's name: letters, digits, _ - and dots", path);
  }
  Identifier(use.alias, element, aliased ? "alias" : "name", path);
  if (std::find(std::begin(kExtMethods), std::end(kExtMethods), use.alias) !=
      std::end(kExtMethods)) {
    Error("RESERVED_NAME", element.OffsetOf(aliased ? "alias" : "name"),
          "'" + use.alias + "' is a method of $ext: choose another alias", path);
  }
  if (const auto line = DeclaredBefore("extension", use.alias, use.position.line)) {
    Error("DUPLICATE_EXTENSION_ALIAS", element.offset,
          "the alias '" + use.alias + "' is taken on line " + std::to_string(line), path);
  }
  panel_.extensions.push_back(std::move(use));
}

ArgDefinition Reader::ReadArg(const Element& element, const std::string& path) {
  CheckAttributes(element, {"name", "type", "required", "default", "description"}, path);
  CheckNoText(element, path);
  ArgDefinition arg;
  arg.name = Required(element, "name", path);
  Identifier(arg.name, element, "name", path);
  arg.type = TypeOf(element, path);
  arg.required = Flag(element, "required", path).value_or(true);
  // An optional argument whose default is empty text has the empty value of its type.
  arg.default_value = DefaultOf(element, arg.type, path);
  arg.description = Text(element, "description");
  arg.position = At(element.offset);
  return arg;
}

void Reader::ReadArgs(const Element& element, std::vector<ArgDefinition>& args,
                      const std::string& path) {
  std::map<std::string, std::uint32_t> lines;
  for (const Content& content : element.content) {
    if (content.element == nullptr || content.element->name != "Arg") continue;
    ArgDefinition arg = ReadArg(*content.element, path + "/args/" + Text(*content.element, "name"));
    const auto [first, is_first] = lines.emplace(arg.name, arg.position.line);
    if (!is_first && !arg.name.empty()) {
      Error("DUPLICATE_ARG", content.element->offset,
            "the argument '" + arg.name + "' is declared on line " + std::to_string(first->second) +
                " already",
            path);
    }
    args.push_back(std::move(arg));
  }
}

void Reader::ReadOutput(const Element& element, ToolDefinition& tool, const std::string& path) {
  CheckAttributes(element, {"schema"}, path);
  std::string text = Text(element, "schema");
  std::size_t offset = element.OffsetOf("schema");
  for (const Content& content : element.content) {
    if (content.element == nullptr && !Trim(content.text.text).empty()) {
      text = content.text.text;
      offset = content.text.offset;
    }
  }
  auto schema = ParseJson(text);
  if (!schema || (schema->As<ValueObject>() == nullptr && schema->As<bool>() == nullptr)) {
    return Error("INVALID_TYPE", offset,
                 "the schema of <Output> is a JSON Schema, an object" +
                     (schema ? std::string() : ": " + schema.error().message()),
                 path);
  }
  tool.output_schema = *std::move(schema);
}

void Reader::ReadTool(const Element& element) {
  ToolDefinition tool;
  tool.name = Text(element, "name");
  const std::string path = "logic/tools/" + tool.name;
  CheckAttributes(element,
                  {"name", "description", "atomic", "readOnly", "destructive", "idempotent",
                   "openWorld", "task", "onDisconnect"},
                  path);
  CheckNoText(element, path);
  Required(element, "name", path);
  Identifier(tool.name, element, "name", path);
  tool.description = Text(element, "description");
  tool.atomic = Flag(element, "atomic", path).value_or(false);
  tool.read_only = Flag(element, "readOnly", path);
  tool.destructive = Flag(element, "destructive", path);
  tool.idempotent = Flag(element, "idempotent", path);
  tool.open_world = Flag(element, "openWorld", path);
  const auto choice = [&](std::string_view attribute, std::span<const std::string_view> known) {
    const std::string* const value = element.Find(attribute);
    if (value == nullptr) return std::size_t{0};
    const auto found = std::find(known.begin(), known.end(), *value);
    if (found != known.end()) return static_cast<std::size_t>(found - known.begin());
    std::string list;
    for (const std::string_view name : known)
      list += (list.empty() ? "" : ", ") + std::string(name);
    Error("INVALID_TYPE", element.OffsetOf(attribute),
          std::string(attribute) + " is one of " + list + ", not '" + *value + "'" +
              DidYouMean(*value, known),
          path);
    return std::size_t{0};
  };
  tool.task = static_cast<TaskMode>(choice("task", kTaskModeNames));
  tool.on_disconnect = static_cast<OnDisconnect>(choice("onDisconnect", kOnDisconnectNames));
  tool.position = At(element.offset);
  ReadArgs(element, tool.args, path);
  for (const Content& content : element.content) {
    if (content.element != nullptr && content.element->name == "Output") {
      ReadOutput(*content.element, tool, path + "/output");
    }
  }
  tool.handler = ReadHandlerOf(element, path, {"Arg", "Output"});
  if (const auto line = DeclaredBefore("tool", tool.name, tool.position.line)) {
    Error("DUPLICATE_TOOL", element.offset,
          "the tool '" + tool.name + "' is declared on line " + std::to_string(line) + " already",
          path);
  }
  panel_.tools.push_back(std::move(tool));
}

void Reader::ReadLifecycle(const Element& element) {
  LifecycleDefinition lifecycle;
  const std::string on = Text(element, "on");
  const std::string path = "logic/lifecycles/" + on;
  CheckAttributes(element, {"on"}, path);
  CheckNoText(element, path);
  Required(element, "on", path);
  const auto* const event =
      std::find(std::begin(kLifecycleEventNames), std::end(kLifecycleEventNames), on);
  if (!on.empty() && event == std::end(kLifecycleEventNames)) {
    Error("INVALID_TYPE", element.OffsetOf("on"),
          "a lifecycle handler is on mount or unmount, not '" + on + "'", path);
  }
  if (event != std::end(kLifecycleEventNames)) {
    lifecycle.on = static_cast<LifecycleEvent>(event - std::begin(kLifecycleEventNames));
  }
  lifecycle.position = At(element.offset);
  lifecycle.handler = ReadHandlerOf(element, path, {});
  const std::string event_name(NameIn(kLifecycleEventNames, lifecycle.on));
  if (const auto line = DeclaredBefore("lifecycle", event_name, lifecycle.position.line)) {
    Error("DUPLICATE_LIFECYCLE", element.offset,
          "the panel has a handler on " + on + " already, on line " + std::to_string(line) +
              ": put both together",
          path);
  }
  panel_.lifecycles.push_back(std::move(lifecycle));
}

void Reader::ReadTriggerTimes(const Element& element, TriggerDefinition& trigger,
                              const std::string& path) {
  const auto needs = [&](std::string_view attribute) {
    return !Required(element, attribute, path).empty();
  };
  trigger.expression = Text(element, "expression");
  trigger.pattern = Text(element, "pattern");
  trigger.path = Text(element, "path");
  if (const std::string* zone = element.Find("timezone")) trigger.timezone = *zone;
  if (trigger.kind == TriggerKind::kInterval && needs("every")) {
    const auto every = ReadDuration(Text(element, "every"));
    trigger.every_ms = every.value_or(0);
    if (!every) {
      Error("INVALID_TRIGGER", element.OffsetOf("every"),
            "'" + Text(element, "every") +
                "' is no time: a number and a unit, for example 500ms, 30s, 5m, 1h",
            path);
    }
  }
  if (trigger.kind == TriggerKind::kCron && needs("expression")) {
    const auto schedule = CronSchedule::Parse(trigger.expression, trigger.timezone);
    if (!schedule) {
      const bool zone = schedule.error().message().starts_with("timezone");
      Error("INVALID_TRIGGER", element.OffsetOf(zone ? "timezone" : "expression"),
            schedule.error().message(), path);
    }
  }
  if (trigger.kind == TriggerKind::kEvent) needs("pattern");
  if (trigger.kind == TriggerKind::kStateChange && needs("path")) {
    const std::string key = trigger.path.substr(0, trigger.path.find('.'));
    state_uses_.push_back({.name = key, .position = AttributeAt(element, "path"), .path = path});
  }
}

void Reader::ReadTrigger(const Element& element) {
  TriggerDefinition trigger;
  const std::string path = "logic/triggers/" + std::to_string(panel_.triggers.size());
  CheckAttributes(element,
                  {"on", "every", "expression", "pattern", "path", "tool", "timezone", "missed"},
                  path);
  CheckNoText(element, path);
  const std::string on = Required(element, "on", path);
  const auto* const kind =
      std::find(std::begin(kTriggerKindNames), std::end(kTriggerKindNames), on);
  if (kind == std::end(kTriggerKindNames)) {
    if (!on.empty()) {
      Error("INVALID_TRIGGER", element.OffsetOf("on"),
            "a trigger is on interval, cron, event or state_change, not '" + on + "'" +
                DidYouMean(on, kTriggerKindNames),
            path);
    }
    return;
  }
  trigger.kind = static_cast<TriggerKind>(kind - std::begin(kTriggerKindNames));
  trigger.tool = Required(element, "tool", path);
  trigger.position = At(element.offset);
  ReadTriggerTimes(element, trigger, path);
  if (const std::string* missed = element.Find("missed")) {
    const auto* const policy =
        std::find(std::begin(kMissedRunsNames), std::end(kMissedRunsNames), *missed);
    if (policy == std::end(kMissedRunsNames)) {
      Error("INVALID_TRIGGER", element.OffsetOf("missed"),
            "missed is skip, once or all, not '" + *missed + "'", path);
    } else {
      trigger.missed = static_cast<MissedRuns>(policy - std::begin(kMissedRunsNames));
    }
  }
  if (!trigger.tool.empty()) {
    tool_uses_.push_back(
        {.tool = trigger.tool, .position = AttributeAt(element, "tool"), .path = path});
  }
  panel_.triggers.push_back(std::move(trigger));
}

void Reader::ReadPrompt(const Element& element) {
  PromptDefinition prompt;
  prompt.name = Text(element, "name");
  const std::string path = "logic/prompts/" + prompt.name;
  CheckAttributes(element, {"name", "description"}, path);
  Required(element, "name", path);
  Identifier(prompt.name, element, "name", path);
  prompt.description = Text(element, "description");
  prompt.position = At(element.offset);
  ReadArgs(element, prompt.args, path);
  std::string text;
  for (const Content& content : element.content) {
    if (content.element == nullptr) {
      text += content.text.text;
    } else if (content.element->name != "Arg") {
      UnknownChild(*content.element, "Prompt", {"Arg"}, path);
    }
  }
  prompt.text = Trim(text);
  if (prompt.text.empty()) {
    Error("MISSING_REQUIRED", element.offset, "<Prompt> needs a text", path);
  }
  if (const auto line = DeclaredBefore("prompt", prompt.name, prompt.position.line)) {
    Error(
        "DUPLICATE_PROMPT", element.offset,
        "the prompt '" + prompt.name + "' is declared on line " + std::to_string(line) + " already",
        path);
  }
  panel_.prompts.push_back(std::move(prompt));
}

std::vector<CapabilityToken> Reader::ReadCapabilities(const Element& element,
                                                      const std::string& path) {
  std::vector<CapabilityToken> tokens;
  CheckAttributes(element, {}, path);
  CheckNoText(element, path);
  for (const Content& content : element.content) {
    if (content.element == nullptr) continue;
    const Element& one = *content.element;
    if (one.name != "Capability") {
      UnknownChild(one, "Capabilities", {"Capability"}, path);
      continue;
    }
    CheckAttributes(one, {"type", "scope"}, path);
    const std::string type = Required(one, "type", path);
    const std::string scope = one.Find("scope") == nullptr ? "*" : Text(one, "scope");
    if (type.empty()) continue;
    auto list = ParseCapabilityList(type, scope);
    if (!list) {
      Error("INVALID_CAPABILITY", one.OffsetOf("type"), list.error().message(), path);
      continue;
    }
    tokens.insert(tokens.end(), list->begin(), list->end());
  }
  return tokens;
}

HandlerDefinition Reader::ReadHandlerOf(const Element& parent, const std::string& path,
                                        Names others) {
  HandlerDefinition handler;
  const Element* found = nullptr;
  for (const Content& content : parent.content) {
    if (content.element == nullptr) continue;
    const Element& child = *content.element;
    if (child.name == "Handler") {
      if (found != nullptr) {
        Error("DUPLICATE_HANDLER", child.offset,
              "<" + parent.name + "> has one Handler, and the first is on line " +
                  std::to_string(At(found->offset).line),
              path);
        continue;
      }
      found = &child;
    } else if (child.name == "Capabilities") {
      if (handler.declared) {
        Error("DUPLICATE_CAPABILITIES", child.offset,
              "<" + parent.name + "> has one Capabilities: put all into the first", path);
      }
      handler.declared = ReadCapabilities(child, path + "/capabilities");
    } else if (std::find(others.begin(), others.end(), child.name) == others.end()) {
      UnknownChild(child, parent.name, {"Handler", "Capabilities", "Arg", "Output"}, path);
    }
  }
  if (found == nullptr) {
    Error("MISSING_REQUIRED", parent.offset, "<" + parent.name + "> needs a <Handler>", path);
    return handler;
  }
  ReadHandler(*found, handler, path + "/handler");
  return handler;
}

void Reader::ReadHandler(const Element& element, HandlerDefinition& handler,
                         const std::string& path) {
  handler.position = At(element.offset);
  handler.code = element.body;
  handler.code_position = At(element.has_body ? element.body_offset : element.offset);
  const std::vector<std::string_view> known(std::begin(kLimitNames), std::end(kLimitNames));
  for (const auto& [name, value, name_offset, value_offset] : element.attributes) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      Error("UNKNOWN_ATTRIBUTE", name_offset,
            "<Handler> has no attribute '" + name + "'" + DidYouMean(name, known) +
                "; its attributes are limits, and capabilities stand in <Capabilities>",
            path);
      continue;
    }
    // A bare number of a time is in milliseconds, as the prototype had it.
    const bool digits = value.find_first_not_of("0123456789") == std::string::npos;
    const bool time = name == "timeout" || name == "wall" || name == "cpu" || name == "deadline";
    const Status set = handler.limits.Set(name, digits && time ? value + "ms" : value);
    if (!set) Error("INVALID_TYPE", value_offset, set.error().message(), path);
  }
  if (Trim(handler.code).empty()) {
    Warn("EMPTY_HANDLER", handler.position, "this handler does nothing", path);
    handler.requested = handler.declared.value_or(std::vector<CapabilityToken>());
    return;
  }
  CheckCode(element, handler, path);
}

SourcePosition Reader::InBody(const HandlerDefinition& handler, SourcePosition inside) const {
  SourcePosition at = handler.code_position;
  if (inside.line <= 1) {
    at.column += inside.column - 1;
  } else {
    at.line += inside.line - 1;
    at.column = inside.column;
  }
  return at;
}

void Reader::SyntaxProblem(const Element& element, const std::string& message,
                           const std::string& path) {
  auto [inside, reason] = SplitPlace(message);
  HandlerDefinition placed;
  placed.code_position = At(element.body_offset);
  if (!element.body_has_cdata && element.body.find('&') != std::string::npos &&
      SyntaxTree::Parse(DecodedEntities(element.body), Language::kJavaScript)) {
    reason += ": entities are not decoded in a handler: write < and & as they are";
  }
  AddError("INVALID_HANDLER", inside.known() ? InBody(placed, inside) : placed.code_position,
           std::move(reason), path);
}

void Reader::CheckCode(const Element& element, HandlerDefinition& handler,
                       const std::string& path) {
  const Result<SyntaxTree> tree = SyntaxTree::Parse(handler.code, Language::kJavaScript);
  if (!tree) return SyntaxProblem(element, tree.error().message(), path);
  const Scopes scopes(*tree);
  CheckGlobals(*tree, scopes, handler, path);
  std::vector<CapabilityToken> inferred;
  for (CapabilityToken token : InferCapabilities(*tree, scopes).Tokens()) {
    if (token.type == "state:read" || token.type == "state:write") used_state_.insert(token.scope);
    if (token.type == "tools:call") used_tools_.insert(token.scope);
    inferred.push_back(std::move(token));
  }
  handler.requested = handler.declared.value_or(std::move(inferred));
}

// Free identifiers, as the engine would resolve them: words in strings and comments are no use.
void Reader::CheckGlobals(const SyntaxTree& tree, const Scopes& scopes,
                          const HandlerDefinition& handler, const std::string& path) {
  for (SyntaxTree::Index node = 0; node < tree.nodes().size(); ++node) {
    const SyntaxKind kind = tree[node].kind;
    if (kind != SyntaxKind::kIdentifier && kind != SyntaxKind::kShorthandProperty) continue;
    if (scopes.BindingOf(node) != Scopes::kGlobal) continue;
    const std::string_view name = tree.Text(node);
    const auto place = [&] { return InBody(handler, tree.PositionOf(node)); };
    if (name == "$ext") {
      const std::string_view alias = MemberOf(tree, node);
      const bool method =
          std::find(std::begin(kExtMethods), std::end(kExtMethods), alias) != std::end(kExtMethods);
      if (!alias.empty() && !method) {
        extension_uses_.push_back({.alias = std::string(alias), .position = place(), .path = path});
      }
    } else if (name == "$state") {
      const std::string_view key = MemberOf(tree, node);
      const bool method = key == "get" || key == "set" || key == "delete" || key == "has" ||
                          key == "keys" || key == "update";
      if (!key.empty() && !method) {
        state_uses_.push_back(
            {.name = std::string(key), .position = place(), .path = path, .is_error = false});
      }
    } else if (name == "$tools") {
      const std::string_view tool = MemberOf(tree, node);
      if (!tool.empty()) tool_uses_.push_back({std::string(tool), place(), path});
    } else if (!name.starts_with('$') && !IsTypeofOperand(tree, node) &&
               std::find(std::begin(kForbiddenGlobals), std::end(kForbiddenGlobals), name) !=
                   std::end(kForbiddenGlobals)) {
      AddError("FORBIDDEN_GLOBAL", place(),
               "'" + std::string(name) +
                   "' does not exist in a handler: the host is reached through $ext",
               path);
    }
  }
}

}  // namespace nexus::internal
