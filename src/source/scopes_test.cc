#include "source/scopes.h"

#include <gtest/gtest.h>

#include <map>

namespace nexus {
namespace {

/// The names of globals that `text` refers to.
std::map<std::string, int> GlobalsOf(std::string_view text) {
  const SyntaxTree tree = SyntaxTree::Parse(text, Language::kJavaScript).value();
  const Scopes scopes(tree);
  std::map<std::string, int> globals;
  for (SyntaxTree::Index node = 0; node < tree.nodes().size(); ++node) {
    const SyntaxKind kind = tree[node].kind;
    if (kind != SyntaxKind::kIdentifier && kind != SyntaxKind::kShorthandProperty) continue;
    if (scopes.BindingOf(node) == Scopes::kGlobal) ++globals[std::string(tree.Text(node))];
  }
  return globals;
}

using Globals = std::map<std::string, int>;

TEST(Scopes, SeesEveryKindOfDeclaration) {
  EXPECT_EQ(GlobalsOf("function f(a, [b], {c, d: e, ...g}, h = i, ...j) "
                      "{ a; b; c; e; g; h; j; d; }"),
            (Globals{{"d", 1}, {"i", 1}}));
  EXPECT_EQ(GlobalsOf("import a, {b as c} from 'x'; import * as d from 'y'; a; c; d; b;"),
            (Globals{{"b", 2}}));
  EXPECT_EQ(GlobalsOf("try {} catch ({a}) { a; } a;"), (Globals{{"a", 1}}));
  EXPECT_EQ(GlobalsOf("const f = function g() { g; }; g; f;"), (Globals{{"g", 1}}));
  EXPECT_EQ(GlobalsOf("class A { m() { A; } } A; (class B { m() { B; } }); B;"),
            (Globals{{"B", 1}}));
  EXPECT_EQ(GlobalsOf("x => x; x; (y) => y; async z => z;"), (Globals{{"x", 1}}));
}

TEST(Scopes, BlocksAndHoisting) {
  EXPECT_EQ(GlobalsOf("{ let a; var b; } a; b;"), (Globals{{"a", 1}}));
  EXPECT_EQ(GlobalsOf("f(); function f() { return g; } var g;"), (Globals{}));
  EXPECT_EQ(GlobalsOf("for (let i = 0; i < 1; i++) i; i;"), (Globals{{"i", 1}}));
  EXPECT_EQ(GlobalsOf("for (const k of l) k; for (k of l) ;"), (Globals{{"k", 1}, {"l", 2}}));
  EXPECT_EQ(GlobalsOf("switch (a) { case 1: let b; b; } b;"), (Globals{{"a", 1}, {"b", 1}}));
  EXPECT_EQ(GlobalsOf("function f() { if (x) { var a; } a; } a;"), (Globals{{"a", 1}, {"x", 1}}));
}

TEST(Scopes, ShorthandAndPatterns) {
  EXPECT_EQ(GlobalsOf("({a, b: c, [d]: 1}); let {x = y} = z;"),
            (Globals{{"a", 1}, {"c", 1}, {"d", 1}, {"y", 1}, {"z", 1}}));
}

}  // namespace
}  // namespace nexus
