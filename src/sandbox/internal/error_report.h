#pragma once
/// Turns what the guest says of an error into the author's terms: their file, line and column,
/// their frames, and the lines around the place.

#include <string>
#include <string_view>
#include <vector>

#include "base/value.h"
#include "sandbox/run_result.h"
#include "sandbox/sandbox.h"

namespace nexus::internal {

/// One line of a guest stack: "    at name (file:line:column)".
struct StackFrame {
  std::string function;
  std::string file;
  SourcePosition at;
};
std::vector<StackFrame> ParseStack(std::string_view stack);

/// The error object of docs/format/guest-abi.md as a RunError. Anything missing or of the wrong
/// type in it is left out: the guest is not trusted.
RunError ReportGuestError(const Value& guest_error, const ProgramSpec& spec);

}  // namespace nexus::internal
