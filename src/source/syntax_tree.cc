#include "source/syntax_tree.h"

#include <fmt/format.h>
#include <tree_sitter/api.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <unordered_map>

#include "base/check.h"
#include "base/utf8.h"

extern "C" {
const TSLanguage* tree_sitter_javascript(void);
const TSLanguage* tree_sitter_typescript(void);
}

namespace nexus {
namespace {

// Recovery from errors can be slow on text made to be; real files parse at some 10 MB/s.
constexpr std::uint64_t kParseMicrosMin = 2'000'000;
constexpr std::uint64_t kParseMicrosPerByte = 10;

struct KindName {
  SyntaxKind kind;
  std::string_view name;
};
constexpr std::array kKindNames = {
#define NEXUS_SYNTAX_KIND(name, text) KindName{SyntaxKind::k##name, text},
    NEXUS_SYNTAX_KINDS(NEXUS_SYNTAX_KIND)
#undef NEXUS_SYNTAX_KIND
};

struct FieldName {
  SyntaxField field;
  std::string_view name;
};
constexpr std::array kFieldNames = {
    FieldName{SyntaxField::kName, "name"},
    FieldName{SyntaxField::kValue, "value"},
    FieldName{SyntaxField::kBody, "body"},
    FieldName{SyntaxField::kParameters, "parameters"},
    FieldName{SyntaxField::kParameter, "parameter"},
    FieldName{SyntaxField::kFunction, "function"},
    FieldName{SyntaxField::kArguments, "arguments"},
    FieldName{SyntaxField::kObject, "object"},
    FieldName{SyntaxField::kProperty, "property"},
    FieldName{SyntaxField::kIndex, "index"},
    FieldName{SyntaxField::kLeft, "left"},
    FieldName{SyntaxField::kRight, "right"},
    FieldName{SyntaxField::kOperator, "operator"},
    FieldName{SyntaxField::kArgument, "argument"},
    FieldName{SyntaxField::kKey, "key"},
    FieldName{SyntaxField::kSource, "source"},
    FieldName{SyntaxField::kDeclaration, "declaration"},
    FieldName{SyntaxField::kConstructor, "constructor"},
    FieldName{SyntaxField::kAlias, "alias"},
    FieldName{SyntaxField::kPattern, "pattern"},
    FieldName{SyntaxField::kKind, "kind"},
};

/// A grammar and what its numbers mean here.
struct Grammar {
  const TSLanguage* language;
  std::vector<SyntaxKind> kinds;
  std::vector<SyntaxField> fields;

  explicit Grammar(const TSLanguage* of) : language(of) {
    std::unordered_map<std::string_view, SyntaxKind> by_name;
    for (const KindName& known : kKindNames) by_name.emplace(known.name, known.kind);
    const std::uint32_t symbols = ts_language_symbol_count(language);
    for (std::uint32_t i = 0; i < symbols; ++i) {
      const auto symbol = static_cast<TSSymbol>(i);
      const bool named = ts_language_symbol_type(language, symbol) == TSSymbolTypeRegular;
      const auto at = by_name.find(ts_language_symbol_name(language, symbol));
      kinds.push_back(!named                ? SyntaxKind::kToken
                      : at == by_name.end() ? SyntaxKind::kOther
                                            : at->second);
    }
    fields.resize(ts_language_field_count(language) + 1, SyntaxField::kNone);
    for (const FieldName& known : kFieldNames) {
      const TSFieldId id = ts_language_field_id_for_name(
          language, known.name.data(), static_cast<std::uint32_t>(known.name.size()));
      if (id != 0) fields[id] = known.field;
    }
  }

  SyntaxKind KindOf(TSNode node) const {
    const TSSymbol symbol = ts_node_symbol(node);
    return symbol < kinds.size() ? kinds[symbol] : SyntaxKind::kError;
  }
};

const Grammar& GrammarOf(Language language) {
  static const Grammar javascript(tree_sitter_javascript());
  static const Grammar typescript(tree_sitter_typescript());
  return language == Language::kTypeScript ? typescript : javascript;
}

using TreePtr = std::unique_ptr<TSTree, decltype(&ts_tree_delete)>;

Result<TreePtr> ParseText(std::string_view text, const Grammar& grammar) {
  const std::unique_ptr<TSParser, decltype(&ts_parser_delete)> parser(ts_parser_new(),
                                                                      &ts_parser_delete);
  NEXUS_CHECK(ts_parser_set_language(parser.get(), grammar.language),
              "the grammar does not fit the tree-sitter library");
  ts_parser_set_timeout_micros(parser.get(), kParseMicrosMin + kParseMicrosPerByte * text.size());
  TreePtr tree(ts_parser_parse_string(parser.get(), nullptr, text.data(),
                                      static_cast<std::uint32_t>(text.size())),
               &ts_tree_delete);
  if (!tree) return Fail(Code::kResourceExhausted, "source: takes too long to parse: simplify it");
  return tree;
}

/// Closes a cursor at the end of its scope.
class Cursor {
 public:
  explicit Cursor(TSNode root) : cursor_(ts_tree_cursor_new(root)) {}
  ~Cursor() { ts_tree_cursor_delete(&cursor_); }
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;
  TSTreeCursor* get() { return &cursor_; }

 private:
  TSTreeCursor cursor_;
};

/// Flattens the tree; the offset of the first error in the order of the text, if any.
std::optional<std::size_t> Flatten(const TSTree* tree, const Grammar& grammar,
                                   std::vector<SyntaxNode>& nodes) {
  Cursor cursor(ts_tree_root_node(tree));
  std::vector<std::uint32_t> open;
  while (true) {
    const TSNode node = ts_tree_cursor_current_node(cursor.get());
    const TSFieldId field = ts_tree_cursor_current_field_id(cursor.get());
    const auto index = static_cast<std::uint32_t>(nodes.size());
    nodes.push_back({.begin = ts_node_start_byte(node),
                     .end = ts_node_end_byte(node),
                     .parent = open.empty() ? 0 : open.back(),
                     .after = index + 1,
                     .kind = grammar.KindOf(node),
                     .field = grammar.fields[field],
                     .named = ts_node_is_named(node)});
    if (nodes.back().kind == SyntaxKind::kError || ts_node_is_missing(node)) {
      return nodes.back().begin;
    }
    if (ts_tree_cursor_goto_first_child(cursor.get())) {
      open.push_back(index);
      continue;
    }
    while (!ts_tree_cursor_goto_next_sibling(cursor.get())) {
      if (open.empty() || !ts_tree_cursor_goto_parent(cursor.get())) return std::nullopt;
      nodes[open.back()].after = static_cast<std::uint32_t>(nodes.size());
      open.pop_back();
    }
  }
}

/// One word or sign at `offset`, for a message.
std::string TokenAt(std::string_view text, std::size_t offset) {
  const std::string_view rest = text.substr(std::min(offset, text.size()));
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || static_cast<unsigned char>(c) >= 0x80;
  };
  std::size_t length = 0;
  while (length < rest.size() && length < 40 && is_word(rest[length])) ++length;
  if (length == 0 && !rest.empty() && static_cast<unsigned char>(rest[0]) > ' ') length = 1;
  return ToValidUtf8(rest.substr(0, length));
}

bool ReadHex(std::string_view digits, std::uint32_t& number) {
  number = 0;
  for (const char c : digits) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0 || number > 0x10ffff) return false;
    number = number * 16 + static_cast<std::uint32_t>(digit);
  }
  return !digits.empty() && number <= 0x10ffff;
}

/// Appends what the escape (with its backslash) stands for.
bool AppendEscape(std::string& out, std::string_view escape) {
  if (escape.size() < 2) return false;
  constexpr std::string_view kNames = "bfnrtv0";
  constexpr std::string_view kMeanings("\b\f\n\r\t\v\0", 7);
  const char c = escape[1];
  if (c == 'x' || c == 'u') {
    std::string_view digits = escape.substr(2);
    if (digits.starts_with('{') && digits.ends_with('}')) {
      digits = digits.substr(1, digits.size() - 2);
    }
    std::uint32_t code_point = 0;
    if (!ReadHex(digits, code_point)) return false;
    AppendUtf8(out, code_point);
    return true;
  }
  if (c >= '0' && c <= '9' && (escape.size() > 2 || c != '0')) return false;
  if (c == '\n' || c == '\r' || escape == "\\\xe2\x80\xa8" || escape == "\\\xe2\x80\xa9") {
    return true;  // A line continued.
  }
  const std::size_t which = kNames.find(c);
  if (which != std::string_view::npos) {
    out.push_back(kMeanings[which]);
  } else {
    out.append(escape.substr(1));
  }
  return true;
}

}  // namespace

Result<SyntaxTree> SyntaxTree::Parse(std::string_view text, Language language) {
  if (text.size() > kBytesMax) {
    return Fail(Code::kResourceExhausted,
                fmt::format("source: {} bytes: the limit is {}", text.size(), kBytesMax));
  }
  const Grammar& grammar = GrammarOf(language);
  NEXUS_TRY(const TreePtr parsed, ParseText(text, grammar));
  SyntaxTree tree(text);
  tree.nodes_.reserve(text.size() / 4);
  if (const auto error = Flatten(parsed.get(), grammar, tree.nodes_)) {
    const SourcePosition at = tree.PositionAt(*error);
    const std::string token = TokenAt(text, *error);
    return Fail(Code::kInvalidArgument,
                token.empty()
                    ? fmt::format("{}:{}: syntax error", at.line, at.column)
                    : fmt::format("{}:{}: syntax error at '{}'", at.line, at.column, token));
  }
  return tree;
}

SourcePosition SyntaxTree::PositionAt(std::size_t offset) const {
  const TextPosition at = lines_.At(offset);
  return {at.line, at.column};
}

SyntaxTree::Index SyntaxTree::Child(Index node, SyntaxField field) const {
  for (Index child = FirstChild(node); child != kNone; child = NextSibling(child)) {
    if (nodes_[child].field == field) return child;
  }
  return kNone;
}

SyntaxTree::Index SyntaxTree::Child(Index node, SyntaxKind kind) const {
  for (Index child = FirstChild(node); child != kNone; child = NextSibling(child)) {
    if (nodes_[child].kind == kind) return child;
  }
  return kNone;
}

SyntaxTree::Index SyntaxTree::ChildToken(Index node, std::string_view text) const {
  for (Index child = FirstChild(node); child != kNone; child = NextSibling(child)) {
    if (IsToken(child, text)) return child;
  }
  return kNone;
}

bool SyntaxTree::StringValue(Index node, std::string& value) const {
  const SyntaxKind kind = nodes_[node].kind;
  if (kind != SyntaxKind::kString && kind != SyntaxKind::kTemplateString) return false;
  if (Text(node).size() < 2) return false;
  value.clear();
  // The text between the child nodes counts as well: the template grammar has no fragment nodes.
  std::size_t at = nodes_[node].begin + 1u;
  for (Index child = FirstChild(node); child != kNone; child = NextSibling(child)) {
    const SyntaxNode& part = nodes_[child];
    if (part.kind == SyntaxKind::kTemplateSubstitution) return false;
    if (part.kind != SyntaxKind::kEscapeSequence) continue;
    value.append(text_.substr(at, part.begin - at));
    if (!AppendEscape(value, Text(child))) return false;
    at = part.end;
  }
  value.append(text_.substr(at, nodes_[node].end - 1u - at));
  return true;
}

}  // namespace nexus
