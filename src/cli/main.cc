#include <csignal>
#include <string>
#include <vector>

#include "cli/app.h"

int main(int argc, char** argv) {
  // A reader that goes away (`nexus run ... | head`) is an error of a write, not a reason to die.
  std::signal(SIGPIPE, SIG_IGN);
  return nexus::RunCli(std::vector<std::string>(argv + 1, argv + argc));
}
