// Goal: every value comes back as it was, and no bytes do harm. Method: round trips of each kind;
// the wire form of each tag pinned byte by byte, because the guest has its own implementation; each
// way to be malformed.
#include "base/codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/hash.h"
#include "base/random.h"

namespace nexus {
namespace {

std::string Hex(const Value& value) {
  std::string out;
  EXPECT_TRUE(EncodeValue(value, out).has_value());
  return ToHex(out);
}

std::string ErrorOf(std::string_view hex) {
  std::string bytes;
  EXPECT_TRUE(FromHex(hex, bytes)) << hex;
  const Result<Value> value = DecodeValue(bytes);
  if (value) return "decoded";
  EXPECT_EQ(value.error().code(), Code::kDataLoss);
  return value.error().message();
}

TEST(Codec, PinsTheWireForm) {
  EXPECT_EQ(Hex(Value()), "00");
  EXPECT_EQ(Hex(Value(nullptr)), "01");
  EXPECT_EQ(Hex(Value(false)), "02");
  EXPECT_EQ(Hex(Value(true)), "03");
  EXPECT_EQ(Hex(Value(0)), "0400");
  EXPECT_EQ(Hex(Value(-1)), "0401");
  EXPECT_EQ(Hex(Value(300)), "04d804");
  EXPECT_EQ(Hex(Value(2147483647)), "04feffffff0f");
  EXPECT_EQ(Hex(Value(-2147483648.0)), "04ffffffff0f");
  EXPECT_EQ(Hex(Value(2147483648.0)), "05000000000000e041");
  EXPECT_EQ(Hex(Value(-0.0)), "050000000000000080");
  EXPECT_EQ(Hex(Value(0.5)), "05000000000000e03f");
  EXPECT_EQ(Hex(Value("hé")), "060368c3a9");
  EXPECT_EQ(Hex(Value(BigInt{"-ff"})), "07032d6666");
  EXPECT_EQ(Hex(Value(Date{0})), "080000000000000000");
  EXPECT_EQ(Hex(Value(Bytes{"\x01\xff"})), "090201ff");
  EXPECT_EQ(Hex(Value::Array({Value(1)})), "0a010402");
  EXPECT_EQ(Hex(Value::Object({{"a", Value(1)}})), "0b0101610402");
  EXPECT_EQ(Hex(Value(ValueMap{{{Value(1), Value(2)}}})), "0c0104020404");
  EXPECT_EQ(Hex(Value(ValueSet{{Value(1)}})), "0d010402");
}

TEST(Codec, RoundTrips) {
  const Value value = Value::Object(
      {{"", Value()},
       {"n", Value::Array({Value(std::numeric_limits<double>::infinity()), Value(1e300), Value(-5),
                           Value(4294967296.0)})},
       {"\xed\xa0\x80", Value("lone \xed\xb0\x80 and \xf0\x9f\x98\x80")},
       {"deep", Value(ValueMap{{{Value(BigInt{"0"}), Value(ValueSet{{Value(nullptr)}})},
                                {Value(Date{-1.5}), Value(Bytes{std::string(300, '\0')})}}})}});
  std::string bytes;
  ASSERT_TRUE(EncodeValue(value, bytes).has_value());
  const Result<Value> back = DecodeValue(bytes);
  ASSERT_TRUE(back.has_value()) << back.error().message();
  EXPECT_EQ(*back, value);
  std::string nan_bytes;
  ASSERT_TRUE(EncodeValue(Value(std::nan("")), nan_bytes).has_value());
  EXPECT_TRUE(std::isnan(*DecodeValue(nan_bytes)->As<double>()));
}

TEST(Codec, ReadsValuesBackToBack) {
  std::string bytes;
  ASSERT_TRUE(EncodeValue(Value("a"), bytes).has_value());
  ASSERT_TRUE(EncodeValue(Value(2), bytes).has_value());
  std::string_view left = bytes;
  EXPECT_EQ(*DecodeValuePrefix(left), Value("a"));
  EXPECT_EQ(*DecodeValuePrefix(left), Value(2));
  EXPECT_TRUE(left.empty());
  EXPECT_FALSE(DecodeValuePrefix(left).has_value());
}

TEST(Codec, RefusesMalformedBytes) {
  EXPECT_NE(ErrorOf("").find("offset 0: cut off"), std::string::npos);
  EXPECT_NE(ErrorOf("0e").find("unknown tag"), std::string::npos);
  EXPECT_NE(ErrorOf("ff").find("unknown tag"), std::string::npos);
  EXPECT_NE(ErrorOf("0000").find("bytes behind"), std::string::npos);
  EXPECT_NE(ErrorOf("04ffffffff1f").find("malformed"), std::string::npos);
  EXPECT_NE(ErrorOf("04ffffffffff01").find("malformed"), std::string::npos);
  EXPECT_NE(ErrorOf("0400ff").find("bytes behind"), std::string::npos);
  EXPECT_NE(ErrorOf("0500").find("8 bytes"), std::string::npos);
  EXPECT_NE(ErrorOf("060568").find("exceeds"), std::string::npos);
  EXPECT_NE(ErrorOf("0601ff").find("WTF-8"), std::string::npos);
  EXPECT_NE(ErrorOf("0606eda0bdedb880").find("WTF-8"), std::string::npos) << "a split pair";
  EXPECT_NE(ErrorOf("0b0101ff00").find("WTF-8"), std::string::npos);
  EXPECT_NE(ErrorOf("0702"
                    "3030")
                .find("canonical"),
            std::string::npos);
  EXPECT_NE(ErrorOf("0702"
                    "2d30")
                .find("canonical"),
            std::string::npos);
  EXPECT_NE(ErrorOf("0700").find("canonical"), std::string::npos);
  EXPECT_NE(ErrorOf("0a02"
                    "00")
                .find("count exceeds"),
            std::string::npos);
  EXPECT_NE(ErrorOf("0affffffff0f").find("count exceeds"), std::string::npos);
  EXPECT_NE(ErrorOf("0b020161000161"
                    "00")
                .find("same key"),
            std::string::npos);
}

TEST(Codec, RefusesTheSameKeyInALargeObject) {
  std::string bytes = "\x0b\x14";
  for (int i = 0; i < 20; ++i) {
    bytes += "\x01";
    bytes.push_back(static_cast<char>('a' + (i == 19 ? 3 : i)));
    bytes.push_back('\0');
  }
  EXPECT_NE(ErrorOf(ToHex(bytes)).find("same key"), std::string::npos);
}

TEST(Codec, BoundsDepth) {
  const auto nested = [](std::size_t depth) {
    Value value(1);
    for (std::size_t i = 0; i < depth; ++i) value = Value(ValueArray{std::move(value)});
    return value;
  };
  std::string bytes = "before";
  ASSERT_TRUE(EncodeValue(nested(kValueDepthMax), bytes).has_value());
  EXPECT_TRUE(DecodeValue(std::string_view(bytes).substr(6)).has_value());
  std::string untouched = "before";
  const Status refused = EncodeValue(nested(kValueDepthMax + 1), untouched);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
  EXPECT_EQ(untouched, "before");
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "\x0a\x01";
  EXPECT_FALSE(DecodeValue(deep).has_value());
}

TEST(Codec, SurvivesEveryChangedByte) {
  std::string bytes;
  ASSERT_TRUE(EncodeValue(Value::Object({{"a", Value::Array({Value(1.5), Value("xyz")})},
                                         {"b", Value(ValueMap{{{Value(1), Value()}}})}}),
                          bytes)
                  .has_value());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(byte);
      const Result<Value> value = DecodeValue(changed);
      EXPECT_TRUE(value.has_value() || !value.error().message().empty());
    }
    EXPECT_FALSE(DecodeValue(std::string_view(bytes).substr(0, i)).has_value());
  }
}

TEST(Varint, RoundTripsAndRefusesMoreThan32Bits) {
  for (const std::uint64_t n : {0ull, 127ull, 128ull, 16384ull, 4294967295ull}) {
    std::string bytes;
    AppendVarint(bytes, n);
    std::string_view left = bytes;
    std::uint64_t back = 1;
    EXPECT_TRUE(ReadVarint(left, back));
    EXPECT_EQ(back, n);
    EXPECT_TRUE(left.empty());
  }
  std::string bytes;
  AppendVarint(bytes, 4294967296ull);
  std::string_view left = bytes;
  std::uint64_t n = 0;
  EXPECT_FALSE(ReadVarint(left, n));
}

TEST(FieldReader, ReadsBackWhatWasAppended) {
  std::string bytes;
  AppendWide(bytes, 0x1234567890abcdef);
  AppendText(bytes, "text");
  bytes += 'x';
  AppendVarint(bytes, 3);
  ASSERT_TRUE(EncodeValue(Value("v"), bytes).has_value());
  FieldReader fields{bytes};
  EXPECT_EQ(fields.Wide(), 0x1234567890abcdefu);
  EXPECT_EQ(fields.Text(), "text");
  EXPECT_EQ(fields.Byte(), 'x');
  EXPECT_EQ(fields.Count(), 3u);
  EXPECT_EQ(fields.Decoded(), Value("v"));
  EXPECT_TRUE(fields.ok);
  EXPECT_TRUE(fields.rest.empty());
}

TEST(FieldReader, WhatIsCutOffFailsAndStaysFailed) {
  std::string bytes;
  AppendText(bytes, "text");
  FieldReader cut{std::string_view(bytes).substr(0, 3)};
  EXPECT_EQ(cut.Text(), "");
  EXPECT_FALSE(cut.ok);
  EXPECT_EQ(cut.Number(), 0u);
  EXPECT_EQ(cut.Byte(), 0);
  EXPECT_TRUE(cut.Decoded().is_undefined());
  EXPECT_FALSE(cut.ok);
  // A count is believed only as far as there are bytes for it.
  std::string many;
  AppendVarint(many, 1000);
  FieldReader count{many};
  EXPECT_EQ(count.Count(), 0u);
  EXPECT_FALSE(count.ok);
}

}  // namespace
}  // namespace nexus
