#pragma once
/// A JavaScript value outside the sandbox: what goes in as arguments and comes out as results.
///
/// It keeps what JSON loses (undefined, Date, Map, Set, bigint, bytes) so that values cross the
/// sandbox boundary unchanged; base/json.h says how each looks on a JSON wire, and
/// docs/format/value.md how each is encoded on the boundary itself.

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace nexus {

class Value;

using ValueArray = std::vector<Value>;

/// An object's own enumerable properties, in insertion order. Lookup is linear: fine for the
/// dozens of keys that values on this boundary have.
class ValueObject {
 public:
  using Entry = std::pair<std::string, Value>;

  ValueObject() = default;
  ValueObject(std::initializer_list<Entry> entries);

  std::vector<Entry>& entries() { return entries_; }
  const std::vector<Entry>& entries() const { return entries_; }
  // Defined behind Value: an entry has no size before.
  std::size_t size() const;
  bool empty() const;
  std::vector<Entry>::const_iterator begin() const;
  std::vector<Entry>::const_iterator end() const;

  /// nullptr when absent. The pointer is good until the next change of this object.
  const Value* Find(std::string_view key) const;
  Value* Find(std::string_view key);
  /// Replaces or appends.
  void Set(std::string key, Value value);
  /// Appends without looking for `key`; the caller knows it is not there.
  void Append(std::string key, Value value);
  /// True when there was such a key.
  bool Erase(std::string_view key);

  friend bool operator==(const ValueObject&, const ValueObject&);  // order does not matter

 private:
  std::vector<Entry> entries_;
};

struct Undefined {
  friend bool operator==(Undefined, Undefined) { return true; }
};
struct Null {
  friend bool operator==(Null, Null) { return true; }
};
/// Lower-case hexadecimal magnitude with an optional leading '-', no leading zeros: "-ff". Hex,
/// because decimal conversion is quadratic in a number the guest chooses.
struct BigInt {
  std::string hex;
  friend bool operator==(const BigInt&, const BigInt&) = default;
};
/// Milliseconds since 1970-01-01T00:00:00Z; NaN is an invalid date.
struct Date {
  double unix_ms = 0;
  friend bool operator==(const Date&, const Date&) = default;
};
/// A Uint8Array's content.
struct Bytes {
  std::string data;
  friend bool operator==(const Bytes&, const Bytes&) = default;
};
struct ValueMap {
  std::vector<std::pair<Value, Value>> entries;
  friend bool operator==(const ValueMap&, const ValueMap&);
};
struct ValueSet {
  ValueArray entries;
  friend bool operator==(const ValueSet&, const ValueSet&);
};

/// Thread-compatible: a plain value; copy is deep.
class Value {
 public:
  using Variant = std::variant<Undefined, Null, bool, double, std::string, ValueArray, ValueObject,
                               BigInt, Date, Bytes, ValueMap, ValueSet>;

  Value() = default;  // undefined
  Value(std::nullptr_t) : v_(Null{}) {}
  Value(bool b) : v_(b) {}
  Value(double d) : v_(d) {}
  Value(int i) : v_(static_cast<double>(i)) {}
  Value(std::int64_t i) : v_(static_cast<double>(i)) {}
  Value(std::uint64_t i) : v_(static_cast<double>(i)) {}
  Value(std::uint32_t i) : v_(static_cast<double>(i)) {}
  Value(std::string s) : v_(std::move(s)) {}
  Value(std::string_view s) : v_(std::string(s)) {}
  Value(const char* s) : v_(std::string(s)) {}
  Value(ValueArray a) : v_(std::move(a)) {}
  Value(ValueObject o) : v_(std::move(o)) {}
  Value(BigInt b) : v_(std::move(b)) {}
  Value(Date d) : v_(d) {}
  Value(Bytes b) : v_(std::move(b)) {}
  Value(ValueMap m) : v_(std::move(m)) {}
  Value(ValueSet s) : v_(std::move(s)) {}

  static Value Object(std::initializer_list<ValueObject::Entry> entries = {});
  static Value Array(std::initializer_list<Value> items = {});

  bool is_undefined() const { return std::holds_alternative<Undefined>(v_); }
  bool is_null() const { return std::holds_alternative<Null>(v_); }
  /// The alternative, or nullptr: `if (const std::string* s = value.As<std::string>())`.
  template <typename T>
  const T* As() const {
    return std::get_if<T>(&v_);
  }
  template <typename T>
  T* As() {
    return std::get_if<T>(&v_);
  }

  /// Member of an object by key; nullptr when this is no object or has no such key.
  const Value* Find(std::string_view key) const;
  /// Convenience over Find for reading configuration-like objects.
  std::string_view StringOr(std::string_view key, std::string_view otherwise) const;
  double NumberOr(std::string_view key, double otherwise) const;
  bool BoolOr(std::string_view key, bool otherwise) const;

  /// "undefined", "null", "boolean", "number", "string", "array", "object", "bigint", "Date",
  /// "Uint8Array", "Map", "Set": for messages.
  std::string_view TypeName() const;

  const Variant& variant() const { return v_; }
  Variant& variant() { return v_; }
  friend bool operator==(const Value&, const Value&) = default;

 private:
  Variant v_;
};

inline std::size_t ValueObject::size() const { return entries_.size(); }
inline bool ValueObject::empty() const { return entries_.empty(); }
inline std::vector<ValueObject::Entry>::const_iterator ValueObject::begin() const {
  return entries_.begin();
}
inline std::vector<ValueObject::Entry>::const_iterator ValueObject::end() const {
  return entries_.end();
}

}  // namespace nexus
