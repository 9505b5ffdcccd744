#pragma once
/// Results and errors as people read them, and as programs do.

#include <string>
#include <string_view>

#include "base/value.h"
#include "cli/terminal.h"
#include "sandbox/run_result.h"

namespace nexus {

/// What to do about `error`, as words to add to the command; empty when there is nothing to say.
/// "--cap ext:http.get", "--limit wall=10s".
std::string HintFor(const RunError& error);

/// The wire form of a result, with `error.hint` where there is one.
Value ResultToJson(const RunResult& result);

/// A result that is only an error: what `--json` prints when there was no run.
RunResult FailedResult(RunError error);

/// A return value: a string as it is, anything else as indented JSON. Nothing for undefined.
std::string ShowValue(const Value& value);

/// The return value goes to `out` alone, so that it can be piped; effects, error and a summary go
/// to `err`.
void PrintResult(const RunResult& result, const Terminal& out, const Terminal& err);
void PrintError(const RunError& error, const Terminal& err);
void PrintLog(const LogEntry& entry, const Terminal& err);

}  // namespace nexus
