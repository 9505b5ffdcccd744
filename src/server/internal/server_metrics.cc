#include "server/internal/server_metrics.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

namespace nexus::internal {
namespace {

void Head(std::string& out, const char* name, const char* type, const char* help) {
  fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

template <typename Number>
void One(std::string& out, const char* name, const char* type, const char* help, Number value) {
  Head(out, name, type, help);
  fmt::format_to(std::back_inserter(out), "{} {}\n", name, value);
}

// A label's value: backslash, quote and line end escaped.
std::string Label(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

std::uint64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

void ServerMetrics::CountRun(const std::string& panel_id, const RunResult& result) {
  const RunMetrics& metrics = result.metrics;
  ++runs_;
  ++(result.error ? runs_failed_ : runs_ok_);
  duration_us_ += metrics.duration_us;
  if (metrics.cache_hit) ++cache_hits_;
  std::uint64_t peak = peak_memory_bytes_;
  while (metrics.memory_peak_bytes > peak &&
         !peak_memory_bytes_.compare_exchange_weak(peak, metrics.memory_peak_bytes)) {
  }
  const std::lock_guard lock(mutex_);
  // Names come from callers, so there is a last one: what is beyond goes under "other".
  const bool room = panels_.size() < kPanelsMax || panels_.contains(panel_id);
  PanelFigures& figures = panels_[room ? panel_id : "other"];
  ++figures.runs;
  figures.duration_us += metrics.duration_us;
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    if (static_cast<double>(metrics.duration_us) <= kBounds[i] * 1e6) ++figures.buckets[i];
  }
  for (const auto& [name, count] : metrics.host_calls) {
    calls_[name] += count;
  }
  if (result.error) ++errors_[RunErrorCodeName(result.error->code)];
}

std::uint64_t ServerMetrics::cache_hits_permille() const {
  const std::uint64_t runs = runs_;
  return runs == 0 ? 0 : cache_hits_ * 1000 / runs;
}

std::string ServerMetrics::Render(const PanelHost::Stats& host,
                                  const Listener::Stats& listener) const {
  std::string out;
  const auto to = std::back_inserter(out);
  Head(out, "nexus_handler_executions_total", "counter", "Tool calls that ended, by outcome");
  fmt::format_to(to, "nexus_handler_executions_total{{status=\"success\"}} {}\n", runs_ok_.load());
  fmt::format_to(to, "nexus_handler_executions_total{{status=\"error\"}} {}\n",
                 runs_failed_.load());
  const std::uint64_t runs = runs_;
  One(out, "nexus_handler_execution_time_us", "gauge", "Mean duration of a tool call",
      runs == 0 ? 0 : duration_us_ / runs);
  One(out, "nexus_cache_hit_rate", "gauge", "Share of runs whose program came from a cache",
      static_cast<double>(cache_hits_permille()) / 1000);
  One(out, "nexus_wasm_cache_hit_rate", "gauge", "The same, under its other name",
      static_cast<double>(cache_hits_permille()) / 1000);
  One(out, "nexus_peak_memory_bytes", "gauge", "Largest guest memory of a run",
      peak_memory_bytes_.load());
  {
    const std::lock_guard lock(mutex_);
    Head(out, "nexus_host_calls_total", "counter", "Host calls of tool calls, by function");
    for (const auto& [name, count] : calls_) {
      fmt::format_to(to, "nexus_host_calls_total{{function=\"{}\"}} {}\n", Label(name), count);
    }
    Head(out, "nexus_errors_total", "counter", "Tool calls that failed, by code");
    for (const auto& [code, count] : errors_) {
      fmt::format_to(to, "nexus_errors_total{{code=\"{}\"}} {}\n", code, count);
    }
    Head(out, "nexus_panel_executions_total", "counter", "Tool calls that ended, by panel");
    for (const auto& [id, figures] : panels_) {
      fmt::format_to(to, "nexus_panel_executions_total{{panel_id=\"{}\"}} {}\n", Label(id),
                     figures.runs);
    }
    constexpr const char* kDuration = "nexus_panel_execution_duration_seconds";
    Head(out, kDuration, "histogram", "Duration of tool calls");
    for (const auto& [id, figures] : panels_) {
      const std::string label = Label(id);
      for (std::size_t i = 0; i < kBounds.size(); ++i) {
        fmt::format_to(to, "{}_bucket{{panel_id=\"{}\",le=\"{}\"}} {}\n", kDuration, label,
                       kBounds[i], figures.buckets[i]);
      }
      fmt::format_to(to, "{}_bucket{{panel_id=\"{}\",le=\"+Inf\"}} {}\n", kDuration, label,
                     figures.runs);
      fmt::format_to(to, "{}_sum{{panel_id=\"{}\"}} {}\n", kDuration, label,
                     static_cast<double>(figures.duration_us) / 1e6);
      fmt::format_to(to, "{}_count{{panel_id=\"{}\"}} {}\n", kDuration, label, figures.runs);
    }
  }
  One(out, "nexus_runs_total", "counter", "Runs of handlers, triggers included", host.runs);
  One(out, "nexus_run_errors_total", "counter", "Of these, failed", host.errors);
  One(out, "nexus_journal_commits_total", "counter", "Synced commits", host.journal_commits);
  One(out, "nexus_journal_records_total", "counter", "Journaled records", host.journal_records);
  One(out, "nexus_runs_queued", "gauge", "Calls that wait", host.queued);
  One(out, "nexus_runs_running", "gauge", "Runs that execute", host.running);
  One(out, "nexus_runs_suspended", "gauge", "Runs that wait for the host", host.suspended);
  One(out, "nexus_panels", "gauge", "Mounted panels", host.panels);
  Head(out, "nexus_http_responses_total", "counter", "Responses by class of status");
  for (std::size_t kind = 1; kind < responses_.size(); ++kind) {
    fmt::format_to(to, "nexus_http_responses_total{{class=\"{}xx\"}} {}\n", kind,
                   responses_[kind].load());
  }
  One(out, "nexus_connections", "gauge", "Open connections", listener.connections);
  One(out, "nexus_websockets", "gauge", "Of these, WebSockets", listener.sockets);
  One(out, "nexus_connections_accepted_total", "counter", "Accepted connections",
      listener.accepted);
  One(out, "nexus_connections_refused_total", "counter", "Closed at once: too many",
      listener.refused);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  One(out, "process_cpu_seconds_total", "counter", "CPU time, user and system",
      seconds(usage.ru_utime) + seconds(usage.ru_stime));
  One(out, "process_resident_memory_bytes", "gauge", "Resident memory", ResidentBytes());
  return out;
}

}  // namespace nexus::internal
