#pragma once
/// The suites, one a file of this folder's parent.

#include "bench/bench.h"

namespace nexus::bench {

Suite SandboxSuite();
Suite PanelSuite();

}  // namespace nexus::bench
