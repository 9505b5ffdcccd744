#pragma once
/// A sandbox for tests: one a test binary, since making one costs milliseconds.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "sandbox/sandbox.h"

namespace nexus::testing {

/// Fails the test with the reason when there is none.
inline std::unique_ptr<Sandbox> MakeSandbox(SandboxOptions options = {}) {
  if (options.signing_key.empty()) options.signing_key = "a key for tests";
  auto sandbox = Sandbox::Create(std::move(options));
  if (!sandbox) {
    ADD_FAILURE() << sandbox.error().message();
    std::abort();
  }
  return *std::move(sandbox);
}

inline Sandbox& SharedSandbox() {
  static Sandbox* const sandbox = MakeSandbox().release();
  return *sandbox;
}

inline ProgramPtr MustLoad(Sandbox& sandbox, ProgramSpec spec) {
  auto program = sandbox.Load(spec);
  if (!program) {
    ADD_FAILURE() << ToJson(RunErrorToValue(program.error().error));
    std::abort();
  }
  return *std::move(program);
}
inline ProgramPtr MustLoad(std::string text) {
  return MustLoad(SharedSandbox(), {.name = "test.js", .text = std::move(text)});
}

inline CapabilitySet Caps(const std::vector<std::string>& tokens) {
  auto set = CapabilitySet::Parse(tokens);
  if (!set) {
    ADD_FAILURE() << set.error().message();
    std::abort();
  }
  return *std::move(set);
}

/// Everything a program may ask for.
inline CapabilitySet AllCaps() {
  return Caps(
      {"state:read:*", "state:write:*", "events:emit:*", "view:update:*", "ext:*", "tools:call:*"});
}

inline Limits LimitsOf(const std::vector<std::pair<std::string, std::string>>& named) {
  Limits limits;
  for (const auto& [name, text] : named) {
    const Status set = limits.Set(name, text);
    EXPECT_TRUE(set.has_value()) << set.error().message();
  }
  return limits;
}

/// Loads and runs `text` in the shared sandbox.
inline RunResult RunText(std::string text, ExecutionContext context = {}) {
  Sandbox& sandbox = SharedSandbox();
  auto program = sandbox.Load({.name = "test.js", .text = std::move(text)});
  if (!program) {
    RunResult result;
    result.status = RunStatus::kError;
    result.error = program.error().error;
    return result;
  }
  return sandbox.Execute(*program, std::move(context));
}

inline std::string ErrorCodeOf(const RunResult& result) {
  return result.error ? std::string(RunErrorCodeName(result.error->code)) : "none";
}

inline std::string Shown(const RunResult& result) { return ToJson(result.ToValue()); }

}  // namespace nexus::testing
