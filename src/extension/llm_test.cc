// Goal: a program gets a model's answer, from whichever provider can give it, within its budget and
// without ever seeing a key. Method: a server that speaks both formats, whole and streamed, and
// fails when told to.
#include "extension/llm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "base/testing/temp_folder.h"
#include "extension/internal/call_for_test.h"
#include "extension/internal/llm_test_server.h"

namespace nexus {
namespace {

using internal::CallLater;
using internal::CallNow;
using internal::kTestLlmKey;
using internal::TestLlmReply;
using internal::TestReply;
using internal::TestRequest;
using internal::TestServer;
using ::testing::HasSubstr;
using ::testing::Not;

LlmProvider Provider(const std::string& name, LlmFormat format, const std::string& url) {
  LlmProvider provider{.name = name, .format = format, .url = url, .key = std::string(kTestLlmKey)};
  provider.models = {
      {.name = "small", .id = name + "-small", .price = {.input_usd = 1, .output_usd = 10}},
      {.name = "large", .id = name + "-large", .price = {.input_usd = 5, .output_usd = 50}}};
  return provider;
}

std::shared_ptr<LlmExtension> Make(LlmOptions options) {
  auto made = LlmExtension::Create(std::move(options));
  EXPECT_TRUE(made.has_value()) << made.error().message();
  return made ? *made : nullptr;
}

Value Saying(std::string text, ValueObject more = {}) {
  more.Set("messages", Value::Array({Value::Object({{"role", "user"}, {"content", text}})}));
  return more;
}

class LlmFormats : public ::testing::TestWithParam<LlmFormat> {
 protected:
  LlmOptions Options() const {
    LlmOptions options;
    options.providers = {Provider("main", GetParam(), server_.Url("/v1"))};
    return options;
  }
  TestServer server_{&TestLlmReply};
};
INSTANTIATE_TEST_SUITE_P(Both, LlmFormats,
                         ::testing::Values(LlmFormat::kOpenAi, LlmFormat::kAnthropic));

TEST_P(LlmFormats, AnswersWithTextUsageAndCost) {
  const auto llm = Make(Options());
  const Answer answer = CallNow(*llm, "complete", {Saying("hello", {{"maxTokens", 50}})});
  ASSERT_TRUE(answer.success) << answer.message;
  EXPECT_EQ(
      ToJson(answer.value),
      R"({"text":"You said: hello","model":"main-small-2030","provider":"main",)"
      R"("stopReason":"end","usage":{"inputTokens":11,"outputTokens":7},"costUsd":0.000081})");
  const Value sent = *ParseJson(server_.Requests()[0].body);
  EXPECT_EQ(sent.StringOr("model", ""), "main-small");
  EXPECT_EQ(sent.NumberOr("max_tokens", 0), 50);
}

TEST_P(LlmFormats, CallsToolsAndHearsOfTheirResults) {
  const auto llm = Make(Options());
  const Value tools = Value::Array({Value::Object({{"name", "count"}, {"description", "counts"}})});
  const Answer asked = CallNow(*llm, "complete", {Saying("use count", {{"tools", tools}})});
  ASSERT_TRUE(asked.success) << asked.message;
  EXPECT_EQ(ToJson(*asked.value.Find("toolCalls")),
            R"([{"id":"c1","name":"count","args":{"n":1}}])");
  EXPECT_EQ(asked.value.StringOr("stopReason", ""), "tool");
  const Value messages = Value::Array(
      {Value::Object({{"role", "system"}, {"content", "be brief"}}),
       Value::Object({{"role", "user"}, {"content", "use count"}}),
       Value::Object({{"role", "assistant"}, {"toolCalls", *asked.value.Find("toolCalls")}}),
       Value::Object({{"role", "tool"}, {"toolCallId", "c1"}, {"content", "42"}})});
  const Answer told = CallNow(*llm, "complete", {Value::Object({{"messages", messages}})});
  EXPECT_EQ(told.value.StringOr("text", ""), "You said: 42");
  const std::string body = server_.Requests()[1].body;
  if (GetParam() == LlmFormat::kOpenAi) {
    EXPECT_THAT(body, HasSubstr(R"({"role":"tool","content":"42","tool_call_id":"c1"})"));
    EXPECT_THAT(body, HasSubstr(R"("arguments":"{\"n\":1}")"));
  } else {
    EXPECT_THAT(body, HasSubstr(R"({"type":"tool_result","tool_use_id":"c1","content":"42"})"));
    EXPECT_THAT(body, HasSubstr(R"("system":"be brief")"));
    EXPECT_THAT(body, HasSubstr(R"("input":{"n":1})"));
  }
}

// Reads a stream: its text, and the result at its end.
std::pair<std::string, Value> ReadAll(LlmExtension& llm, const Value& id) {
  std::string text;
  for (;;) {
    const Answer piece = CallNow(llm, "next", {id});
    EXPECT_TRUE(piece.success) << piece.message;
    text += piece.value.StringOr("text", "");
    if (!piece.success) return {text, {}};
    if (piece.value.BoolOr("done", false)) return {text, *piece.value.Find("result")};
  }
}

TEST_P(LlmFormats, StreamsWhatCompleteGives) {
  const auto llm = Make(Options());
  const Answer opened = CallNow(*llm, "stream", {Saying("hello, how are you?")});
  ASSERT_TRUE(opened.success) << opened.message;
  EXPECT_EQ(opened.value.StringOr("provider", ""), "main");
  const Answer first = CallNow(*llm, "next", {*opened.value.Find("id")});
  EXPECT_FALSE(first.value.BoolOr("done", true));
  const auto [text, result] = ReadAll(*llm, *opened.value.Find("id"));
  EXPECT_EQ(std::string(first.value.StringOr("text", "")) + text, "You said: hello, how are you?");
  const Answer whole = CallNow(*llm, "complete", {Saying("hello, how are you?")});
  EXPECT_EQ(result, whole.value);
  const Answer tool = CallNow(*llm, "stream", {Saying("use count")});
  const auto [none, called] = ReadAll(*llm, *tool.value.Find("id"));
  EXPECT_EQ(none, "");
  EXPECT_EQ(ToJson(*called.Find("toolCalls")), R"([{"id":"c1","name":"count","args":{"n":1}}])");
}

TEST_P(LlmFormats, AStreamCanBeStoppedAndBelongsToItsRun) {
  const auto llm = Make(Options());
  const Answer opened = CallNow(*llm, "stream", {Saying(std::string(2000, 'x'))});
  const Value id = *opened.value.Find("id");
  EXPECT_FALSE(CallLater(*llm, "next", {id}, "another").get().success);
  EXPECT_EQ(CallNow(*llm, "stop", {id}).value, Value(true));
  EXPECT_EQ(CallNow(*llm, "stop", {id}).value, Value(false));
  EXPECT_THAT(CallNow(*llm, "next", {id}).message, HasSubstr("the stream has ended"));
}

TEST_P(LlmFormats, TheNextProviderIsAskedWhenOneFails) {
  LlmOptions options = Options();
  options.providers.insert(options.providers.begin(),
                           Provider("broken", GetParam(), server_.Url("/fail/503")));
  const auto llm = Make(std::move(options));
  for (const char* method : {"complete", "stream"}) {
    const Answer answer = CallNow(*llm, method, {Saying("hello")});
    ASSERT_TRUE(answer.success) << answer.message;
    EXPECT_EQ(answer.value.StringOr("provider", ""), "main");
  }
  // The second call left the broken one alone.
  int failed = 0;
  for (const TestRequest& request : server_.Requests())
    failed += request.target.starts_with("/fail");
  EXPECT_EQ(failed, 1);
}

TEST_P(LlmFormats, KeysAreNeverSeen) {
  LlmOptions options = Options();
  options.providers[0].url = server_.Url("/fail/400");
  const auto llm = Make(std::move(options));
  for (const char* method : {"complete", "stream"}) {
    const Answer answer = CallNow(*llm, method, {Saying("hello")});
    EXPECT_FALSE(answer.success);
    EXPECT_THAT(answer.message, HasSubstr("'main' answered 400: no luck with"));
    EXPECT_THAT(answer.message, Not(HasSubstr(kTestLlmKey)));
  }
  EXPECT_EQ(server_.Requests().size(), 2u);  // What is wrong stays wrong: asked once each.
}

TEST(Llm, WaitsAsLongAsAProviderSays) {
  std::atomic<int> count{0};
  TestServer server([&](const TestRequest& request) {
    if (++count == 1) return TestReply{.status = 429, .headers = {"Retry-After: 1"}};
    return TestLlmReply(request);
  });
  LlmOptions options;
  options.providers = {Provider("main", LlmFormat::kOpenAi, server.Url("/v1"))};
  const auto llm = Make(std::move(options));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(CallNow(*llm, "complete", {Saying("hello")}).success);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(990));
  EXPECT_EQ(count, 2);
}

TEST(Llm, GivesUpAndNamesEveryFailure) {
  TestServer server([](const TestRequest& request) {
    if (request.target.starts_with("/slow")) return TestReply{.delay = std::chrono::seconds(20)};
    if (request.target.starts_with("/odd")) return TestReply{.body = "<html>"};
    return TestReply{.status = 529, .headers = {"Retry-After: 600"}};
  });
  LlmOptions options;
  options.timeout_ms = 100;
  options.retry_wait_ms_max = 100;
  options.providers = {Provider("slow", LlmFormat::kOpenAi, server.Url("/slow")),
                       Provider("odd", LlmFormat::kOpenAi, server.Url("/odd")),
                       Provider("busy", LlmFormat::kAnthropic, server.Url("/busy"))};
  const auto llm = Make(std::move(options));
  const Answer answer = CallNow(*llm, "complete", {Saying("hello")});
  EXPECT_EQ(answer.code, RunErrorCode::kUnavailable);
  EXPECT_THAT(answer.message, HasSubstr("did not answer in time"));
  EXPECT_THAT(answer.message, HasSubstr("'odd': the answer cannot be read"));
  EXPECT_THAT(answer.message, HasSubstr("'busy' answered 529"));
}

TEST(Llm, AStreamThatBreaksOffIsAnError) {
  TestServer server([](const TestRequest& request) {
    TestReply reply = TestLlmReply(request);
    reply.chunks.resize(2);
    if (request.body.find("say error") != std::string::npos) {
      reply.chunks.emplace_back("data: {\"error\":{\"message\":\"overloaded\"}}\n\n");
    }
    return reply;
  });
  LlmOptions options;
  options.providers = {Provider("main", LlmFormat::kOpenAi, server.Url("/v1"))};
  const auto llm = Make(std::move(options));
  for (const auto& [said, why] : {std::pair{"hello", "the stream ended before the answer did"},
                                  std::pair{"say error", "the provider broke off: overloaded"}}) {
    const Answer opened = CallNow(*llm, "stream", {Saying(said)});
    ASSERT_TRUE(opened.success) << opened.message;
    Answer last;
    do last = CallNow(*llm, "next", {*opened.value.Find("id")});
    while (last.success);
    EXPECT_THAT(last.message, HasSubstr(why));
  }
}

TEST(Llm, ModelsAreTheOperatorsChoice) {
  TestServer server(&TestLlmReply);
  LlmOptions options;
  options.providers = {Provider("a", LlmFormat::kOpenAi, server.Url("/v1")),
                       Provider("b", LlmFormat::kAnthropic, server.Url(""))};
  options.providers[1].models.push_back({.name = "own", .id = "b-own"});
  const auto llm = Make(std::move(options));
  const auto model = [&](const char* name) {
    return CallNow(*llm, "complete", {Saying("hello", {{"model", name}})});
  };
  EXPECT_EQ(model("large").value.StringOr("model", ""), "a-large-2030");
  EXPECT_EQ(model("own").value.StringOr("model", ""), "b-own-2030");
  EXPECT_EQ(model("own").value.Find("costUsd"), nullptr);
  EXPECT_THAT(model("larg").message,
              HasSubstr("no provider offers the model 'larg' (did you mean"));
  EXPECT_EQ(model("larg").code, RunErrorCode::kInvalidArgument);
}

TEST(Llm, ChecksWhatItIsAsked) {
  TestServer server(&TestLlmReply);
  LlmOptions options;
  options.providers = {Provider("a", LlmFormat::kOpenAi, server.Url("/v1"))};
  options.max_tokens_max = 100;
  const auto llm = Make(std::move(options));
  const auto why = [&](Value request) {
    const Answer answer = CallNow(*llm, "complete", {std::move(request)});
    EXPECT_EQ(answer.code, RunErrorCode::kInvalidArgument);
    return answer.message;
  };
  EXPECT_THAT(why({}), HasSubstr("argument 1 must be {messages: [...]}"));
  EXPECT_THAT(why(Value::Object({{"messages", Value::Array()}})),
              HasSubstr("at least one message"));
  EXPECT_THAT(why(Saying("x", {{"maxTokens", 101}})), HasSubstr("from 1 to 100"));
  EXPECT_THAT(why(Saying("x", {{"temperature", 3}})), HasSubstr("from 0 to 2"));
  EXPECT_THAT(why(Saying("x", {{"key", "mine"}})), HasSubstr("unknown option 'key'"));
  EXPECT_THAT(
      why(Value::Object({{"messages", Value::Array({Value::Object({{"role", "error"}})})}})),
      HasSubstr("messages[0]: role \"error\" must be"));
  EXPECT_TRUE(server.Requests().empty());
}

TEST(LlmBudget, OfARunAndOfAPanelsDay) {
  TestServer server(&TestLlmReply);
  std::atomic<std::int64_t> now{86'400'000LL * 20'000};
  LlmOptions options;
  options.providers = {Provider("a", LlmFormat::kOpenAi, server.Url("/v1"))};
  options.budget.run_tokens = 140;
  options.budget.panel_day_tokens = 170;
  options.clock_unix_ms = [&] { return now.load(); };
  const auto llm = Make(std::move(options));
  const auto ask = [&](const char* run, const char* panel, const char* key) {
    return CallLater(*llm, "complete", {Saying("hello", {{"maxTokens", 80}})}, run, key, panel)
        .get();
  };
  // Some 110 tokens are reserved for each, 18 used.
  EXPECT_TRUE(ask("r1", "p", "k1").success);
  EXPECT_TRUE(ask("r1", "p", "k2").success);
  const Answer third = ask("r1", "p", "k3");
  EXPECT_EQ(third.code, RunErrorCode::kQuotaExceeded);
  EXPECT_THAT(third.message, HasSubstr("the budget of this run is 140 tokens, 36 are used"));
  EXPECT_TRUE(ask("r2", "p", "k4").success);
  EXPECT_TRUE(ask("r3", "p", "k5").success);
  const Answer sixth = ask("r4", "p", "k6");
  EXPECT_EQ(sixth.code, RunErrorCode::kQuotaExceeded);
  EXPECT_THAT(sixth.message, HasSubstr("the budget of panel 'p' for today"));
  EXPECT_TRUE(ask("r5", "other", "k7").success);
  now += 86'400'000;
  EXPECT_TRUE(ask("r6", "p", "k8").success);
  EXPECT_EQ(server.Requests().size(), 6u);  // Nobody was asked without budget.
}

TEST(LlmBudget, InMoneyAndAcrossRestarts) {
  TestServer server(&TestLlmReply);
  const testing::TempFolder temp;
  const auto make = [&] {
    LlmOptions options;
    options.providers = {Provider("a", LlmFormat::kAnthropic, server.Url(""))};
    options.budget.panel_day_usd = 0.00099;
    options.budget.file = temp.path() / "budget.db";
    return Make(std::move(options));
  };
  // Each may cost some 850 millionths at most (80 tokens of output), and costs 81.
  int answered = 0;
  for (int i = 0; i < 4; ++i) {
    const auto llm = make();
    const Answer answer = CallLater(*llm, "complete", {Saying("hello", {{"maxTokens", 80}})}, "r",
                                    "key" + std::to_string(i), "p")
                              .get();
    answered += answer.success;
    if (!answer.success) {
      EXPECT_THAT(answer.message, HasSubstr("0.00099 USD"));
    }
  }
  EXPECT_EQ(answered, 2);
  LlmOptions unpriced;
  unpriced.providers = {Provider("a", LlmFormat::kAnthropic, server.Url(""))};
  unpriced.providers[0].models[1].price = {};
  unpriced.budget.run_usd = 1;
  const auto refused = LlmExtension::Create(std::move(unpriced));
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message(), HasSubstr("model 'large' has no price"));
}

TEST(LlmBudget, AFailedCallGivesBackWhatWasReserved) {
  std::atomic<bool> fails{true};
  TestServer server([&](const TestRequest& request) {
    return fails ? TestReply{.status = 400} : TestLlmReply(request);
  });
  LlmOptions options;
  options.providers = {Provider("a", LlmFormat::kOpenAi, server.Url("/v1"))};
  options.budget.run_tokens = 150;
  const auto llm = Make(std::move(options));
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(CallNow(*llm, "complete", {Saying("hello", {{"maxTokens", 80}})}).code,
              RunErrorCode::kExtensionError);
  }
  fails = false;
  EXPECT_TRUE(CallNow(*llm, "complete", {Saying("hello", {{"maxTokens", 80}})}).success);
}

TEST(LlmCassette, GivesBackWhatItRecordedWithoutNetwork) {
  const testing::TempFolder temp;
  const std::string file = (temp.path() / "tape.jsonl").string();
  Value recorded;
  {
    TestServer server(&TestLlmReply);
    LlmOptions options;
    options.providers = {Provider("a", LlmFormat::kAnthropic, server.Url(""))};
    options.cassette = file;
    options.cassette_mode = CassetteMode::kRecord;
    recorded = CallNow(*Make(std::move(options)), "complete", {Saying("hello")}).value;
  }
  EXPECT_THAT(*ReadFile(file), Not(HasSubstr(kTestLlmKey)));
  LlmOptions options;
  options.cassette = file;
  options.cassette_mode = CassetteMode::kReplay;
  const auto llm = Make(std::move(options));
  EXPECT_EQ(CallNow(*llm, "complete", {Saying("hello")}).value, recorded);
  EXPECT_EQ(CallNow(*llm, "complete", {Saying("hello")}).value, recorded);
  const Answer opened = CallNow(*llm, "stream", {Saying("hello")});
  const auto [text, result] = ReadAll(*llm, *opened.value.Find("id"));
  EXPECT_EQ(text, "You said: hello");
  EXPECT_EQ(result, recorded);
  EXPECT_THAT(CallNow(*llm, "complete", {Saying("bye")}).message, HasSubstr("record it once"));
}

TEST(Llm, EndsItsCallsWithTheRunAndWithTheHost) {
  TestServer server(
      [](const TestRequest&) { return TestReply{.delay = std::chrono::seconds(20)}; });
  LlmOptions options;
  options.providers = {Provider("a", LlmFormat::kOpenAi, server.Url("/v1"))};
  auto llm = Make(std::move(options));
  auto abandoned = CallLater(*llm, "complete", {Saying("a")}, "one");
  auto shut_down = CallLater(*llm, "stream", {Saying("b")}, "two");
  llm->Abandon("one");
  EXPECT_EQ(abandoned.get().code, RunErrorCode::kCancelled);
  llm.reset();
  EXPECT_EQ(shut_down.get().code, RunErrorCode::kUnavailable);
}

LlmOptions ReadSettings(const std::string& json, std::string* error = nullptr) {
  const Result<Value> value = ParseJson(json);
  EXPECT_TRUE(value.has_value()) << json;
  const ExtensionSettings settings([](const std::string&) { return std::string("--ext llm"); },
                                   *value->As<ValueObject>());
  Result<LlmOptions> options = ReadLlmOptions(settings);
  if (error != nullptr) *error = options ? "" : options.error().message();
  return options ? *options : LlmOptions();
}

TEST(LlmSettings, AreReadAndJudged) {
  const LlmOptions options = ReadSettings(R"({"providers": [
    {"name": "main", "format": "anthropic", "key": {"value": "0123456789"},
     "models": {"fast": "m-1",
                "best": {"id": "m-2", "inputUsdPerMTok": 3, "outputUsdPerMTok": 15}}},
    {"model": "local", "url": "http://localhost:11434/v1"}],
    "runTokens": 1000, "panelDayUsd": 2.5, "cassette": "x.jsonl"})");
  ASSERT_EQ(options.providers.size(), 2u);
  EXPECT_EQ(options.providers[0].key, "0123456789");
  EXPECT_EQ(options.providers[0].models[1].price.output_usd, 15);
  EXPECT_EQ(options.providers[1].name, "openai");
  EXPECT_EQ(options.budget.panel_day_usd, 2.5);
  EXPECT_EQ(options.cassette_mode, CassetteMode::kReplay);
  for (const auto& [json, why] : std::vector<std::pair<std::string, std::string>>{
           {R"({"provider": []})", "unknown setting 'provider' (did you mean 'providers'?)"},
           {R"({"providers": [{}]})", "setting 'providers[0].model' is missing"},
           {R"({"providers": [{"model": "m", "format": "x"}]})", "'providers[0].format' must be"},
           {R"({"providers": [{"model": "m", "key": {"env": "NEXUS_NO_SUCH"}}]})", "NEXUS_NO_SUCH"},
           {R"({"providers": [{"model": "m", "key": "abc"}]})", "'providers[0].key'"},
           {R"({"providers": [{"model": "m"}, {"model": "m"}]})", "'openai' is taken"},
           {R"({"providers": [{"model": "m", "url": "x"}]})", "'providers[0].url'"},
           {R"({"runTokens": 0})", "'runTokens' must be a whole number"},
           {R"({"cassetteMode": "record"})", "setting 'cassette' is missing"}}) {
    std::string error;
    ReadSettings(json, &error);
    EXPECT_THAT(error, HasSubstr("--ext llm")) << json;
    EXPECT_THAT(error, HasSubstr(why)) << json;
  }
}

}  // namespace
}  // namespace nexus
