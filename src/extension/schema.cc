#include "extension/schema.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/text.h"

namespace nexus {
namespace {

constexpr std::array<std::string_view, 18> kKeywords = {"type",
                                                        "enum",
                                                        "const",
                                                        "anyOf",
                                                        "properties",
                                                        "required",
                                                        "additionalProperties",
                                                        "items",
                                                        "prefixItems",
                                                        "minItems",
                                                        "maxItems",
                                                        "minLength",
                                                        "maxLength",
                                                        "minimum",
                                                        "maximum",
                                                        "title",
                                                        "description",
                                                        "default"};
// The names of types in a schema, and what people and messages call them.
constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kTypes = {{
    {"string", "a string"},
    {"number", "a finite number"},
    {"integer", "a whole number"},
    {"boolean", "true or false"},
    {"array", "a list"},
    {"object", "an object"},
    {"null", "null"},
    {"bytes", "a Uint8Array"},
    {"date", "a Date"},
    {"bigint", "a bigint"},
    {"map", "a Map"},
    {"set", "a Set"},
}};

std::string_view Spoken(std::string_view type) {
  for (const auto& [name, spoken] : kTypes) {
    if (name == type) return spoken;
  }
  return {};
}

bool HasType(const Value& value, std::string_view type) {
  if (type == "string") return value.As<std::string>() != nullptr;
  if (type == "number" || type == "integer") {
    const double* number = value.As<double>();
    if (number == nullptr || !std::isfinite(*number)) return false;
    return type == "number" || std::trunc(*number) == *number;
  }
  if (type == "boolean") return value.As<bool>() != nullptr;
  if (type == "array") return value.As<ValueArray>() != nullptr;
  if (type == "object") return value.As<ValueObject>() != nullptr;
  if (type == "null") return value.is_null();
  if (type == "bytes") return value.As<Bytes>() != nullptr;
  if (type == "date") return value.As<Date>() != nullptr;
  if (type == "bigint") return value.As<BigInt>() != nullptr;
  if (type == "map") return value.As<ValueMap>() != nullptr;
  return type == "set" && value.As<ValueSet>() != nullptr;
}

// `type` is one name or a list of them.
std::vector<std::string_view> TypeNames(const Value& type) {
  std::vector<std::string_view> names;
  if (const std::string* one = type.As<std::string>()) names.push_back(*one);
  if (const ValueArray* several = type.As<ValueArray>()) {
    for (const Value& name : *several) {
      if (const std::string* text = name.As<std::string>()) names.push_back(*text);
    }
  }
  return names;
}

Status BadSchema(std::string_view why) {
  return Fail(Code::kInvalidArgument, fmt::format("schema: {}", why));
}

bool IsBound(std::string_view keyword) {
  return keyword == "minItems" || keyword == "maxItems" || keyword == "minLength" ||
         keyword == "maxLength" || keyword == "minimum" || keyword == "maximum";
}

// Every keyword is known and every schema below it is a schema.
Status CheckSchema(const Value& schema) {
  if (schema.As<bool>() != nullptr) return {};
  const ValueObject* object = schema.As<ValueObject>();
  if (object == nullptr) return BadSchema("a schema is an object, true or false");
  for (const auto& [keyword, value] : *object) {
    if (std::find(kKeywords.begin(), kKeywords.end(), keyword) == kKeywords.end()) {
      return BadSchema(
          fmt::format("keyword '{}' is not understood{}", keyword, DidYouMean(keyword, kKeywords)));
    }
    if (keyword == "type") {
      const std::vector<std::string_view> names = TypeNames(value);
      const bool known = std::all_of(names.begin(), names.end(),
                                     [](std::string_view name) { return !Spoken(name).empty(); });
      if (names.empty() || !known) return BadSchema("type " + ToJson(value) + " is not understood");
    }
    if (IsBound(keyword) && value.As<double>() == nullptr) {
      return BadSchema(fmt::format("'{}' is a number", keyword));
    }
    if (keyword == "enum" && value.As<ValueArray>() == nullptr) {
      return BadSchema("'enum' is a list of values");
    }
    if (keyword == "required") {
      const ValueArray* names = value.As<ValueArray>();
      const bool strings =
          names != nullptr && std::all_of(names->begin(), names->end(), [](const Value& name) {
            return name.As<std::string>() != nullptr;
          });
      if (!strings) return BadSchema("'required' is a list of names");
    }
    if (keyword == "items" || keyword == "additionalProperties") {
      NEXUS_TRY_STATUS(CheckSchema(value));
    }
    if (keyword == "prefixItems" || keyword == "anyOf") {
      const ValueArray* list = value.As<ValueArray>();
      if (list == nullptr || (list->empty() && keyword == "anyOf")) {
        return BadSchema(fmt::format("'{}' is a list of schemas", keyword));
      }
      for (const Value& item : *list) NEXUS_TRY_STATUS(CheckSchema(item));
    }
    if (keyword == "properties") {
      const ValueObject* members = value.As<ValueObject>();
      if (members == nullptr) return BadSchema("'properties' is an object of schemas");
      for (const auto& [name, member] : *members) NEXUS_TRY_STATUS(CheckSchema(member));
    }
  }
  return {};
}

Status Wrong(std::string_view place, std::string_view what) {
  return Fail(Code::kInvalidArgument, fmt::format("{} {}", place, what));
}

Status CheckValue(const Value& schema, const Value& value, std::string_view place);

Status CheckType(const Value& type, const Value& value, std::string_view place) {
  std::vector<std::string_view> spoken;
  for (const std::string_view name : TypeNames(type)) {
    if (HasType(value, name)) return {};
    spoken.push_back(Spoken(name));
  }
  const double* number = value.As<double>();
  return Wrong(place, fmt::format("must be {}, not {}", fmt::join(spoken, " or "),
                                  number != nullptr ? fmt::format("{}", *number)
                                                    : std::string(value.TypeName())));
}

// "from 1 to 10", "at least 1", "at most 10": bounds of a number or of a size.
Status CheckBounds(const Value& schema, const char* low, const char* high, double measure,
                   std::string_view unit, std::string_view place) {
  const double least = schema.NumberOr(low, -HUGE_VAL);
  const double most = schema.NumberOr(high, HUGE_VAL);
  if (measure >= least && measure <= most) return {};
  const std::string range = std::isinf(least)  ? fmt::format("at most {}", most)
                            : std::isinf(most) ? fmt::format("at least {}", least)
                                               : fmt::format("from {} to {}", least, most);
  const std::string_view verb = unit.empty() ? "must be" : "must have";
  return Wrong(place, fmt::format("{} {}{}, not {}", verb, range, unit, measure));
}

Status CheckObject(const Value& schema, const ValueObject& object, std::string_view place) {
  if (const Value* required = schema.Find("required")) {
    for (const Value& name : *required->As<ValueArray>()) {
      const Value* member = object.Find(*name.As<std::string>());
      if (member != nullptr && !member->is_undefined()) continue;
      return Wrong(place, fmt::format("lacks '{}'", *name.As<std::string>()));
    }
  }
  const Value* properties = schema.Find("properties");
  const Value* others = schema.Find("additionalProperties");
  for (const auto& [name, member] : object) {
    if (member.is_undefined()) continue;
    const Value* described = properties == nullptr ? nullptr : properties->Find(name);
    if (described == nullptr) described = others;
    if (described == nullptr) continue;
    if (described == others && others->As<bool>() != nullptr && !*others->As<bool>()) {
      std::vector<std::string_view> known;
      if (properties != nullptr) {
        for (const auto& [key, unused] : *properties->As<ValueObject>()) known.push_back(key);
      }
      return Wrong(place, fmt::format("has an unknown member '{}'{}: the members are {}", name,
                                      DidYouMean(name, known), fmt::join(known, ", ")));
    }
    NEXUS_TRY_STATUS(CheckValue(*described, member, fmt::format("{}.{}", place, name)));
  }
  return {};
}

Status CheckArray(const Value& schema, const ValueArray& list, std::string_view place) {
  NEXUS_TRY_STATUS(CheckBounds(schema, "minItems", "maxItems", static_cast<double>(list.size()),
                               " entries", place));
  const Value* prefix = schema.Find("prefixItems");
  const ValueArray* first = prefix == nullptr ? nullptr : prefix->As<ValueArray>();
  const Value* items = schema.Find("items");
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Value* described = first != nullptr && i < first->size() ? &(*first)[i] : items;
    if (described == nullptr) continue;
    NEXUS_TRY_STATUS(CheckValue(*described, list[i], fmt::format("{}[{}]", place, i)));
  }
  return {};
}

Status CheckChoices(const Value& schema, const Value& value, std::string_view place) {
  if (const Value* constant = schema.Find("const"); constant != nullptr && *constant != value) {
    return Wrong(place, "must be " + ToJson(*constant));
  }
  if (const Value* choices = schema.Find("enum")) {
    const ValueArray& list = *choices->As<ValueArray>();
    if (std::find(list.begin(), list.end(), value) == list.end()) {
      std::vector<std::string> texts;
      for (const Value& choice : list) texts.push_back(ToJson(choice));
      return Wrong(place, fmt::format("must be one of {}", fmt::join(texts, ", ")));
    }
  }
  if (const Value* any = schema.Find("anyOf")) {
    Status last;
    for (const Value& choice : *any->As<ValueArray>()) {
      last = CheckValue(choice, value, place);
      if (last) return {};
    }
    return last;
  }
  return {};
}

Status CheckValue(const Value& schema, const Value& value, std::string_view place) {
  if (const bool* all = schema.As<bool>()) {
    return *all ? Status() : Wrong(place, "must be left out");
  }
  if (const Value* type = schema.Find("type")) {
    NEXUS_TRY_STATUS(CheckType(*type, value, place));
  }
  NEXUS_TRY_STATUS(CheckChoices(schema, value, place));
  if (const double* number = value.As<double>()) {
    return CheckBounds(schema, "minimum", "maximum", *number, "", place);
  }
  const std::string* text = value.As<std::string>();
  const Bytes* bytes = value.As<Bytes>();
  if (text != nullptr || bytes != nullptr) {
    const std::size_t size = text != nullptr ? text->size() : bytes->data.size();
    return CheckBounds(schema, "minLength", "maxLength", static_cast<double>(size), " bytes",
                       place);
  }
  if (const ValueObject* object = value.As<ValueObject>()) {
    return CheckObject(schema, *object, place);
  }
  if (const ValueArray* list = value.As<ValueArray>()) return CheckArray(schema, *list, place);
  return {};
}

}  // namespace

Result<Schema> Schema::Parse(std::string_view text) {
  Result<Value> parsed = ParseJson(text, {.bytes_max = 1 << 20, .depth_max = 64});
  if (!parsed) return std::unexpected(std::move(parsed).error().Context("schema"));
  NEXUS_TRY_STATUS(CheckSchema(*parsed));
  return Schema(*std::move(parsed));
}

Status Schema::Check(const Value& value, std::string_view place) const {
  return schema_.is_undefined() ? Status() : CheckValue(schema_, value, place);
}

Status Schema::CheckArguments(const ValueArray& args, std::string_view method) const {
  const Value* prefix = schema_.Find("prefixItems");
  if (prefix == nullptr) return Check(args, fmt::format("{}: the list of arguments", method));
  const ValueArray& described = *prefix->As<ValueArray>();
  const auto needed = static_cast<std::size_t>(schema_.NumberOr("minItems", 0));
  for (std::size_t i = 0; i < std::max(described.size(), args.size()); ++i) {
    const bool absent = i >= args.size() || args[i].is_undefined();
    if (i >= described.size()) {
      // As in JavaScript, what nobody reads does no harm; unless the schema says otherwise.
      const Value* items = schema_.Find("items");
      if (items == nullptr || absent) continue;
      NEXUS_TRY_STATUS(CheckValue(*items, args[i], fmt::format("{}: argument {}", method, i + 1)));
      continue;
    }
    if (absent && i >= needed) continue;
    const std::string place = fmt::format("{}: argument {} ({})", method, i + 1,
                                          described[i].StringOr("title", "unnamed"));
    if (absent && described[i].Find("type") != nullptr) {
      return Wrong(place, fmt::format("is missing: it is {}", [&] {
                     std::vector<std::string_view> spoken;
                     for (const auto name : TypeNames(*described[i].Find("type"))) {
                       spoken.push_back(Spoken(name));
                     }
                     return fmt::format("{}", fmt::join(spoken, " or "));
                   }()));
    }
    if (absent) return Wrong(place, "is missing");
    NEXUS_TRY_STATUS(CheckValue(described[i], args[i], place));
  }
  return {};
}

}  // namespace nexus
