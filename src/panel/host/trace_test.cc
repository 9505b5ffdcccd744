// Goal: what a run did is a tree of spans below whoever asked: the run, its calls, the runs of
// tools it called; nothing is recorded for a trace that nobody keeps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

#include "panel/host/testing/test_host.h"

namespace nexus::testing {
namespace {

class SpanList final : public SpanSink {
 public:
  bool Sample() override { return samples; }
  void Record(Span span) override {
    const std::lock_guard lock(mutex_);
    spans_.push_back(std::move(span));
  }
  std::vector<Span> spans() const {
    const std::lock_guard lock(mutex_);
    return spans_;
  }
  /// The only one of that name; an empty one when there is none.
  Span Named(const std::string& name) const {
    for (const Span& span : spans()) {
      if (span.name == name) return span;
    }
    return {};
  }
  std::atomic<bool> samples{true};

 private:
  mutable std::mutex mutex_;
  std::vector<Span> spans_;
};

constexpr const char* kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

std::string Panel() {
  return PanelText("",
                   "<Extension name=\"fake\"/>" + ToolText("inner", "return 1") +
                       ToolText("outer", "await $ext.fake.later(1); return await $tools.inner()") +
                       ToolText("bad",
                                "try { await $ext.fake.fail() } catch {} throw new "
                                "Error('words of a program')"));
}

TEST(Trace, ARunAndItsCallsAreATree) {
  const auto sink = std::make_shared<SpanList>();
  TestHost test({.spans = sink});
  const auto panel = test.Mount(Panel());
  const RunResult result = Start(*panel, {.tool = "outer", .traceparent = kParent}).get();
  ASSERT_EQ(result.status, RunStatus::kSuccess);
  ASSERT_TRUE(Eventually([&] { return sink->spans().size() == 4; }));
  const Span outer = sink->Named("run outer"), call = sink->Named("fake.later"),
             tools = sink->Named("$tools.inner"), inner = sink->Named("run inner");
  const auto parent = ParseTraceparent(kParent);
  for (const Span& span : sink->spans()) {
    EXPECT_EQ(span.context.trace_id, parent->trace_id) << span.name;
    EXPECT_LE(span.start_unix_ns, span.end_unix_ns) << span.name;
    EXPECT_FALSE(span.failed) << span.name;
  }
  EXPECT_EQ(outer.parent_id, parent->span_id);
  EXPECT_EQ(call.parent_id, outer.context.span_id);
  EXPECT_EQ(tools.parent_id, outer.context.span_id);
  EXPECT_EQ(inner.parent_id, tools.context.span_id);
  EXPECT_GE(call.end_unix_ns - call.start_unix_ns, 20'000'000) << "it takes 30 ms";
}

TEST(Trace, AFailureIsToldByItsCode) {
  const auto sink = std::make_shared<SpanList>();
  TestHost test({.spans = sink});
  const auto panel = test.Mount(Panel());
  (void)Call(*panel, "bad");
  ASSERT_TRUE(Eventually([&] { return sink->spans().size() == 2; }));
  EXPECT_TRUE(sink->Named("fake.fail").failed);
  EXPECT_EQ(sink->Named("run bad").message, "EXECUTION_ERROR");
  for (const Span& span : sink->spans()) {
    for (const auto& [name, value] : span.attributes) {
      EXPECT_THAT(ToJson(value), ::testing::Not(::testing::HasSubstr("words"))) << name;
    }
  }
}

TEST(Trace, WhatNobodyKeepsIsNotRecorded) {
  const auto sink = std::make_shared<SpanList>();
  TestHost test({.spans = sink});
  const auto panel = test.Mount(Panel());
  std::string unsampled = kParent;
  unsampled.back() = '0';
  (void)Start(*panel, {.tool = "inner", .traceparent = unsampled}).get();
  sink->samples = false;
  (void)Call(*panel, "inner");
  sink->samples = true;
  (void)Start(*panel, {.tool = "inner", .traceparent = "nonsense"}).get();
  ASSERT_TRUE(Eventually([&] { return sink->spans().size() == 1; }));
  EXPECT_EQ(sink->spans()[0].parent_id, (std::array<std::uint8_t, 8>{}));
}

}  // namespace
}  // namespace nexus::testing
