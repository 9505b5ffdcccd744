#pragma once
/// JSON Schema for the arguments of extension methods: enough of draft 2020-12 to say what a call
/// may hold, checked by the host in one place before an extension sees the call.

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/value.h"

namespace nexus {

/// A schema of the keywords type, enum, const, anyOf, properties, required, additionalProperties,
/// items, prefixItems, minItems, maxItems, minLength, maxLength, minimum, maximum, title,
/// description, default. Beside JSON's types, "type" knows "integer", "bytes" (a Uint8Array),
/// "date", "bigint", "map" and "set", for values that JSON cannot hold. Lengths of strings and
/// bytes are counted in bytes. A member that is undefined counts as absent.
/// Immutable and thread-safe. Cost of a check: one pass over what the schema describes.
class Schema {
 public:
  /// Accepts everything.
  Schema() = default;
  /// Errors: kInvalidArgument for text that is no JSON object or has a keyword or type that is not
  /// understood, because a constraint that is silently ignored protects nobody.
  static Result<Schema> Parse(std::string_view text);

  /// Errors: kInvalidArgument "PLACE.limit must be a number, not string"; for an object with
  /// unknown members, which ones there are and which was likely meant.
  Status Check(const Value& value, std::string_view place) const;
  /// Checks a list of arguments; the place of each is "argument 1 (url)".
  Status CheckArguments(const ValueArray& args, std::string_view method) const;

  /// The schema itself; undefined when it accepts everything.
  const Value& ToValue() const { return schema_; }

 private:
  explicit Schema(Value schema) : schema_(std::move(schema)) {}
  Value schema_;
};

}  // namespace nexus
