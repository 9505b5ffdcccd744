#pragma once
/// What a panel says, parsed: state, computed values, tools, triggers, prompts and the view
/// (contract 2). Plain data; panel/nxml reads and prints it, panel/host makes it live.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/value.h"
#include "capability/token.h"
#include "sandbox/limits.h"
#include "source/position.h"

namespace nexus {

/// The words of NXML for each enumeration, in its order: readers, printers and wires share them.
template <typename Enum>
std::string_view NameIn(std::span<const std::string_view> names, Enum value) {
  return names[static_cast<std::size_t>(value)];
}

enum class PanelType : std::uint8_t { kString, kNumber, kBoolean, kList, kObject };
inline constexpr std::string_view kPanelTypeNames[] = {"string", "number", "boolean", "list",
                                                       "object"};
std::string_view PanelTypeName(PanelType type);  // "string", ...
std::optional<PanelType> PanelTypeFromName(std::string_view name);
/// "", 0, false, [] or {}.
Value EmptyOfType(PanelType type);
/// True when `value` is of `type`; null and undefined are of no type.
bool IsOfType(const Value& value, PanelType type);
/// A `default` attribute's text as a value of `type`: numbers as JavaScript's Number() reads them
/// (not a number: 0); true/yes/1/on; lists and objects as JSON, a list also as comma separated
/// text. nullopt: the text is no such value (what is returned then is EmptyOfType by the callers).
std::optional<Value> CoerceText(std::string_view text, PanelType type);

struct StateDefinition {
  std::string name;
  PanelType type = PanelType::kString;
  Value initial;  ///< Of `type`.
  SourcePosition position;
};

struct ComputedDefinition {
  std::string name;
  std::string expression;  ///< JavaScript over `$state`.
  SourcePosition position;
  SourcePosition expression_position;  ///< Of the expression's first character in the file.
};

struct ExtensionUse {
  std::string name;   ///< Registered name.
  std::string alias;  ///< Default: the last dot segment of `name`.
  std::string source;
  SourcePosition position;
};

struct ArgDefinition {
  std::string name;
  PanelType type = PanelType::kString;
  bool required = true;                ///< False too when there is a default.
  std::optional<Value> default_value;  ///< Of `type`.
  std::string description;
  SourcePosition position;
};

struct HandlerDefinition {
  /// As written between the tags; CDATA marks are blanks, so that every character keeps its place.
  std::string code;
  SourcePosition code_position;  ///< Of the code's first character in the file.
  Limits limits;
  /// The Capabilities element; nullopt: none, so `requested` was inferred.
  std::optional<std::vector<CapabilityToken>> declared;
  /// What the handler asks for, declared or inferred, extensions under their registered names.
  std::vector<CapabilityToken> requested;
  SourcePosition position;
};

enum class TaskMode : std::uint8_t { kNever, kOptional, kRequired };
inline constexpr std::string_view kTaskModeNames[] = {"never", "optional", "required"};
enum class OnDisconnect : std::uint8_t { kCancel, kContinue };
inline constexpr std::string_view kOnDisconnectNames[] = {"cancel", "continue"};

struct ToolDefinition {
  std::string name;
  std::string description;
  bool atomic = false;
  std::optional<bool> read_only, destructive, idempotent, open_world;  ///< Hints for clients.
  TaskMode task = TaskMode::kNever;
  OnDisconnect on_disconnect = OnDisconnect::kCancel;
  std::vector<ArgDefinition> args;
  std::optional<Value> output_schema;  ///< JSON Schema 2020-12.
  HandlerDefinition handler;
  SourcePosition position;
};

enum class LifecycleEvent : std::uint8_t { kMount, kUnmount };
inline constexpr std::string_view kLifecycleEventNames[] = {"mount", "unmount"};

struct LifecycleDefinition {
  LifecycleEvent on = LifecycleEvent::kMount;
  HandlerDefinition handler;
  SourcePosition position;
};

enum class TriggerKind : std::uint8_t { kInterval, kCron, kEvent, kStateChange };
inline constexpr std::string_view kTriggerKindNames[] = {"interval", "cron", "event",
                                                         "state_change"};
enum class MissedRuns : std::uint8_t { kSkip, kOnce, kAll };
inline constexpr std::string_view kMissedRunsNames[] = {"skip", "once", "all"};

struct TriggerDefinition {
  TriggerKind kind = TriggerKind::kInterval;
  std::int64_t every_ms = 0;  ///< kInterval
  std::string expression;     ///< kCron: five fields
  std::string pattern;        ///< kEvent: an event name, `*` at its end matches the rest
  std::string path;           ///< kStateChange: `key` or `key.member.0`
  std::string tool;           ///< Called with {}; event triggers give {event: {name, payload}}
                              ///< and state triggers {change: {path, value}} where the tool
                              ///< declares an Arg of that name.
  std::string timezone = "UTC";
  MissedRuns missed = MissedRuns::kSkip;
  SourcePosition position;
};

struct PromptDefinition {
  std::string name;
  std::string description;
  std::vector<ArgDefinition> args;
  std::string text;  ///< Trimmed; `{name}` stands for an argument.
  SourcePosition position;
};

/// One attribute of a view element, or a piece of its text.
struct ViewText {
  std::string raw;  ///< Entities decoded.
  /// Whole text is one `{expr}`: keeps its type. Else text with `{expr}` inside: interpolated.
  enum class Kind : std::uint8_t { kLiteral, kBinding, kInterpolated } kind = Kind::kLiteral;
  /// The expressions in order, without braces.
  std::vector<std::string> expressions;
  SourcePosition position;
};

struct ViewNode {
  std::string type;  ///< Element name; empty: this is text.
  std::string id;
  std::vector<std::pair<std::string, ViewText>> props;  ///< In the order of the file, id included.
  std::vector<ViewNode> children;
  ViewText text;  ///< When `type` is empty.
  SourcePosition position;
};

struct PanelDefinition {
  std::string id;  ///< Empty: the loader takes the file's name.
  std::string title = "Untitled Panel";
  std::string description, version, author;
  std::vector<std::string> tags;
  std::vector<StateDefinition> states;
  std::vector<ComputedDefinition> computed;
  std::vector<ExtensionUse> extensions;
  std::vector<ToolDefinition> tools;
  std::vector<LifecycleDefinition> lifecycles;
  std::vector<TriggerDefinition> triggers;
  std::vector<PromptDefinition> prompts;
  std::optional<ViewNode> view;
  std::string file;  ///< As errors name it.

  const ToolDefinition* FindTool(std::string_view name) const;
  const StateDefinition* FindState(std::string_view name) const;
  const ComputedDefinition* FindComputed(std::string_view name) const;
};

/// The definition as JSON for wires: camelCase, positions left out, handler code left out unless
/// `with_code`. docs/format/panel-json.md.
Value PanelToValue(const PanelDefinition& panel, bool with_code = false);
/// JSON Schema 2020-12 of a tool's arguments; an Arg with a default is not required.
Value ToolInputSchema(const ToolDefinition& tool);

}  // namespace nexus
