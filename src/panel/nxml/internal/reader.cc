#include "panel/nxml/internal/reader.h"

#include <algorithm>
#include <utility>

namespace nexus::internal {
namespace {

constexpr std::size_t kIdentifierMax = 64;
constexpr std::string_view kStateMethods[] = {"get", "set", "delete", "has", "keys", "update"};

bool IsIdentifier(std::string_view name) {
  if (name.empty() || name.size() > kIdentifierMax) return false;
  if (name[0] >= '0' && name[0] <= '9') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$';
  });
}

bool IsPanelId(std::string_view id) {
  return !id.empty() && id.size() <= kIdentifierMax &&
         std::all_of(id.begin(), id.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-';
         });
}

std::string Stem(const std::string& file) {
  std::string stem = file.substr(file.find_last_of('/') + 1);
  if (const std::size_t dot = stem.find_last_of('.'); dot != std::string::npos && dot != 0) {
    stem.resize(dot);
  }
  for (char& c : stem) {
    if (!IsPanelId(std::string_view(&c, 1))) c = '-';
  }
  return stem.substr(0, kIdentifierMax);
}

}  // namespace

void Reader::AddError(std::string code, SourcePosition position, std::string message,
                      std::string path) {
  if (report_.errors.size() >= options_.limits.problems_max) return;
  report_.errors.push_back({.code = std::move(code),
                            .message = std::move(message),
                            .position = position,
                            .path = std::move(path)});
}

void Reader::Error(std::string code, std::size_t offset, std::string message, std::string path) {
  AddError(std::move(code), At(offset), std::move(message), std::move(path));
}

void Reader::Warn(std::string code, SourcePosition position, std::string message,
                  std::string path) {
  if (report_.warnings.size() >= options_.limits.problems_max) return;
  report_.warnings.push_back({.code = std::move(code),
                              .message = std::move(message),
                              .position = position,
                              .path = std::move(path)});
}

void Reader::CheckAttributes(const Element& element, Names known, const std::string& path) {
  const std::vector<std::string_view> names(known);
  for (const auto& [name, value, name_offset, value_offset] : element.attributes) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    Error("UNKNOWN_ATTRIBUTE", name_offset,
          "<" + element.name + "> has no attribute '" + name + "'" + DidYouMean(name, names), path);
  }
}

void Reader::CheckNoText(const Element& element, const std::string& path) {
  for (const Content& content : element.content) {
    if (content.element != nullptr || Trim(content.text.text).empty()) continue;
    const std::size_t blanks = content.text.text.find_first_not_of(" \t\r\n");
    Error("INVALID_XML", content.text.offset + blanks,
          "<" + element.name + "> holds no text: remove it, or write it as a comment", path);
  }
}

std::string Reader::Text(const Element& element, std::string_view attribute) const {
  const std::string* const value = element.Find(attribute);
  return value == nullptr ? std::string() : *value;
}

std::string Reader::Required(const Element& element, std::string_view attribute,
                             const std::string& path) {
  const std::string* const value = element.Find(attribute);
  if (value != nullptr && !Trim(*value).empty()) return *value;
  Error("MISSING_REQUIRED", element.offset,
        "<" + element.name + "> needs the attribute '" + std::string(attribute) + "'", path);
  return {};
}

std::optional<bool> Reader::Flag(const Element& element, std::string_view attribute,
                                 const std::string& path) {
  const std::string* const value = element.Find(attribute);
  if (value == nullptr) return std::nullopt;
  if (*value == "true") return true;
  if (*value == "false") return false;
  Error("INVALID_TYPE", element.OffsetOf(attribute),
        std::string(attribute) + " is true or false, not '" + *value + "'", path);
  return std::nullopt;
}

void Reader::Identifier(const std::string& name, const Element& element, std::string_view attribute,
                        const std::string& path) {
  if (name.empty() || IsIdentifier(name)) return;  // An empty one was reported as missing.
  Error("INVALID_IDENTIFIER", element.OffsetOf(attribute),
        "'" + name + "' is no name: letters, digits, _ and $, not a digit first, at most " +
            std::to_string(kIdentifierMax) + " characters",
        path);
}

PanelType Reader::TypeOf(const Element& element, const std::string& path) {
  const std::string* const name = element.Find("type");
  if (name == nullptr) return PanelType::kString;
  if (const auto type = PanelTypeFromName(*name)) return *type;
  Error("INVALID_TYPE", element.OffsetOf("type"),
        "the type '" + *name + "' is unknown" + DidYouMean(*name, kPanelTypeNames) +
            "; types are string, number, boolean, list and object",
        path);
  return PanelType::kString;
}

std::optional<Value> Reader::DefaultOf(const Element& element, PanelType type,
                                       const std::string& path) {
  const std::string* const text = element.Find("default");
  if (text == nullptr) return std::nullopt;
  if (auto value = CoerceText(*text, type)) return value;
  Error("INVALID_TYPE", element.OffsetOf("default"),
        "the default '" + *text + "' is no " + std::string(PanelTypeName(type)), path);
  return EmptyOfType(type);
}

void Reader::UnknownChild(const Element& child, std::string_view in, Names known,
                          const std::string& path) {
  const std::vector<std::string_view> names(known);
  std::string list;
  for (const std::string_view name : names) list += (list.empty() ? "" : ", ") + std::string(name);
  Error("UNKNOWN_ELEMENT", child.offset,
        "unknown element <" + child.name + "> in <" + std::string(in) + ">" +
            DidYouMean(child.name, names) + "; it holds " + list,
        path);
}

std::uint32_t Reader::DeclaredBefore(std::string_view kind, const std::string& name,
                                     std::uint32_t line) {
  if (name.empty()) return 0;  // Reported as missing.
  const auto [first, is_first] = declared_.emplace(std::string(kind) + ":" + name, line);
  return is_first ? 0 : first->second;
}

PanelDefinition Reader::Read(const Element& root) {
  panel_.file = options_.file;
  if (root.name != "NexusPanel") {
    Error("UNKNOWN_ELEMENT", root.offset,
          "the root element is <NexusPanel>, not <" + root.name + ">", "panel");
    return std::move(panel_);
  }
  CheckAttributes(root, {"id", "title", "description", "version", "author", "tags"}, "panel");
  CheckNoText(root, "panel");
  panel_.id = Text(root, "id");
  if (panel_.id.empty()) panel_.id = Stem(options_.file);
  if (!panel_.id.empty() && !IsPanelId(panel_.id)) {
    Error("INVALID_IDENTIFIER", root.OffsetOf("id"),
          "'" + panel_.id + "' is no id: letters, digits, _ and -, at most " +
              std::to_string(kIdentifierMax) + " characters",
          "panel");
  }
  if (const std::string* title = root.Find("title")) panel_.title = *title;
  panel_.description = Text(root, "description");
  panel_.version = Text(root, "version");
  panel_.author = Text(root, "author");
  const std::string tags = Text(root, "tags");
  for (const std::string_view tag : Split(tags, ',')) {
    if (!Trim(tag).empty()) panel_.tags.emplace_back(Trim(tag));
  }
  std::map<std::string, SourcePosition> sections;
  for (const Content& content : root.content) {
    if (content.element == nullptr) continue;
    const Element& section = *content.element;
    if (section.name != "Data" && section.name != "Logic" && section.name != "View") {
      UnknownChild(section, "NexusPanel", {"Data", "Logic", "View"}, "panel");
      continue;
    }
    const auto [first, is_first] = sections.emplace(section.name, At(section.offset));
    if (!is_first) {
      Error("DUPLICATE_SECTION", section.offset,
            "a panel has one <" + section.name + ">, and the first is on line " +
                std::to_string(first->second.line) + ": put both together",
            "panel");
      continue;
    }
    if (section.name == "Data") ReadData(section);
    if (section.name == "Logic") ReadLogic(section);
    if (section.name == "View") ReadView(section);
  }
  CheckUses();
  return std::move(panel_);
}

void Reader::ReadData(const Element& data) {
  CheckAttributes(data, {}, "data");
  CheckNoText(data, "data");
  for (const Content& content : data.content) {
    if (content.element == nullptr) continue;
    const Element& element = *content.element;
    if (element.name == "State") {
      ReadState(element, "data/states/" + Text(element, "name"));
    } else if (element.name == "Computed") {
      ReadComputed(element, "data/computed/" + Text(element, "name"));
    } else {
      UnknownChild(element, "Data", {"State", "Computed"}, "data");
    }
  }
  std::map<std::string_view, SourcePosition> names;
  const auto once = [&](const std::string& name, SourcePosition position, const char* path) {
    const auto [first, is_first] = names.emplace(name, position);
    if (is_first || name.empty()) return;
    AddError("DUPLICATE_STATE", position,
             "'" + name + "' is declared already, on line " + std::to_string(first->second.line) +
                 "; state and computed values share their names",
             path + name);
  };
  for (const StateDefinition& state : panel_.states) {
    once(state.name, state.position, "data/states/");
  }
  for (const ComputedDefinition& computed : panel_.computed) {
    once(computed.name, computed.position, "data/computed/");
  }
}

void Reader::ReadState(const Element& element, const std::string& path) {
  CheckAttributes(element, {"name", "type", "default"}, path);
  CheckNoText(element, path);
  StateDefinition state;
  state.name = Required(element, "name", path);
  Identifier(state.name, element, "name", path);
  if (std::find(std::begin(kStateMethods), std::end(kStateMethods), state.name) !=
      std::end(kStateMethods)) {
    Error("RESERVED_NAME", element.OffsetOf("name"),
          "'" + state.name + "' is a method of $state: choose another name", path);
  }
  state.type = TypeOf(element, path);
  state.initial = DefaultOf(element, state.type, path).value_or(EmptyOfType(state.type));
  state.position = At(element.offset);
  panel_.states.push_back(std::move(state));
}

void Reader::ReadComputed(const Element& element, const std::string& path) {
  CheckAttributes(element, {"name", "value"}, path);
  CheckNoText(element, path);
  ComputedDefinition computed;
  computed.name = Required(element, "name", path);
  Identifier(computed.name, element, "name", path);
  if (std::find(std::begin(kStateMethods), std::end(kStateMethods), computed.name) !=
      std::end(kStateMethods)) {
    Error("RESERVED_NAME", element.OffsetOf("name"),
          "'" + computed.name + "' is a method of $state: choose another name", path);
  }
  computed.expression = Required(element, "value", path);
  computed.position = At(element.offset);
  computed.expression_position = AttributeAt(element, "value");
  computed_offsets_.push_back(element.OffsetOf("value"));
  panel_.computed.push_back(std::move(computed));
}

}  // namespace nexus::internal
