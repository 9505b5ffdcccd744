#include "bench/internal/measure.h"

#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace nexus::bench {
namespace {

std::int64_t ReadClock(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return t.tv_sec * 1'000'000'000LL + t.tv_nsec;
}

// The number behind "`field`:" in a file of /proc, which is in KB.
Result<std::int64_t> FieldOf(const char* path, std::string_view field) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(field) && line.substr(field.size()).starts_with(":")) {
      return std::strtoll(line.c_str() + field.size() + 1, nullptr, 10);
    }
  }
  return Fail(Code::kUnavailable, std::string(path) + ": no field " + std::string(field) +
                                      ": memory cannot be measured");
}

std::string ProcessorName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

}  // namespace

std::int64_t NowNs() { return ReadClock(CLOCK_MONOTONIC); }
std::int64_t CpuNs() { return ReadClock(CLOCK_THREAD_CPUTIME_ID); }

double Samples::Quantile(double fraction) const {
  if (values_.empty()) return 0;
  if (sorted_ != values_.size()) {
    std::sort(values_.begin(), values_.end());
    sorted_ = values_.size();
  }
  const auto index = static_cast<std::size_t>(fraction * static_cast<double>(values_.size()));
  return values_[std::min(index, values_.size() - 1)];
}

ValueObject Samples::Summary() const {
  return {{"samples", std::uint64_t{size()}},
          {"p50", Median()},
          {"p99", Quantile(0.99)},
          {"min", Min()}};
}

Result<std::int64_t> MemoryKb(std::string_view field, int pid) {
  const std::string who = pid == 0 ? "self" : std::to_string(pid);
  return FieldOf(("/proc/" + who + "/smaps_rollup").c_str(), field);
}

Result<std::int64_t> PeakKb() { return FieldOf("/proc/self/status", "VmHWM"); }

Status ResetPeak() {
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;
  if (file) return {};
  return Fail(Code::kUnavailable,
              "/proc/self/clear_refs: cannot be written: peak memory cannot be "
              "measured on this kernel");
}

ValueObject DescribeMachine() {
  utsname system{};
  uname(&system);
  double load = 0;
  getloadavg(&load, 1);
  return {{"cpu", ProcessorName()},
          {"cores", std::uint64_t{static_cast<std::uint64_t>(sysconf(_SC_NPROCESSORS_ONLN))}},
          {"kernel", std::string(system.release)},
          {"load", load}};
}

}  // namespace nexus::bench
