// From source text to a first result: text never seen, and text whose bytecode is on disk.
#include <fmt/format.h>

#include "base/random.h"
#include "bench/internal/measure.h"
#include "bench/internal/places.h"
#include "bench/internal/sandbox_measures.h"

namespace nexus::bench {
namespace {

/// A small agent as people write them; `salt` makes the text one that was never seen.
std::string AgentSource(std::uint64_t salt, int i) {
  return fmt::format(R"(// agent {0:x}
const weights = new Map([["low", 1], ["high", {1}]]);

function total(items) {{
  let sum = 0;
  for (const item of items ?? []) sum += item.price * (weights.get(item.level) ?? 0);
  return sum;
}}

export default async ({{ args }}) => {{
  return args.a + args.b + total(args.items) + {1};
}};
)",
                     salt, i);
}

Result<double> FirstResult(Sandbox& sandbox, const std::string& text, int i, bool from_cache) {
  const std::int64_t start = NowNs();
  NEXUS_TRY(const ProgramPtr program, LoadProgram(sandbox, fmt::format("agent{}.js", i), text));
  const RunResult result = sandbox.Execute(program, AddContext(40, 2));
  const std::int64_t end = NowNs();
  NEXUS_TRY_STATUS(ExpectResult(result, Value(42 + i)));
  if (program->load_report().cache_hit != from_cache) {
    return Fail(Code::kInternal,
                from_cache ? "bytecode on disk was not used" : "a new text was found in a cache");
  }
  return static_cast<double>(end - start) / 1e3;
}

}  // namespace

Status MeasureAgents(const Bench& bench) {
  NEXUS_TRY(const TemporaryDir cache, TemporaryDir::Make());
  NEXUS_TRY(const std::unique_ptr<Sandbox> sandbox, MakeBenchSandbox({.cache_dir = cache.path()}));
  const std::uint64_t salt = SystemEntropy64();
  const int count = bench.Scaled(300);
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i)
    texts.push_back(AgentSource(salt + static_cast<std::uint64_t>(i), i));

  // Builds what all programs share.
  NEXUS_TRY_STATUS(FirstResult(*sandbox, AgentSource(salt - 1, 0), 0, false));
  Samples fresh;
  for (int i = 0; i < count; ++i) {
    NEXUS_TRY(const double us, FirstResult(*sandbox, texts[static_cast<std::size_t>(i)], i, false));
    fresh.Add(us);
  }
  ValueObject details = fresh.Summary();
  details.Append("source_bytes", std::uint64_t{texts.front().size()});
  bench.emit("new_agent_p50", fresh.Median(), details);

  sandbox->DropCaches();
  Samples cached;
  for (int i = 0; i < count; ++i) {
    NEXUS_TRY(const double us, FirstResult(*sandbox, texts[static_cast<std::size_t>(i)], i, true));
    cached.Add(us);
  }
  bench.emit("cached_agent_p50", cached.Median(), cached.Summary());
  return {};
}

}  // namespace nexus::bench
