// The npm packages that give each run its own WebAssembly instance or isolate, beside ours, in
// turns.
#include <fmt/format.h>

#include <array>
#include <optional>
#include <system_error>

#include "base/file.h"
#include "base/json.h"
#include "bench/internal/measure.h"
#include "bench/internal/places.h"
#include "bench/internal/sandbox_measures.h"

namespace nexus::bench {
namespace {

constexpr std::array kPeers = {"quickjs-wasi", "quickjs-emscripten", "javy-plugin", "isolated-vm"};

Result<std::filesystem::path> PeersDir() {
  NEXUS_TRY(const std::filesystem::path cache, BenchCacheDir());
  return cache / "bench-peers";
}

/// An adapter of benchmarks/peers in a Node process of its own. It says "ready", then answers each
/// number of runs with a JSON list of their times in us.
struct Peer {
  std::string name;
  Process process;
  Samples round_medians;
};

Result<Peer> StartPeer(const char* name, const std::filesystem::path& packages) {
  NEXUS_TRY(
      Process process,
      Process::Start({"node", (SourceDir() / "benchmarks" / "peers" / "serve.mjs").string(), name},
                     {"NEXUS_BENCH_PEERS=" + packages.string()}));
  NEXUS_TRY(const std::string line, process.ReadLine());
  if (line != "ready") return Fail(Code::kUnavailable, line);
  return Peer{.name = name, .process = std::move(process), .round_medians = {}};
}

Status RunRound(Peer& peer, int runs) {
  NEXUS_TRY_STATUS(peer.process.WriteLine(std::to_string(runs)));
  NEXUS_TRY(const std::string line, peer.process.ReadLine());
  NEXUS_TRY(const Value times, ParseJson(line));
  const ValueArray* const list = times.As<ValueArray>();
  if (list == nullptr || list->empty()) return Fail(Code::kInternal, peer.name + ": " + line);
  Samples samples;
  for (const Value& time : *list) {
    if (const double* const us = time.As<double>()) samples.Add(*us);
  }
  peer.round_medians.Add(samples.Median());
  return {};
}

Result<double> OurRound(Sandbox& sandbox, const ProgramPtr& program, int runs) {
  Samples samples;
  for (int i = 0; i < runs; ++i) {
    const std::int64_t start = NowNs();
    const RunResult result = sandbox.Execute(program, AddContext(i, 2));
    const std::int64_t end = NowNs();
    NEXUS_TRY_STATUS(ExpectResult(result, Value(i + 2)));
    samples.Add(static_cast<double>(end - start) / 1e3);
  }
  return samples.Median();
}

}  // namespace

Status InstallPeers(const Bench& bench) {
  NEXUS_TRY(const std::filesystem::path packages, PeersDir());
  NEXUS_TRY_STATUS(MakeDirs(packages));
  NEXUS_TRY(const std::string manifest,
            ReadFile(SourceDir() / "benchmarks" / "peers" / "package.json"));
  NEXUS_TRY_STATUS(WriteFileAtomic(packages / "package.json", manifest));
  bench.note("npm install into " + packages.string());
  // Scripts stay off: the one package that must be compiled is built by name, and may fail.
  NEXUS_TRY(Process install, Process::Start({"npm", "install", "--ignore-scripts", "--no-audit",
                                             "--no-fund", "--loglevel=error"},
                                            {}, packages));
  if (const int status = install.Wait(); status != 0) {
    return Fail(Code::kUnavailable,
                fmt::format("npm install in {}: failed with status {}: the packages "
                            "come from the npm registry",
                            packages.string(), status));
  }
  bench.note("compiling isolated-vm (some minutes; without it the other peers are compared)");
  NEXUS_TRY(Process build, Process::Start({"npm", "rebuild", "isolated-vm", "--loglevel=error"},
                                          {"npm_config_nodedir=/usr"}, packages));
  if (build.Wait() != 0) bench.note("isolated-vm could not be compiled; it is left out");
  return {};
}

Status MeasurePeers(const Bench& bench) {
  NEXUS_TRY(const std::filesystem::path packages, PeersDir());
  std::error_code error;
  if (!std::filesystem::exists(packages / "node_modules", error)) {
    bench.note(
        "best_npm_peer_ratio: the npm packages to compare with are not installed: run "
        "`nexus bench sandbox --setup` (Node.js 20 and the npm registry are needed)");
    return {};
  }
  std::vector<Peer> peers;
  for (const char* name : kPeers) {
    Result<Peer> peer = StartPeer(name, packages);
    if (peer) {
      peers.push_back(*std::move(peer));
    } else {
      bench.note(fmt::format("{}: left out: {}", name, peer.error().message()));
    }
  }
  if (peers.empty()) return Fail(Code::kUnavailable, "no npm peer could be started");

  NEXUS_TRY(const std::unique_ptr<Sandbox> sandbox, MakeBenchSandbox());
  NEXUS_TRY(const ProgramPtr program, LoadProgram(*sandbox, "add.js", kAddProgram));
  Samples ours;
  const int rounds = bench.options.quick ? 2 : 7;
  for (int round = -1; round < rounds; ++round) {
    NEXUS_TRY(const double our_median, OurRound(*sandbox, program, bench.Scaled(2000)));
    if (round >= 0) ours.Add(our_median);
    for (Peer& peer : peers) {
      NEXUS_TRY_STATUS(RunRound(peer, bench.Scaled(200)));
    }
  }
  ValueObject all;
  const Peer* best = nullptr;
  for (const Peer& peer : peers) {
    all.Append(peer.name, peer.round_medians.Median());
    if (best == nullptr || peer.round_medians.Median() < best->round_medians.Median()) best = &peer;
  }
  bench.emit("best_npm_peer_ratio", best->round_medians.Median() / ours.Median(),
             {{"best_peer", best->name},
              {"best_peer_us", best->round_medians.Median()},
              {"ours_us", ours.Median()},
              {"rounds", rounds},
              {"peers_us", Value(std::move(all))}});
  return {};
}

}  // namespace nexus::bench
