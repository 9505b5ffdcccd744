// Goal: what StripTypes writes runs as the TypeScript it was given would, with every character in
// its place. Method: golden cases for each construct; laws over all of them.
#include "source/typescript.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>

#include "base/testing/golden.h"
#include "base/utf8.h"

namespace nexus {
namespace {

TEST(StripTypes, Golden) {
  RunGoldenFile("src/source/testdata/strip.golden", 40, [](const std::string& input) {
    const Result<StrippedSource> stripped = StripTypes(input);
    if (!stripped) return "error: " + stripped.error().message();
    std::string shown = stripped->javascript;
    if (stripped->needs_bundler) {
      shown += fmt::format("bundler: {} at {}:{}\n", stripped->unerasable_what,
                           stripped->first_unerasable.line, stripped->first_unerasable.column);
    }
    return shown;
  });
}

/// The cases of the golden file that need no bundler.
std::vector<std::pair<std::string, std::string>> ErasedCases() {
  std::vector<std::pair<std::string, std::string>> cases;
  const Result<std::string> text =
      ReadFile(std::string(NEXUS_SOURCE_DIR) + "/src/source/testdata/strip.golden");
  std::string preamble;
  for (const GoldenCase& one : ReadGoldenCases(text.value(), preamble)) {
    const Result<StrippedSource> stripped = StripTypes(one.input);
    if (stripped && !stripped->needs_bundler) cases.emplace_back(one.input, stripped->javascript);
  }
  return cases;
}

TEST(StripTypes, WritesJavaScriptThatParses) {
  const auto cases = ErasedCases();
  ASSERT_GE(cases.size(), 30u);
  for (const auto& [input, output] : cases) {
    const auto tree = SyntaxTree::Parse(output, Language::kJavaScript);
    EXPECT_TRUE(tree.has_value()) << tree.error().message() << "\n" << output;
  }
}

TEST(StripTypes, KeepsEveryCharacterInItsPlace) {
  for (const auto& [input, output] : ErasedCases()) {
    ASSERT_EQ(CodePointCount(output), CodePointCount(input)) << input;
    // Decoded in step: what is not the same is a space, or one of the three signs that are moved.
    std::size_t i = 0;
    std::size_t j = 0;
    const auto next = [](std::string_view text, std::size_t& at) {
      const std::size_t start = at++;
      while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) ++at;
      return text.substr(start, at - start);
    };
    while (i < input.size()) {
      const std::string_view before = next(input, i);
      const std::string_view after = next(output, j);
      if (before == after) continue;
      EXPECT_TRUE(after == " " || after == ";" || after == ")" || after == "(") << input;
      EXPECT_NE(before, "\n");
    }
  }
}

TEST(StripTypes, IsIdempotent) {
  for (const auto& [input, output] : ErasedCases()) {
    const Result<StrippedSource> again = StripTypes(output);
    ASSERT_TRUE(again.has_value()) << output;
    EXPECT_EQ(again->javascript, output);
    EXPECT_FALSE(again->needs_bundler);
  }
}

TEST(StripTypes, NamesThePlaceOfASyntaxError) {
  const Result<StrippedSource> stripped = StripTypes("let ok = 1;\nlet é = ) 2;\n");
  ASSERT_FALSE(stripped.has_value());
  EXPECT_EQ(stripped.error().code(), Code::kInvalidArgument);
  EXPECT_EQ(stripped.error().message().substr(0, 2), "2:") << stripped.error().message();
}

TEST(StripTypes, RefusesWhatIsTooLarge) {
  const Result<StrippedSource> stripped = StripTypes(std::string(SyntaxTree::kBytesMax + 1, ' '));
  ASSERT_FALSE(stripped.has_value());
  EXPECT_EQ(stripped.error().code(), Code::kResourceExhausted);
}

/// Seconds of processor time that `text` takes: what else the machine does is not counted.
double SecondsFor(const std::string& text) {
  const std::clock_t start = std::clock();
  const Result<StrippedSource> stripped = StripTypes(text);
  (void)stripped;
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

TEST(StripTypes, EndsInTimeOnHostileText) {
  const auto repeat = [](std::string_view piece, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += piece;
    return text;
  };
  EXPECT_LT(SecondsFor(repeat("type A = 1\n", 20'000) + "(x)"), 10);
  EXPECT_LT(SecondsFor("x" + repeat(" as A", 20'000)), 10);
  EXPECT_LT(SecondsFor(repeat("(", 20'000) + repeat(")", 20'000)), 10);
  EXPECT_LT(SecondsFor(repeat("{", 20'000)), 10);
  EXPECT_LT(SecondsFor(repeat("if (a) ", 5'000) + "x as T"), 10);
  EXPECT_LT(SecondsFor(repeat("class A{a:", 2'000)), 30);
}

TEST(ReadModuleShape, FindsImportsAndExports) {
  const Result<ModuleShape> shape = ReadModuleShape(R"(
import a, { b } from "one";
import * as c from './two.ts';
import "three";
import type { T } from "four";
export * from "five";
export { x as default } from "six";
const d = await import("seven"), e = require('eight'), f = import(name);
)",
                                                    Language::kTypeScript);
  ASSERT_TRUE(shape.has_value()) << shape.error().message();
  std::string seen;
  for (const ImportFound& found : shape->imports) {
    seen += fmt::format("{}{}{}@{} ", found.specifier, found.dynamic ? "?" : "",
                        found.type_only ? "!" : "", found.at.line);
  }
  EXPECT_EQ(seen, "one@2 ./two.ts@3 three@4 four!@5 five@6 six@7 seven?@8 eight?@8 ");
  EXPECT_TRUE(shape->has_default_export);
  EXPECT_TRUE(shape->has_other_exports);
  EXPECT_TRUE(shape->is_module());
}

TEST(ReadModuleShape, TellsABodyFromAModule) {
  const auto shape_of = [](std::string_view text) {
    return ReadModuleShape(text, Language::kJavaScript).value();
  };
  EXPECT_FALSE(shape_of("return $args.a + 1;").is_module());
  EXPECT_FALSE(shape_of("const m = await import('x'); return m;").is_module());
  EXPECT_FALSE(shape_of("// export default 1\nreturn 'import x from y';").is_module());
  EXPECT_TRUE(shape_of("export default (ctx) => 1").has_default_export);
  EXPECT_TRUE(shape_of("export default function f() {}").has_default_export);
  EXPECT_TRUE(shape_of("const f = 1; export { f as default };").has_default_export);
  EXPECT_FALSE(shape_of("export const a = 1;").has_default_export);
  EXPECT_TRUE(shape_of("export const a = 1;").is_module());
  EXPECT_TRUE(shape_of("import 'x'; return 1").is_module());
}

}  // namespace
}  // namespace nexus
