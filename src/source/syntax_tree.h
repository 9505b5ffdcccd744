#pragma once
/// A file's concrete syntax tree as one flat list in source order, without any type of the parser
/// that made it. Walking is a loop over indexes, so that no nesting in hostile input can exhaust
/// the stack.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/text.h"
#include "source/position.h"

namespace nexus {

enum class Language : std::uint8_t { kJavaScript, kTypeScript };

/// The grammar's node kinds that someone here asks for: NEXUS_SYNTAX_KIND(Name, "grammar name").
/// All others are kOther (named) or kToken (punctuation and keywords: compare the text).
#define NEXUS_SYNTAX_KINDS(X)                                          \
  X(AbstractClassDeclaration, "abstract_class_declaration")            \
  X(AbstractMethodSignature, "abstract_method_signature")              \
  X(AccessibilityModifier, "accessibility_modifier")                   \
  X(AmbientDeclaration, "ambient_declaration")                         \
  X(Arguments, "arguments")                                            \
  X(Array, "array")                                                    \
  X(ArrayPattern, "array_pattern")                                     \
  X(ArrayType, "array_type")                                           \
  X(ArrowFunction, "arrow_function")                                   \
  X(AsExpression, "as_expression")                                     \
  X(AssertsAnnotation, "asserts_annotation")                           \
  X(AssignmentExpression, "assignment_expression")                     \
  X(AssignmentPattern, "assignment_pattern")                           \
  X(AugmentedAssignment, "augmented_assignment_expression")            \
  X(AwaitExpression, "await_expression")                               \
  X(BinaryExpression, "binary_expression")                             \
  X(CallExpression, "call_expression")                                 \
  X(CatchClause, "catch_clause")                                       \
  X(Class, "class")                                                    \
  X(ClassBody, "class_body")                                           \
  X(ClassDeclaration, "class_declaration")                             \
  X(ClassStaticBlock, "class_static_block")                            \
  X(Comment, "comment")                                                \
  X(ComputedPropertyName, "computed_property_name")                    \
  X(Decorator, "decorator")                                            \
  X(EnumDeclaration, "enum_declaration")                               \
  X(EscapeSequence, "escape_sequence")                                 \
  X(ExportClause, "export_clause")                                     \
  X(ExportSpecifier, "export_specifier")                               \
  X(ExportStatement, "export_statement")                               \
  X(ExpressionStatement, "expression_statement")                       \
  X(FieldDefinition, "field_definition")                               \
  X(ForInStatement, "for_in_statement")                                \
  X(ForStatement, "for_statement")                                     \
  X(FormalParameters, "formal_parameters")                             \
  X(FunctionDeclaration, "function_declaration")                       \
  X(FunctionExpression, "function_expression")                         \
  X(FunctionSignature, "function_signature")                           \
  X(GeneratorFunction, "generator_function")                           \
  X(GeneratorFunctionDeclaration, "generator_function_declaration")    \
  X(HtmlComment, "html_comment")                                       \
  X(Identifier, "identifier")                                          \
  X(ImplementsClause, "implements_clause")                             \
  X(Import, "import")                                                  \
  X(ImportAlias, "import_alias")                                       \
  X(ImportClause, "import_clause")                                     \
  X(ImportRequireClause, "import_require_clause")                      \
  X(ImportSpecifier, "import_specifier")                               \
  X(ImportStatement, "import_statement")                               \
  X(IndexSignature, "index_signature")                                 \
  X(InterfaceDeclaration, "interface_declaration")                     \
  X(InternalModule, "internal_module")                                 \
  X(LexicalDeclaration, "lexical_declaration")                         \
  X(LookupType, "lookup_type")                                         \
  X(MemberExpression, "member_expression")                             \
  X(MethodDefinition, "method_definition")                             \
  X(MethodSignature, "method_signature")                               \
  X(Module, "module")                                                  \
  X(NamespaceExport, "namespace_export")                               \
  X(NamespaceImport, "namespace_import")                               \
  X(NewExpression, "new_expression")                                   \
  X(NonNullExpression, "non_null_expression")                          \
  X(Number, "number")                                                  \
  X(Object, "object")                                                  \
  X(ObjectAssignmentPattern, "object_assignment_pattern")              \
  X(ObjectPattern, "object_pattern")                                   \
  X(OptionalChain, "optional_chain")                                   \
  X(OptionalParameter, "optional_parameter")                           \
  X(OverrideModifier, "override_modifier")                             \
  X(Pair, "pair")                                                      \
  X(PairPattern, "pair_pattern")                                       \
  X(ParenthesizedExpression, "parenthesized_expression")               \
  X(PrivatePropertyIdentifier, "private_property_identifier")          \
  X(Program, "program")                                                \
  X(PropertyIdentifier, "property_identifier")                         \
  X(PublicFieldDefinition, "public_field_definition")                  \
  X(RequiredParameter, "required_parameter")                           \
  X(RestPattern, "rest_pattern")                                       \
  X(ReturnStatement, "return_statement")                               \
  X(SatisfiesExpression, "satisfies_expression")                       \
  X(SequenceExpression, "sequence_expression")                         \
  X(ShorthandProperty, "shorthand_property_identifier")                \
  X(ShorthandPropertyPattern, "shorthand_property_identifier_pattern") \
  X(SpreadElement, "spread_element")                                   \
  X(StatementBlock, "statement_block")                                 \
  X(String, "string")                                                  \
  X(StringFragment, "string_fragment")                                 \
  X(SubscriptExpression, "subscript_expression")                       \
  X(SwitchBody, "switch_body")                                         \
  X(SwitchCase, "switch_case")                                         \
  X(SwitchDefault, "switch_default")                                   \
  X(TemplateString, "template_string")                                 \
  X(TemplateSubstitution, "template_substitution")                     \
  X(TernaryExpression, "ternary_expression")                           \
  X(This, "this")                                                      \
  X(ThrowStatement, "throw_statement")                                 \
  X(TypeAliasDeclaration, "type_alias_declaration")                    \
  X(TypeAnnotation, "type_annotation")                                 \
  X(TypeArguments, "type_arguments")                                   \
  X(TypeAssertion, "type_assertion")                                   \
  X(TypeParameters, "type_parameters")                                 \
  X(TypePredicateAnnotation, "type_predicate_annotation")              \
  X(UnaryExpression, "unary_expression")                               \
  X(UpdateExpression, "update_expression")                             \
  X(VariableDeclaration, "variable_declaration")                       \
  X(VariableDeclarator, "variable_declarator")                         \
  X(YieldExpression, "yield_expression")

enum class SyntaxKind : std::uint8_t {
  kOther,
  kToken,
  kError,
#define NEXUS_SYNTAX_KIND(name, text) k##name,
  NEXUS_SYNTAX_KINDS(NEXUS_SYNTAX_KIND)
#undef NEXUS_SYNTAX_KIND
};

/// What a node is to its parent, where the grammar says so and someone here asks.
enum class SyntaxField : std::uint8_t {
  kNone,
  kName,
  kValue,
  kBody,
  kParameters,
  kParameter,
  kFunction,
  kArguments,
  kObject,
  kProperty,
  kIndex,
  kLeft,
  kRight,
  kOperator,
  kArgument,
  kKey,
  kSource,
  kDeclaration,
  kConstructor,
  kAlias,
  kPattern,
  kKind,
};

/// A node of the list. Its descendants are the nodes right behind it, up to `after`.
struct SyntaxNode {
  std::uint32_t begin = 0;  ///< Byte offsets.
  std::uint32_t end = 0;
  std::uint32_t parent = 0;  ///< Index; the root is its own parent.
  std::uint32_t after = 0;   ///< Index of the first node that is no descendant.
  SyntaxKind kind = SyntaxKind::kOther;
  SyntaxField field = SyntaxField::kNone;
  bool named = false;
};

/// Immutable. Borrows the text it was made from.
class SyntaxTree {
 public:
  using Index = std::uint32_t;
  static constexpr Index kNone = static_cast<Index>(-1);
  static constexpr std::size_t kBytesMax = std::size_t{32} << 20;

  /// Errors: kInvalidArgument "line:column: ..." where the text does not parse;
  /// kResourceExhausted for more than kBytesMax, or when parsing takes unreasonably long.
  /// Threads: pure. Cost: about 10 MB/s; 24 bytes a node.
  static Result<SyntaxTree> Parse(std::string_view text, Language language);

  std::string_view text() const { return text_; }
  const std::vector<SyntaxNode>& nodes() const { return nodes_; }
  const SyntaxNode& operator[](Index node) const { return nodes_[node]; }
  std::string_view Text(Index node) const {
    return text_.substr(nodes_[node].begin, nodes_[node].end - nodes_[node].begin);
  }
  SourcePosition PositionOf(Index node) const { return PositionAt(nodes_[node].begin); }
  SourcePosition PositionAt(std::size_t offset) const;

  /// First child, kNone when there is none.
  Index FirstChild(Index node) const { return nodes_[node].after > node + 1 ? node + 1 : kNone; }
  Index NextSibling(Index node) const {
    const Index next = nodes_[node].after;
    return node != 0 && next < nodes_[nodes_[node].parent].after ? next : kNone;
  }
  /// The child that is `field` of `node`, or kNone.
  Index Child(Index node, SyntaxField field) const;
  /// The first child of `kind`, or kNone.
  Index Child(Index node, SyntaxKind kind) const;
  /// The first child that is the token `text` ("as", "?"), or kNone.
  Index ChildToken(Index node, std::string_view text) const;
  bool IsToken(Index node, std::string_view text) const {
    return nodes_[node].kind == SyntaxKind::kToken && Text(node) == text;
  }

  /// The value of a string literal or of a template without substitutions. False for any other
  /// node, and for a string with an escape that has no meaning.
  bool StringValue(Index node, std::string& value) const;

 private:
  explicit SyntaxTree(std::string_view text) : text_(text), lines_(text) {}

  std::string_view text_;
  LineIndex lines_;
  std::vector<SyntaxNode> nodes_;
};

}  // namespace nexus
