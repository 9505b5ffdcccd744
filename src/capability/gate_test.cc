// Goal: nothing passes without a grant that is valid now, and each denial says what was missing.
#include "capability/gate.h"

#include <gtest/gtest.h>

#include <thread>

namespace nexus {
namespace {

Grant GrantOf(std::string_view token, GrantConditions conditions = {}) {
  return {CapabilityToken::Parse(token).value(), std::move(conditions)};
}

TEST(Gate, NamesTheMissingTokenAndRecordsIt) {
  AuditLog audit;
  Gate gate(CapabilitySet::Parse({"state:read:a"}).value(), &audit, "run1", "inbox");
  gate.set_now_unix_ms(77);
  EXPECT_TRUE(gate.Check(Right::kStateRead, "a"));
  EXPECT_FALSE(gate.Check(Right::kStateWrite, "a"));
  EXPECT_EQ(gate.missing(), "state:write:a");
  EXPECT_EQ(gate.reason(), "not granted");
  EXPECT_FALSE(gate.Check(Right::kExtension, "http", "get"));
  EXPECT_EQ(gate.missing(), "ext:http.get");
  EXPECT_EQ(gate.denials(), 2u);
  ASSERT_EQ(audit.Recent().size(), 2u);
  const Denial denial = audit.Recent()[1];
  EXPECT_EQ(denial.run_id, "run1");
  EXPECT_EQ(denial.program, "inbox");
  EXPECT_EQ(denial.token, "ext:http.get");
  EXPECT_EQ(denial.unix_ms, 77);
}

TEST(Gate, JudgesExpiryByItsClock) {
  Gate gate(CapabilitySet({GrantOf("ext:a", {.expires_unix_ms = 100, .budgets = {}})}), nullptr,
            "r", "p");
  gate.set_now_unix_ms(99);
  EXPECT_TRUE(gate.Check(Right::kExtension, "a", "m"));
  gate.set_now_unix_ms(100);
  EXPECT_FALSE(gate.Would(Right::kExtension, "a", "m"));
  EXPECT_FALSE(gate.Check(Right::kExtension, "a", "m"));
  EXPECT_EQ(gate.reason(), "expired");
}

TEST(Gate, JudgesPathsBySegment) {
  Gate gate(CapabilitySet({GrantOf("ext:code", {.path_prefix = "src", .budgets = {}})}), nullptr,
            "r", "p");
  const auto check = [&](std::string_view path) {
    return gate.Check(Right::kExtension, "code", "read", path);
  };
  EXPECT_TRUE(check("src/a.ts"));
  EXPECT_TRUE(check("./src//a.ts"));
  EXPECT_FALSE(check("srcx/a.ts"));
  EXPECT_FALSE(check("src/../etc/passwd"));
  EXPECT_FALSE(check("/src/a.ts"));
  EXPECT_FALSE(check(""));
  EXPECT_FALSE(check(std::string_view("src/a\0b", 7)));
  EXPECT_EQ(gate.reason(), "outside path prefix");
  EXPECT_TRUE(gate.Would(Right::kExtension, "code", "read"));
}

TEST(Gate, CountsCallsOverReplacedGrants) {
  const CapabilitySet twice({GrantOf("ext:a", {.calls_max = 2, .budgets = {}})});
  Gate gate(twice, nullptr, "r", "p");
  EXPECT_TRUE(gate.Would(Right::kExtension, "a", "m"));
  EXPECT_TRUE(gate.Check(Right::kExtension, "a", "m"));
  gate.Replace(CapabilitySet({GrantOf("ext:a", {.calls_max = 2, .budgets = {}})}));
  EXPECT_TRUE(gate.Check(Right::kExtension, "a", "n"));
  EXPECT_FALSE(gate.Check(Right::kExtension, "a", "m"));
  EXPECT_EQ(gate.reason(), "call count used up");
  Gate restored(twice, nullptr, "r", "p");
  restored.RestoreUses(gate.uses());
  EXPECT_FALSE(restored.Check(Right::kExtension, "a", "m"));
}

TEST(Gate, AnUnconditionalGrantWinsOverAConditionalOne) {
  Gate gate(CapabilitySet({GrantOf("ext:a.m", {.calls_max = 0, .budgets = {}}), GrantOf("ext:*")}),
            nullptr, "r", "p");
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(gate.Check(Right::kExtension, "a", "m"));
}

TEST(Gate, ListsShowWhatMayBeUsed) {
  AuditLog audit;
  Gate gate(CapabilitySet::Parse({"ext:a.m", "state:read:k"}).value(), &audit, "r", "p");
  EXPECT_TRUE(gate.Would(Right::kExtension, "a"));
  EXPECT_TRUE(gate.Would(Right::kExtension, "a", "m"));
  EXPECT_FALSE(gate.Would(Right::kExtension, "a", "n"));
  EXPECT_FALSE(gate.Would(Right::kExtension, "b"));
  EXPECT_EQ(gate.denials(), 0u);
  EXPECT_EQ(audit.count(), 0u);
}

TEST(Gate, BoundsWhatAGuestNames) {
  AuditLog audit;
  Gate gate(CapabilitySet(), &audit, "r", "p");
  std::string name(255, 'x');
  name += "\xf0\x9f\x98\x80 and much more";
  EXPECT_FALSE(gate.Check(Right::kStateRead, name));
  EXPECT_EQ(gate.missing(), "state:read:" + std::string(255, 'x') + "...");
}

TEST(AuditLog, KeepsTheNewestAndCountsAll) {
  AuditLog audit(3);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) audit.RecordDenial({.token = "x"});
    });
  }
  threads.clear();
  audit.RecordDenial({.token = "last"});
  EXPECT_EQ(audit.count(), 401u);
  ASSERT_EQ(audit.Recent().size(), 3u);
  EXPECT_EQ(audit.Recent().back().token, "last");
}

}  // namespace
}  // namespace nexus
