// The suite `panel`: its figures with their bars, and the order in which they are measured.
#include "bench/internal/panel_measures.h"
#include "bench/internal/suites.h"

namespace nexus::bench {
namespace {

constexpr Promise kPromises[] = {
    {"nxml_mb_per_s", ">=", 40, "MB/s",
     "a panel read: structure, attributes, bindings, no handler code"},
    {"nxml_with_code_mb_per_s", ">=", 3, "MB/s",
     "the same with handler code parsed, checked, capabilities inferred"},
    {"nxml_typical_p50", "<=", 800, "us",
     "a typical panel (4 KB, 5 tools, 1.5 KB of code) read, everything checked"},
    {"tool_http_journaled_per_s", ">=", 15'000, "1/s",
     "tool calls over HTTP, 64 connections, 64 panels, synced, each in a fresh sandbox"},
    {"tool_http_one_panel_per_s", ">=", 8'000, "1/s", "the same, one panel"},
    {"tool_http_cpu_us", "<=", 60, "us", "server CPU a call, 64 panels"},
    {"tool_http_memory_per_s", ">=", 25'000, "1/s", "the same with journaling off"},
    {"patch_fanout_1000_p99", "<=", 20, "ms", "commit to the last of 1,000 WebSocket subscribers"},
    {"idle_ws_10k_mb", "<=", 250, "MB", "memory 10,000 idle WebSockets add to the server"},
    {"restart_100k_revisions_ms", "<=", 300, "ms", "a panel of 100,000 revisions reopened"},
};

const std::vector<Group>& Groups() {
  static const std::vector<Group> groups = {
      {{"nxml_mb_per_s", "nxml_with_code_mb_per_s", "nxml_typical_p50"}, MeasureNxml},
      {{"tool_http_journaled_per_s", "tool_http_cpu_us"}, MeasureJournaledCalls},
      {{"tool_http_one_panel_per_s"}, MeasureOnePanelCalls},
      {{"tool_http_memory_per_s"}, MeasureMemoryCalls},
      {{"patch_fanout_1000_p99"}, MeasureFanOut, true},
      {{"idle_ws_10k_mb"}, MeasureIdleSockets},
      {{"restart_100k_revisions_ms"}, MeasureRestart, true}};
  return groups;
}

}  // namespace

Suite PanelSuite() {
  return {.name = "panel",
          .summary = "NXML, tool calls over HTTP, patches and idle clients on WebSockets, restart",
          .run = [](const Options& options, const Sink& sink) {
            return RunSuite({.name = "panel", .promises = kPromises, .groups = Groups()}, options,
                            sink);
          }};
}

}  // namespace nexus::bench
