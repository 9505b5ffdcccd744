// Tool calls over HTTP: a load generator here, `nexus serve` in a process of its own.
#include <fmt/format.h>

#include "base/json.h"
#include "bench/internal/load_generator.h"
#include "bench/internal/measure.h"
#include "bench/internal/panel_measures.h"
#include "bench/internal/served_panels.h"

namespace nexus::bench {
namespace {

constexpr int kConnections = 64;

struct CallLoad {
  double per_s = 0;
  double cpu_us = 0;
  ValueObject details;
};

// The sum of all counters must be the number of answers: no call lost, none applied twice.
Status CheckCounters(std::uint16_t port, int panels, std::uint64_t answers) {
  NEXUS_TRY(Client client, Client::Connect(port));
  double sum = 0;
  for (int i = 0; i < panels; ++i) {
    NEXUS_TRY_STATUS(
        client.Send(fmt::format("GET /panels/p{}/state HTTP/1.1\r\nHost: localhost\r\n\r\n", i)));
    std::string answer;
    NEXUS_TRY_STATUS(client.ReceiveUntil(answer, "\"computed\""));
    NEXUS_TRY(const Value body, ParseJson(answer.substr(answer.find("\r\n\r\n") + 4)));
    const Value* const state = body.Find("state");
    sum += state == nullptr ? 0 : state->NumberOr("n", 0);
  }
  if (sum == static_cast<double>(answers)) return {};
  return Fail(Code::kInternal,
              fmt::format("{} calls were answered, {} were applied", answers, sum));
}

Result<CallLoad> Measure(const Bench& bench, int panels, bool journaled) {
  NEXUS_TRY(const ServedPanels server, ServedPanels::Start(panels, journaled));
  double cpu_before = 0, cpu_after = 0;
  const LoadPlan plan{.port = server.port(),
                      .connections = kConnections,
                      .warm_up_s = bench.options.quick ? 0.3 : 1,
                      .measured_s = bench.options.quick ? 0.5 : 5,
                      .request =
                          [panels](int index) {
                            return PostRequest(
                                fmt::format("/panels/p{}/trigger/add", index % panels),
                                R"({"by":1})");
                          },
                      .expected = "\"status\":\"success\""};
  NEXUS_TRY(const LoadResult load, RunLoad(plan, [&](bool begins) {
              (begins ? cpu_before : cpu_after) = server.CpuUs().value_or(0);
            }));
  NEXUS_TRY_STATUS(CheckCounters(server.port(), panels, load.all_answers));
  CallLoad result;
  result.per_s = load.per_s();
  result.cpu_us = (cpu_after - cpu_before) / static_cast<double>(load.answers);
  result.details = {{"answers", load.answers},
                    {"server_cpu_us_per_call", result.cpu_us},
                    {"latency_us", load.latency_us.Summary()}};
  return result;
}

Status MeasureJournaled(const Bench& bench, std::string_view figure, int panels) {
  NEXUS_TRY(const double raw, RawCommitsPerS(bench));
  NEXUS_TRY(CallLoad load, Measure(bench, panels, true));
  load.details.Append("raw_commits_per_s", raw);
  bench.emit(figure, load.per_s, load.details);
  if (bench.wanted("tool_http_cpu_us") && panels > 1) {
    bench.emit("tool_http_cpu_us", load.cpu_us, load.details);
  }
  return {};
}

}  // namespace

Status MeasureJournaledCalls(const Bench& bench) {
  return MeasureJournaled(bench, "tool_http_journaled_per_s", 64);
}

Status MeasureOnePanelCalls(const Bench& bench) {
  return MeasureJournaled(bench, "tool_http_one_panel_per_s", 1);
}

Status MeasureMemoryCalls(const Bench& bench) {
  NEXUS_TRY(CallLoad load, Measure(bench, 64, false));
  bench.emit("tool_http_memory_per_s", load.per_s, std::move(load.details));
  return {};
}

}  // namespace nexus::bench
