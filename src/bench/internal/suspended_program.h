#pragma once
/// The usual agent in the middle of its work: what snapshots are measured with.

#include <memory>
#include <string>

#include "base/result.h"
#include "sandbox/sandbox.h"

namespace nexus::bench {

/// Waits with a Map, closures and 40 locals alive; afterwards all of them are needed for the
/// result.
extern const char* const kSuspendedProgram;

struct SuspendedRun {
  std::unique_ptr<Run> run;
  std::string suspension_id;
};

/// Starts the program with args.n = n; it waits for its first call.
Result<SuspendedRun> Suspend(Sandbox& sandbox, const ProgramPtr& program,
                             const std::shared_ptr<Extension>& extension, int n);
ExecutionContext SuspendedContext(const std::shared_ptr<Extension>& extension, int n);
/// Answers the first call of `run`, started with `n`, and checks what it returns.
Status FinishSuspended(Run& run, int n);

}  // namespace nexus::bench
