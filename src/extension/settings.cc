#include "extension/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/text.h"

namespace nexus {

std::string ExtensionSettings::PathOf(std::string_view key) const {
  if (key.empty()) return path_;
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

std::unexpected<Error> ExtensionSettings::Wrong(std::string_view key, std::string_view what) const {
  const std::string path = PathOf(key);
  if (path.empty()) return Fail(Code::kInvalidArgument, fmt::format("{}: {}", place_(path), what));
  return Fail(Code::kInvalidArgument, fmt::format("{}: setting '{}' {}", place_(path), path, what));
}

Status ExtensionSettings::CheckNames(std::span<const std::string_view> known) const {
  for (const auto& [key, value] : values_) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string path = PathOf(key);
    return Fail(Code::kInvalidArgument, fmt::format("{}: unknown setting '{}'{}", place_(path),
                                                    path, DidYouMean(key, known)));
  }
  return {};
}

Status ExtensionSettings::Read(std::string_view key, std::string& out) const {
  const Value* value = values_.Find(key);
  if (value == nullptr) return {};
  const std::string* text = value->As<std::string>();
  if (text == nullptr) return Wrong(key, "must be a string");
  out = *text;
  return {};
}

Status ExtensionSettings::Read(std::string_view key, bool& out) const {
  const Value* value = values_.Find(key);
  if (value == nullptr) return {};
  const bool* flag = value->As<bool>();
  if (flag == nullptr) return Wrong(key, "must be true or false");
  out = *flag;
  return {};
}

Status ExtensionSettings::Read(std::string_view key, std::vector<std::string>& out) const {
  const Value* value = values_.Find(key);
  if (value == nullptr) return {};
  const ValueArray* items = value->As<ValueArray>();
  if (items == nullptr) return Wrong(key, "must be a list of strings");
  for (const Value& item : *items) {
    const std::string* text = item.As<std::string>();
    if (text == nullptr) return Wrong(key, "must be a list of strings");
    out.push_back(*text);
  }
  return {};
}

Status ExtensionSettings::Read(std::string_view key, double& out, double least, double most) const {
  const Value* value = values_.Find(key);
  if (value == nullptr) return {};
  const double* number = value->As<double>();
  if (number == nullptr || !(*number >= least && *number <= most)) {
    return Wrong(key, fmt::format("must be a number from {} to {}", least, most));
  }
  out = *number;
  return {};
}

Status ExtensionSettings::ReadWhole(std::string_view key, double& out) const {
  const Value* value = values_.Find(key);
  if (value == nullptr) return {};
  const double* number = value->As<double>();
  if (number == nullptr || !(*number >= 1 && *number <= 1e12) || std::trunc(*number) != *number) {
    return Wrong(key, "must be a whole number from 1 to 1e12");
  }
  out = *number;
  return {};
}

Status ExtensionSettings::Read(std::string_view key, Secrets& out) const {
  const Value* value = values_.Find(key);
  if (value == nullptr) return {};
  Result<Secrets> parsed = Secrets::Parse(*value);
  if (!parsed) return std::unexpected(std::move(parsed).error().Context(place_(PathOf(key))));
  out = *std::move(parsed);
  return {};
}

Result<ExtensionSettings> ExtensionSettings::Table(std::string_view key) const {
  const Value* value = values_.Find(key);
  if (value == nullptr) return ExtensionSettings(place_, {}, PathOf(key));
  const ValueObject* object = value->As<ValueObject>();
  if (object == nullptr) return Wrong(key, "must be an object (in TOML: a table)");
  return ExtensionSettings(place_, *object, PathOf(key));
}

Result<std::vector<ExtensionSettings>> ExtensionSettings::Tables(std::string_view key) const {
  std::vector<ExtensionSettings> tables;
  const Value* value = values_.Find(key);
  if (value == nullptr) return tables;
  const ValueArray* list = value->As<ValueArray>();
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const ValueObject* object = (*list)[i].As<ValueObject>();
    if (object == nullptr) break;
    tables.emplace_back(place_, *object, fmt::format("{}[{}]", PathOf(key), i));
  }
  if (list == nullptr || tables.size() != list->size()) {
    return Wrong(key, "must be a list of objects (in TOML: [[tables]])");
  }
  return tables;
}

}  // namespace nexus
