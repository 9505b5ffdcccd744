#pragma once
/// The measurements of the suite `panel`, one function a group of figures.

#include <string>

#include "bench/internal/suite_runner.h"

namespace nexus::bench {

Status MeasureNxml(const Bench& bench);            // nxml_*
Status MeasureJournaledCalls(const Bench& bench);  // tool_http_journaled_per_s, tool_http_cpu_us
Status MeasureOnePanelCalls(const Bench& bench);   // tool_http_one_panel_per_s
Status MeasureMemoryCalls(const Bench& bench);     // tool_http_memory_per_s
Status MeasureFanOut(const Bench& bench);          // patch_fanout_1000_p99
Status MeasureIdleSockets(const Bench& bench);     // idle_ws_10k_mb
Status MeasureRestart(const Bench& bench);         // restart_100k_revisions_ms

/// The panel whose tool the figures about calls are about: `add` adds `by` to the state `n`.
std::string CounterPanel(const std::string& id);

}  // namespace nexus::bench
