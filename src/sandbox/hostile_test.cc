// Goal: no program hangs the process, ends it, or leaves its worker sick. Method: every program of
// testing/hostile_programs, each with a short wall limit, each followed by a healthy run. How soon
// each ends is a figure of `nexus bench sandbox`; here the bound is generous, for busy machines.
#include "sandbox/testing/hostile_programs.h"

#include <gtest/gtest.h>

#include <chrono>

#include "sandbox/testing/fake_extension.h"
#include "sandbox/testing/test_sandbox.h"

namespace nexus {
namespace {

using testing::HostileProgram;
using testing::SharedSandbox;
using testing::Shown;

constexpr auto kWall = std::chrono::milliseconds(60);
constexpr auto kEndedWithin = std::chrono::milliseconds(1000);

TEST(Hostile, EveryProgramEndsAsItShouldAndHarmsNobody) {
  const ProgramPtr healthy = testing::MustLoad("return $args.a + $args.b");
  for (const HostileProgram& hostile : testing::HostilePrograms()) {
    auto program = SharedSandbox().Load({.name = "hostile.js", .text = hostile.Text()});
    if (!program) {
      EXPECT_TRUE(hostile.Expects(program.error().error.code))
          << hostile.name << ": " << program.error().error.message;
      continue;
    }
    ExecutionContext context;
    context.capabilities = testing::AllCaps();
    context.extensions = {{"memory", std::make_shared<testing::FakeExtension>()}};
    context.limits.Set(Limit::kWall, static_cast<std::uint64_t>(kWall.count()));
    const auto start = std::chrono::steady_clock::now();
    const RunResult result = SharedSandbox().Execute(*program, std::move(context));
    EXPECT_LT(std::chrono::steady_clock::now() - start, kWall + kEndedWithin) << hostile.name;
    if (result.error) {
      EXPECT_TRUE(hostile.Expects(result.error->code) ||
                  result.error->code == RunErrorCode::kTimeout)
          << hostile.name << ": " << Shown(result).substr(0, 400);
    } else {
      EXPECT_TRUE(hostile.may_succeed) << hostile.name << ": " << Shown(result).substr(0, 400);
    }
    const RunResult after =
        SharedSandbox().Execute(healthy, {.args = Value::Object({{"a", 1}, {"b", 2}})});
    ASSERT_EQ(after.return_value, Value(3)) << "after " << hostile.name << Shown(after);
  }
}

}  // namespace
}  // namespace nexus
