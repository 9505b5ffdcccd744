#include "capability/set.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "base/text.h"

namespace nexus {
namespace {

struct NameHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view name) const {
    return std::hash<std::string_view>{}(name);
  }
};
template <typename T>
using NameTable = std::unordered_map<std::string, T, NameHash, std::equal_to<>>;

/// The grants for one name, by their index.
struct Entry {
  std::vector<std::uint32_t> grants;
  bool always = false;  // One of them carries no condition.
};
struct ExtensionEntry {
  Entry whole;
  NameTable<Entry> methods;
};

/// The scope of an extension token in its two parts; method is empty for "http".
struct ExtensionScope {
  std::string_view name;
  std::string_view method;
};
ExtensionScope SplitExtension(std::string_view scope) {
  const std::size_t dot = scope.find('.');
  if (dot == std::string_view::npos) return {scope, {}};
  return {scope.substr(0, dot), scope.substr(dot + 1)};
}

/// True when a right to `outer` is a right to `inner`; both of one type.
bool ScopeCovers(const CapabilityToken& outer, const CapabilityToken& inner) {
  if (outer.scope == "*" || outer.scope == inner.scope) return true;
  if (outer.right() != Right::kExtension || inner.scope == "*") return false;
  const ExtensionScope a = SplitExtension(outer.scope);
  return a.method.empty() && a.name == SplitExtension(inner.scope).name;
}

/// True when whatever `strict` allows, `loose` allows too.
bool NoStricter(const GrantConditions& loose, const GrantConditions& strict) {
  if (loose.expires_unix_ms &&
      (!strict.expires_unix_ms || *strict.expires_unix_ms > *loose.expires_unix_ms)) {
    return false;
  }
  if (loose.path_prefix &&
      (!strict.path_prefix || !IsAtOrBelow(*strict.path_prefix, *loose.path_prefix))) {
    return false;
  }
  return !loose.calls_max || (strict.calls_max && *strict.calls_max <= *loose.calls_max);
}

/// Every budget of `loose` binds `strict` as well.
bool SharesBudgets(const GrantConditions& loose, const GrantConditions& strict) {
  return std::all_of(loose.budgets.begin(), loose.budgets.end(), [&](const CallBudget& budget) {
    return std::find(strict.budgets.begin(), strict.budgets.end(), budget) != strict.budgets.end();
  });
}

template <typename T>
std::optional<T> Least(const std::optional<T>& a, const std::optional<T>& b) {
  if (!a) return b;
  if (!b) return a;
  return std::min(*a, *b);
}

/// The conditions of both; nullopt when nothing meets both.
std::optional<GrantConditions> Merge(const GrantConditions& a, const GrantConditions& b) {
  GrantConditions both{.expires_unix_ms = Least(a.expires_unix_ms, b.expires_unix_ms),
                       .path_prefix = a.path_prefix ? a.path_prefix : b.path_prefix,
                       .calls_max = Least(a.calls_max, b.calls_max),
                       .budgets = a.budgets};
  if (a.path_prefix && b.path_prefix) {
    if (IsAtOrBelow(*b.path_prefix, *a.path_prefix)) {
      both.path_prefix = b.path_prefix;
    } else if (!IsAtOrBelow(*a.path_prefix, *b.path_prefix)) {
      return std::nullopt;
    }
  }
  for (const CallBudget& budget : b.budgets) {
    if (std::find(both.budgets.begin(), both.budgets.end(), budget) == both.budgets.end()) {
      both.budgets.push_back(budget);
    }
  }
  // One order for A with B and B with A.
  std::sort(both.budgets.begin(), both.budgets.end(),
            [](const CallBudget& x, const CallBudget& y) { return x.id < y.id; });
  return both;
}

Result<GrantConditions> ReadConditions(const Value& item) {
  GrantConditions conditions;
  if (const Value* expires = item.Find("expires"); expires && !expires->is_undefined()) {
    const Date* date = expires->As<Date>();
    const double* number = date ? &date->unix_ms : expires->As<double>();
    if (number == nullptr || !(std::abs(*number) <= 8.64e15)) {
      return Fail(Code::kInvalidArgument, "expires: a time in Unix milliseconds is expected");
    }
    conditions.expires_unix_ms = static_cast<std::int64_t>(*number);
  }
  if (const Value* prefix = item.Find("pathPrefix"); prefix && !prefix->is_undefined()) {
    const std::string* text = prefix->As<std::string>();
    if (text == nullptr || !NormalizePath(*text)) {
      return Fail(Code::kInvalidArgument, "pathPrefix: a path without '..' is expected");
    }
    conditions.path_prefix = *text;
  }
  if (const Value* calls = item.Find("calls"); calls && !calls->is_undefined()) {
    const double* number = calls->As<double>();
    if (number == nullptr || *number != std::trunc(*number) || *number < 0 ||
        *number > std::numeric_limits<std::uint32_t>::max()) {
      return Fail(Code::kInvalidArgument, "calls: a whole number from 0 is expected");
    }
    conditions.calls_max = static_cast<std::uint32_t>(*number);
  }
  return conditions;
}

Status AppendGrants(const Value& item, std::vector<Grant>& grants) {
  if (const std::string* text = item.As<std::string>()) {
    NEXUS_TRY(CapabilityToken token, CapabilityToken::Parse(*text));
    grants.push_back({std::move(token), {}});
    return {};
  }
  const ValueObject* object = item.As<ValueObject>();
  if (object == nullptr) {
    return Fail(Code::kInvalidArgument,
                fmt::format("a string or {{type, scope}} is expected, not {}", item.TypeName()));
  }
  static constexpr std::array<std::string_view, 5> kFields = {"type", "scope", "expires",
                                                              "pathPrefix", "calls"};
  for (const auto& [key, value] : *object) {
    // A condition that is misspelt and ignored would grant more than was meant.
    if (std::find(kFields.begin(), kFields.end(), key) == kFields.end()) {
      return Fail(Code::kInvalidArgument,
                  fmt::format("unknown field '{}'{}", key, DidYouMean(key, kFields)));
    }
  }
  const Value* type = object->Find("type");
  const Value* scope = object->Find("scope");
  if (type == nullptr || type->As<std::string>() == nullptr ||
      (scope != nullptr && scope->As<std::string>() == nullptr)) {
    return Fail(Code::kInvalidArgument, "type and scope have to be strings");
  }
  NEXUS_TRY(const GrantConditions conditions, ReadConditions(item));
  NEXUS_TRY(std::vector<CapabilityToken> tokens,
            ParseCapabilityList(*type->As<std::string>(), item.StringOr("scope", "")));
  for (CapabilityToken& token : tokens) grants.push_back({std::move(token), conditions});
  return {};
}

}  // namespace

std::optional<std::string> NormalizePath(std::string_view path) {
  if (path.find('\0') != std::string_view::npos) return std::nullopt;
  std::string normal = path.starts_with('/') ? "/" : "";
  for (const std::string_view segment : Split(path, '/')) {
    if (segment.empty() || segment == ".") continue;
    if (segment == "..") return std::nullopt;
    if (!normal.empty() && normal != "/") normal.push_back('/');
    normal.append(segment);
  }
  return normal;
}

bool IsAtOrBelow(std::string_view path, std::string_view prefix) {
  if (path.starts_with('/') != prefix.starts_with('/')) return false;
  if (prefix.empty() || prefix == "/" || path == prefix) return true;
  return path.size() > prefix.size() && path.starts_with(prefix) && path[prefix.size()] == '/';
}

struct CapabilitySet::Compiled {
  std::vector<Grant> grants;
  bool has_conditions = false;
  std::array<Entry, kRightCount> any;               // scope "*"
  std::array<NameTable<Entry>, kRightCount> names;  // all but extensions
  NameTable<ExtensionEntry> extensions;

  explicit Compiled(std::vector<Grant> given);
  void Add(Grant grant);
  Entry& EntryOf(const CapabilityToken& token);

  /// Calls `use(entry)` for each entry that may cover, until one says true.
  template <typename Use>
  bool Visit(Right right, std::string_view name, std::string_view method, Use use) const {
    const auto index = static_cast<std::size_t>(right);
    if (!any[index].grants.empty() && use(any[index])) return true;
    if (right != Right::kExtension) {
      const auto at = names[index].find(name);
      return at != names[index].end() && use(at->second);
    }
    const auto at = extensions.find(name);
    if (at == extensions.end()) return false;
    if (!at->second.whole.grants.empty() && use(at->second.whole)) return true;
    if (method.empty()) return false;
    const auto in = at->second.methods.find(method);
    return in != at->second.methods.end() && use(in->second);
  }

  std::vector<const Grant*> InOrder(std::vector<std::uint32_t> indexes) const {
    std::sort(indexes.begin(), indexes.end());
    std::vector<const Grant*> found;
    found.reserve(indexes.size());
    for (const std::uint32_t index : indexes) found.push_back(&grants[index]);
    return found;
  }
};

Entry& CapabilitySet::Compiled::EntryOf(const CapabilityToken& token) {
  const auto index = static_cast<std::size_t>(token.right());
  if (token.scope == "*") return any[index];
  if (token.right() != Right::kExtension) return names[index][token.scope];
  const ExtensionScope scope = SplitExtension(token.scope);
  ExtensionEntry& extension = extensions[std::string(scope.name)];
  return scope.method.empty() ? extension.whole : extension.methods[std::string(scope.method)];
}

void CapabilitySet::Compiled::Add(Grant grant) {
  GrantConditions& conditions = grant.conditions;
  if (conditions.path_prefix) {
    std::optional<std::string> normal = NormalizePath(*conditions.path_prefix);
    if (!normal) return;
    conditions.path_prefix = std::move(normal);
  }
  if (conditions.calls_max && conditions.budgets.empty()) {
    conditions.budgets.push_back(
        {fmt::format("{}#{}", grant.token.ToString(), *conditions.calls_max),
         *conditions.calls_max});
  }
  Entry& entry = EntryOf(grant.token);
  for (const std::uint32_t index : entry.grants) {
    const GrantConditions& present = grants[index].conditions;
    if (NoStricter(present, conditions) && SharesBudgets(present, conditions)) return;
  }
  if (conditions.empty()) {
    entry.always = true;
  } else {
    has_conditions = true;
  }
  entry.grants.push_back(static_cast<std::uint32_t>(grants.size()));
  grants.push_back(std::move(grant));
}

CapabilitySet::Compiled::Compiled(std::vector<Grant> given) {
  grants.reserve(given.size());
  for (Grant& grant : given) Add(std::move(grant));
}

CapabilitySet::CapabilitySet() {
  // One empty set for all: most runs of small programs have it.
  static const auto* const kEmpty =
      new std::shared_ptr<const Compiled>(std::make_shared<const Compiled>(std::vector<Grant>{}));
  compiled_ = *kEmpty;
}

CapabilitySet::CapabilitySet(std::vector<Grant> grants)
    : compiled_(std::make_shared<const Compiled>(std::move(grants))) {}

CapabilitySet CapabilitySet::Of(const std::vector<CapabilityToken>& tokens) {
  std::vector<Grant> grants;
  grants.reserve(tokens.size());
  for (const CapabilityToken& token : tokens) grants.push_back({token, {}});
  return CapabilitySet(std::move(grants));
}

Result<CapabilitySet> CapabilitySet::Parse(const std::vector<std::string>& tokens) {
  std::vector<Grant> grants;
  grants.reserve(tokens.size());
  for (const std::string& text : tokens) {
    NEXUS_TRY(CapabilityToken token, CapabilityToken::Parse(text));
    grants.push_back({std::move(token), {}});
  }
  return CapabilitySet(std::move(grants));
}

Result<CapabilitySet> CapabilitySet::FromValue(const Value& value) {
  const ValueArray* items = value.As<ValueArray>();
  if (items == nullptr) {
    return Fail(Code::kInvalidArgument,
                fmt::format("capabilities: a list is expected, not {}", value.TypeName()));
  }
  std::vector<Grant> grants;
  for (std::size_t i = 0; i < items->size(); ++i) {
    if (Status added = AppendGrants((*items)[i], grants); !added) {
      return std::unexpected(std::move(added).error().Context(fmt::format("capabilities[{}]", i)));
    }
  }
  return CapabilitySet(std::move(grants));
}

Value GrantsToValue(const std::vector<Grant>& grants) {
  ValueArray items;
  for (const Grant& grant : grants) {
    ValueObject item{{"type", grant.token.type}, {"scope", grant.token.scope}};
    const GrantConditions& when = grant.conditions;
    if (when.expires_unix_ms) item.Append("expires", *when.expires_unix_ms);
    if (when.path_prefix) item.Append("pathPrefix", *when.path_prefix);
    if (when.calls_max) item.Append("calls", *when.calls_max);
    items.emplace_back(std::move(item));
  }
  return Value(std::move(items));
}

std::vector<const Grant*> CapabilitySet::Covering(Right right, std::string_view name,
                                                  std::string_view method) const {
  std::vector<std::uint32_t> indexes;
  compiled_->Visit(right, name, method, [&](const Entry& entry) {
    indexes.insert(indexes.end(), entry.grants.begin(), entry.grants.end());
    return false;
  });
  return compiled_->InOrder(std::move(indexes));
}

std::vector<const Grant*> CapabilitySet::CoveringPartOf(std::string_view extension) const {
  std::vector<std::uint32_t> indexes;
  const auto take = [&](const Entry& entry) {
    indexes.insert(indexes.end(), entry.grants.begin(), entry.grants.end());
    return false;
  };
  compiled_->Visit(Right::kExtension, extension, {}, take);
  if (const auto at = compiled_->extensions.find(extension); at != compiled_->extensions.end()) {
    for (const auto& [method, entry] : at->second.methods) take(entry);
  }
  return compiled_->InOrder(std::move(indexes));
}

Coverage CapabilitySet::CoverageOf(Right right, std::string_view name,
                                   std::string_view method) const {
  Coverage coverage = Coverage::kNone;
  compiled_->Visit(right, name, method, [&](const Entry& entry) {
    coverage = entry.always ? Coverage::kAlways : Coverage::kConditional;
    return entry.always;
  });
  return coverage;
}

bool CapabilitySet::Covers(Right right, std::string_view name, std::string_view method) const {
  return CoverageOf(right, name, method) != Coverage::kNone;
}

bool CapabilitySet::HasConditions() const { return compiled_->has_conditions; }

CapabilitySet CapabilitySet::AttenuatedBy(const CapabilitySet& ceiling) const {
  if (compiled_ == ceiling.compiled_) return *this;
  // Only grants about the same names can meet: through the ceiling's tables, so that two large
  // lists of different names cost their length and not their product.
  std::vector<Grant> both;
  std::array<std::vector<const Grant*>, kRightCount> by_right;
  for (const Grant& grant : ceiling.grants()) {
    by_right[static_cast<std::size_t>(grant.token.right())].push_back(&grant);
  }
  for (const Grant& mine : grants()) {
    const Right right = mine.token.right();
    std::vector<const Grant*> candidates;
    if (mine.token.scope == "*") {
      candidates = by_right[static_cast<std::size_t>(right)];
    } else if (right != Right::kExtension) {
      candidates = ceiling.Covering(right, mine.token.scope);
    } else {
      candidates = ceiling.CoveringPartOf(SplitExtension(mine.token.scope).name);
    }
    for (const Grant* theirs : candidates) {
      const bool wider = ScopeCovers(theirs->token, mine.token);
      if (!wider && !ScopeCovers(mine.token, theirs->token)) continue;
      if (auto conditions = Merge(mine.conditions, theirs->conditions)) {
        both.push_back({wider ? mine.token : theirs->token, *std::move(conditions)});
      }
    }
  }
  return CapabilitySet(std::move(both));
}

bool CapabilitySet::IsSubsetOf(const CapabilitySet& other) const {
  return std::all_of(grants().begin(), grants().end(), [&](const Grant& mine) {
    const Right right = mine.token.right();
    const ExtensionScope scope = right == Right::kExtension ? SplitExtension(mine.token.scope)
                                                            : ExtensionScope{mine.token.scope, {}};
    const auto covering = other.Covering(right, scope.name, scope.method);
    return std::any_of(covering.begin(), covering.end(), [&](const Grant* theirs) {
      return ScopeCovers(theirs->token, mine.token) &&
             NoStricter(theirs->conditions, mine.conditions);
    });
  });
}

const std::vector<Grant>& CapabilitySet::grants() const { return compiled_->grants; }

std::vector<std::string> CapabilitySet::ToStrings() const {
  std::vector<std::string> texts;
  texts.reserve(grants().size());
  for (const Grant& grant : grants()) texts.push_back(grant.token.ToString());
  return texts;
}

}  // namespace nexus
