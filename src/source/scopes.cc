#include "source/scopes.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace nexus {
namespace {

using Index = SyntaxTree::Index;
using Kind = SyntaxKind;
constexpr Index kNone = SyntaxTree::kNone;

bool IsFunction(Kind kind) {
  switch (kind) {
    case Kind::kArrowFunction:
    case Kind::kFunctionDeclaration:
    case Kind::kFunctionExpression:
    case Kind::kGeneratorFunction:
    case Kind::kGeneratorFunctionDeclaration:
    case Kind::kMethodDefinition:
    case Kind::kClassStaticBlock:
      return true;
    default:
      return false;
  }
}

bool OpensScope(Kind kind) {
  switch (kind) {
    case Kind::kProgram:
    case Kind::kStatementBlock:
    case Kind::kForStatement:
    case Kind::kForInStatement:
    case Kind::kCatchClause:
    case Kind::kSwitchBody:
    case Kind::kClass:
      return true;
    default:
      return IsFunction(kind);
  }
}

}  // namespace

std::vector<Index> PatternTargets(const SyntaxTree& tree, Index pattern) {
  std::vector<Index> targets;
  const Index end = tree[pattern].after;
  for (Index node = pattern; node < end;) {
    const SyntaxNode& at = tree[node];
    switch (at.kind) {
      case Kind::kIdentifier:
      case Kind::kShorthandPropertyPattern:
        targets.push_back(node);
        ++node;
        break;
      case Kind::kObjectPattern:
      case Kind::kArrayPattern:
      case Kind::kRestPattern:
      case Kind::kPairPattern:
      case Kind::kAssignmentPattern:
      case Kind::kObjectAssignmentPattern:
        ++node;
        break;
      default:
        node = at.after;
        break;  // Keys, default values, member expressions, commas.
    }
    // Of `a = value` the value is no target, whatever it is.
    while (node < end && tree[node].field == SyntaxField::kRight && node != pattern) {
      node = tree[node].after;
    }
  }
  return targets;
}

/// First pass: what each scope declares. Second pass: the names in sight while walking, as one
/// stack for each name, so that a look-up does not depend on how deep the scopes are nested.
class Scopes::Builder {
 public:
  Builder(const SyntaxTree& tree, Scopes& out) : tree_(tree), out_(out) {}

  void Build() {
    out_.binding_of_.assign(tree_.nodes().size(), kGlobal);
    const auto count = static_cast<Index>(tree_.nodes().size());
    for (Index node = 0; node < count; ++node) Enter(node), Declare(node);
    for (Index node = 0; node < count; ++node) Resolve(node);
    out_.top_level_ = std::move(scopes_[0].declared);
  }

 private:
  struct Scope {
    Index end = 0;
    bool function = false;
    std::vector<BindingId> declared;
    // Only while the first pass is inside: finds a second declaration of the same name.
    std::unordered_map<std::string_view, BindingId> names;
  };

  void Enter(Index node) {
    while (!open_.empty() && scopes_[open_.back()].end <= node) {
      scopes_[open_.back()].names = {};
      open_.pop_back();
    }
    while (!functions_.empty() && scopes_[functions_.back()].end <= node) functions_.pop_back();
    const Kind kind = tree_[node].kind;
    // Its name belongs to the scope around the function, so it comes before the function's own.
    if (kind == Kind::kFunctionDeclaration || kind == Kind::kGeneratorFunctionDeclaration ||
        kind == Kind::kClassDeclaration) {
      const Index name = tree_.Child(node, SyntaxField::kName);
      if (name != kNone) Add(name, open_.back(), node);
    }
    if (!OpensScope(kind)) return;
    const auto scope = static_cast<std::uint32_t>(scopes_.size());
    scopes_.push_back({.end = tree_[node].after,
                       .function = IsFunction(kind) || kind == Kind::kProgram,
                       .declared = {},
                       .names = {}});
    open_.push_back(scope);
    if (scopes_.back().function) functions_.push_back(scope);
  }

  void Declare(Index node) {
    switch (tree_[node].kind) {
      case Kind::kFunctionExpression:
      case Kind::kGeneratorFunction:
      case Kind::kClass:
        if (const Index name = tree_.Child(node, SyntaxField::kName); name != kNone) {
          Add(name, open_.back(), node);
        }
        return;
      case Kind::kArrowFunction:
        if (const Index one = tree_.Child(node, SyntaxField::kParameter); one != kNone) {
          AddPattern(one, open_.back());
        }
        return;
      case Kind::kFormalParameters:
        for (Index child = tree_.FirstChild(node); child != kNone;
             child = tree_.NextSibling(child)) {
          AddPattern(child, open_.back());
        }
        return;
      case Kind::kCatchClause:
        if (const Index parameter = tree_.Child(node, SyntaxField::kParameter);
            parameter != kNone) {
          AddPattern(parameter, open_.back());
        }
        return;
      case Kind::kVariableDeclarator:
        return DeclareVariable(node);
      case Kind::kForInStatement:
        if (const Index word = tree_.Child(node, SyntaxField::kKind); word != kNone) {
          const Index left = tree_.Child(node, SyntaxField::kLeft);
          if (left != kNone)
            AddPattern(left, tree_.Text(word) == "var" ? functions_.back() : open_.back());
        }
        return;
      case Kind::kImportClause:
      case Kind::kNamespaceImport:
        if (const Index name = tree_.Child(node, Kind::kIdentifier); name != kNone) {
          Add(name, open_.back(), kNone);
        }
        return;
      case Kind::kImportSpecifier: {
        Index name = tree_.Child(node, SyntaxField::kAlias);
        if (name == kNone) name = tree_.Child(node, SyntaxField::kName);
        if (name != kNone) Add(name, open_.back(), kNone);
        return;
      }
      default:
        return;
    }
  }

  void DeclareVariable(Index node) {
    const bool var = tree_[tree_[node].parent].kind == Kind::kVariableDeclaration;
    const std::uint32_t scope = var ? functions_.back() : open_.back();
    const Index name = tree_.Child(node, SyntaxField::kName);
    if (name == kNone) return;
    if (tree_[name].kind == Kind::kIdentifier) {
      Add(name, scope, tree_.Child(node, SyntaxField::kValue));
    } else {
      AddPattern(name, scope);
    }
  }

  void AddPattern(Index pattern, std::uint32_t scope) {
    for (const Index target : PatternTargets(tree_, pattern)) Add(target, scope, kNone);
  }

  void Add(Index name, std::uint32_t scope, Index value) {
    const auto id = static_cast<BindingId>(out_.bindings_.size());
    const auto [at, added] = scopes_[scope].names.emplace(tree_.Text(name), id);
    if (added) {
      out_.bindings_.push_back({.name = tree_.Text(name), .declaration = name, .value = value});
      scopes_[scope].declared.push_back(id);
    } else if (value != kNone && out_.bindings_[at->second].value == kNone) {
      out_.bindings_[at->second].value = value;
    }
    out_.binding_of_[name] = at->second;
  }

  void Resolve(Index node) {
    while (!in_sight_.empty() && scopes_[in_sight_.back()].end <= node) {
      for (const BindingId id : scopes_[in_sight_.back()].declared) {
        stacks_[out_.bindings_[id].name].pop_back();
      }
      in_sight_.pop_back();
    }
    const Kind kind = tree_[node].kind;
    if (OpensScope(kind)) {
      const auto scope = next_scope_++;
      in_sight_.push_back(scope);
      for (const BindingId id : scopes_[scope].declared) {
        stacks_[out_.bindings_[id].name].push_back(id);
      }
    }
    if (kind != Kind::kIdentifier && kind != Kind::kShorthandProperty &&
        kind != Kind::kShorthandPropertyPattern) {
      return;
    }
    if (out_.binding_of_[node] != kGlobal) return;
    const auto at = stacks_.find(tree_.Text(node));
    if (at != stacks_.end() && !at->second.empty()) out_.binding_of_[node] = at->second.back();
  }

  const SyntaxTree& tree_;
  Scopes& out_;
  std::vector<Scope> scopes_;  // In the order of their nodes.
  std::vector<std::uint32_t> open_, functions_, in_sight_;
  std::uint32_t next_scope_ = 0;
  std::unordered_map<std::string_view, std::vector<BindingId>> stacks_;
};

Scopes::Scopes(const SyntaxTree& tree) { Builder(tree, *this).Build(); }

Scopes::BindingId Scopes::FindTopLevel(std::string_view name) const {
  const auto at = std::find_if(top_level_.begin(), top_level_.end(),
                               [&](BindingId id) { return bindings_[id].name == name; });
  return at == top_level_.end() ? kGlobal : *at;
}

}  // namespace nexus
