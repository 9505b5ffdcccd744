// The view and its bindings.
#include <algorithm>
#include <utility>

#include "panel/nxml/internal/reader.h"

namespace nexus::internal {
namespace {

// prototype-facts 1.5 and what the marketplace dialect uses: each component with its properties.
struct Component {
  std::string_view name, props;
};
constexpr Component kComponents[] = {{"Layout", "strategy gap align justify"},
                                     {"Container", "title variant gap align justify"},
                                     {"Card", "title variant gap align justify"},
                                     {"If", "condition"},
                                     {"Iterate", "items over as gap"},
                                     {"Text", "content variant"},
                                     {"Metric", "label value unit trend"},
                                     {"StatusBadge", "label value status"},
                                     {"LogStream", "data height autoScroll"},
                                     {"Chart", "type data xKey yKey height title"},
                                     {"Input", "bind label placeholder inputType disabled"},
                                     {"Button", "label variant disabled"},
                                     {"Action", "label variant disabled"},
                                     {"Switch", "bind label disabled"},
                                     {"Spinner", "label size"},
                                     {"CustomComponent", "module component bindings events"}};
/// Of all of them.
constexpr std::string_view kCommonProps[] = {"id",        "trigger", "args",    "payload",
                                             "className", "key",     "keyProp", "visible",
                                             "role",      "title",   "style"};

bool IsKnownComponent(std::string_view name) {
  return std::any_of(std::begin(kComponents), std::end(kComponents),
                     [name](const Component& each) { return each.name == name; });
}

}  // namespace

void Reader::ReadView(const Element& view) {
  CheckAttributes(view, {}, "view");
  for (const Content& content : view.content) {
    if (content.element == nullptr) {
      if (Trim(content.text.text).empty()) continue;
      Error("INVALID_XML", content.text.offset, "a view is one element; put the text into <Text>",
            "view");
      continue;
    }
    if (panel_.view) {
      Error("DUPLICATE_VIEW_ROOT", content.element->offset,
            "View can only have one root element: put both into a <Layout>", "view");
      continue;
    }
    panel_.view = ReadNode(*content.element, "view/root", {});
  }
}

ViewNode Reader::ReadNode(const Element& element, const std::string& path,
                          const std::vector<std::string>& scope) {
  ViewNode node;
  node.type = element.name;
  node.position = At(element.offset);
  if (!IsKnownComponent(element.name)) {
    std::vector<std::string_view> known;
    for (const Component& each : kComponents) known.push_back(each.name);
    Warn("UNKNOWN_COMPONENT", node.position,
         "there is no component <" + element.name + ">" + DidYouMean(element.name, known) +
             "; it is shown as nothing",
         path);
  }
  for (const Attribute& attribute : element.attributes) {
    ReadProp(attribute, node, path, scope);
    CheckProp(attribute, element.name, path);
  }
  std::vector<std::string> inner = scope;
  if (element.name == "Iterate") {
    const std::string* const as = element.Find("as");
    inner.push_back(as == nullptr ? "item" : *as);
    if (element.Find("items") == nullptr && element.Find("over") == nullptr) {
      Error("MISSING_REQUIRED", element.offset, "<Iterate> needs the attribute 'items'", path);
    }
  }
  std::size_t index = 0;
  for (const Content& content : element.content) {
    if (content.element != nullptr) {
      const std::string child = path + "/" + std::to_string(index++);
      node.children.push_back(ReadNode(*content.element, child, inner));
      continue;
    }
    if (Trim(content.text.text).empty()) continue;
    ViewNode text;
    text.position = At(content.text.offset);
    ReadText read = ReadViewText(content.text.text, text.position);
    CheckText(read, content.text.offset, path, inner);
    text.text = std::move(read.text);
    node.children.push_back(std::move(text));
  }
  return node;
}

// Names with a colon are a custom component's own.
void Reader::CheckProp(const Attribute& attribute, const std::string& component,
                       const std::string& path) {
  if (attribute.name.find(':') != std::string::npos || attribute.name.starts_with("aria-")) return;
  const auto* const known =
      std::find_if(std::begin(kComponents), std::end(kComponents),
                   [&](const Component& each) { return each.name == component; });
  if (known == std::end(kComponents) || component == "CustomComponent") return;
  std::vector<std::string_view> names(std::begin(kCommonProps), std::end(kCommonProps));
  for (const std::string_view name : Split(known->props, ' ')) names.push_back(name);
  if (std::find(names.begin(), names.end(), attribute.name) != names.end()) return;
  Warn("UNKNOWN_PROP", At(attribute.name_offset),
       "<" + component + "> has no property '" + attribute.name + "'" +
           DidYouMean(attribute.name, names) + "; it is ignored",
       path + "/" + attribute.name);
}

void Reader::ReadProp(const Attribute& attribute, ViewNode& node, const std::string& path,
                      const std::vector<std::string>& scope) {
  const std::string& name = attribute.name;
  const std::string& value = attribute.value;
  const SourcePosition at = At(attribute.value_offset);
  const std::string prop_path = path + "/" + name;
  ViewText text;
  const std::string_view trimmed = Trim(value);
  const bool is_args = name == "args" || name == "payload";
  const bool bare = name == "condition" && !trimmed.starts_with('{');
  if ((is_args || bare) && !trimmed.empty()) {
    // `{ id: expr }` by name, `[a, b]` by order, `{expr}` for a whole object; and a condition may
    // leave its braces out.
    text.raw = value;
    text.position = at;
    text.kind = ViewText::Kind::kBinding;
    text.expressions.emplace_back(trimmed);
    CheckBinding({.expression = trimmed,
                  .begin = attribute.value_offset,
                  .at = static_cast<std::size_t>(trimmed.data() - value.data())},
                 prop_path, scope);
  } else {
    ReadText read = ReadViewText(value, at);
    if (name == "bind") {
      CheckBind(attribute, at, prop_path, scope);
    } else {
      CheckText(read, attribute.value_offset, prop_path, scope);
    }
    text = std::move(read.text);
  }
  if (name == "id") {
    node.id = value;
    const auto [first, is_first] = view_ids_.emplace(value, at);
    if (!is_first) {
      AddError("DUPLICATE_VIEW_ID", at,
               "the id '" + value + "' is taken on line " + std::to_string(first->second.line),
               prop_path);
    }
  }
  if (name == "trigger" && text.kind == ViewText::Kind::kLiteral && !value.empty()) {
    tool_uses_.push_back({.tool = value, .position = at, .path = prop_path});
  }
  node.props.emplace_back(name, std::move(text));
}

void Reader::CheckText(const ReadText& read, std::size_t begin, const std::string& path,
                       const std::vector<std::string>& scope) {
  if (!read.error.empty()) {
    AddError("INVALID_EXPRESSION", At(places_.Within(begin, read.error_offset)), read.error, path);
  }
  for (std::size_t i = 0; i < read.offsets.size(); ++i) {
    CheckBinding({.expression = read.text.expressions[i], .begin = begin, .at = read.offsets[i]},
                 path, scope);
  }
}

void Reader::CheckBinding(const Binding& binding, const std::string& path,
                          const std::vector<std::string>& scope) {
  const ExpressionFacts facts = ReadExpression(binding.expression);
  if (!facts.error.empty()) {
    AddError("INVALID_EXPRESSION", PlaceIn(binding, facts.error_offset),
             "'" + std::string(binding.expression) + "': " + facts.error, path);
  }
  for (const ExpressionUse& use : facts.uses) {
    if (use.global == "$state" && !use.member.empty()) {
      state_uses_.push_back(
          {.name = use.member, .position = PlaceIn(binding, use.offset), .path = path});
    } else if (use.global == "$scope" && scope.empty()) {
      AddError("INVALID_SCOPE_REFERENCE", PlaceIn(binding, use.offset),
               "'$scope' is only there within an <Iterate>, whose variable it holds", path);
    }
  }
}

void Reader::CheckBind(const Attribute& attribute, SourcePosition position, const std::string& path,
                       const std::vector<std::string>& scope) {
  std::string_view target = Trim(attribute.value);
  if (target.starts_with('{') && target.ends_with('}')) {
    target = Trim(target.substr(1, target.size() - 2));
  }
  const ExpressionFacts facts = ReadExpression(target);
  const bool plain = target.starts_with("$state.") && facts.uses.size() == 1 &&
                     target.size() == 7 + facts.uses[0].member.size() &&
                     !facts.uses[0].member.empty();
  if (!plain) {
    return AddError("INVALID_BINDING", position,
                    "bind is '$state.name', a state key that the input writes" +
                        std::string(scope.empty() ? "" : "; a loop variable cannot be written"),
                    path);
  }
  // Whether it is computed is known when all of Data is, which may stand behind the view.
  state_uses_.push_back(
      {.name = facts.uses[0].member, .position = position, .path = path, .is_write = true});
}

}  // namespace nexus::internal
