// CPU-bound JavaScript in the sandbox against the same patched QuickJS built by the platform's
// compiler: what the sandbox costs a program that only computes.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <system_error>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "bench/internal/measure.h"
#include "bench/internal/places.h"
#include "bench/internal/sandbox_measures.h"

namespace nexus::bench {
namespace {

constexpr std::array kKernels = {"fib",  "richards", "sort",  "string", "regex",
                                 "json", "mapset",   "float", "typed"};

std::filesystem::path KernelsFile() { return SourceDir() / "benchmarks" / "kernels.js"; }

// The native program, built when its recipe or sources are new.
Result<std::filesystem::path> NativeProgram(const Bench& bench) {
  const std::filesystem::path guest = SourceDir() / "guest";
  const std::filesystem::path quickjs = QuickJsDir();
  std::error_code error;
  std::vector<std::filesystem::path> inputs = {guest / "build-native.sh",
                                               guest / "native_kernels.c", quickjs / "quickjs.c",
                                               quickjs / "VERSION"};
  for (const auto& entry : std::filesystem::directory_iterator(guest / "patches", error)) {
    inputs.push_back(entry.path());
  }
  std::sort(inputs.begin(), inputs.end());
  Sha256 hash;
  for (const std::filesystem::path& input : inputs) {
    NEXUS_TRY(const std::string bytes, ReadFile(input));
    hash.UpdatePart(bytes);
  }
  NEXUS_TRY(std::filesystem::path cache, BenchCacheDir());
  const std::filesystem::path folder = cache / ("native-" + hash.FinishHex().substr(0, 16));
  const std::filesystem::path program = folder / "native_kernels";
  if (std::filesystem::exists(program, error)) return program;
  bench.note("building QuickJS natively, to compare with (once, about a minute)");
  NEXUS_TRY_STATUS(MakeDirs(folder));
  NEXUS_TRY(Process build, Process::Start({"sh", (guest / "build-native.sh").string(),
                                           quickjs.string(), folder.string()}));
  if (const int status = build.Wait(); status != 0) {
    return Fail(
        Code::kUnavailable,
        fmt::format("guest/build-native.sh: failed with status {}: gcc and patch are needed",
                    status));
  }
  return program;
}

struct Timed {
  double ms = 0;
  std::string checksum;
};

// Best of `rounds` calls in one process.
Result<Timed> RunNative(const std::filesystem::path& program, const char* kernel, int rounds) {
  NEXUS_TRY(Process process, Process::Start({program.string(), KernelsFile().string(),
                                             std::to_string(rounds), kernel}));
  NEXUS_TRY(const std::string line, process.ReadLine());
  NEXUS_TRY(const Value figure, ParseJson(line));
  return Timed{.ms = figure.NumberOr("ms", 0),
               .checksum = std::string(figure.StringOr("checksum", ""))};
}

Result<Timed> RunSandboxed(Sandbox& sandbox, const ProgramPtr& program, const char* kernel) {
  ExecutionContext context;
  context.args = Value::Object({{"kernel", kernel}});
  const std::int64_t start = CpuNs();
  const RunResult result = sandbox.Execute(program, std::move(context));
  const std::int64_t end = CpuNs();
  const std::string* const checksum = result.return_value.As<std::string>();
  if (checksum == nullptr) {
    return Fail(Code::kInternal, fmt::format("kernel {}: {}", kernel,
                                             result.error ? result.error->message : "no checksum"));
  }
  return Timed{.ms = static_cast<double>(end - start) / 1e6, .checksum = *checksum};
}

Result<ProgramPtr> LoadKernels(Sandbox& sandbox) {
  NEXUS_TRY(std::string text, ReadFile(KernelsFile()));
  text += "\nconst kernels = {";
  for (const char* kernel : kKernels) text += fmt::format("{0}: k_{0}, ", kernel);
  text += "};\nexport default ({ args }) => String(kernels[args.kernel]());\n";
  return LoadProgram(sandbox, "kernels.js", std::move(text),
                     NamedLimits({{"memory", "512MiB"}, {"wall", "120s"}, {"cpu", "120s"}}));
}

}  // namespace

Status MeasureKernels(const Bench& bench) {
  NEXUS_TRY(const std::filesystem::path native, NativeProgram(bench));
  NEXUS_TRY(const std::unique_ptr<Sandbox> sandbox, MakeBenchSandbox());
  NEXUS_TRY(const ProgramPtr program, LoadKernels(*sandbox));
  const int rounds = bench.options.quick ? 1 : 4;
  const int repeats = bench.options.quick ? 1 : 2;  // A side and round.
  std::array<double, kKernels.size()> ours;
  std::array<double, kKernels.size()> theirs;
  ours.fill(HUGE_VAL);
  theirs.fill(HUGE_VAL);
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t k = 0; k < kKernels.size(); ++k) {
      NEXUS_TRY(const Timed expected, RunNative(native, kKernels[k], repeats));
      theirs[k] = std::min(theirs[k], expected.ms);
      for (int repeat = 0; repeat < repeats; ++repeat) {
        NEXUS_TRY(const Timed got, RunSandboxed(*sandbox, program, kKernels[k]));
        if (got.checksum != expected.checksum) {
          return Fail(Code::kInternal,
                      fmt::format("kernel {}: the sandbox computed {}, the native build {}",
                                  kKernels[k], got.checksum, expected.checksum));
        }
        ours[k] = std::min(ours[k], got.ms);
      }
    }
  }
  double log_sum = 0;
  double worst = 0;
  ValueObject details;
  for (std::size_t k = 0; k < kKernels.size(); ++k) {
    const double ratio = ours[k] / theirs[k];
    log_sum += std::log(ratio);
    worst = std::max(worst, ratio);
    details.Append(
        kKernels[k],
        Value::Object({{"ratio", ratio}, {"ours_ms", ours[k]}, {"native_ms", theirs[k]}}));
  }
  details.Append("best_of", rounds * repeats);
  bench.emit("kernels_geomean_ratio", std::exp(log_sum / kKernels.size()), details);
  bench.emit("kernels_worst_ratio", worst, details);
  return {};
}

}  // namespace nexus::bench
