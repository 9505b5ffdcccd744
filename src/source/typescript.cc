// Types are found in the parse tree and overwritten with spaces. Three things keep the meaning
// where spaces alone would not (the method is that of ts-blank-space): a `;` where erasing would
// join two statements that a type held apart; the `)` of an arrow function moved down to its `=>`
// when the return type between them spans lines; its `(` moved up when type parameters do.
#include "source/typescript.h"

#include <algorithm>
#include <array>
#include <utility>

#include "source/syntax_tree.h"

namespace nexus {
namespace {

using Index = SyntaxTree::Index;
using Kind = SyntaxKind;
constexpr Index kNone = SyntaxTree::kNone;

// What becomes of a byte. Any other number is the character that replaces it.
constexpr unsigned char kKeep = 0;
constexpr unsigned char kErase = 1;
constexpr unsigned char kKeepComment = 2;

/// A character that, at the start of a line, goes on with the statement before it.
bool ContinuesStatement(char c) {
  return std::string_view("([`+-/*").find(c) != std::string_view::npos;
}

bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

/// A place where a `;` may be needed, to be decided by what follows `end` in the output.
struct JoinRisk {
  std::uint32_t at;   // Where the `;` goes: an erased byte.
  std::uint32_t end;  // What follows is looked for from here.
  bool always;
};

class Eraser {
 public:
  explicit Eraser(const SyntaxTree& tree) : tree_(tree), fate_(tree.text().size(), kKeep) {}

  StrippedSource Run() {
    const auto count = static_cast<Index>(tree_.nodes().size());
    for (Index node = 0; node < count; ++node) CheckReading(node);
    for (Index node = 0; node < count;) node = Visit(node) ? node + 1 : tree_[node].after;
    PlaceSemicolons();
    result_.javascript = Render();
    return std::move(result_);
  }

 private:
  /// True: go on with the node's children.
  bool Visit(Index node);
  void CheckReading(Index node);
  bool VisitStatement(Index node);
  bool VisitClassMember(Index node);
  bool VisitParameter(Index node);
  bool VisitImportOrExport(Index node);
  bool VisitExpression(Index node);
  bool VisitNamespace(Index node);

  void Erase(std::size_t begin, std::size_t end) {
    std::fill(fate_.begin() + static_cast<std::ptrdiff_t>(begin),
              fate_.begin() + static_cast<std::ptrdiff_t>(end), kErase);
  }
  void EraseNode(Index node) { Erase(tree_[node].begin, tree_[node].end); }
  void EraseToken(Index node, std::string_view token) {
    if (const Index child = tree_.ChildToken(node, token); child != kNone) EraseNode(child);
  }
  void EraseWithComma(Index node);
  bool EraseStatement(Index node);
  bool EraseMember(Index node);
  bool Unerasable(Index node, std::string_view what);
  bool HoldsTypesOnly(Index body) const;
  void NoteStatementEnd(Index node, bool always);
  void EraseAssertedType(Index node, Index word);
  void KeepArrowOnLine(Index arrow);
  void KeepParenthesisOnLine(Index arrow);
  void PlaceSemicolons();
  std::string Render() const;

  bool HasNewline(std::size_t begin, std::size_t end) const {
    return tree_.text().substr(begin, end - begin).find_first_of("\r\n") != std::string_view::npos;
  }

  const SyntaxTree& tree_;
  std::vector<unsigned char> fate_;
  std::vector<JoinRisk> risks_;
  StrippedSource result_;
};

/// Also the comma behind it, so that no hole stays in the list.
void Eraser::EraseWithComma(Index node) {
  EraseNode(node);
  for (Index next = tree_.NextSibling(node); next != kNone; next = tree_.NextSibling(next)) {
    if (tree_[next].kind == Kind::kComment) continue;
    if (tree_.IsToken(next, ",")) EraseNode(next);
    return;
  }
}

bool Eraser::EraseStatement(Index node) {
  EraseNode(node);
  // As the body of `if (x)` it must stay a statement, or the next one would take its place.
  const Kind parent = tree_[tree_[node].parent].kind;
  const bool in_list = parent == Kind::kProgram || parent == Kind::kStatementBlock ||
                       parent == Kind::kSwitchCase || parent == Kind::kSwitchDefault;
  risks_.push_back({tree_[node].begin, tree_[node].end, !in_list});
  return false;
}

bool Eraser::EraseMember(Index node) {
  EraseNode(node);
  risks_.push_back({tree_[node].begin, tree_[node].end, false});
  return false;
}

/// Notes the first thing only a bundler can translate; the rest is still erased.
bool Eraser::Unerasable(Index node, std::string_view what) {
  if (!result_.needs_bundler) {
    result_.needs_bundler = true;
    result_.first_unerasable = tree_.PositionOf(node);
    result_.unerasable_what = what;
  }
  return false;
}

/// A statement without a `;` of its own whose end is erased: `a = b as T`.
void Eraser::NoteStatementEnd(Index node, bool always) {
  const std::string_view text = tree_.Text(node);
  if (text.empty() || text.back() == ';') return;
  // What is erased at the end is known only after the children: PlaceSemicolons looks back.
  risks_.push_back({tree_[node].end, tree_[node].end, always});
}

bool Eraser::HoldsTypesOnly(Index body) const {
  for (Index child = tree_.FirstChild(body); child != kNone; child = tree_.NextSibling(child)) {
    Index statement = child;
    if (tree_[child].kind == Kind::kExportStatement) {
      statement = tree_.Child(child, SyntaxField::kDeclaration);
      if (statement == kNone) return false;
    }
    switch (tree_[statement].kind) {
      case Kind::kToken:
      case Kind::kComment:
      case Kind::kInterfaceDeclaration:
      case Kind::kTypeAliasDeclaration:
      case Kind::kAmbientDeclaration:
        continue;
      default:
        return false;
    }
  }
  return true;
}

bool Eraser::VisitNamespace(Index node) {
  const Index body = tree_.Child(node, Kind::kStatementBlock);
  if (body != kNone && !HoldsTypesOnly(body)) return Unerasable(node, "namespace");
  // The grammar makes an expression statement of it, or a declaration that is exported.
  const Index parent = tree_[node].parent;
  const Kind kind = tree_[parent].kind;
  const bool wrapped = kind == Kind::kExpressionStatement || kind == Kind::kExportStatement;
  return EraseStatement(wrapped ? parent : node);
}

bool Eraser::VisitImportOrExport(Index node) {
  switch (tree_[node].kind) {
    case Kind::kImportStatement:
      if (tree_.ChildToken(node, "type") != kNone || tree_.ChildToken(node, "typeof") != kNone) {
        return EraseStatement(node);
      }
      if (tree_.Child(node, Kind::kImportRequireClause) != kNone) {
        return Unerasable(node, "import = require");
      }
      return true;
    case Kind::kImportAlias:
      return Unerasable(node, "import alias");
    case Kind::kImportSpecifier:
    case Kind::kExportSpecifier:
      // `type as x` is the name "type"; `type x` is not.
      if (const Index first = tree_.FirstChild(node);
          tree_.IsToken(first, "type") || tree_.IsToken(first, "typeof")) {
        EraseWithComma(node);
      }
      return false;
    default:
      break;
  }
  // An export statement.
  if (tree_.ChildToken(node, "=") != kNone) return Unerasable(node, "export =");
  if (tree_.ChildToken(node, "type") != kNone || tree_.ChildToken(node, "namespace") != kNone) {
    return EraseStatement(node);
  }
  if (const Index declaration = tree_.Child(node, SyntaxField::kDeclaration);
      declaration != kNone) {
    switch (tree_[declaration].kind) {
      case Kind::kInterfaceDeclaration:
      case Kind::kTypeAliasDeclaration:
      case Kind::kAmbientDeclaration:
      case Kind::kFunctionSignature:
        return EraseStatement(node);
      default:
        return true;
    }
  }
  NoteStatementEnd(node, false);
  return true;
}

bool Eraser::VisitStatement(Index node) {
  switch (tree_[node].kind) {
    case Kind::kInterfaceDeclaration:
    case Kind::kTypeAliasDeclaration:
    case Kind::kAmbientDeclaration:
    case Kind::kFunctionSignature:
      return EraseStatement(node);
    case Kind::kEnumDeclaration:
      return Unerasable(node, "enum");
    case Kind::kDecorator:
      return Unerasable(node, "decorator");
    case Kind::kInternalModule:
    case Kind::kModule:
      return VisitNamespace(node);
    case Kind::kAbstractClassDeclaration:
      EraseToken(node, "abstract");
      return true;
    case Kind::kLexicalDeclaration:
      // In the head of a loop a declaration is no statement.
      if (tree_[tree_[node].parent].kind == Kind::kForStatement) return true;
      NoteStatementEnd(node, false);
      return true;
    default:
      NoteStatementEnd(node, false);
      return true;
  }
}

bool Eraser::VisitClassMember(Index node) {
  switch (tree_[node].kind) {
    case Kind::kAbstractMethodSignature:
    case Kind::kIndexSignature:
    case Kind::kMethodSignature:
      return EraseMember(node);
    default:
      break;
  }
  const bool field = tree_[node].kind == Kind::kPublicFieldDefinition;
  if (field &&
      (tree_.ChildToken(node, "declare") != kNone || tree_.ChildToken(node, "abstract") != kNone)) {
    return EraseMember(node);
  }
  bool at_start = true;
  for (Index child = tree_.FirstChild(node); child != kNone; child = tree_.NextSibling(child)) {
    const Kind kind = tree_[child].kind;
    if (kind == Kind::kComment || kind == Kind::kDecorator) continue;
    const bool modifier = kind == Kind::kAccessibilityModifier || kind == Kind::kOverrideModifier ||
                          tree_.IsToken(child, "readonly");
    if (modifier || tree_.IsToken(child, "?") || tree_.IsToken(child, "!")) EraseNode(child);
    // `private [key] = 1` after a field without `;`: the bracket must not go on with that field.
    if (modifier && at_start) risks_.push_back({tree_[child].begin, tree_[child].end, false});
    at_start = false;
  }
  if (!field) return true;
  // A field named `get` without its type would make an accessor of the next member.
  const Index name = tree_.Child(node, SyntaxField::kName);
  static constexpr std::array<std::string_view, 5> kModifierNames = {"get", "set", "static",
                                                                     "async", "accessor"};
  const bool special = name != kNone && std::find(kModifierNames.begin(), kModifierNames.end(),
                                                  tree_.Text(name)) != kModifierNames.end();
  NoteStatementEnd(node, special);
  return true;
}

bool Eraser::VisitParameter(Index node) {
  for (Index child = tree_.FirstChild(node); child != kNone; child = tree_.NextSibling(child)) {
    const SyntaxNode& part = tree_[child];
    if (part.kind == Kind::kThis) {
      EraseWithComma(node);
      return false;
    }
    if (part.kind == Kind::kAccessibilityModifier || part.kind == Kind::kOverrideModifier ||
        tree_.IsToken(child, "readonly")) {
      return Unerasable(child, "parameter property");
    }
    if (tree_.IsToken(child, "?")) EraseNode(child);
  }
  return true;
}

/// `(a): {\n  x: T\n} => a`: JavaScript wants `)` and `=>` on one line.
void Eraser::KeepArrowOnLine(Index arrow) {
  const Index parameters = tree_.Child(arrow, Kind::kFormalParameters);
  if (parameters == kNone) return;
  Index type = tree_.NextSibling(parameters);
  while (type != kNone && tree_[type].kind == Kind::kComment) type = tree_.NextSibling(type);
  if (type == kNone || !HasNewline(tree_[parameters].end, tree_[type].end)) return;
  if (tree_.IsToken(type, "=>")) return;
  fate_[tree_[parameters].end - 1u] = kErase;
  fate_[tree_[type].end - 1u] = ')';
}

/// `return <\n  T\n>(a: T) => a`: the line break must come behind the `(`.
void Eraser::KeepParenthesisOnLine(Index arrow) {
  const Index types = tree_.Child(arrow, Kind::kTypeParameters);
  const Index parameters = tree_.Child(arrow, Kind::kFormalParameters);
  if (types == kNone || parameters == kNone) return;
  if (!HasNewline(tree_[types].begin, tree_[parameters].begin)) return;
  fate_[tree_[types].begin] = '(';
  fate_[tree_[parameters].begin] = kErase;
}

/// The type behind `as` or `satisfies`, which the grammar does not always read to its end: nothing
/// binds as tightly as the type, so a node that has `a as T` as its first part is misread.
void Eraser::EraseAssertedType(Index node, Index word) {
  // `a as A.B.C` is read as the member C of (a as A.B).
  Index whole = node;
  const auto starts_parent = [&] { return tree_[whole].parent + 1 == whole; };
  while (starts_parent() && tree_[tree_[whole].parent].kind == Kind::kMemberExpression) {
    whole = tree_[whole].parent;
  }
  Erase(tree_[word].begin, tree_[whole].end);
  const Index parent = tree_[whole].parent;
  const Kind kind = tree_[parent].kind;
  if (!starts_parent() || kind == Kind::kExpressionStatement || kind == Kind::kAsExpression ||
      kind == Kind::kSatisfiesExpression || kind == Kind::kSequenceExpression) {
    return;
  }
  const Index next = tree_.NextSibling(whole);
  const bool new_line = next != kNone && HasNewline(tree_[whole].end, tree_[next].begin);
  if (new_line && (kind == Kind::kCallExpression || kind == Kind::kSubscriptExpression)) {
    // A parenthesis or bracket on the next line begins the next statement.
    fate_[tree_[word].begin] = ';';
  } else if (whole != node || kind == Kind::kCallExpression || kind == Kind::kSubscriptExpression) {
    Unerasable(word, "a type that goes on behind a qualified name");
  }
}

bool Eraser::VisitExpression(Index node) {
  switch (tree_[node].kind) {
    case Kind::kAsExpression:
    case Kind::kSatisfiesExpression: {
      Index word = tree_.ChildToken(node, "as");
      if (word == kNone) word = tree_.ChildToken(node, "satisfies");
      if (word != kNone) EraseAssertedType(node, word);
      return true;
    }
    case Kind::kNonNullExpression:
      fate_[tree_[node].end - 1u] = kErase;
      return true;
    case Kind::kTypeAssertion:
      return Unerasable(node, "type assertion <T>x");
    default:
      return true;
  }
}

/// Two places where the grammar reads on and the language does not: erasing by it would change the
/// program, so the bundler, which reads like the language, gets the file.
void Eraser::CheckReading(Index node) {
  const Kind kind = tree_[node].kind;
  if (kind == Kind::kArrayType || kind == Kind::kLookupType) {
    // `a as T` and `[1].map(f)` on the next line: no type goes on with a bracket there.
    const Index bracket = tree_.ChildToken(node, "[");
    if (bracket != kNone && HasNewline(tree_[node].begin, tree_[bracket].begin) &&
        HasNewline(tree_[bracket - 1].end, tree_[bracket].begin)) {
      Unerasable(bracket, "'[' on a new line after a type");
    }
  } else if (kind == Kind::kBinaryExpression) {
    // tag<T>`text` is read as two comparisons.
    const Index right = tree_.Child(node, SyntaxField::kRight);
    if (right != kNone && tree_[right].kind == Kind::kTemplateString &&
        tree_.ChildToken(node, ">") != kNone && tree_[node + 1].kind == Kind::kBinaryExpression &&
        tree_.ChildToken(node + 1, "<") != kNone) {
      Unerasable(node, "tagged template with type arguments");
    }
  }
}

bool Eraser::Visit(Index node) {
  // Types were erased as a whole by a node above: nothing in them is looked at again.
  if (fate_.size() > tree_[node].begin && tree_[node].end > tree_[node].begin &&
      fate_[tree_[node].begin] == kErase && fate_[tree_[node].end - 1u] == kErase) {
    return false;
  }
  switch (tree_[node].kind) {
    case Kind::kTypeAnnotation:
    case Kind::kTypePredicateAnnotation:
    case Kind::kAssertsAnnotation:
    case Kind::kTypeArguments:
    case Kind::kTypeParameters:
    case Kind::kImplementsClause:
      break;
    case Kind::kComment:
    case Kind::kHtmlComment:
      std::fill(fate_.begin() + tree_[node].begin, fate_.begin() + tree_[node].end, kKeepComment);
      return false;
    case Kind::kInterfaceDeclaration:
    case Kind::kTypeAliasDeclaration:
    case Kind::kAmbientDeclaration:
    case Kind::kFunctionSignature:
    case Kind::kEnumDeclaration:
    case Kind::kDecorator:
    case Kind::kInternalModule:
    case Kind::kModule:
    case Kind::kAbstractClassDeclaration:
    case Kind::kLexicalDeclaration:
    case Kind::kVariableDeclaration:
    case Kind::kExpressionStatement:
    case Kind::kReturnStatement:
    case Kind::kThrowStatement:
      return VisitStatement(node);
    case Kind::kImportStatement:
    case Kind::kImportAlias:
    case Kind::kImportSpecifier:
    case Kind::kExportSpecifier:
    case Kind::kExportStatement:
      return VisitImportOrExport(node);
    case Kind::kAbstractMethodSignature:
    case Kind::kIndexSignature:
    case Kind::kMethodSignature:
    case Kind::kMethodDefinition:
    case Kind::kPublicFieldDefinition:
      return VisitClassMember(node);
    case Kind::kRequiredParameter:
    case Kind::kOptionalParameter:
      return VisitParameter(node);
    case Kind::kVariableDeclarator:
      EraseToken(node, "!");
      return true;
    case Kind::kArrowFunction:
      return true;
    default:
      return VisitExpression(node);
  }
  // A type: erased, then the parentheses of an arrow function around it are seen to.
  EraseNode(node);
  const Index parent = tree_[node].parent;
  if (tree_[parent].kind == Kind::kArrowFunction) {
    if (tree_[node].kind == Kind::kTypeParameters) {
      KeepParenthesisOnLine(parent);
    } else {
      KeepArrowOnLine(parent);
    }
  }
  return false;
}

/// From the end to the start, so that what follows each place in the output is known: one pass.
void Eraser::PlaceSemicolons() {
  const std::string_view text = tree_.text();
  // Statement ends name the place behind the statement; the `;` goes to the first erased byte of
  // what is erased there, if anything is.
  for (JoinRisk& risk : risks_) {
    if (risk.at != risk.end) continue;
    std::uint32_t first = risk.end;
    for (std::uint32_t i = risk.end; i > 0; --i) {
      const unsigned char fate = fate_[i - 1];
      if (fate == kErase) first = i - 1;
      if (fate != kErase && fate != kKeepComment && !IsSpace(text[i - 1])) break;
    }
    if (first < risk.end) risk.at = first;
  }
  std::erase_if(risks_, [](const JoinRisk& risk) { return risk.at == risk.end; });
  std::sort(risks_.begin(), risks_.end(),
            [](const JoinRisk& a, const JoinRisk& b) { return a.end < b.end; });
  char next = '\0';
  std::size_t i = text.size();
  for (auto risk = risks_.rbegin(); risk != risks_.rend(); ++risk) {
    for (; i > risk->end; --i) {
      const unsigned char fate = fate_[i - 1];
      if (fate == kKeep && !IsSpace(text[i - 1])) next = text[i - 1];
      if (fate > kKeepComment) next = static_cast<char>(fate);
    }
    if (!risk->always && !ContinuesStatement(next)) continue;
    if (fate_[risk->at] != kErase) continue;
    fate_[risk->at] = ';';
    next = ';';
  }
}

std::string Eraser::Render() const {
  const std::string_view text = tree_.text();
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned char fate = fate_[i];
    if (fate == kKeep || fate == kKeepComment) {
      out.push_back(text[i]);
    } else if (fate > kKeepComment) {
      out.push_back(static_cast<char>(fate));
    } else if (text[i] == '\n' || text[i] == '\r') {
      out.push_back(text[i]);
    } else if (text.substr(i, 2) == "\xe2\x80" && i + 2 < text.size() &&
               (text[i + 2] == '\xa8' || text[i + 2] == '\xa9')) {
      out.append(text.substr(i, 3));  // U+2028 and U+2029 end lines as well.
      i += 2;
    } else if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) {
      out.push_back(' ');  // One space a code point: columns stay.
    }
  }
  return out;
}

}  // namespace

Result<StrippedSource> StripTypes(std::string_view typescript) {
  NEXUS_TRY(const SyntaxTree tree, SyntaxTree::Parse(typescript, Language::kTypeScript));
  return Eraser(tree).Run();
}

}  // namespace nexus
