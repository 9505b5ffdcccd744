#pragma once
/// Guest code that runs outside of any run: compiling a program and running its top level once,
/// when its image is built. It has no rights; all it can do is log.

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/internal/worker.h"
#include "sandbox/sandbox.h"

namespace nexus::internal {

/// Limits of guest code run by the loader.
struct LoaderLimits {
  std::uint64_t wall_ms = 5000;
  std::uint64_t cpu_ms = 5000;
  std::uint64_t stack_bytes = std::uint64_t{1} << 20;
  std::uint64_t log_bytes = std::uint64_t{256} << 10;
  std::uint64_t memory_bytes = 0;  ///< For messages.
};

struct LoaderOutput {
  std::string bytes;  ///< What the guest put out: bytecode.
  std::vector<LogEntry> logs;
  bool trapped = false;
};

/// Calls `function` (kCompile or kLoad) with `input` in `slot`, which must be clean; the caller
/// releases it. `a` is the third argument (the form).
std::expected<LoaderOutput, Sandbox::LoadError> RunLoader(Worker& worker, Slot& slot,
                                                          Export function, std::string_view input,
                                                          std::int32_t a,
                                                          const LoaderLimits& limits,
                                                          const ProgramSpec& spec, bool* trapped);

}  // namespace nexus::internal
