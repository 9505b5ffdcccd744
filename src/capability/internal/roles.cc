#include "capability/internal/roles.h"

#include <algorithm>
#include <array>
#include <utility>

namespace nexus::internal {
namespace {

using Index = SyntaxTree::Index;
using Kind = SyntaxKind;
constexpr Index kNone = SyntaxTree::kNone;

// A role goes through at most this many names ("const a = $state; const b = a; ...") or local calls
// in the order of the text against the flow; with it, as programs are written, one round does all.
constexpr int kRoundsMax = 8;

template <std::size_t N>
bool Contains(const std::array<std::string_view, N>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

constexpr std::array<std::string_view, 6> kStateMethods = {"get", "set",  "delete",
                                                           "has", "keys", "update"};
constexpr std::array<std::string_view, 3> kExtensionMeta = {"list", "exists", "methods"};
constexpr std::array<std::string_view, 9> kMutators = {
    "push", "pop", "shift", "unshift", "splice", "sort", "reverse", "fill", "copyWithin"};
constexpr std::array<std::string_view, 5> kElementMethods = {"find", "findLast", "at", "pop",
                                                             "shift"};
constexpr std::array<std::string_view, 10> kFreshMethods = {
    "filter", "slice",      "concat",    "flat",   "toSorted",
    "splice", "toReversed", "toSpliced", "values", "entries"};
constexpr std::array<std::string_view, 2> kSelfMethods = {"sort", "reverse"};
constexpr std::array<std::string_view, 2> kReducers = {"reduce", "reduceRight"};

}  // namespace

Roles::Roles(const SyntaxTree& tree, const Scopes& scopes) : tree_(tree), scopes_(scopes) {
  roles_.resize(tree_.nodes().size());
  passed_on_.resize(tree_.nodes().size());
  binding_roles_.resize(scopes_.bindings().size());
  FindContext();
  for (int round = 0; round < kRoundsMax; ++round) {
    Evaluate();
    if (!Flow()) break;
  }
}

const Role& Roles::OfPattern(Index pattern) const {
  static const Role kNothing;
  const auto at = pattern_roles_.find(pattern);
  return at == pattern_roles_.end() ? kNothing : at->second;
}

std::uint32_t Roles::Intern(const std::string& name) const {
  const auto [at, added] = name_ids_.emplace(name, static_cast<std::uint32_t>(names_.size()));
  if (added) names_.push_back(name);
  return at->second;
}

Role Roles::OfGlobal(std::string_view name) const {
  if (name == "$state") return {.kind = RoleKind::kState};
  if (name == "$ext") return {.kind = RoleKind::kExtensions};
  if (name == "$tools") return {.kind = RoleKind::kTools};
  if (name == "$emit") return {.kind = RoleKind::kEmit};
  if (name == "$view") return {.kind = RoleKind::kView};
  if (name == "globalThis") return {.kind = RoleKind::kGlobalThis};
  return {};
}

Role Roles::OfMember(const Role& object, const std::string& name) const {
  switch (object.kind) {
    case RoleKind::kGlobalThis:
      return OfGlobal(name);
    case RoleKind::kContext:
      return Contains(std::array<std::string_view, 5>{"state", "ext", "tools", "emit", "view"},
                      name)
                 ? OfGlobal("$" + name)
                 : Role{};
    case RoleKind::kState:
      return {
          .kind = Contains(kStateMethods, name) ? RoleKind::kStateMethod : RoleKind::kStateValue,
          .name = Intern(name)};
    case RoleKind::kStateValue:
      return {.kind = RoleKind::kStateValue, .name = object.name};
    case RoleKind::kExtensions:
      if (Contains(kExtensionMeta, name)) return {.kind = RoleKind::kExtensionMeta};
      return {.kind = RoleKind::kExtension, .name = Intern(name)};
    case RoleKind::kExtension:
      return {.kind = RoleKind::kExtensionMethod, .name = object.name, .method = Intern(name)};
    case RoleKind::kTools:
      return {.kind = RoleKind::kTool, .name = Intern(name)};
    case RoleKind::kEmit:
      return name == "toast" ? Role{.kind = RoleKind::kEmitToast} : Role{};
    case RoleKind::kView:
      return {.kind = RoleKind::kViewMethod, .name = Intern(name)};
    default:
      return {};
  }
}

bool Roles::MemberName(Index node, Member& member) const {
  if (tree_[node].kind == Kind::kMemberExpression) {
    const Index property = tree_.Child(node, SyntaxField::kProperty);
    if (property == kNone || tree_[property].kind != Kind::kPropertyIdentifier) return false;
    member = {.constant = true, .name = std::string(tree_.Text(property))};
    return true;
  }
  const Index index = tree_.Child(node, SyntaxField::kIndex);
  if (index == kNone) return false;
  std::vector<std::string> values;
  if (tree_[index].kind == Kind::kNumber) {
    member = {.constant = true, .name = std::string(tree_.Text(index))};
  } else if (ConstantStrings(index, values) && values.size() == 1) {
    member = {.constant = true, .name = std::move(values.front())};
  } else {
    member = {};
  }
  return true;
}

bool Roles::PatternMember(Index child, Member& member) const {
  switch (tree_[child].kind) {
    case Kind::kShorthandPropertyPattern:
      member = {.constant = true, .name = std::string(tree_.Text(child))};
      return true;
    case Kind::kObjectAssignmentPattern: {
      const Index left = tree_.Child(child, SyntaxField::kLeft);
      return left != kNone && PatternMember(left, member);
    }
    case Kind::kPairPattern:
      break;
    default:
      return false;
  }
  const Index key = tree_.Child(child, SyntaxField::kKey);
  if (key == kNone) return false;
  member = {};
  if (tree_[key].kind == Kind::kPropertyIdentifier || tree_[key].kind == Kind::kNumber) {
    member = {.constant = true, .name = std::string(tree_.Text(key))};
  } else if (tree_[key].kind == Kind::kString) {
    member.constant = tree_.StringValue(key, member.name);
  }
  return true;
}

Index Roles::Argument(Index call, std::size_t position) const {
  const Index arguments = tree_.Child(call, Kind::kArguments);
  if (arguments == kNone) return kNone;
  Index argument = NextInList(tree_.FirstChild(arguments));
  while (argument != kNone && position-- > 0) argument = NextInList(argument);
  return argument;
}

bool Roles::ConstantStrings(Index node, std::vector<std::string>& values) const {
  std::vector<Index> open{node};
  int budget = 64;  // A chain of constants or choices longer than this is no name.
  while (!open.empty()) {
    if (--budget == 0) return false;
    const Index at = open.back();
    open.pop_back();
    std::string value;
    switch (tree_[at].kind) {
      case Kind::kString:
      case Kind::kTemplateString:
        if (!tree_.StringValue(at, value)) return false;
        values.push_back(std::move(value));
        continue;
      case Kind::kParenthesizedExpression:
        if (const Index inner = FirstExpression(at); inner != kNone) open.push_back(inner);
        continue;
      case Kind::kTernaryExpression: {
        Index child = tree_.FirstChild(at);
        std::vector<Index> parts;
        for (; child != kNone; child = tree_.NextSibling(child)) {
          if (tree_[child].named && tree_[child].kind != Kind::kComment) parts.push_back(child);
        }
        if (parts.size() != 3) return false;
        open.insert(open.end(), {parts[2], parts[1]});
        continue;
      }
      case Kind::kIdentifier: {
        const Scopes::BindingId binding = scopes_.BindingOf(at);
        if (binding == Scopes::kGlobal) return false;
        const Index declared = scopes_.bindings()[binding].value;
        if (declared == kNone) return false;
        // Only `const`: anything else may have another value by then.
        const Index declaration = tree_[tree_[declared].parent].parent;
        if (tree_[declaration].kind != Kind::kLexicalDeclaration ||
            !tree_.Text(declaration).starts_with("const")) {
          return false;
        }
        open.push_back(declared);
        continue;
      }
      default:
        return false;
    }
  }
  return !values.empty();
}

bool Roles::IsMutator(Index member) const {
  Member name;
  return MemberName(member, name) && name.constant && Contains(kMutators, name.name);
}

/// A function of this file that `callee` names or is, or kNone.
Index Roles::FunctionOf(Index callee) const {
  for (int hops = 0; hops < 8 && callee != kNone; ++hops) {
    switch (tree_[callee].kind) {
      case Kind::kArrowFunction:
      case Kind::kFunctionDeclaration:
      case Kind::kFunctionExpression:
      case Kind::kGeneratorFunction:
      case Kind::kGeneratorFunctionDeclaration:
        return callee;
      case Kind::kParenthesizedExpression:
        callee = FirstExpression(callee);
        break;
      case Kind::kIdentifier: {
        const Scopes::BindingId binding = scopes_.BindingOf(callee);
        if (binding == Scopes::kGlobal) return kNone;
        callee = scopes_.bindings()[binding].value;
        break;
      }
      default:
        return kNone;
    }
  }
  return kNone;
}

/// Of a parenthesized or await expression.
Index Roles::FirstExpression(Index node) const {
  for (Index child = tree_.FirstChild(node); child != kNone; child = tree_.NextSibling(child)) {
    if (tree_[child].named && tree_[child].kind != Kind::kComment) return child;
  }
  return kNone;
}

/// The next argument or parameter behind `item`, or kNone; a rest or spread ends what is known.
Index Roles::NextInList(Index item) const {
  while (item != kNone) {
    item = tree_.NextSibling(item);
    if (item == kNone || tree_[item].kind == Kind::kSpreadElement ||
        tree_[item].kind == Kind::kRestPattern) {
      return kNone;
    }
    if (tree_[item].named && tree_[item].kind != Kind::kComment) return item;
  }
  return kNone;
}

Index Roles::FirstParameter(Index function) const {
  if (const Index one = tree_.Child(function, SyntaxField::kParameter); one != kNone) return one;
  const Index list = tree_.Child(function, Kind::kFormalParameters);
  return list == kNone ? kNone : NextInList(tree_.FirstChild(list));
}

/// The expression or function that is exported as default, or kNone.
Index Roles::DefaultExport() const {
  for (Index node = tree_.FirstChild(0); node != kNone; node = tree_.NextSibling(node)) {
    if (tree_[node].kind != Kind::kExportStatement) continue;
    if (tree_.ChildToken(node, "default") != kNone) {
      const Index value = tree_.Child(node, SyntaxField::kValue);
      return value != kNone ? value : tree_.Child(node, SyntaxField::kDeclaration);
    }
    const Index clause = tree_.Child(node, Kind::kExportClause);
    if (clause == kNone) continue;
    for (Index child = tree_.FirstChild(clause); child != kNone; child = tree_.NextSibling(child)) {
      const Index alias = tree_.Child(child, SyntaxField::kAlias);
      if (alias == kNone || tree_.Text(alias) != "default") continue;
      const Index name = tree_.Child(child, SyntaxField::kName);
      const Scopes::BindingId binding =
          name == kNone ? Scopes::kGlobal : scopes_.FindTopLevel(tree_.Text(name));
      return binding == Scopes::kGlobal ? kNone : scopes_.bindings()[binding].value;
    }
  }
  return kNone;
}

void Roles::FindContext() {
  Index exported = DefaultExport();
  if (exported == kNone) return;
  // `export default defineAgent((ctx) => ...)`: a wrapper is taken to pass the context on.
  if (tree_[exported].kind == Kind::kIdentifier) {
    const Scopes::BindingId binding = scopes_.BindingOf(exported);
    if (binding != Scopes::kGlobal) exported = scopes_.bindings()[binding].value;
  }
  if (exported != kNone && tree_[exported].kind == Kind::kCallExpression) {
    exported = Argument(exported, 0);
  }
  const Index function = FunctionOf(exported);
  if (function == kNone) return;
  const Index parameter = FirstParameter(function);
  if (parameter != kNone) Bind(parameter, {.kind = RoleKind::kContext});
}

/// Children stand behind their parents, so walking backwards gives each node the roles below it.
void Roles::Evaluate() {
  for (std::size_t node = roles_.size(); node-- > 0;) {
    roles_[node] = OfNode(static_cast<Index>(node));
  }
}

Role Roles::OfNode(Index node) const {
  switch (tree_[node].kind) {
    case Kind::kIdentifier:
    case Kind::kShorthandProperty: {
      const Scopes::BindingId binding = scopes_.BindingOf(node);
      return binding == Scopes::kGlobal ? OfGlobal(tree_.Text(node)) : binding_roles_[binding];
    }
    case Kind::kParenthesizedExpression:
    case Kind::kAwaitExpression: {
      const Index inner = FirstExpression(node);
      return inner == kNone ? Role{} : roles_[inner];
    }
    case Kind::kBinaryExpression: {
      // `$state.items ?? []` is the state's value when there is one.
      const Index left = tree_.FirstChild(node);
      const bool choice =
          tree_.ChildToken(node, "??") != kNone || tree_.ChildToken(node, "||") != kNone;
      return choice ? roles_[left] : Role{};
    }
    case Kind::kMemberExpression:
    case Kind::kSubscriptExpression: {
      const Role& object = roles_[node + 1];
      if (object.kind == RoleKind::kNone) return {};
      Member member;
      if (!MemberName(node, member)) return {};
      if (object.kind == RoleKind::kStateValue) return OfMember(object, member.name);
      return member.constant ? OfMember(object, member.name) : Role{};
    }
    case Kind::kCallExpression:
      return OfCall(node);
    default:
      return {};
  }
}

Role Roles::OfCall(Index call) const {
  const Index function = call + 1;
  const Role& role = roles_[function];
  if (role.kind == RoleKind::kStateMethod && names_[role.name] == "get") {
    std::vector<std::string> keys;
    const Index argument = Argument(call, 0);
    if (argument == kNone || !ConstantStrings(argument, keys) || keys.size() != 1) return {};
    return {.kind = RoleKind::kStateValue, .name = Intern(keys.front())};
  }
  if (role.kind != RoleKind::kStateValue || tree_[function].kind != Kind::kMemberExpression) {
    return {};
  }
  Member method;
  if (!MemberName(function, method)) return {};
  const Role& object = roles_[function + 1];
  if (Contains(kSelfMethods, method.name)) return object;
  const Role value{.kind = RoleKind::kStateValue, .name = role.name};
  if (Contains(kElementMethods, method.name)) return value;
  if (!Contains(kFreshMethods, method.name)) return {};
  return {.kind = RoleKind::kStateValue, .fresh = true, .name = role.name};
}

/// One round of what declarations, loops and calls pass on. True when a role was new.
bool Roles::Flow() {
  bool changed = false;
  const auto count = static_cast<Index>(tree_.nodes().size());
  for (Index node = 0; node < count; ++node) {
    if (FlowNode(node)) changed = true;
  }
  return changed;
}

bool Roles::FlowNode(Index node) {
  const auto bind_fields = [&](SyntaxField from, SyntaxField to) {
    const Index source = tree_.Child(node, from);
    const Index target = tree_.Child(node, to);
    return source != kNone && target != kNone && roles_[source].kind != RoleKind::kNone &&
           Bind(target, roles_[source]);
  };
  switch (tree_[node].kind) {
    case Kind::kVariableDeclarator:
      return bind_fields(SyntaxField::kValue, SyntaxField::kName);
    case Kind::kAssignmentExpression:
    case Kind::kAssignmentPattern:
      return bind_fields(SyntaxField::kRight, SyntaxField::kLeft);
    case Kind::kForInStatement: {
      const Index right = tree_.Child(node, SyntaxField::kRight);
      const Index left = tree_.Child(node, SyntaxField::kLeft);
      if (right == kNone || left == kNone || tree_.ChildToken(node, "of") == kNone) return false;
      const Role& role = roles_[right];
      return role.kind == RoleKind::kStateValue &&
             Bind(left, {.kind = RoleKind::kStateValue, .name = role.name});
    }
    case Kind::kCallExpression:
      return FlowCall(node);
    default:
      return false;
  }
}

bool Roles::FlowCall(Index call) {
  bool changed = false;
  const Index callee = call + 1;
  // `$state.items.forEach((item) => ...)`: the element reaches the function.
  if (roles_[callee].kind == RoleKind::kStateValue &&
      tree_[callee].kind == Kind::kMemberExpression) {
    Member method;
    const Index function = FunctionOf(Argument(call, 0));
    if (function != kNone && MemberName(callee, method)) {
      Index parameter = FirstParameter(function);
      if (Contains(kReducers, method.name)) parameter = NextInList(parameter);
      const Role element{.kind = RoleKind::kStateValue, .name = roles_[callee].name};
      if (parameter != kNone && Bind(parameter, element)) changed = true;
    }
  }
  const Index function = FunctionOf(callee);
  const Index arguments = tree_.Child(call, Kind::kArguments);
  if (function == kNone || arguments == kNone) return changed;
  // Both lists are walked once and side by side, so the cost is that of the call's own text.
  Index parameter = FirstParameter(function);
  for (Index argument = NextInList(tree_.FirstChild(arguments));
       argument != kNone && parameter != kNone; argument = NextInList(argument)) {
    if (roles_[argument].kind != RoleKind::kNone) {
      passed_on_[argument] = true;
      if (Bind(parameter, roles_[argument])) changed = true;
    }
    parameter = NextInList(parameter);
  }
  return changed;
}

bool Roles::SetBinding(Index identifier, const Role& role) {
  const Scopes::BindingId binding = scopes_.BindingOf(identifier);
  if (binding == Scopes::kGlobal) return false;
  // The first role stays: a name that stands for two things is followed as one of them only.
  if (binding_roles_[binding].kind != RoleKind::kNone) return false;
  binding_roles_[binding] = role;
  return true;
}

/// Gives what `pattern` takes apart of `role` to the names in it.
bool Roles::Bind(Index pattern, const Role& role) {
  bool changed = false;
  std::vector<std::pair<Index, Role>> open{{pattern, role}};
  while (!open.empty()) {
    const auto [node, part] = open.back();
    open.pop_back();
    if (node == kNone || part.kind == RoleKind::kNone) continue;
    switch (tree_[node].kind) {
      case Kind::kIdentifier:
      case Kind::kShorthandPropertyPattern:
        if (SetBinding(node, part)) changed = true;
        break;
      case Kind::kAssignmentPattern:
      case Kind::kObjectAssignmentPattern:
        open.emplace_back(tree_.Child(node, SyntaxField::kLeft), part);
        break;
      case Kind::kArrayPattern:
        for (Index child = tree_.FirstChild(node); child != kNone;
             child = tree_.NextSibling(child)) {
          if (part.kind == RoleKind::kStateValue && tree_[child].named) {
            open.emplace_back(child, Role{.kind = RoleKind::kStateValue, .name = part.name});
          }
        }
        break;
      case Kind::kObjectPattern:
        if (pattern_roles_.emplace(node, part).second) changed = true;
        for (Index child = tree_.FirstChild(node); child != kNone;
             child = tree_.NextSibling(child)) {
          Member member;
          if (tree_[child].kind == Kind::kRestPattern) {
            // What is left of the context is still a context.
            if (part.kind == RoleKind::kContext) {
              open.emplace_back(tree_.FirstChild(child) + 1, part);
            }
          } else if (PatternMember(child, member) &&
                     (member.constant || part.kind == RoleKind::kStateValue)) {
            const Index value = tree_.Child(child, SyntaxField::kValue);
            const bool pair = tree_[child].kind == Kind::kPairPattern && value != kNone;
            open.emplace_back(pair ? value : child, OfMember(part, member.name));
          }
        }
        break;
      default:
        break;
    }
  }
  return changed;
}

}  // namespace nexus::internal
