#include "base/value.h"

#include <gtest/gtest.h>

namespace nexus {
namespace {

TEST(ValueObject, KeepsOrderAndReplaces) {
  ValueObject object{{"b", Value(1)}, {"a", Value(2)}, {"b", Value(3)}};
  ASSERT_EQ(object.size(), 2u);
  EXPECT_EQ(object.entries()[0].first, "b");
  EXPECT_EQ(*object.Find("b"), Value(3));
  EXPECT_TRUE(object.Erase("b"));
  EXPECT_FALSE(object.Erase("b"));
  EXPECT_EQ(object.Find("b"), nullptr);
}

TEST(ValueObject, ComparesWithoutOrder) {
  EXPECT_EQ(Value::Object({{"a", Value(1)}, {"b", Value(2)}}),
            Value::Object({{"b", Value(2)}, {"a", Value(1)}}));
  EXPECT_NE(Value::Object({{"a", Value(1)}}), Value::Object({{"a", Value(2)}}));
  EXPECT_NE(Value::Object({{"a", Value(1)}}), Value::Object({{"b", Value(1)}}));
  EXPECT_NE(Value(nullptr), Value());
}

TEST(Value, ReadsConfigurationLikeObjects) {
  const Value value = Value::Object({{"s", Value("x")}, {"n", Value(2)}, {"b", Value(true)}});
  EXPECT_EQ(value.StringOr("s", "-"), "x");
  EXPECT_EQ(value.StringOr("n", "-"), "-");
  EXPECT_EQ(value.NumberOr("n", 0), 2);
  EXPECT_TRUE(value.BoolOr("b", false));
  EXPECT_TRUE(Value(1).BoolOr("b", true));
  EXPECT_EQ(Value(ValueSet{}).TypeName(), "Set");
  EXPECT_EQ(Value().TypeName(), "undefined");
  EXPECT_EQ(Value(Bytes{}).TypeName(), "Uint8Array");
}

}  // namespace
}  // namespace nexus
