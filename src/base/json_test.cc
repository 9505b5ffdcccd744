// Goal: JSON as JavaScript reads and writes it, with the place of every error.
#include "base/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <ctime>
#include <limits>

namespace nexus {
namespace {

std::string Round(std::string_view text) {
  const Result<Value> value = ParseJson(text);
  return value ? ToJson(*value) : "error: " + value.error().message();
}

TEST(ParseJson, RoundTrips) {
  for (const std::string_view text :
       {"null", "true", "false", "0", "-1.5", "\"\"", "[]", "{}", "[1,[2,{}],\"x\"]",
        R"({"a":{"b":[null]},"c":"\"\\\n\u0001é😀"})"}) {
    EXPECT_EQ(Round(text), text);
  }
  EXPECT_EQ(Round(" \t\r\n[ 1 , 2 ] "), "[1,2]");
  EXPECT_EQ(Round(R"("\/\b\f\u0041\ud83d\ude00")"), "\"/\\b\\fA😀\"");
}

TEST(ParseJson, KeepsLoneSurrogates) {
  EXPECT_EQ(*ParseJson(R"("\ud800")"), Value("\xed\xa0\x80"));
  EXPECT_EQ(Round(R"("\ud800x\udc00\ud800\u0041")"), R"("\ud800x\udc00\ud800A")");
}

TEST(ParseJson, ReadsNumbersAsJavaScriptDoes) {
  EXPECT_EQ(Round("1e21"), "1e+21");
  EXPECT_EQ(Round("123456789012345680000"), "123456789012345680000");
  EXPECT_EQ(Round("0.000001"), "0.000001");
  EXPECT_EQ(Round("1e-7"), "1e-7");
  EXPECT_EQ(Round("1.25e-9"), "1.25e-9");
  EXPECT_EQ(Round("-0"), "0");
  EXPECT_EQ(Round("5e-324"), "5e-324");
  EXPECT_EQ(Round("1.7976931348623157e308"), "1.7976931348623157e+308");
  EXPECT_EQ(Round("9007199254740993"), "9007199254740992");
  EXPECT_EQ(Round("0.1"), "0.1");
  EXPECT_EQ(*ParseJson("1e999")->As<double>(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(*ParseJson("-1e999999999999999999999")->As<double>(),
            -std::numeric_limits<double>::infinity());
  EXPECT_EQ(*ParseJson("1e-999")->As<double>(), 0);
  EXPECT_EQ(*ParseJson("0e999")->As<double>(), 0);
  EXPECT_EQ(*ParseJson("0." + std::string(400, '0') + "1e5")->As<double>(), 0);
}

TEST(ParseJson, LastOfDuplicateKeysWinsAtTheFirstPlace) {
  EXPECT_EQ(Round(R"({"a":1,"b":2,"a":3,"a":4})"), R"({"a":4,"b":2})");
  std::string many = "{";
  for (int i = 0; i < 30; ++i) {
    many += "\"k" + std::to_string(i % 10) + "\":" + std::to_string(i) + ",";
  }
  many.back() = '}';
  EXPECT_EQ(Round(many), R"({"k0":20,"k1":21,"k2":22,"k3":23,"k4":24,"k5":25,"k6":26,"k7":27,)"
                         R"("k8":28,"k9":29})");
}

TEST(ParseJson, NamesThePlaceOfAnError) {
  EXPECT_EQ(Round("{\"a\": 1,\n \"é\" 2}"), "error: 2:6: '2' where ':' is expected");
  EXPECT_EQ(Round(""), "error: 1:1: the text ends where a value is expected");
  EXPECT_EQ(Round("[1,]"), "error: 1:4: ']' where a value is expected");
  EXPECT_EQ(Round("{'a':1}"), "error: 1:2: ''' where a key in double quotes is expected");
  EXPECT_EQ(Round("[1 2]"), "error: 1:4: '2' where ',' or ']' is expected");
  EXPECT_EQ(Round("01"), "error: 1:2: a number must not start with 0");
  EXPECT_EQ(Round("1."), "error: 1:3: the text ends where a digit is expected");
  EXPECT_EQ(Round("nul"), "error: 1:1: 'n' where a value is expected");
  EXPECT_EQ(Round("1 x"), "error: 1:3: something stands behind the end of the document");
  EXPECT_EQ(Round("\"a\nb\""), "error: 1:3: a control character in a string must be escaped");
  EXPECT_EQ(Round("\"abc"), "error: 1:5: the text ends inside a string");
  EXPECT_EQ(Round("\"\\x\""), "error: 1:3: 'x' where an escape (one of \"\\/bfnrtu) is expected");
  EXPECT_EQ(Round("\"\\u12g4\""), "error: 1:6: 'g' where a hexadecimal digit is expected");
  EXPECT_EQ(Round("\"a\xff\""), "error: 1:3: the text is not valid UTF-8");
  EXPECT_EQ(Round("\"\xed\xa0\x80\""), "error: 1:2: the text is not valid UTF-8");
  EXPECT_EQ(Round("NaN"), "error: 1:1: 'N' where a value is expected");
}

TEST(ParseJson, BoundsDepthAndSize) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(ParseJson(nested(500)).has_value());
  EXPECT_EQ(ParseJson(nested(501)).error().message(), "1:501: nested deeper than 500");
  EXPECT_FALSE(ParseJson(std::string(1'000'000, '[')).has_value());
  EXPECT_FALSE(ParseJson("[1]", {.bytes_max = 2}).has_value());
}

TEST(ParseJson, ManyKeysAreNotQuadratic) {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += "\"k" + std::to_string(i) + "\":0,";
  text.back() = '}';
  const std::clock_t start = std::clock();  // Processor time: others' load is not counted.
  EXPECT_EQ(ParseJson(text)->As<ValueObject>()->size(), 200'000u);
  EXPECT_LT(std::clock() - start, 5 * CLOCKS_PER_SEC);
}

TEST(ToJson, WritesWhatJsonCannotHold) {
  const Value value =
      Value::Object({{"u", Value()},
                     {"list", Value::Array({Value(), Value(std::nan("")), Value(-INFINITY)})},
                     {"date", Value(Date{1700000000123})},
                     {"bad", Value(Date{std::nan("")})},
                     {"big", Value(BigInt{"-de0b6b3a7640000"})},
                     {"bytes", Value(Bytes{"ab\xff"})},
                     {"map", Value(ValueMap{{{Value("k"), Value(1)}}})},
                     {"set", Value(ValueSet{{Value(1), Value("x")}})}});
  EXPECT_EQ(ToJson(value),
            R"({"list":[null,null,null],"date":"2023-11-14T22:13:20.123Z","bad":null,)"
            R"("big":"-1000000000000000000","bytes":"YWL/","map":[["k",1]],"set":[1,"x"]})");
}

TEST(ToJson, WritesDatesAsToISOString) {
  const auto date = [](double ms) { return ToJson(Value(Date{ms})); };
  EXPECT_EQ(date(0), "\"1970-01-01T00:00:00.000Z\"");
  EXPECT_EQ(date(-1), "\"1969-12-31T23:59:59.999Z\"");
  EXPECT_EQ(date(951782400000), "\"2000-02-29T00:00:00.000Z\"");
  EXPECT_EQ(date(-62167219200001), "\"-000001-12-31T23:59:59.999Z\"");
  EXPECT_EQ(date(253402300800000), "\"+010000-01-01T00:00:00.000Z\"");
  EXPECT_EQ(date(8.64e15), "\"+275760-09-13T00:00:00.000Z\"");
  EXPECT_EQ(date(8.64e15 + 1), "null");
}

TEST(ToJson, WritesBigIntsUpToABound) {
  EXPECT_EQ(ToJson(Value(BigInt{"0"})), "\"0\"");
  EXPECT_EQ(ToJson(Value(BigInt{"ffffffffffffffffffffffffffffffff"})),
            "\"340282366920938463463374607431768211455\"");
  EXPECT_EQ(ToJson(Value(BigInt{"-" + std::string(20'000, 'f')})).substr(0, 6), "\"-0xff");
}

TEST(ToJson, IndentsAndEscapes) {
  EXPECT_EQ(ToJson(Value::Object(
                       {{"a", Value::Array({Value(1), Value::Object()})}, {"b", Value::Array()}}),
                   {.indent = 2}),
            "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}");
  EXPECT_EQ(ToJson(Value("\xff"
                         "a\xed\xa0\x80\x7f")),
            "\"\xef\xbf\xbd"
            "a\\ud800\x7f\"");
}

TEST(JsonBuilder, WritesWhatAValueOfTheSameShapeWould) {
  std::string out = "x=";
  JsonBuilder json(out);
  json.BeginObject()
      .Member("text", std::string_view("a\"b"))
      .Member("flag", true)
      .Member("below", -1)
      .Member("large", std::uint64_t{1} << 53)
      .MemberIfAny("empty", "")
      .MemberIfAny("full", "y");
  json.Key("list").BeginArray().Number(std::uint32_t{1}).Null().BeginObject().EndObject();
  json.EndArray().Key("value").Add(Value::Object({{"k", Value()}, {"n", 1.5}}));
  json.Key("raw").Raw("[1]").Key("last").BeginArray().EndArray().EndObject();
  EXPECT_EQ(out, R"(x={"text":"a\"b","flag":true,"below":-1,"large":9007199254740992,"full":"y",)"
                 R"("list":[1,null,{}],"value":{"n":1.5},"raw":[1],"last":[]})");
  EXPECT_TRUE(ParseJson(out.substr(2)).has_value());
}

}  // namespace
}  // namespace nexus
