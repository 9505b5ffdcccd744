// The view and its bindings.
#include <algorithm>
#include <utility>

#include "panel/nxml/internal/reader.h"

namespace nexus::internal {
namespace {

// prototype-facts 1.5 and what the marketplace dialect uses.
constexpr std::string_view kComponents[] = {
    "Layout", "Container", "Card",  "If",     "Iterate", "Text",   "Metric",  "StatusBadge",
    "Chart",  "LogStream", "Input", "Button", "Action",  "Switch", "Spinner", "CustomComponent"};

bool IsKnownComponent(std::string_view name) {
  return std::find(std::begin(kComponents), std::end(kComponents), name) != std::end(kComponents);
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
    const std::vector<std::string_view> known(std::begin(kComponents), std::end(kComponents));
    Warn("UNKNOWN_COMPONENT", node.position,
         "there is no component <" + element.name + ">" + DidYouMean(element.name, known) +
             "; it is shown as nothing",
         path);
  }
  for (const auto& [name, value, name_offset, value_offset] : element.attributes) {
    ReadProp(element, name, value, node, path, scope);
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
    std::string error;
    ViewNode text;
    text.position = At(content.text.offset);
    text.text = ReadViewText(content.text.text, text.position, error);
    if (!error.empty()) AddError("INVALID_EXPRESSION", text.position, error, path);
    for (const std::string& expression : text.text.expressions) {
      CheckBinding(expression, text.position, path, inner);
    }
    node.children.push_back(std::move(text));
  }
  return node;
}

void Reader::ReadProp(const Element& element, const std::string& name, const std::string& value,
                      ViewNode& node, const std::string& path,
                      const std::vector<std::string>& scope) {
  const SourcePosition at = AttributeAt(element, name);
  const std::string prop_path = path + "/" + name;
  std::string error;
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
    CheckBinding(text.expressions.front(), at, prop_path, scope);
  } else {
    text = ReadViewText(value, at, error);
    if (!error.empty()) AddError("INVALID_EXPRESSION", at, error, prop_path);
    if (name == "bind") {
      CheckBind(value, at, prop_path, scope);
    } else {
      for (const std::string& expression : text.expressions) {
        CheckBinding(expression, at, prop_path, scope);
      }
    }
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

void Reader::CheckBinding(const std::string& expression, SourcePosition position,
                          const std::string& path, const std::vector<std::string>& scope) {
  const ExpressionFacts facts = ReadExpression(expression);
  if (!facts.error.empty()) {
    AddError("INVALID_EXPRESSION", position, "'" + expression + "': " + facts.error, path);
  }
  for (const ExpressionUse& use : facts.uses) {
    if (use.global == "$state" && !use.member.empty()) {
      state_uses_.push_back({.name = use.member, .position = position, .path = path});
    } else if (use.global == "$scope" && scope.empty()) {
      AddError("INVALID_SCOPE_REFERENCE", position,
               "'$scope' is only there within an <Iterate>, whose variable it holds", path);
    }
  }
}

void Reader::CheckBind(const std::string& value, SourcePosition position, const std::string& path,
                       const std::vector<std::string>& scope) {
  std::string_view target = Trim(value);
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
  state_uses_.push_back({.name = facts.uses[0].member, .position = position, .path = path});
  if (panel_.FindComputed(facts.uses[0].member) != nullptr) {
    AddError("INVALID_BINDING", position,
             "'" + facts.uses[0].member +
                 "' is computed: it follows from the state and cannot be "
                 "written",
             path);
  }
}

}  // namespace nexus::internal
