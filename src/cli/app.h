#pragma once
/// The command line: reads it, runs one command.

#include <string>
#include <vector>

namespace nexus {

/// `arguments` are without the program's name. Returns the exit code; prints everything else.
/// Never throws.
int RunCli(std::vector<std::string> arguments);

}  // namespace nexus
