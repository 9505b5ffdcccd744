#include "panel/nxml/internal/expression.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace nexus::internal {
namespace {

bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool IsNamePart(char c) { return IsNameStart(c) || (c >= '0' && c <= '9'); }

// Past the string or template that begins at `at`; npos when it does not end. What stands in `${}`
// of a template is skipped with it when `inner` is null, else collected there.
std::size_t SkipQuoted(std::string_view text, std::size_t at,
                       std::vector<std::string_view>* inner) {
  const char quote = text[at++];
  for (; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == quote) {
      return at + 1;
    } else if (quote == '`' && text[at] == '$' && at + 1 < text.size() && text[at + 1] == '{') {
      std::size_t depth = 1;
      const std::size_t begin = at += 2;
      while (at < text.size()) {
        const char c = text[at];
        if (c == '\'' || c == '"' || c == '`') {
          at = SkipQuoted(text, at, nullptr);
          if (at == std::string_view::npos) return at;
          continue;
        }
        depth += c == '{' ? 1 : 0;
        if (c == '}' && --depth == 0) break;
        ++at;
      }
      if (at >= text.size()) return std::string_view::npos;
      if (inner != nullptr) inner->push_back(text.substr(begin, at - begin));
    }
  }
  return std::string_view::npos;
}

// Past the `}` that closes the `{` at `at`; npos when there is none.
std::size_t SkipBraces(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '\'' || c == '"' || c == '`') {
      at = SkipQuoted(text, at, nullptr);
      if (at == std::string_view::npos) return at;
      continue;
    }
    ++at;
    if (c == '{') ++depth;
    if (c == '}' && --depth == 0) return at;
  }
  return std::string_view::npos;
}

constexpr int kTemplateDepthMax = 16;

class Scanner {
 public:
  explicit Scanner(ExpressionFacts& facts) : facts_(facts) {}

  void Scan(std::string_view text, int depth) {
    std::string brackets;
    std::size_t at = 0;
    while (at < text.size() && facts_.error.empty()) {
      const char c = text[at];
      if (c == '\'' || c == '"' || c == '`') {
        std::vector<std::string_view> inner;
        at = SkipQuoted(text, at, &inner);
        if (at == std::string_view::npos) {
          facts_.error = "a string is not closed";
          return;
        }
        if (depth >= kTemplateDepthMax && !inner.empty()) facts_.error = "it is nested too deeply";
        for (const std::string_view part : inner) {
          if (facts_.error.empty()) Scan(part, depth + 1);
        }
        after_dot_ = false;
      } else if (IsNameStart(c)) {
        at = Name(text, at);
      } else {
        Punctuation(text, at, brackets);
        ++at;
      }
    }
    if (facts_.error.empty() && !brackets.empty()) {
      facts_.error = std::string("a '") + brackets.back() + "' is not closed";
    }
  }

 private:
  void Punctuation(std::string_view text, std::size_t at, std::string& brackets) {
    const char c = text[at];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') return;
    const bool spread = c == '.' && at + 1 < text.size() && text[at + 1] == '.';
    const bool spread_end = c == '.' && at > 0 && text[at - 1] == '.';
    after_dot_ = c == '.' && !spread && !spread_end;
    if (c == '(' || c == '[' || c == '{') brackets += c;
    if (c != ')' && c != ']' && c != '}') return;
    const char open = c == ')' ? '(' : c == ']' ? '[' : '{';
    if (brackets.empty() || brackets.back() != open) {
      facts_.error = std::string("a '") + c + "' closes nothing";
    } else {
      brackets.pop_back();
    }
  }

  std::size_t Name(std::string_view text, std::size_t at) {
    std::size_t end = at;
    while (end < text.size() && IsNamePart(text[end])) ++end;
    const std::string_view name = text.substr(at, end - at);
    const bool in_number = at > 0 && text[at - 1] >= '0' && text[at - 1] <= '9';
    if (!after_dot_ && !in_number && !IsKey(text, at, end)) {
      facts_.names.emplace_back(name);
      if (name.starts_with('$')) facts_.uses.push_back({std::string(name), Member(text, end)});
    }
    after_dot_ = false;
    return end;
  }

  // `key:` of an object literal, not the middle of `a ? b : c`.
  static bool IsKey(std::string_view text, std::size_t at, std::size_t end) {
    const std::size_t next = text.find_first_not_of(" \t\r\n", end);
    if (next == std::string_view::npos || text[next] != ':') return false;
    const std::size_t before =
        at == 0 ? std::string_view::npos : text.find_last_not_of(" \t\r\n", at - 1);
    return before == std::string_view::npos || text[before] == '{' || text[before] == ',';
  }

  static std::string Member(std::string_view text, std::size_t at) {
    at = text.find_first_not_of(" \t\r\n", at);
    if (at == std::string_view::npos) return {};
    if (text.substr(at, 2) == "?.") {
      at += 2;
    } else if (text[at] == '.') {
      ++at;
    } else {
      return {};
    }
    at = text.find_first_not_of(" \t\r\n", at);
    std::size_t end = at;
    while (end < text.size() && IsNamePart(text[end])) ++end;
    return at == std::string_view::npos ? std::string() : std::string(text.substr(at, end - at));
  }

  ExpressionFacts& facts_;
  bool after_dot_ = false;
};

}  // namespace

ViewText ReadViewText(std::string_view raw, SourcePosition position, std::string& error) {
  ViewText text;
  text.raw = raw;
  text.position = position;
  const std::string_view trimmed = Trim(raw);
  if (trimmed.starts_with('{') && SkipBraces(trimmed, 0) == trimmed.size()) {
    text.kind = ViewText::Kind::kBinding;
    text.expressions.emplace_back(Trim(trimmed.substr(1, trimmed.size() - 2)));
    return text;
  }
  std::vector<std::string> expressions;
  std::size_t at = 0;
  while ((at = raw.find('{', at)) != std::string_view::npos) {
    const std::size_t end = SkipBraces(raw, at);
    if (end == std::string_view::npos) {
      error = "a '{' has no '}': write {'{'} for the brace itself";
      return text;
    }
    expressions.emplace_back(Trim(raw.substr(at + 1, end - at - 2)));
    at = end;
  }
  if (expressions.empty()) return text;
  text.kind = ViewText::Kind::kInterpolated;
  text.expressions = std::move(expressions);
  return text;
}

ExpressionFacts ReadExpression(std::string_view expression) {
  ExpressionFacts facts;
  if (Trim(expression).empty()) {
    facts.error = "there is no expression between the braces";
    return facts;
  }
  Scanner(facts).Scan(expression, 0);
  constexpr std::string_view kWantsMore = "+-*/%=&|<>?:,.!~^";
  if (facts.error.empty() && kWantsMore.find(Trim(expression).back()) != std::string_view::npos) {
    facts.error = "it ends where more is expected";
  }
  return facts;
}

}  // namespace nexus::internal
