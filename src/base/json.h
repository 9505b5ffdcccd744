#pragma once
/// JSON in and out of Value.
///
/// JSON -> Value gives only null, boolean, number, string, array, object. Value -> JSON follows
/// contract section 3: undefined absent (null inside an array), Date an ISO string, bigint a
/// decimal string, bytes base64, Map as a list of pairs, Set as a list, NaN and infinities null.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/result.h"
#include "base/value.h"

namespace nexus {

struct JsonLimits {
  std::size_t bytes_max = std::size_t{256} << 20;
  std::size_t depth_max = 500;
};

/// Parses one JSON document (RFC 8259), nothing but white space behind it.
/// Errors: kInvalidArgument "line:column: reason" (1-based, code points). Duplicate keys: the last
/// one wins, as in JavaScript. Threads: pure. Cost: one pass.
Result<Value> ParseJson(std::string_view text, const JsonLimits& limits = {});

struct JsonStyle {
  int indent = 0;  ///< 0: one line.
};

/// Never fails: what JSON cannot hold becomes what the contract says. Lone surrogates are escaped.
std::string ToJson(const Value& value, JsonStyle style = {});
void AppendJson(std::string& out, const Value& value, JsonStyle style = {});
/// `text` as a JSON string literal with its quotes.
void AppendJsonString(std::string& out, std::string_view text);

/// Writes JSON of a known shape member by member, where building a Value first would cost more than
/// the text. The caller closes what it opens.
class JsonBuilder {
 public:
  /// Appends to `out`, which is borrowed.
  explicit JsonBuilder(std::string& out) : out_(out) {}

  JsonBuilder& BeginObject() { return Open('{'); }
  JsonBuilder& EndObject() { return Close('}'); }
  JsonBuilder& BeginArray() { return Open('['); }
  JsonBuilder& EndArray() { return Close(']'); }
  JsonBuilder& Key(std::string_view name);
  JsonBuilder& String(std::string_view text);
  JsonBuilder& Number(std::uint64_t number);
  JsonBuilder& Number(std::int64_t number);
  JsonBuilder& Number(std::uint32_t number) { return Number(std::uint64_t{number}); }
  JsonBuilder& Bool(bool value);
  JsonBuilder& Null();
  /// Undefined is written as null; leave its key away to have it absent.
  JsonBuilder& Add(const Value& value);
  /// JSON that is text already.
  JsonBuilder& Raw(std::string_view json);

  JsonBuilder& Member(std::string_view name, std::string_view text) {
    return Key(name).String(text);
  }
  /// Nothing when `text` is empty.
  JsonBuilder& MemberIfAny(std::string_view name, std::string_view text) {
    return text.empty() ? *this : Member(name, text);
  }
  template <typename Integer>
    requires std::integral<Integer>
  JsonBuilder& Member(std::string_view name, Integer number) {
    Key(name);
    if constexpr (std::is_same_v<Integer, bool>) {
      return Bool(number);
    } else if constexpr (std::is_signed_v<Integer>) {
      return Number(std::int64_t{number});
    } else {
      return Number(std::uint64_t{number});
    }
  }

 private:
  JsonBuilder& Open(char bracket) {
    Next();
    out_ += bracket;
    first_ = true;
    return *this;
  }
  JsonBuilder& Close(char bracket) {
    out_ += bracket;
    first_ = false;
    return *this;
  }
  // The comma before a value, unless it is the first or follows its key.
  void Next() {
    if (!first_) out_ += ',';
    first_ = false;
  }

  std::string& out_;
  bool first_ = true;
};

}  // namespace nexus
