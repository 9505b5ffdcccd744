// Goal: a traceparent is read exactly as the W3C says, and what is made is read again.
#include "base/trace.h"

#include <gtest/gtest.h>

namespace nexus {
namespace {

constexpr const char* kGood = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(Traceparent, ReadsAndWrites) {
  const auto context = ParseTraceparent(kGood);
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(context->TraceIdHex(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(context->SpanIdHex(), "b7ad6b7169203331");
  EXPECT_TRUE(context->sampled);
  EXPECT_EQ(context->ToTraceparent(), kGood);
  const auto later = ParseTraceparent(std::string("cc") + (kGood + 2) + "-what-comes");
  ASSERT_TRUE(later.has_value());
  EXPECT_TRUE(later->sampled);
  EXPECT_FALSE(ParseTraceparent(std::string(kGood).replace(53, 2, "02"))->sampled);
}

TEST(Traceparent, MalformedIsNone) {
  const std::string good = kGood;
  EXPECT_FALSE(ParseTraceparent(""));
  EXPECT_FALSE(ParseTraceparent(good.substr(0, 54)));
  EXPECT_FALSE(ParseTraceparent(good + "-00"));  // Version 00 ends there.
  EXPECT_FALSE(ParseTraceparent("cc" + good.substr(2) + ".x"));
  EXPECT_FALSE(ParseTraceparent("ff" + good.substr(2)));
  EXPECT_FALSE(ParseTraceparent(std::string(good).replace(3, 1, "A")));
  EXPECT_FALSE(ParseTraceparent(std::string(good).replace(35, 1, "_")));
  EXPECT_FALSE(ParseTraceparent("00-" + std::string(32, '0') + good.substr(35)));
  EXPECT_FALSE(ParseTraceparent(good.substr(0, 36) + std::string(16, '0') + "-01"));
}

TEST(Trace, AChildKeepsTheTraceAndHasASpanOfItsOwn) {
  const TraceContext root = NewTrace(true);
  const TraceContext child = ChildOf(root);
  EXPECT_EQ(child.trace_id, root.trace_id);
  EXPECT_NE(child.span_id, root.span_id);
  EXPECT_TRUE(child.sampled);
  EXPECT_NE(NewTrace(true).trace_id, root.trace_id);
  EXPECT_TRUE(ParseTraceparent(child.ToTraceparent()).has_value());
}

}  // namespace
}  // namespace nexus
