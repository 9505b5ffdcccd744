#pragma once
/// What each expression of a program is to the capability system. See capability/inference.cc.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "source/scopes.h"
#include "source/syntax_tree.h"

namespace nexus::internal {

enum class RoleKind : std::uint8_t {
  kNone,
  kGlobalThis,
  kContext,          ///< The parameter of the default export.
  kState,            ///< $state
  kStateMethod,      ///< $state.get; `name` is the method
  kStateValue,       ///< $state.items, or an element of it; `name` is the key
  kExtensions,       ///< $ext
  kExtensionMeta,    ///< $ext.list, exists, methods: always allowed
  kExtension,        ///< $ext.http; `name` is the alias
  kExtensionMethod,  ///< $ext.http.get; `name` and `method`
  kTools,            ///< $tools
  kTool,             ///< $tools.add; `name`
  kEmit,             ///< $emit
  kEmitToast,        ///< $emit.toast
  kView,             ///< $view
  kViewMethod,       ///< $view.focus; `name`
};

struct Role {
  RoleKind kind = RoleKind::kNone;
  /// Of kStateValue: a new array with elements of the state, as filter() makes. Changing it changes
  /// no state, changing its elements does.
  bool fresh = false;
  std::uint32_t name = 0;  ///< Roles::Name
  std::uint32_t method = 0;
  friend bool operator==(const Role&, const Role&) = default;
};

/// The name in `x.name`, `x["name"]` or `{name: y}`; not constant for `x[y]`.
struct Member {
  bool constant = false;
  std::string name;
};

/// Immutable once built; borrows tree and scopes. Cost: a few passes over the tree.
class Roles {
 public:
  using Index = SyntaxTree::Index;

  Roles(const SyntaxTree& tree, const Scopes& scopes);

  const Role& Of(Index node) const { return roles_[node]; }
  /// What an object pattern takes apart.
  const Role& OfPattern(Index pattern) const;
  Role OfMember(const Role& object, const std::string& name) const;
  const std::string& Name(std::uint32_t id) const { return names_[id]; }

  /// Of a member or subscript expression; false for private names.
  bool MemberName(Index node, Member& member) const;
  /// Of one entry of an object pattern; false for what is no entry.
  bool PatternMember(Index child, Member& member) const;
  /// Argument `position` of a call, or kNone.
  Index Argument(Index call, std::size_t position) const;
  /// All values a constant expression may have: a literal, a template without substitutions, a
  /// constant that is one, a choice between them. False for anything else.
  bool ConstantStrings(Index node, std::vector<std::string>& values) const;
  /// `argument` is given to a function of this file, whose parameter carries its role on.
  bool PassedOn(Index argument) const { return passed_on_[argument]; }
  /// A member expression that names a method which changes its array.
  bool IsMutator(Index member) const;

 private:
  Role OfGlobal(std::string_view name) const;
  Role OfCall(Index call) const;
  Role OfNode(Index node) const;
  std::uint32_t Intern(const std::string& name) const;
  Index FunctionOf(Index callee) const;
  Index FirstExpression(Index node) const;
  Index FirstParameter(Index function) const;
  Index NextInList(Index item) const;
  Index DefaultExport() const;
  void FindContext();
  void Evaluate();
  bool Flow();
  bool FlowNode(Index node);
  bool FlowCall(Index call);
  bool Bind(Index pattern, const Role& role);
  bool SetBinding(Index identifier, const Role& role);

  const SyntaxTree& tree_;
  const Scopes& scopes_;
  std::vector<Role> roles_;
  std::vector<Role> binding_roles_;
  std::unordered_map<Index, Role> pattern_roles_;
  std::vector<bool> passed_on_;
  // Giving a name its number changes nothing that a caller sees.
  mutable std::vector<std::string> names_;
  mutable std::unordered_map<std::string, std::uint32_t> name_ids_;
};

}  // namespace nexus::internal
