#include "base/value.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "base/check.h"

namespace nexus {
namespace {

/// Indexes of `entries` in the order of their keys, so that two objects compare in O(n log n).
std::vector<std::size_t> OrderByKey(const std::vector<ValueObject::Entry>& entries) {
  std::vector<std::size_t> order(entries.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return entries[a].first < entries[b].first;
  });
  return order;
}

}  // namespace

ValueObject::ValueObject(std::initializer_list<Entry> entries) {
  entries_.reserve(entries.size());
  for (const Entry& entry : entries) Set(entry.first, entry.second);
}

const Value* ValueObject::Find(std::string_view key) const {
  for (const Entry& entry : entries_) {
    if (entry.first == key) return &entry.second;
  }
  return nullptr;
}

Value* ValueObject::Find(std::string_view key) {
  return const_cast<Value*>(std::as_const(*this).Find(key));
}

void ValueObject::Set(std::string key, Value value) {
  if (Value* present = Find(key)) {
    *present = std::move(value);
    return;
  }
  Append(std::move(key), std::move(value));
}

void ValueObject::Append(std::string key, Value value) {
  entries_.emplace_back(std::move(key), std::move(value));
}

bool ValueObject::Erase(std::string_view key) {
  const auto at = std::find_if(entries_.begin(), entries_.end(),
                               [&](const Entry& entry) { return entry.first == key; });
  if (at == entries_.end()) return false;
  entries_.erase(at);
  return true;
}

bool operator==(const ValueObject& a, const ValueObject& b) {
  if (a.size() != b.size()) return false;
  // The usual case is the same order; only a difference pays for sorting.
  if (a.entries_ == b.entries_) return true;
  const std::vector<std::size_t> order_a = OrderByKey(a.entries_);
  const std::vector<std::size_t> order_b = OrderByKey(b.entries_);
  for (std::size_t i = 0; i < order_a.size(); ++i) {
    if (a.entries_[order_a[i]] != b.entries_[order_b[i]]) return false;
  }
  return true;
}

bool operator==(const ValueMap& a, const ValueMap& b) { return a.entries == b.entries; }
bool operator==(const ValueSet& a, const ValueSet& b) { return a.entries == b.entries; }

Value Value::Object(std::initializer_list<ValueObject::Entry> entries) {
  return Value(ValueObject(entries));
}

Value Value::Array(std::initializer_list<Value> items) { return Value(ValueArray(items)); }

const Value* Value::Find(std::string_view key) const {
  const ValueObject* object = As<ValueObject>();
  return object == nullptr ? nullptr : object->Find(key);
}

std::string_view Value::StringOr(std::string_view key, std::string_view otherwise) const {
  const Value* found = Find(key);
  const std::string* text = found == nullptr ? nullptr : found->As<std::string>();
  return text == nullptr ? otherwise : std::string_view(*text);
}

double Value::NumberOr(std::string_view key, double otherwise) const {
  const Value* found = Find(key);
  const double* number = found == nullptr ? nullptr : found->As<double>();
  return number == nullptr ? otherwise : *number;
}

bool Value::BoolOr(std::string_view key, bool otherwise) const {
  const Value* found = Find(key);
  const bool* flag = found == nullptr ? nullptr : found->As<bool>();
  return flag == nullptr ? otherwise : *flag;
}

std::string_view Value::TypeName() const {
  // In the order of Variant's alternatives.
  static constexpr std::array<std::string_view, std::variant_size_v<Variant>> kNames = {
      "undefined", "null",   "boolean", "number",     "string", "array",
      "object",    "bigint", "Date",    "Uint8Array", "Map",    "Set"};
  NEXUS_CHECK(!v_.valueless_by_exception());
  return kNames[v_.index()];
}

}  // namespace nexus
