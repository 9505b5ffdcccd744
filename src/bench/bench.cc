#include "bench/bench.h"

#include "bench/internal/suites.h"

namespace nexus::bench {

const std::vector<Suite>& Suites() {
  static const std::vector<Suite> suites = {SandboxSuite(), PanelSuite()};
  return suites;
}

}  // namespace nexus::bench
