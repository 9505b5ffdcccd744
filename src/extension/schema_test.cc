// Goal: an argument that does not fit is named with its place and what it must be, and a schema
// that would protect nobody is refused. Method: one small schema for each keyword.
#include "extension/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/json.h"
#include "extension/code.h"
#include "extension/crypto.h"
#include "extension/files.h"
#include "extension/http.h"
#include "extension/internal/call_for_test.h"
#include "extension/kv.h"
#include "extension/llm.h"
#include "extension/registry.h"
#include "extension/test_extension.h"
#include "extension/timer.h"

namespace nexus {
namespace {

using testing::HasSubstr;

std::string Why(std::string_view schema, const Value& value) {
  const Result<Schema> parsed = Schema::Parse(schema);
  EXPECT_TRUE(parsed.has_value()) << schema << ": " << parsed.error().message();
  if (!parsed) return "no schema";
  const Status checked = parsed->Check(value, "it");
  return checked ? "" : checked.error().message();
}

TEST(Schema, TypesOfJsonAndBeyond) {
  const std::pair<const char*, Value> kValues[] = {
      {"string", "x"},           {"number", 1.5},       {"integer", 2},
      {"boolean", true},         {"null", nullptr},     {"array", ValueArray{}},
      {"object", ValueObject{}}, {"bytes", Bytes{"x"}}, {"date", Date{1}},
      {"bigint", BigInt{"ff"}},  {"map", ValueMap{}},   {"set", ValueSet{}}};
  for (const auto& [type, unused] : kValues) {
    const std::string schema = std::string(R"({"type": ")") + type + "\"}";
    for (const auto& [other, value] : kValues) {
      const bool fits = std::string_view(type) == other || (std::string_view(type) == "number" &&
                                                            std::string_view(other) == "integer");
      EXPECT_EQ(Why(schema, value).empty(), fits) << type << " " << other;
    }
  }
  EXPECT_EQ(Why(R"({"type": "string"})", 5), "it must be a string, not 5");
  EXPECT_THAT(Why(R"({"type": ["string", "bytes"]})", true), HasSubstr("a string or a Uint8Array"));
  EXPECT_FALSE(Why(R"({"type": "integer"})", 1.5).empty());
  EXPECT_FALSE(Why(R"({"type": "number"})", std::numeric_limits<double>::infinity()).empty());
}

TEST(Schema, BoundsChoicesAndMembers) {
  EXPECT_EQ(Why(R"({"minimum": 1, "maximum": 3})", 2), "");
  EXPECT_EQ(Why(R"({"minimum": 1, "maximum": 3})", 4), "it must be from 1 to 3, not 4");
  EXPECT_THAT(Why(R"({"minLength": 2})", "x"), HasSubstr("at least 2 bytes, not 1"));
  EXPECT_THAT(Why(R"({"maxItems": 1})", Value::Array({1, 2})), HasSubstr("at most 1 entries"));
  EXPECT_EQ(Why(R"({"enum": ["a", "b"]})", "c"), R"(it must be one of "a", "b")");
  EXPECT_EQ(Why(R"({"const": true})", false), "it must be true");
  EXPECT_EQ(Why(R"({"anyOf": [{"type": "string"}, {"const": 1}]})", 1), "");
  EXPECT_NE(Why(R"({"anyOf": [{"type": "string"}, {"const": 1}]})", 2), "");
  EXPECT_EQ(Why(R"({"items": {"type": "string"}})", Value::Array({"a", 1})),
            "it[1] must be a string, not 1");
  const char* object = R"({"type": "object", "properties": {"limit": {"type": "integer"}},
    "required": ["limit"], "additionalProperties": false})";
  EXPECT_EQ(Why(object, Value::Object({{"limit", 1}})), "");
  EXPECT_EQ(Why(object, Value::Object()), "it lacks 'limit'");
  EXPECT_EQ(Why(object, Value::Object({{"limit", {}}})), "it lacks 'limit'");
  EXPECT_EQ(Why(object, Value::Object({{"limit", "x"}})),
            "it.limit must be a whole number, not string");
  EXPECT_THAT(Why(object, Value::Object({{"limit", 1}, {"limt", 2}})),
              HasSubstr("unknown member 'limt' (did you mean 'limit'?)"));
  EXPECT_EQ(Why(R"({"additionalProperties": {"type": "string"}})", Value::Object({{"a", 1}})),
            "it.a must be a string, not 1");
}

TEST(Schema, RefusesWhatItWouldNotEnforce) {
  for (const char* bad :
       {"", "5", R"({"type": "text"})", R"({"pattern": "x"})", R"({"minimum": "1"})",
        R"({"required": "a"})", R"({"properties": []})", R"({"items": 5})", R"({"anyOf": []})",
        R"({"enum": "a"})", R"({"properties": {"a": {"typ": "string"}}})"}) {
    EXPECT_FALSE(Schema::Parse(bad).has_value()) << bad;
  }
}

TEST(Schema, ArgumentsAreNamedByTheirTitle) {
  const Result<Schema> schema = Schema::Parse(
      R"({"prefixItems": [{"title": "url", "type": "string"}, {"title": "n", "type": "number"}],
          "minItems": 1})");
  ASSERT_TRUE(schema.has_value());
  const auto why = [&](const ValueArray& args) {
    const Status checked = schema->CheckArguments(args, "x.y");
    return checked ? "" : checked.error().message();
  };
  EXPECT_EQ(why({"a"}), "");
  EXPECT_EQ(why({"a", {}}), "");
  EXPECT_EQ(why({"a", 1, "more"}), "");
  EXPECT_EQ(why({}), "x.y: argument 1 (url) is missing: it is a string");
  EXPECT_EQ(why({"a", "b"}), "x.y: argument 2 (n) must be a finite number, not string");
}

// Every method of every extension says what it takes and gives.
TEST(Schema, EveryMethodOfEveryExtensionIsDescribed) {
  Registry registry;
  LlmOptions llm;
  llm.providers = {
      {.name = "p", .url = "http://localhost/v1", .models = {{.name = "m", .id = "m"}}}};
  FilesOptions files;
  files.roots = {{.name = "tmp", .path = "/tmp"}};
  const std::vector<std::shared_ptr<Extension>> all = {
      std::make_shared<HttpExtension>(HttpOptions{}),
      *CodeExtension::Create({.root = "/tmp"}),
      *KvExtension::Create({}),
      *TimerExtension::Create({}),
      std::make_shared<CryptoExtension>(),
      std::make_shared<TestExtension>(),
      *LlmExtension::Create(llm),
      *FilesExtension::Create(files)};
  for (const auto& extension : all) ASSERT_TRUE(registry.Add(extension).has_value());
  for (const ExtensionBinding& binding : registry.Bindings()) {
    for (const MethodDescriptor& method : binding.extension->methods()) {
      EXPECT_FALSE(method.result.empty()) << binding.alias << "." << method.name;
      const bool takes_nothing = method.name == "uuid";
      EXPECT_EQ(method.parameters.empty(), takes_nothing) << binding.alias << "." << method.name;
    }
  }
  const Answer answer = internal::CallNow(*registry.Find("http"), "get", {7});
  EXPECT_EQ(answer.code, RunErrorCode::kInvalidArgument);
  EXPECT_EQ(answer.message, "http.get: argument 1 (url) must be a string, not 7");
}

}  // namespace
}  // namespace nexus
