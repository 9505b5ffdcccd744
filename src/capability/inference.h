#pragma once
/// Reads from a program's parsed code which capabilities it will ask for (contract 4). The answer
/// is a request, never a grant: what the reading cannot see is denied at run time and the denial
/// names the token to declare.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "capability/token.h"
#include "source/position.h"

namespace nexus {

class Scopes;
class SyntaxTree;

struct InferredCapability {
  CapabilityToken token;
  SourcePosition first_use;
};

/// A use whose name is not a constant ($state[k], $ext[name]()): cannot be inferred.
struct DynamicUse {
  std::string what;  ///< "$state[...]"
  SourcePosition at;
};

struct Inference {
  std::vector<InferredCapability> capabilities;  ///< Sorted by token, no duplicates.
  std::vector<DynamicUse> dynamic_uses;          ///< In the order of the text, at most 256.
  std::vector<CapabilityToken> Tokens() const;
};

/// `javascript` is a body or a module (after type stripping and bundling). Sees the `$` globals
/// and, in modules, the fields of the default export's context parameter, destructured or not:
/// `({state, ext}) => ...`, `(ctx) => ctx.state.x`. Reads through nested writes
/// (`$state.items.push(x)` reads and writes `items`), `delete`, `++`, `in`, `$state.get('k')`,
/// `$view.setFilter('id', ...)`, `$tools.name()`, `$ext.alias.method()`. Follows aliases
/// (`const {items} = $state`), loops and callbacks over state values, and calls of functions of the
/// same file. Shadowed names (a local `$state`) do not count. Never infers `*`: what needs
/// everything (`$state.keys()`) is a dynamic use. Extensions are named as the code names them: by
/// alias.
/// Errors: kInvalidArgument "line:column: ..." when the code does not parse.
Result<Inference> InferCapabilities(std::string_view javascript);
/// The same for a file that is parsed already. `scopes` are those of `tree`.
Inference InferCapabilities(const SyntaxTree& tree, const Scopes& scopes);

}  // namespace nexus
