#include "source/syntax_tree.h"
#include "source/typescript.h"

namespace nexus {
namespace {

using Index = SyntaxTree::Index;
using Kind = SyntaxKind;
constexpr Index kNone = SyntaxTree::kNone;

class ShapeReader {
 public:
  explicit ShapeReader(const SyntaxTree& tree) : tree_(tree) {}

  ModuleShape Read() {
    const auto count = static_cast<Index>(tree_.nodes().size());
    for (Index node = 0; node < count; ++node) {
      switch (tree_[node].kind) {
        case Kind::kImportStatement:
          ReadImport(node);
          break;
        case Kind::kExportStatement:
          ReadExport(node);
          break;
        case Kind::kCallExpression:
          ReadCall(node);
          break;
        default:
          break;
      }
    }
    return std::move(shape_);
  }

 private:
  void AddImport(Index source, bool dynamic, bool type_only) {
    ImportFound found{.specifier = {},
                      .at = tree_.PositionOf(source),
                      .dynamic = dynamic,
                      .type_only = type_only};
    if (tree_.StringValue(source, found.specifier)) shape_.imports.push_back(std::move(found));
  }

  /// `import { type A }` is no type import: nothing of A is left, but the module is still loaded.
  void ReadImport(Index node) {
    const bool type_only = tree_.ChildToken(node, "type") != kNone;
    Index source = tree_.Child(node, SyntaxField::kSource);
    if (source != kNone && tree_[source].kind != Kind::kString) source = kNone;
    if (source == kNone) source = tree_.Child(node, Kind::kString);
    if (source != kNone) return AddImport(source, false, type_only);
    // import x = require("x")
    const Index clause = tree_.Child(node, Kind::kImportRequireClause);
    if (clause == kNone) return;
    const Index required = tree_.Child(clause, Kind::kString);
    if (required != kNone) AddImport(required, false, type_only);
  }

  void ReadExport(Index node) {
    const bool type_only = tree_.ChildToken(node, "type") != kNone;
    if (const Index source = tree_.Child(node, Kind::kString); source != kNone) {
      AddImport(source, false, type_only);
    }
    // Exports of a namespace are not the module's.
    if (tree_[tree_[node].parent].kind != Kind::kProgram || type_only) return;
    const Index declaration = tree_.Child(node, SyntaxField::kDeclaration);
    const Kind kind = declaration == kNone ? Kind::kOther : tree_[declaration].kind;
    const bool type = kind == Kind::kInterfaceDeclaration || kind == Kind::kTypeAliasDeclaration ||
                      kind == Kind::kAmbientDeclaration;
    if (tree_.ChildToken(node, "default") != kNone) {
      shape_.has_default_export |= !type;
      return;
    }
    if (const Index clause = tree_.Child(node, Kind::kExportClause); clause != kNone) {
      return ReadExportClause(clause);
    }
    // `export type` and `export interface` make a module of a file, even though nothing is left.
    shape_.has_other_exports = true;
  }

  void ReadExportClause(Index clause) {
    for (Index specifier = tree_.FirstChild(clause); specifier != kNone;
         specifier = tree_.NextSibling(specifier)) {
      if (tree_[specifier].kind != Kind::kExportSpecifier) continue;
      if (tree_.IsToken(tree_.FirstChild(specifier), "type")) continue;
      // The last name is the one it is exported under: `export { main as default }`.
      Index last = kNone;
      for (Index child = tree_.FirstChild(specifier); child != kNone;
           child = tree_.NextSibling(child)) {
        if (tree_[child].kind != Kind::kComment) last = child;
      }
      const std::string_view name = tree_.Text(last);
      if (name == "default" || name == "\"default\"" || name == "'default'") {
        shape_.has_default_export = true;
      } else {
        shape_.has_other_exports = true;
      }
    }
  }

  /// import("x") and require("x"); with a name that is computed there is nothing to report.
  void ReadCall(Index node) {
    const Index function = tree_.FirstChild(node);
    const bool import = tree_[function].kind == Kind::kImport;
    const bool require =
        tree_[function].kind == Kind::kIdentifier && tree_.Text(function) == "require";
    if (!import && !require) return;
    const Index arguments = tree_.Child(node, Kind::kArguments);
    if (arguments == kNone) return;
    for (Index child = tree_.FirstChild(arguments); child != kNone;
         child = tree_.NextSibling(child)) {
      if (tree_[child].kind == Kind::kToken || tree_[child].kind == Kind::kComment) continue;
      return AddImport(child, true, false);
    }
  }

  const SyntaxTree& tree_;
  ModuleShape shape_;
};

}  // namespace

Result<ModuleShape> ReadModuleShape(std::string_view text, Language language) {
  NEXUS_TRY(const SyntaxTree tree, SyntaxTree::Parse(text, language));
  return ShapeReader(tree).Read();
}

}  // namespace nexus
