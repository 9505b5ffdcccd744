#include "server/internal/json_panel.h"

#include <cmath>

#include "base/json.h"

namespace nexus::internal {
namespace {

std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\n':
        out += "&#10;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string Attribute(std::string_view name, std::string_view value) {
  return " " + std::string(name) + "=\"" + Escaped(value) + "\"";
}

Result<std::string> StateElement(const std::string& key, const Value& value) {
  std::string type;
  std::string initial;
  if (const auto* text = value.As<std::string>()) {
    type = "string";
    initial = *text;
  } else if (value.As<double>() != nullptr || value.As<bool>() != nullptr) {
    type = value.As<double>() != nullptr ? "number" : "boolean";
    initial = ToJson(value);
  } else if (value.As<ValueArray>() != nullptr || value.As<ValueObject>() != nullptr) {
    type = value.As<ValueArray>() != nullptr ? "list" : "object";
    initial = ToJson(value);
  } else {
    return Fail(Code::kInvalidArgument, "initialState." + key + ": a value, not null");
  }
  return "<State" + Attribute("name", key) + Attribute("type", type) +
         Attribute("default", initial) + "/>";
}

Result<std::string> TriggerElement(const Value& trigger, std::string_view tool,
                                   const std::string& place) {
  const std::string_view type = trigger.StringOr("type", "manual");
  std::string attributes;
  if (type == "manual") return std::string();
  if (type == "interval") {
    const double every_ms = trigger.NumberOr("interval", 0);
    if (!(every_ms > 0) || every_ms > 1e12) {
      return Fail(Code::kInvalidArgument, place + ".trigger.interval: milliseconds above 0");
    }
    attributes = Attribute("every", std::to_string(std::llround(every_ms)) + "ms");
  } else if (type == "event") {
    attributes = Attribute("pattern", trigger.StringOr("pattern", ""));
  } else if (type == "cron") {
    attributes = Attribute("expression", trigger.StringOr("expression", ""));
  } else if (type == "state_change") {
    attributes = Attribute("path", trigger.StringOr("path", ""));
  } else {
    return Fail(Code::kInvalidArgument,
                place + ".trigger.type: manual, interval, event, cron or state_change");
  }
  return "<Trigger" + Attribute("on", type) + attributes + Attribute("tool", tool) + "/>";
}

Result<std::string> ToolElement(const Value& tool, const std::string& place) {
  const std::string_view name = tool.StringOr("name", "");
  std::string code(tool.StringOr("handler", ""));
  if (name.empty() || code.empty()) {
    return Fail(Code::kInvalidArgument, place + ": needs name and handler, both strings");
  }
  if (code.find("]]>") != std::string::npos || code.find("</Handler>") != std::string::npos) {
    return Fail(Code::kInvalidArgument, place + ".handler: may not hold ]]> or </Handler>");
  }
  std::string out = "<Tool" + Attribute("name", name);
  if (const auto what = tool.StringOr("description", ""); !what.empty()) {
    out += Attribute("description", what);
  }
  out += ">";
  if (const Value* list = tool.Find("capabilities")) {
    const auto* items = list->As<ValueArray>();
    if (items == nullptr) {
      return Fail(Code::kInvalidArgument, place + ".capabilities: a list of tokens");
    }
    out += "<Capabilities>";
    for (const Value& item : *items) {
      const auto* token = item.As<std::string>();
      const std::size_t colon = token == nullptr ? std::string::npos : token->find_last_of(':');
      if (colon == std::string::npos) {
        return Fail(Code::kInvalidArgument, place + ".capabilities: tokens such as ext:http");
      }
      out += "<Capability" + Attribute("type", token->substr(0, colon)) +
             Attribute("scope", token->substr(colon + 1)) + "/>";
    }
    out += "</Capabilities>";
  }
  return out + "<Handler><![CDATA[" + code + "]]></Handler></Tool>";
}

}  // namespace

Result<std::string> NxmlFromJsonPanel(const Value& body) {
  const Value* list = body.Find("tools");
  const auto* tools = list == nullptr ? nullptr : list->As<ValueArray>();
  if (tools == nullptr) {
    return Fail(Code::kInvalidArgument, "give nxmlSource, the panel's text (or a list of tools)");
  }
  std::string data, logic;
  if (const Value* state = body.Find("initialState")) {
    if (const auto* members = state->As<ValueObject>()) {
      for (const auto& [key, value] : *members) {
        NEXUS_TRY(const std::string element, StateElement(key, value));
        data += element;
      }
    }
  }
  for (std::size_t i = 0; i < tools->size(); ++i) {
    const std::string place = "tools[" + std::to_string(i) + "]";
    NEXUS_TRY(const std::string element, ToolElement((*tools)[i], place));
    logic += element;
    if (const Value* trigger = (*tools)[i].Find("trigger")) {
      NEXUS_TRY(const std::string more,
                TriggerElement(*trigger, (*tools)[i].StringOr("name", ""), place));
      logic += more;
    }
  }
  return "<NexusPanel" +
         Attribute("title", body.StringOr("title", body.StringOr("kind", "Panel"))) + "><Data>" +
         data + "</Data><Logic>" + logic + "</Logic></NexusPanel>";
}

}  // namespace nexus::internal
