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
  Scanner(ExpressionFacts& facts, std::string_view whole) : facts_(facts), whole_(whole) {}

  void Scan(std::string_view text, int depth) {
    std::vector<Bracket> brackets;
    std::size_t at = 0;
    while (at < text.size() && facts_.error.empty()) {
      const char c = text[at];
      if (c == '\'' || c == '"' || c == '`') {
        std::vector<std::string_view> inner;
        const std::size_t begin = at;
        at = SkipQuoted(text, at, &inner);
        if (at == std::string_view::npos) {
          return Fail("a string is not closed", text, begin);
        }
        if (depth >= kTemplateDepthMax && !inner.empty()) {
          return Fail("it is nested too deeply", text, begin);
        }
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
      Fail(std::string("a '") + brackets.back().mark + "' is not closed", text, brackets.back().at);
    }
  }

 private:
  struct Bracket {
    char mark;
    std::size_t at;
  };
  /// `text` is the whole, or a part of it.
  void Fail(std::string why, std::string_view text, std::size_t at) {
    facts_.error = std::move(why);
    facts_.error_offset = static_cast<std::size_t>(text.data() - whole_.data()) + at;
  }

  void Punctuation(std::string_view text, std::size_t at, std::vector<Bracket>& brackets) {
    const char c = text[at];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') return;
    const bool spread = c == '.' && at + 1 < text.size() && text[at + 1] == '.';
    const bool spread_end = c == '.' && at > 0 && text[at - 1] == '.';
    after_dot_ = c == '.' && !spread && !spread_end;
    if (c == '(' || c == '[' || c == '{') brackets.push_back({c, at});
    if (c != ')' && c != ']' && c != '}') return;
    const char open = c == ')' ? '(' : c == ']' ? '[' : '{';
    if (brackets.empty() || brackets.back().mark != open) {
      Fail(std::string("a '") + c + "' closes nothing", text, at);
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
      if (name.starts_with('$')) {
        facts_.uses.push_back({.global = std::string(name),
                               .member = Member(text, end),
                               .offset = static_cast<std::size_t>(name.data() - whole_.data())});
      }
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
  const std::string_view whole_;
  bool after_dot_ = false;
};

}  // namespace

ReadText ReadViewText(std::string_view raw, SourcePosition position) {
  ReadText read;
  read.text.raw = raw;
  read.text.position = position;
  const auto add = [&](std::string_view expression) {
    const std::string_view trimmed = Trim(expression);
    read.text.expressions.emplace_back(trimmed);
    // Of nothing, the place where it should stand.
    const char* const begin = trimmed.empty() ? expression.data() : trimmed.data();
    read.offsets.push_back(static_cast<std::size_t>(begin - raw.data()));
  };
  const std::string_view trimmed = Trim(raw);
  if (trimmed.starts_with('{') && SkipBraces(trimmed, 0) == trimmed.size()) {
    read.text.kind = ViewText::Kind::kBinding;
    add(trimmed.substr(1, trimmed.size() - 2));
    return read;
  }
  std::size_t at = 0;
  while ((at = raw.find('{', at)) != std::string_view::npos) {
    const std::size_t end = SkipBraces(raw, at);
    if (end == std::string_view::npos) {
      read.error = "a '{' has no '}': write {'{'} for the brace itself";
      read.error_offset = at;
      read.text.expressions.clear();
      read.offsets.clear();
      return read;
    }
    add(raw.substr(at + 1, end - at - 2));
    at = end;
  }
  if (!read.text.expressions.empty()) read.text.kind = ViewText::Kind::kInterpolated;
  return read;
}

ExpressionFacts ReadExpression(std::string_view expression) {
  ExpressionFacts facts;
  if (Trim(expression).empty()) {
    facts.error = "there is no expression between the braces";
    return facts;
  }
  Scanner(facts, expression).Scan(expression, 0);
  constexpr std::string_view kWantsMore = "+-*/%=&|<>?:,.!~^";
  if (facts.error.empty() && kWantsMore.find(Trim(expression).back()) != std::string_view::npos) {
    facts.error = "it ends where more is expected";
    facts.error_offset = expression.find_last_not_of(" \t\r\n");
  }
  return facts;
}

}  // namespace nexus::internal
