#pragma once
/// `$args` against a tool's Arg elements (contract 3).

#include <expected>

#include "base/value.h"
#include "panel/definition.h"
#include "sandbox/run_result.h"

namespace nexus::internal {

/// `given` with defaults filled in. Undefined is no arguments; a null for an argument that is not
/// required counts as left out, because models write it so.
/// Errors: kInvalidArgument that names the argument, what it should be and, for an unknown one,
/// what was meant.
std::expected<Value, RunError> CheckArguments(const ToolDefinition& tool, Value given);

}  // namespace nexus::internal
