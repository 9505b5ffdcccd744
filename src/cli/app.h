#pragma once
/// The command line: reads it, runs one command.

#include <string>
#include <vector>

#include "cli/bench_registry.h"

namespace nexus {

/// `arguments` are without the program's name. Returns the exit code; prints everything else.
/// Never throws.
int RunCli(std::vector<std::string> arguments, const BenchRegistry& benchmarks);

}  // namespace nexus
