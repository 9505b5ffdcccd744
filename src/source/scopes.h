#pragma once
/// Which declaration each name in a JavaScript file refers to.

#include <cstdint>
#include <string_view>
#include <vector>

#include "source/syntax_tree.h"

namespace nexus {

/// Immutable; borrows the tree. Cost: linear in the tree.
class Scopes {
 public:
  using Index = SyntaxTree::Index;
  using BindingId = std::uint32_t;
  /// Not declared in the file: a global.
  static constexpr BindingId kGlobal = static_cast<BindingId>(-1);

  struct Binding {
    std::string_view name;
    Index declaration = SyntaxTree::kNone;  ///< The identifier node that declares it first.
    /// The function declaration, or the initializer of a plain `name = value`; else kNone.
    Index value = SyntaxTree::kNone;
  };

  explicit Scopes(const SyntaxTree& tree);

  /// Of an identifier or shorthand property node; kGlobal for all other nodes too.
  BindingId BindingOf(Index node) const { return binding_of_[node]; }
  const std::vector<Binding>& bindings() const { return bindings_; }
  /// A binding at the top level of the file, or kGlobal.
  BindingId FindTopLevel(std::string_view name) const;

 private:
  class Builder;
  std::vector<BindingId> binding_of_;
  std::vector<Binding> bindings_;
  std::vector<BindingId> top_level_;
};

/// The identifiers a pattern declares or assigns ({a, b: [c], ...d} -> a c d). An identifier is its
/// own pattern; a member expression has none.
std::vector<SyntaxTree::Index> PatternTargets(const SyntaxTree& tree, SyntaxTree::Index pattern);

}  // namespace nexus
