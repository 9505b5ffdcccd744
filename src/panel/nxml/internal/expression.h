#pragma once
/// Bindings in attributes and text: `{expr}`, text with `{expr}` in it, and what an expression
/// names. Read with a small scanner, because a view has hundreds of them and none needs a tree.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "panel/definition.h"

namespace nexus::internal {

struct ReadText {
  ViewText text;
  std::vector<std::size_t> offsets;  ///< In `raw`, of each of its expressions.
  std::string error;                 ///< A brace is left open; `text` is then a literal.
  std::size_t error_offset = 0;
};
ReadText ReadViewText(std::string_view raw, SourcePosition position);

/// A use of a `$` global in an expression.
struct ExpressionUse {
  std::string global;      ///< "$state", "$scope", ...
  std::string member;      ///< "" when it is used otherwise than `.member`.
  std::size_t offset = 0;  ///< In the expression.
};

struct ExpressionFacts {
  std::vector<ExpressionUse> uses;
  std::vector<std::string> names;  ///< Free-standing identifiers (not after a dot), `$` ones too.
  std::string error;               ///< "" or why it cannot be an expression.
  std::size_t error_offset = 0;
};

/// Never fails on hostile text; linear in its length.
ExpressionFacts ReadExpression(std::string_view expression);

}  // namespace nexus::internal
