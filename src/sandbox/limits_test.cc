// Goal: every limit holds, ends the run with its own code, and leaves the worker healthy; limits
// are read as people write them. Method: one program a limit, each followed by a healthy run.
#include "sandbox/limits.h"

#include <gtest/gtest.h>

#include <chrono>

#include "sandbox/testing/fake_extension.h"
#include "sandbox/testing/test_sandbox.h"

namespace nexus {
namespace {

using testing::AllCaps;
using testing::ErrorCodeOf;
using testing::LimitsOf;
using testing::RunText;
using testing::Shown;

RunResult Limited(std::string text, const std::string& name, const std::string& value) {
  ExecutionContext context;
  context.capabilities = AllCaps();
  context.extensions = {{"f", std::make_shared<testing::FakeExtension>()}};
  context.limits = LimitsOf({{name, value}});
  RunResult result = RunText(std::move(text), std::move(context));
  const RunResult healthy = RunText("return $args.n", {.args = Value::Object({{"n", 5}})});
  EXPECT_EQ(healthy.return_value, Value(5)) << "after " << name;
  return result;
}

struct LimitCase {
  const char* limit;
  const char* value;
  const char* code;
  const char* text;
};

class EveryLimit : public ::testing::TestWithParam<LimitCase> {};

TEST_P(EveryLimit, EndsTheRunWithItsCode) {
  const LimitCase& c = GetParam();
  const auto start = std::chrono::steady_clock::now();
  const RunResult result = Limited(c.text, c.limit, c.value);
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(ErrorCodeOf(result), c.code) << Shown(result);
  ASSERT_TRUE(result.error.has_value());
  EXPECT_EQ(result.error->limit, c.limit) << Shown(result);
  EXPECT_LT(took, std::chrono::seconds(3));
}

INSTANTIATE_TEST_SUITE_P(
    Limits, EveryLimit,
    ::testing::Values(
        LimitCase{"wall", "30ms", "TIMEOUT", "for (;;) {}"},
        LimitCase{"wall", "30ms", "TIMEOUT", "for (;;) { try { for (;;) {} } catch (e) {} }"},
        LimitCase{"wall", "30ms", "TIMEOUT",
                  "(async () => { for (;;) await 0 })(); await new Promise(() => {})"},
        LimitCase{"wall", "30ms", "TIMEOUT", "Array.prototype.indexOf.call({length: 2**53-1}, 1)"},
        LimitCase{"wall", "30ms", "TIMEOUT", "return {toJSON() { for (;;) {} }}"},
        LimitCase{"wall", "30ms", "TIMEOUT", "throw {get message() { for (;;) {} }}"},
        LimitCase{"wall", "30ms", "TIMEOUT", "/^(a+)+$/.test('a'.repeat(40) + 'b')"},
        LimitCase{"cpu", "30ms", "CPU_LIMIT", "for (;;) {}"},
        LimitCase{"memory", "8MiB", "MEMORY_LIMIT", "const a = []; for (;;) a.push({x: []})"},
        LimitCase{"memory", "64MiB", "MEMORY_LIMIT",
                  "const a = []; for (;;) a.push(new Uint8Array(1000000))"},
        LimitCase{"stack", "64KiB", "STACK_OVERFLOW", "function f() { return f() + 1 } f()"},
        LimitCase{"stack", "1MiB", "STACK_OVERFLOW", "const o = {get x() { return this.x }}; o.x"},
        LimitCase{"hostCalls", "10", "RESOURCE_LIMIT", "for (;;) $state.x"},
        LimitCase{"hostCalls", "10", "RESOURCE_LIMIT",
                  "for (;;) { try { $state.x } catch (e) {} }"},
        LimitCase{"mutations", "5", "RESOURCE_LIMIT", "for (let i = 0;; i++) $state.x = i"},
        LimitCase{"events", "5", "RESOURCE_LIMIT", "for (;;) $emit('e')"},
        LimitCase{"viewCommands", "5", "RESOURCE_LIMIT", "for (;;) $view.focus('id')"},
        LimitCase{"log", "1KiB", "RESOURCE_LIMIT", "for (;;) $log('0123456789')"},
        LimitCase{"result", "1KiB", "RESOURCE_LIMIT", "return 'x'.repeat(5000)"},
        LimitCase{"suspensions", "3", "RESOURCE_LIMIT",
                  "await Promise.all([1, 2, 3, 4, 5].map(i => $ext.f.never(i)))"}));

TEST(LimitValues, ASmallerMemoryThanTheImagesIsExact) {
  const std::string text = "const a = new Uint8Array($args.n); return a.length";
  const auto with = [&](double bytes) {
    return RunText(
        text, {.args = Value::Object({{"n", bytes}}), .limits = LimitsOf({{"memory", "8MiB"}})});
  };
  EXPECT_EQ(with(4e6).return_value, Value(4e6));
  EXPECT_EQ(ErrorCodeOf(with(9e6)), "MEMORY_LIMIT");
}

TEST(LimitValues, WithinThemAllIsWell) {
  EXPECT_EQ(Limited("for (let i = 0; i < 5; i++) $state.x = i; return 1", "mutations", "5").status,
            RunStatus::kSuccess);
  EXPECT_EQ(
      Limited("const a = new Uint8Array(40e6); return a.length", "memory", "64MiB").return_value,
      Value(40e6));
  EXPECT_EQ(Limited("return 'x'.repeat(900)", "result", "1KiB").status, RunStatus::kSuccess);
}

TEST(LimitValues, AreReadAsPeopleWriteThem) {
  Limits limits;
  ASSERT_TRUE(limits.Set("wall", "1.5s").has_value());
  EXPECT_EQ(limits.Get(Limit::kWall), 1500u);
  ASSERT_TRUE(limits.Set("timeout", "100").has_value());
  EXPECT_EQ(limits.Get(Limit::kWall), 100u);
  ASSERT_TRUE(limits.Set("memory", "64MiB").has_value());
  EXPECT_EQ(limits.Get(Limit::kMemory), 64u << 20);
  ASSERT_TRUE(limits.Set("cpu", "none").has_value());
  EXPECT_EQ(limits.Get(Limit::kCpu), kNoLimit);
}

TEST(LimitValues, NonsenseIsRefusedWithARemedy) {
  for (const auto& [name, text, why] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {"wal", "1s", "did you mean wall"},
           {"wall", "0", "does not mean unlimited"},
           {"wall", "-5ms", "0 is not a limit"},
           {"wall", "5MiB", "unknown unit"},
           {"memory", "none", "cannot be taken away"},
           {"memory", "lots", "not a number"},
           {"hostCalls", "5s", "unknown unit"},
           {"memory", "1e300", "too large"},
           {"memory", "nan", "not a number"}}) {
    Limits limits;
    const Status set = limits.Set(name, text);
    ASSERT_FALSE(set.has_value()) << name << "=" << text;
    EXPECT_NE(set.error().message().find(why), std::string::npos) << set.error().message();
  }
}

TEST(LimitValues, TheLowestNamedOneWinsAndDefaultsFillTheRest) {
  const Limits node = LimitsOf({{"wall", "10s"}, {"memory", "16MiB"}});
  const Limits run = LimitsOf({{"wall", "20s"}, {"cpu", "1s"}});
  const ResolvedLimits resolved(run.LowestWith(node));
  EXPECT_EQ(resolved[Limit::kWall], 10000u);
  EXPECT_EQ(resolved[Limit::kCpu], 1000u);
  EXPECT_EQ(resolved[Limit::kMemory], 16u << 20);
  EXPECT_EQ(resolved[Limit::kHostCalls], 10000u);
}

}  // namespace
}  // namespace nexus
