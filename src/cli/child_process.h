#pragma once
/// Runs a helper program to its end: nothing inherited, everything bounded.

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace nexus {

struct ChildRequest {
  std::filesystem::path program;
  std::vector<std::string> arguments;  ///< Without the program's name.
  std::filesystem::path folder;        ///< Where it works.
  std::chrono::milliseconds time_max{60'000};
  std::size_t output_bytes_max = std::size_t{16} << 20;
};

struct ChildOutcome {
  int exit_code = 0;  ///< 128 + n when signal n ended it.
  std::string output;
  std::string errors;
};

/// The child gets an environment of PATH and HOME alone, so that no library path of ours reaches
/// it, no open file but its own pipes, and no input. It is killed with its children when time is
/// up. Errors: kNotFound when the program cannot be started, kDeadlineExceeded, kResourceExhausted
/// for too much output. Threads: any.
Result<ChildOutcome> RunChild(const ChildRequest& request);

}  // namespace nexus
