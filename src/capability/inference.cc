// How it works: each expression gets a role ("this is $state", "this is part of state value
// items"). Roles start at the globals and at the context parameter, flow up through member
// expressions and calls, and through declarations, loops and calls of local functions into other
// names; that is repeated until nothing changes. Then every place where something with a role is
// used says which capability it needs. No step recurses, and the rounds are bounded.
#include "capability/inference.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/utf8.h"
#include "capability/internal/roles.h"
#include "source/scopes.h"
#include "source/syntax_tree.h"

namespace nexus {
namespace {

using internal::Member;
using internal::Role;
using internal::RoleKind;
using internal::Roles;
using Index = SyntaxTree::Index;
using Kind = SyntaxKind;
constexpr Index kNone = SyntaxTree::kNone;

// Reported to people: nobody reads more.
constexpr std::size_t kDynamicUsesMax = 256;

/// What happens to the place an expression names.
enum class Access : std::uint8_t { kRead, kWrite, kReadWrite };

/// Collects what the roles of a finished analysis say about each place.
class Collector {
 public:
  Collector(const SyntaxTree& tree, const Roles& roles) : tree_(tree), roles_(roles) {}

  Inference Collect() {
    const auto count = static_cast<Index>(tree_.nodes().size());
    for (Index node = 0; node < count; ++node) Look(node);
    Inference result;
    for (const auto& [token, offset] : found_) {
      result.capabilities.push_back({token, tree_.PositionAt(offset)});
    }
    result.dynamic_uses = std::move(dynamic_);
    return result;
  }

 private:
  void Look(Index node) {
    if (tree_[node].kind == Kind::kObjectPattern) return LookAtPattern(node);
    if (tree_[node].kind == Kind::kCallExpression) LookAtCall(node);
    const Role& role = roles_.Of(node);
    switch (role.kind) {
      case RoleKind::kNone:
      case RoleKind::kGlobalThis:
      case RoleKind::kExtensionMeta:
      case RoleKind::kEmitToast:
      case RoleKind::kStateMethod:
      case RoleKind::kViewMethod:
        return LookAtMethod(node, role);
      case RoleKind::kStateValue:
        return LookAtStateValue(node, role);
      case RoleKind::kExtensionMethod:
        if (IsMember(node)) {
          Need(Right::kExtension, roles_.Name(role.name) + "." + roles_.Name(role.method), node);
        }
        return;
      case RoleKind::kTool:
        if (IsMember(node)) Need(Right::kToolCall, roles_.Name(role.name), node);
        return;
      case RoleKind::kContext:
      case RoleKind::kState:
      case RoleKind::kExtensions:
      case RoleKind::kExtension:
      case RoleKind::kTools:
      case RoleKind::kView:
      case RoleKind::kEmit:
        return LookAtObject(node, role);
    }
  }

  bool IsMember(Index node) const {
    return tree_[node].kind == Kind::kMemberExpression ||
           tree_[node].kind == Kind::kSubscriptExpression;
  }
  /// The nearest node above that does not just pass the value on.
  std::pair<Index, Index> ParentOf(Index node) const {
    Index child = node;
    Index parent = tree_[node].parent;
    while (tree_[parent].kind == Kind::kParenthesizedExpression ||
           tree_[parent].kind == Kind::kAwaitExpression) {
      child = parent;
      parent = tree_[parent].parent;
    }
    return {parent, child};
  }

  void Need(Right right, const std::string& name, Index node) {
    // A program that writes $state["*"] must not ask for everything by it.
    if (name.find('*') != std::string::npos) return Dynamic(node, Shown(node));
    const Result<CapabilityToken> token = CapabilityToken::FromTypeAndScope(RightWord(right), name);
    if (!token) return Dynamic(node, Shown(node));
    const auto [at, added] = found_.emplace(*token, tree_[node].begin);
    if (!added) at->second = std::min(at->second, tree_[node].begin);
  }
  void NeedState(Access access, const std::string& key, Index node) {
    if (access != Access::kWrite) Need(Right::kStateRead, key, node);
    if (access != Access::kRead) Need(Right::kStateWrite, key, node);
  }
  void Dynamic(Index node, std::string what) {
    if (dynamic_.size() == kDynamicUsesMax) return;
    dynamic_.push_back({std::move(what), tree_.PositionOf(node)});
  }
  std::string Shown(Index node) const {
    const std::string_view text = tree_.Text(node);
    const std::string_view head = text.substr(0, 40);
    std::string shown = ToValidUtf8(head.substr(0, head.find('\n')));
    if (shown.size() < text.size()) shown += "...";
    return shown;
  }

  Access AccessOf(Index node) const;
  bool IsPatternTarget(Index node) const;
  bool Escapes(Index node) const;
  void LookAtPattern(Index pattern);
  void LookAtCall(Index call);
  void LookAtMethod(Index node, const Role& role);
  void LookAtStateMethod(Index node, Index call, const std::string& method);
  void LookAtStateValue(Index node, const Role& role);
  void LookAtObject(Index node, const Role& role);
  void NeedConstants(Right right, Index argument, Index node);

  const SyntaxTree& tree_;
  const Roles& roles_;
  std::map<CapabilityToken, std::uint32_t> found_;
  std::vector<DynamicUse> dynamic_;
};

/// `[$state.a, {b: $state.c}] = pair` and `for ($state.a of list)`.
bool Collector::IsPatternTarget(Index node) const {
  const Index parent = tree_[node].parent;
  switch (tree_[parent].kind) {
    case Kind::kArrayPattern:
    case Kind::kRestPattern:
      return true;
    case Kind::kPairPattern:
      return tree_[node].field == SyntaxField::kValue;
    case Kind::kAssignmentPattern:
    case Kind::kForInStatement:
      return tree_[node].field == SyntaxField::kLeft;
    default:
      return false;
  }
}

Access Collector::AccessOf(Index node) const {
  if (IsPatternTarget(node)) return Access::kWrite;
  const auto [parent, child] = ParentOf(node);
  switch (tree_[parent].kind) {
    case Kind::kAssignmentExpression:
      return tree_[child].field == SyntaxField::kLeft ? Access::kWrite : Access::kRead;
    case Kind::kAugmentedAssignment:
      return tree_[child].field == SyntaxField::kLeft ? Access::kReadWrite : Access::kRead;
    case Kind::kUpdateExpression:
      return Access::kReadWrite;
    case Kind::kUnaryExpression:
      return tree_.ChildToken(parent, "delete") != kNone ? Access::kWrite : Access::kRead;
    default:
      return Access::kRead;
  }
}

/// True where a value goes out of sight: into an unknown function, an object, a result.
bool Collector::Escapes(Index node) const {
  const auto [parent, child] = ParentOf(node);
  switch (tree_[parent].kind) {
    case Kind::kArguments:
      return !roles_.PassedOn(child);
    case Kind::kArrowFunction:
      return tree_[child].field == SyntaxField::kBody;
    case Kind::kAssignmentExpression:
      return tree_[child].field == SyntaxField::kRight &&
             tree_[tree_.Child(parent, SyntaxField::kLeft)].kind != Kind::kIdentifier;
    case Kind::kPair:
      return tree_[child].field == SyntaxField::kValue;
    case Kind::kArray:
    case Kind::kReturnStatement:
    case Kind::kSpreadElement:
    case Kind::kYieldExpression:
    case Kind::kFieldDefinition:
    case Kind::kForInStatement:
      return true;
    default:
      return tree_[node].kind == Kind::kShorthandProperty;
  }
}

void Collector::LookAtPattern(Index pattern) {
  const Role& role = roles_.OfPattern(pattern);
  if (role.kind == RoleKind::kNone) return;
  for (Index child = tree_.FirstChild(pattern); child != kNone; child = tree_.NextSibling(child)) {
    if (tree_[child].kind == Kind::kRestPattern) {
      if (role.kind == RoleKind::kState || role.kind == RoleKind::kExtensions ||
          role.kind == RoleKind::kTools || role.kind == RoleKind::kExtension) {
        Dynamic(child, Shown(child));
      }
      continue;
    }
    Member member;
    if (!roles_.PatternMember(child, member)) continue;
    if (!member.constant) {
      if (role.kind != RoleKind::kStateValue) Dynamic(child, Shown(child));
      continue;
    }
    const Role part = roles_.OfMember(role, member.name);
    if (part.kind == RoleKind::kStateValue && role.kind == RoleKind::kState) {
      NeedState(Access::kRead, roles_.Name(part.name), child);
    } else if (part.kind == RoleKind::kExtensionMethod) {
      Need(Right::kExtension, roles_.Name(part.name) + "." + roles_.Name(part.method), child);
    } else if (part.kind == RoleKind::kTool) {
      Need(Right::kToolCall, roles_.Name(part.name), child);
    }
  }
}

/// Built-in functions that write into their first argument: Object.assign($state.user, ...).
void Collector::LookAtCall(Index call) {
  const Index function = tree_.FirstChild(call);
  if (tree_[function].kind != Kind::kMemberExpression) return;
  const std::string_view text = tree_.Text(function);
  if (text != "Object.assign" && text != "Object.defineProperty" && text != "Reflect.set" &&
      text != "Reflect.deleteProperty") {
    return;
  }
  const Index target = roles_.Argument(call, 0);
  if (target == kNone) return;
  const Role& role = roles_.Of(target);
  if (role.kind == RoleKind::kStateValue && !role.fresh) {
    NeedState(Access::kReadWrite, roles_.Name(role.name), target);
  }
}

void Collector::NeedConstants(Right right, Index argument, Index node) {
  std::vector<std::string> names;
  if (argument == kNone || !roles_.ConstantStrings(argument, names)) {
    return Dynamic(node, Shown(tree_[node].parent));
  }
  for (const std::string& name : names) Need(right, name, node);
}

/// A function of `$state`, `$view` or `$emit`: only a call with a constant name can be read.
void Collector::LookAtMethod(Index node, const Role& role) {
  const bool asks = role.kind == RoleKind::kStateMethod || role.kind == RoleKind::kViewMethod;
  if (role.kind == RoleKind::kEmitToast && IsMember(node)) {
    return Need(Right::kEventEmit, "toast", node);
  }
  if (!asks) return;
  const auto [parent, child] = ParentOf(node);
  const bool called =
      tree_[parent].kind == Kind::kCallExpression && tree_[child].field == SyntaxField::kFunction;
  if (!called) {
    // An alias is looked at where it is called.
    if (tree_[parent].kind != Kind::kVariableDeclarator) Dynamic(node, Shown(node));
    return;
  }
  if (role.kind == RoleKind::kViewMethod) {
    return NeedConstants(Right::kViewUpdate, roles_.Argument(parent, 0), child);
  }
  LookAtStateMethod(child, parent, roles_.Name(role.name));
}

void Collector::LookAtStateMethod(Index node, Index call, const std::string& method) {
  const Index argument = roles_.Argument(call, 0);
  if (method == "keys") {
    // Asked for the readable keys only it needs no right; else state:read:*, which is everything
    // and therefore never inferred.
    const bool readable = argument != kNone && tree_[argument].kind == Kind::kObject &&
                          tree_.Text(argument).find("readable") != std::string_view::npos;
    if (!readable) Dynamic(node, Shown(call));
    return;
  }
  std::vector<std::string> keys;
  if (argument == kNone || !roles_.ConstantStrings(argument, keys)) {
    return Dynamic(node, Shown(call));
  }
  const Access access = method == "get" || method == "has" ? Access::kRead
                        : method == "update"               ? Access::kReadWrite
                                                           : Access::kWrite;
  for (const std::string& key : keys) NeedState(access, key, node);
}

void Collector::LookAtStateValue(Index node, const Role& role) {
  if (!IsMember(node)) return;
  const std::string& key = roles_.Name(role.name);
  const Role& of = roles_.Of(tree_.FirstChild(node));
  const Access access = AccessOf(node);
  if (of.kind != RoleKind::kStateValue) return NeedState(access, key, node);
  if (of.fresh) return;
  if (access != Access::kRead) return NeedState(Access::kWrite, key, node);
  // `$state.items.push(x)`: a method that changes its object.
  const auto [parent, child] = ParentOf(node);
  if (tree_[parent].kind == Kind::kCallExpression && tree_[child].field == SyntaxField::kFunction &&
      roles_.IsMutator(node)) {
    NeedState(Access::kWrite, key, node);
  }
}

/// `$state`, `$ext`, ... themselves: fine as the object of a constant member; what else is done
/// with them decides whether something is out of sight.
void Collector::LookAtObject(Index node, const Role& role) {
  const auto [parent, child] = ParentOf(node);
  const Kind kind = tree_[parent].kind;
  if ((kind == Kind::kMemberExpression || kind == Kind::kSubscriptExpression) &&
      tree_[child].field == SyntaxField::kObject) {
    Member member;
    // Calling a method of `$view` or `$emit` by a computed name is as unknown.
    if (!roles_.MemberName(parent, member) || member.constant) return;
    return Dynamic(parent, Shown(child) + "[...]");
  }
  if (kind == Kind::kCallExpression && tree_[child].field == SyntaxField::kFunction) {
    if (role.kind == RoleKind::kEmit) {
      return NeedConstants(Right::kEventEmit, roles_.Argument(parent, 0), child);
    }
    return Dynamic(node, Shown(parent));
  }
  if (kind == Kind::kBinaryExpression && role.kind == RoleKind::kState &&
      tree_.ChildToken(parent, "in") != kNone) {
    std::vector<std::string> keys;
    if (!roles_.ConstantStrings(tree_.FirstChild(parent), keys)) {
      return Dynamic(parent, Shown(parent));
    }
    for (const std::string& key : keys) NeedState(Access::kRead, key, parent);
    return;
  }
  if (Escapes(node)) Dynamic(node, Shown(node) + " passed on");
}

}  // namespace

std::vector<CapabilityToken> Inference::Tokens() const {
  std::vector<CapabilityToken> tokens;
  tokens.reserve(capabilities.size());
  for (const InferredCapability& capability : capabilities) tokens.push_back(capability.token);
  return tokens;
}

Result<Inference> InferCapabilities(std::string_view javascript) {
  NEXUS_TRY(const SyntaxTree tree, SyntaxTree::Parse(javascript, Language::kJavaScript));
  return InferCapabilities(tree, Scopes(tree));
}

Inference InferCapabilities(const SyntaxTree& tree, const Scopes& scopes) {
  const Roles roles(tree, scopes);
  return Collector(tree, roles).Collect();
}

}  // namespace nexus
