#pragma once
/// JSON on the command line: as text, from a file, or from standard input.

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/value.h"

namespace nexus {

/// `text` is JSON, `@FILE`, or `-` for standard input (which can be read once).
/// Errors: "--args: ..." with `option` in front; kNotFound for a missing file, kInvalidArgument
/// with line, column and a snippet for malformed JSON.
Result<Value> ReadJsonArgument(std::string_view option, const std::string& text);

/// As above, and an object.
Result<ValueObject> ReadJsonObject(std::string_view option, const std::string& text);

}  // namespace nexus
