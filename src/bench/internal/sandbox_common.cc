#include <fmt/format.h>

#include "base/check.h"
#include "base/json.h"
#include "bench/internal/sandbox_measures.h"

namespace nexus::bench {

Result<std::unique_ptr<Sandbox>> MakeBenchSandbox(SandboxOptions options) {
  options.signing_key = "the key of the benchmarks: it protects nothing";
  return Sandbox::Create(std::move(options));
}

Result<ProgramPtr> LoadProgram(Sandbox& sandbox, std::string name, std::string text,
                               Limits limits) {
  auto program =
      sandbox.Load({.name = std::move(name), .text = std::move(text), .limits = std::move(limits)});
  if (!program) {
    return Fail(Code::kInternal, fmt::format("load {}: {}", program.error().error.file,
                                             program.error().error.message));
  }
  return *std::move(program);
}

ExecutionContext AddContext(int a, int b) {
  static const CapabilitySet granted = [] {
    auto set =
        CapabilitySet::Parse({"state:read:*", "state:write:total", "events:emit:*", "ext:http"});
    NEXUS_CHECK(set.has_value());
    return *std::move(set);
  }();
  static const Limits limits = NamedLimits({{"wall", "2s"}, {"cpu", "1s"}, {"hostCalls", "100"}});
  ExecutionContext context;
  context.args = Value::Object({{"a", a}, {"b", b}});
  context.capabilities = granted;
  context.limits = limits;
  return context;
}

Status ExpectResult(const RunResult& result, const Value& expected) {
  if (result.status == RunStatus::kSuccess && result.return_value == expected) return {};
  const std::string got = result.error ? fmt::format("{}: {}", RunErrorCodeName(result.error->code),
                                                     result.error->message)
                                       : ToJson(result.return_value);
  return Fail(Code::kInternal,
              fmt::format("wrong answer: expected {}, got {}", ToJson(expected), got));
}

Limits NamedLimits(std::initializer_list<std::pair<const char*, const char*>> named) {
  Limits limits;
  for (const auto& [name, text] : named) {
    const Status set = limits.Set(name, text);
    NEXUS_CHECK(set.has_value(), "a limit the benchmarks name");
  }
  return limits;
}

}  // namespace nexus::bench
