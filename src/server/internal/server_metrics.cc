#include "server/internal/server_metrics.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

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

// The 22nd field of /proc/self/stat, in ticks since the machine started; the second one, the name
// in brackets, may hold anything.
double StartSeconds() {
  std::ifstream stat("/proc/self/stat");
  std::string line;
  std::getline(stat, line);
  std::istringstream fields(line.substr(std::min(line.size(), line.rfind(')') + 1)));
  std::string word;
  for (int field = 3; field <= 22 && fields >> word; ++field) {
  }
  std::ifstream uptime("/proc/uptime");
  double since_boot = 0;
  uptime >> since_boot;
  const double boot = static_cast<double>(std::time(nullptr)) - since_boot;
  return boot + std::strtod(word.c_str(), nullptr) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

std::size_t FilesIn(const char* folder) {
  std::error_code ignored;
  const std::filesystem::directory_iterator entries(folder, ignored);
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

// The names every Prometheus client has.
void AppendProcess(std::string& out) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  std::ifstream statm("/proc/self/statm");
  std::uint64_t size = 0, resident = 0;
  statm >> size >> resident;
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  static const double start = StartSeconds();
  One(out, "process_cpu_seconds_total", "counter", "CPU time, user and system",
      seconds(usage.ru_utime) + seconds(usage.ru_stime));
  One(out, "process_resident_memory_bytes", "gauge", "Resident memory", resident * page);
  One(out, "process_virtual_memory_bytes", "gauge", "Mapped memory", size * page);
  One(out, "process_open_fds", "gauge", "Open file descriptors", FilesIn("/proc/self/fd"));
  One(out, "process_max_fds", "gauge", "How many may be open", files.rlim_cur);
  One(out, "process_threads", "gauge", "Threads", FilesIn("/proc/self/task"));
  One(out, "process_start_time_seconds", "gauge", "When it started, since 1970", start);
}

}  // namespace

void ServerMetrics::CountResponse(int status, std::int64_t took_ns) {
  const auto kind = static_cast<std::size_t>(status / 100);
  if (kind < responses_.size()) responses_[kind].fetch_add(1, std::memory_order_relaxed);
  response_ns_.fetch_add(static_cast<std::uint64_t>(took_ns), std::memory_order_relaxed);
  const double seconds = static_cast<double>(took_ns) / 1e9;
  // One bucket a response; Render adds them up.
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    if (seconds > kBounds[i]) continue;
    response_buckets_[i].fetch_add(1, std::memory_order_relaxed);
    break;
  }
}

void ServerMetrics::CountRun(const std::string& panel_id, const RunResult& result) {
  const RunMetrics& metrics = result.metrics;
  ++runs_;
  ++(result.error ? runs_failed_ : runs_ok_);
  duration_us_ += metrics.duration_us;
  run_us_.Record(metrics.duration_us);
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
  Head(out, "nexus_handler_execution_duration_us", "summary", "Duration of tool calls");
  for (const double quantile : {0.5, 0.95, 0.99}) {
    fmt::format_to(to, "nexus_handler_execution_duration_us{{quantile=\"{}\"}} {}\n", quantile,
                   run_us_.Percentile(quantile));
  }
  fmt::format_to(to, "nexus_handler_execution_duration_us_sum {}\n", run_us_.sum());
  fmt::format_to(to, "nexus_handler_execution_duration_us_count {}\n", run_us_.count());
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
  constexpr const char* kRequest = "nexus_http_request_duration_seconds";
  Head(out, kRequest, "histogram", "From the whole request to its answer");
  std::uint64_t answered = 0, below = 0;
  for (const auto& count : responses_) answered += count.load();
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    below += response_buckets_[i].load();
    fmt::format_to(to, "{}_bucket{{le=\"{}\"}} {}\n", kRequest, kBounds[i], below);
  }
  fmt::format_to(to, "{}_bucket{{le=\"+Inf\"}} {}\n", kRequest, std::max(answered, below));
  fmt::format_to(to, "{}_sum {}\n", kRequest, static_cast<double>(response_ns_.load()) / 1e9);
  fmt::format_to(to, "{}_count {}\n", kRequest, std::max(answered, below));
  One(out, "nexus_connections", "gauge", "Open connections", listener.connections);
  One(out, "nexus_websockets", "gauge", "Of these, WebSockets", listener.sockets);
  One(out, "nexus_connections_accepted_total", "counter", "Accepted connections",
      listener.accepted);
  One(out, "nexus_connections_refused_total", "counter", "Closed at once: too many",
      listener.refused);
  AppendProcess(out);
  return out;
}

void AppendSandbox(std::string& out, const SandboxStats& stats) {
  const auto to = std::back_inserter(out);
  Head(out, "nexus_build_info", "gauge", "What this is; the value is 1");
  fmt::format_to(to, "nexus_build_info{{version=\"{}\",engine=\"{}\",guest=\"{}\"}} 1\n",
                 NEXUS_VERSION, Label(stats.engine_version), stats.guest_hash.substr(0, 12));
  const std::uint64_t reused =
      stats.runs > stats.instances_created ? stats.runs - stats.instances_created : 0;
  One(out, "nexus_instances_created_total", "counter", "Guest instances made",
      stats.instances_created);
  One(out, "nexus_instances_reused_total", "counter", "Runs in an instance that was there", reused);
  One(out, "nexus_instances_live", "gauge", "Guest instances now", stats.instances_live);
  One(out, "nexus_programs_live", "gauge", "Compiled handlers in memory", stats.programs_live);
  One(out, "nexus_permission_denials_total", "counter", "Host calls without the right",
      stats.denials);
  Head(out, "nexus_run_stops_total", "counter", "Runs ended by a limit: at a poll, or by a signal");
  fmt::format_to(to, "nexus_run_stops_total{{how=\"soft\"}} {}\n", stats.soft_stops);
  fmt::format_to(to, "nexus_run_stops_total{{how=\"hard\"}} {}\n", stats.hard_stops);
  Head(out, "nexus_compilation_cache_total", "counter", "Look-ups of compiled code");
  fmt::format_to(to, "nexus_compilation_cache_total{{found=\"memory\"}} {}\n",
                 stats.cache_memory_hits);
  fmt::format_to(to, "nexus_compilation_cache_total{{found=\"disk\"}} {}\n", stats.cache_disk_hits);
  fmt::format_to(to, "nexus_compilation_cache_total{{found=\"no\"}} {}\n", stats.cache_misses);
  One(out, "nexus_compilation_cache_discarded_total", "counter", "Corrupt or foreign cache files",
      stats.cache_discarded);
}

void AppendTraces(std::string& out, const OtlpExporter::Stats& stats) {
  One(out, "nexus_trace_spans_exported_total", "counter", "Spans the collector took",
      stats.exported);
  One(out, "nexus_trace_spans_dropped_total", "counter", "Spans nobody took: queue full, refused",
      stats.dropped);
  One(out, "nexus_trace_export_failures_total", "counter", "Requests to the collector that failed",
      stats.failures);
  One(out, "nexus_trace_spans_queued", "gauge", "Spans that wait", stats.queued);
}

void AppendApprovals(std::string& out, const ApprovalExtension::Stats& stats) {
  Head(out, "nexus_approvals_total", "counter", "Requests for rights, by what became of them");
  const auto to = std::back_inserter(out);
  fmt::format_to(to, "nexus_approvals_total{{decision=\"approved\"}} {}\n", stats.approved);
  fmt::format_to(to, "nexus_approvals_total{{decision=\"denied\"}} {}\n", stats.denied);
  fmt::format_to(to, "nexus_approvals_total{{decision=\"expired\"}} {}\n", stats.expired);
  One(out, "nexus_approvals_waiting", "gauge", "Requests for rights without an answer",
      stats.waiting);
}

}  // namespace nexus::internal
