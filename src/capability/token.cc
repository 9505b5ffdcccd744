#include "capability/token.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/check.h"
#include "base/text.h"
#include "base/utf8.h"

namespace nexus {
namespace {

constexpr std::array<std::string_view, kRightCount> kWords = {
    "state:read", "state:write", "events:emit", "view:update", "ext", "tools:call"};
constexpr std::size_t kScopeBytesMax = 256;

std::string WordList() { return fmt::format("{}", fmt::join(kWords, ", ")); }

std::optional<Right> FindRight(std::string_view word) {
  const auto at = std::find(kWords.begin(), kWords.end(), word);
  if (at == kWords.end()) return std::nullopt;
  return static_cast<Right>(at - kWords.begin());
}

std::unexpected<Error> Bad(std::string_view text, std::string_view why) {
  // The text comes from outside: shown short, and never as raw control characters.
  std::string shown = ToValidUtf8(text.substr(0, 80));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, '?');
  return Fail(Code::kInvalidArgument, fmt::format("capability '{}': {}", shown, why));
}

/// nullopt when `scope` is fine for `right`, else what is wrong with it.
std::optional<std::string> ScopeProblem(Right right, std::string_view scope) {
  if (scope.empty()) {
    return fmt::format("the name is missing: write {}:NAME, or {}:* for all", RightWord(right),
                       RightWord(right));
  }
  if (scope.size() > kScopeBytesMax) {
    return fmt::format("the name is longer than {} bytes", kScopeBytesMax);
  }
  if (FindInvalidWtf8(scope) != kValid) return "the name is not valid UTF-8";
  if (Trim(scope).size() != scope.size()) return "white space around the name";
  for (const char c : scope) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return "a control character in the name";
    if (c == ',') return "a comma in the name: write one token for each name";
  }
  if (scope == "*") return std::nullopt;
  if (scope.find('*') != std::string_view::npos) {
    return "'*' stands for a whole name only: there are no patterns";
  }
  if (right != Right::kExtension) return std::nullopt;
  if (scope.starts_with('.') || scope.ends_with('.')) {
    return "an extension is NAME or NAME.METHOD";
  }
  if (scope.find(':') != std::string_view::npos) {
    return "':' in the name: a method is written ext:NAME.METHOD";
  }
  return std::nullopt;
}

/// "http.*" means what "http" means; one spelling makes equal rights equal tokens.
std::string_view CanonicalScope(Right right, std::string_view scope) {
  if (right == Right::kExtension && scope.size() > 2 && scope.ends_with(".*")) {
    scope.remove_suffix(2);
  }
  return scope;
}

}  // namespace

std::string_view RightWord(Right right) {
  const auto index = static_cast<std::size_t>(right);
  NEXUS_CHECK(index < kWords.size());
  return kWords[index];
}

Result<CapabilityToken> CapabilityToken::Parse(std::string_view text) {
  const std::size_t first = text.find(':');
  if (first == std::string_view::npos) {
    if (text == "*") return Bad(text, "there is no token for everything: name each right");
    return Bad(text, fmt::format("no ':' in it{}; a token is one of {} followed by :NAME",
                                 DidYouMean(text, kWords), WordList()));
  }
  // The word has one segment (ext) or two; the rest is the name, which may hold ':' itself.
  std::size_t word_end = first;
  if (text.substr(0, first) != RightWord(Right::kExtension)) {
    word_end = std::min(text.find(':', first + 1), text.size());
  }
  const std::string_view word = text.substr(0, word_end);
  const std::optional<Right> right = FindRight(word);
  if (!right) {
    return Bad(text,
               fmt::format("unknown right '{}'{}; it is one of {}", ToValidUtf8(word.substr(0, 40)),
                           DidYouMean(word, kWords), WordList()));
  }
  const std::string_view name =
      CanonicalScope(*right, word_end < text.size() ? text.substr(word_end + 1) : "");
  if (const auto problem = ScopeProblem(*right, name)) return Bad(text, *problem);
  return CapabilityToken{std::string(word), std::string(name)};
}

Result<CapabilityToken> CapabilityToken::FromTypeAndScope(std::string_view type,
                                                          std::string_view scope) {
  if (const std::optional<Right> right = FindRight(type)) {
    const std::string_view name = CanonicalScope(*right, scope);
    if (const auto problem = ScopeProblem(*right, name)) {
      return Bad(fmt::format("{}:{}", type, scope), *problem);
    }
    return CapabilityToken{std::string(type), std::string(name)};
  }
  // {"ext:http", "*"} and {"ext:http", "get"}: the type names the extension.
  if (type.starts_with("ext:")) {
    if (scope == "*" || scope.empty()) return Parse(type);
    return Parse(fmt::format("{}.{}", type, scope));
  }
  // {"state:read:count", "*"}: the type is the whole token.
  if (scope == "*" || scope.empty()) return Parse(type);
  return Bad(type,
             fmt::format("unknown type{}; it is one of {}", DidYouMean(type, kWords), WordList()));
}

Result<std::vector<CapabilityToken>> ParseCapabilityList(std::string_view type,
                                                         std::string_view scopes) {
  std::vector<CapabilityToken> tokens;
  for (const std::string_view scope : Split(scopes, ',')) {
    NEXUS_TRY(CapabilityToken token, CapabilityToken::FromTypeAndScope(type, Trim(scope)));
    tokens.push_back(std::move(token));
  }
  return tokens;
}

Right CapabilityToken::right() const {
  const std::optional<Right> found = FindRight(type);
  NEXUS_CHECK(found.has_value(), "a token that was not parsed");
  return *found;
}

std::string CapabilityToken::ToString() const { return fmt::format("{}:{}", type, scope); }

}  // namespace nexus
