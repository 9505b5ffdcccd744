// The canonical form: one order of elements and attributes, two blanks a level, what has its
// default left out, code as it was written.
#include <string>
#include <string_view>

#include "base/js_text.h"
#include "base/json.h"
#include "panel/nxml/nxml.h"

namespace nexus {
namespace {

void AppendEscaped(std::string& out, std::string_view text, bool attribute) {
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '>':
        out += attribute ? ">" : "&gt;";
        break;
      case '"':
        out += attribute ? "&quot;" : "\"";
        break;
      case '\n':
        out += attribute ? "&#10;" : "\n";
        break;
      case '\t':
        out += attribute ? "&#9;" : "\t";
        break;
      case '\r':
        out += "&#13;";
        break;
      default:
        out += c;
    }
  }
}

class Printer {
 public:
  std::string Print(const PanelDefinition& panel) {
    Open("NexusPanel");
    Attribute("id", panel.id);
    Always("title", panel.title);
    Attribute("description", panel.description);
    Attribute("version", panel.version);
    Attribute("author", panel.author);
    std::string tags;
    for (const std::string& tag : panel.tags) tags += (tags.empty() ? "" : ", ") + tag;
    Attribute("tags", tags);
    Inside();
    Data(panel);
    Logic(panel);
    if (panel.view) {
      Open("View");
      Inside();
      Node(*panel.view);
      Close("View");
    }
    Close("NexusPanel");
    return std::move(out_);
  }

 private:
  void Indent() { out_.append(2 * depth_, ' '); }
  void Open(std::string_view name) {
    Indent();
    out_ += '<';
    out_ += name;
  }
  void Always(std::string_view name, std::string_view value) {
    out_ += ' ';
    out_ += name;
    out_ += "=\"";
    AppendEscaped(out_, value, true);
    out_ += '"';
  }
  void Attribute(std::string_view name, std::string_view value) {
    if (!value.empty()) Always(name, value);
  }
  void Flag(std::string_view name, const std::optional<bool>& value) {
    if (value) Always(name, *value ? "true" : "false");
  }
  void Inside() {
    out_ += ">\n";
    ++depth_;
  }
  void Empty() { out_ += "/>\n"; }
  void Close(std::string_view name) {
    --depth_;
    Indent();
    out_ += "</";
    out_ += name;
    out_ += ">\n";
  }

  static std::string DefaultText(const Value& value) {
    if (const auto* text = value.As<std::string>()) return *text;
    return ToJson(value);
  }

  void Data(const PanelDefinition& panel) {
    if (panel.states.empty() && panel.computed.empty()) return;
    Open("Data");
    Inside();
    for (const StateDefinition& state : panel.states) {
      Open("State");
      Always("name", state.name);
      Always("type", PanelTypeName(state.type));
      Always("default", DefaultText(state.initial));
      Empty();
    }
    for (const ComputedDefinition& computed : panel.computed) {
      Open("Computed");
      Always("name", computed.name);
      Always("value", computed.expression);
      Empty();
    }
    Close("Data");
  }

  void Logic(const PanelDefinition& panel) {
    if (panel.extensions.empty() && panel.tools.empty() && panel.lifecycles.empty() &&
        panel.triggers.empty() && panel.prompts.empty()) {
      return;
    }
    Open("Logic");
    Inside();
    for (const ExtensionUse& use : panel.extensions) {
      Open("Extension");
      Always("name", use.name);
      if (use.alias != use.name.substr(use.name.find_last_of('.') + 1)) Always("alias", use.alias);
      Attribute("source", use.source);
      Empty();
    }
    for (const ToolDefinition& tool : panel.tools) Tool(tool);
    for (const LifecycleDefinition& lifecycle : panel.lifecycles) {
      Open("Lifecycle");
      Always("on", NameIn(kLifecycleEventNames, lifecycle.on));
      Inside();
      Handler(lifecycle.handler);
      Close("Lifecycle");
    }
    for (const TriggerDefinition& trigger : panel.triggers) Trigger(trigger);
    for (const PromptDefinition& prompt : panel.prompts) Prompt(prompt);
    Close("Logic");
  }

  void Args(const std::vector<ArgDefinition>& args) {
    for (const ArgDefinition& arg : args) {
      Open("Arg");
      Always("name", arg.name);
      Always("type", PanelTypeName(arg.type));
      if (!arg.required) Always("required", "false");
      if (arg.default_value) Always("default", DefaultText(*arg.default_value));
      Attribute("description", arg.description);
      Empty();
    }
  }

  void Tool(const ToolDefinition& tool) {
    Open("Tool");
    Always("name", tool.name);
    Attribute("description", tool.description);
    if (tool.atomic) Always("atomic", "true");
    Flag("readOnly", tool.read_only);
    Flag("destructive", tool.destructive);
    Flag("idempotent", tool.idempotent);
    Flag("openWorld", tool.open_world);
    if (tool.task != TaskMode::kNever) Always("task", NameIn(kTaskModeNames, tool.task));
    if (tool.on_disconnect != OnDisconnect::kCancel) {
      Always("onDisconnect", NameIn(kOnDisconnectNames, tool.on_disconnect));
    }
    Inside();
    Args(tool.args);
    if (tool.output_schema) {
      Open("Output");
      Always("schema", ToJson(*tool.output_schema));
      Empty();
    }
    Handler(tool.handler);
    Close("Tool");
  }

  void Handler(const HandlerDefinition& handler) {
    if (handler.declared) {
      Open("Capabilities");
      Inside();
      for (const CapabilityToken& token : *handler.declared) {
        Open("Capability");
        Always("type", token.type);
        Always("scope", token.scope);
        Empty();
      }
      Close("Capabilities");
    }
    Open("Handler");
    for (int i = 0; i < kLimitCount; ++i) {
      const auto limit = static_cast<Limit>(i);
      const auto value = handler.limits.Get(limit);
      if (value) Always(LimitName(limit), LimitText(limit, *value));
    }
    out_ += '>';
    // Code that names the end tag can only stand in CDATA.
    std::string_view code = handler.code;
    const bool cdata = code.find("</Handler") != std::string_view::npos;
    if (cdata) {
      // Read from CDATA, it has blanks where the marks were.
      constexpr std::string_view kBlanks = "         ";
      if (code.starts_with(kBlanks)) code.remove_prefix(kBlanks.size());
      if (code.ends_with("   ")) code.remove_suffix(3);
      out_ += "<![CDATA[";
    }
    out_ += code;
    if (cdata) out_ += "]]>";
    out_ += "</Handler>\n";
  }

  static std::string LimitText(Limit limit, std::uint64_t value) {
    if (value == kNoLimit) return "none";
    return std::to_string(value) + (LimitUnit(limit) == "ms" ? "ms" : "");
  }

  void Trigger(const TriggerDefinition& trigger) {
    Open("Trigger");
    Always("on", NameIn(kTriggerKindNames, trigger.kind));
    if (trigger.kind == TriggerKind::kInterval) {
      Always("every", std::to_string(trigger.every_ms) + "ms");
    }
    Attribute("expression", trigger.expression);
    Attribute("pattern", trigger.pattern);
    Attribute("path", trigger.path);
    Always("tool", trigger.tool);
    if (trigger.timezone != "UTC") Always("timezone", trigger.timezone);
    if (trigger.missed != MissedRuns::kSkip) {
      Always("missed", NameIn(kMissedRunsNames, trigger.missed));
    }
    Empty();
  }

  void Prompt(const PromptDefinition& prompt) {
    Open("Prompt");
    Always("name", prompt.name);
    Attribute("description", prompt.description);
    Inside();
    Args(prompt.args);
    Indent();
    AppendEscaped(out_, prompt.text, false);
    out_ += '\n';
    Close("Prompt");
  }

  void Node(const ViewNode& node) {
    if (node.type.empty()) {
      AppendEscaped(out_, node.text.raw, false);
      return;
    }
    Open(node.type);
    for (const auto& [name, text] : node.props) Always(name, text.raw);
    if (node.children.empty()) return Empty();
    bool has_text = false;
    for (const ViewNode& child : node.children) has_text = has_text || child.type.empty();
    if (!has_text) {
      Inside();
      for (const ViewNode& child : node.children) Node(child);
      return Close(node.type);
    }
    // White space beside text means something: nothing is added.
    out_ += '>';
    const std::size_t depth = std::exchange(depth_, 0);
    for (const ViewNode& child : node.children) {
      Node(child);
      if (!child.type.empty() && out_.ends_with('\n')) out_.pop_back();
    }
    depth_ = depth;
    out_ += "</";
    out_ += node.type;
    out_ += ">\n";
  }

  std::string out_;
  std::size_t depth_ = 0;
};

}  // namespace

std::string PrintNxml(const PanelDefinition& panel) { return Printer().Print(panel); }

}  // namespace nexus
