#pragma once
/// What the process's exit code tells a script. Documented in docs/CLI.md.

#include "base/result.h"
#include "sandbox/run_result.h"

namespace nexus {

inline constexpr int kExitSuccess = 0;
inline constexpr int kExitFailed = 1;     ///< The program, or the check, failed.
inline constexpr int kExitUsage = 2;      ///< The command was written wrongly.
inline constexpr int kExitDenied = 3;     ///< A capability is missing.
inline constexpr int kExitLimit = 4;      ///< A limit ended the run.
inline constexpr int kExitNotFound = 5;   ///< A file, run, extension or method does not exist.
inline constexpr int kExitInternal = 70;  ///< A fault of nexus or its installation.

int ExitCodeOf(RunErrorCode code);
int ExitCodeOf(Code code);
int ExitCodeOf(const RunResult& result);

}  // namespace nexus
