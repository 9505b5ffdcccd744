#pragma once
/// JSON in and out of Value.
///
/// JSON -> Value gives only null, boolean, number, string, array, object. Value -> JSON follows
/// contract section 3: undefined absent (null inside an array), Date an ISO string, bigint a
/// decimal string, bytes base64, Map as a list of pairs, Set as a list, NaN and infinities null.

#include <cstddef>
#include <string>
#include <string_view>

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

}  // namespace nexus
