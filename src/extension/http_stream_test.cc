// Goal: what makes http calls dependable: bodies piece by piece, attempts made again where that
// does no harm, keys for calls made again, and secrets that no program ever sees. Method: a server
// of our own that fails, drips and repeats what it was told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "base/json.h"
#include "extension/http.h"
#include "extension/internal/call_for_test.h"
#include "extension/internal/streams.h"
#include "extension/internal/test_server.h"

namespace nexus {
namespace {

using internal::CallLater;
using internal::CallNow;
using internal::TestReply;
using internal::TestRequest;
using internal::TestServer;
using testing::HasSubstr;
using testing::Not;

HttpOptions AllowingLoopback() {
  HttpOptions options;
  options.policy = *HttpPolicy::Parse({"127.0.0.1", "api.example"});
  options.timeout_ms = 5000;
  return options;
}

Value Opt(std::initializer_list<ValueObject::Entry> entries) { return Value::Object(entries); }

TEST(HttpRetries, ARequestThatDoesNoHarmTwiceIsMadeAgain) {
  std::atomic<int> count{0};
  TestServer server([&](const TestRequest&) {
    if (++count % 3 != 0) return TestReply{.raw = "HTTP/1.1 200 OK\r\nContent-Le"};
    return TestReply{.body = "at last"};
  });
  HttpExtension http(AllowingLoopback());
  const Answer got = CallNow(http, "get", {server.Url("/")});
  ASSERT_TRUE(got.success) << got.message;
  EXPECT_EQ(got.value.StringOr("body", ""), "at last");
  EXPECT_EQ(count, 3);
  EXPECT_FALSE(CallNow(http, "get", {server.Url("/"), Opt({{"retries", 0}})}).success);
  EXPECT_EQ(count, 4);
  EXPECT_FALSE(CallNow(http, "post", {server.Url("/")}).success);  // It may have been done.
  EXPECT_EQ(count, 5);
  EXPECT_FALSE(CallNow(http, "get", {server.Url("/"), Opt({{"retries", 6}})}).success);
}

TEST(HttpRetries, StatusesAreRetriedOnlyWhenAskedFor) {
  std::atomic<int> count{0};
  TestServer server([&](const TestRequest&) {
    return TestReply{.status = ++count < 3 ? 503 : 200, .headers = {"Retry-After: 0"}};
  });
  HttpExtension http(AllowingLoopback());
  EXPECT_EQ(CallNow(http, "get", {server.Url("/")}).value.NumberOr("status", 0), 503);
  EXPECT_EQ(
      CallNow(http, "post", {server.Url("/"), Opt({{"retries", 2}})}).value.NumberOr("status", 0),
      200);
  EXPECT_EQ(count, 3);
}

TEST(HttpRetries, AServerThatNamesATimeIsGivenIt) {
  std::atomic<int> count{0};
  TestServer server([&](const TestRequest&) {
    return TestReply{.status = ++count == 1 ? 429 : 200, .headers = {"Retry-After: 1"}};
  });
  HttpExtension http(AllowingLoopback());
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(
      CallNow(http, "get", {server.Url("/"), Opt({{"retries", 1}})}).value.NumberOr("status", 0),
      200);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(990));
}

TEST(HttpKeys, PostCarriesTheKeyOfItsCall) {
  TestServer server([](const TestRequest&) { return TestReply{}; });
  HttpExtension http(AllowingLoopback());
  (void)CallLater(http, "post", {server.Url("/")}, "run", "run.1").get();
  (void)CallLater(http, "get", {server.Url("/")}, "run", "run.2").get();
  const Value own = Opt({{"headers", Opt({{"Idempotency-Key", "mine"}})}});
  (void)CallLater(http, "patch", {server.Url("/"), own}, "run", "run.3").get();
  const auto requests = server.Requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[0].headers.at("idempotency-key"), "run.1");
  EXPECT_EQ(requests[1].headers.count("idempotency-key"), 0u);
  EXPECT_EQ(requests[2].headers.at("idempotency-key"), "mine");
}

HttpOptions WithSecret() {
  HttpOptions options = AllowingLoopback();
  EXPECT_TRUE(options.secrets.Add("TOKEN", "s3cr3t-value", {"127.0.0.1"}).has_value());
  return options;
}

const Value kWithToken = Opt({{"headers", Opt({{"Authorization", "Bearer {{secret:TOKEN}}"}})}});

TEST(HttpSecrets, ArriveAtTheServerAndNowhereElse) {
  TestServer server([](const TestRequest& request) {
    const auto sent = request.headers.find("authorization");
    const std::string told = sent == request.headers.end() ? "none" : sent->second;
    return TestReply{.headers = {"Content-Type: text/plain", "X-Echo: " + told}, .body = told};
  });
  HttpExtension http(WithSecret());
  const Answer answer = CallNow(http, "get", {server.Url("/"), kWithToken});
  ASSERT_TRUE(answer.success) << answer.message;
  EXPECT_EQ(server.Requests()[0].headers.at("authorization"), "Bearer s3cr3t-value");
  EXPECT_THAT(ToJson(answer.value), Not(HasSubstr("s3cr3t-value")));
  EXPECT_EQ(answer.value.StringOr("body", ""), "Bearer {{secret:TOKEN}}");
}

TEST(HttpSecrets, AreForTheHostsTheOperatorNamed) {
  TestServer server([](const TestRequest&) { return TestReply{}; });
  HttpOptions options = AllowingLoopback();
  ASSERT_TRUE(options.secrets.Add("TOKEN", "s3cr3t-value", {"other.example"}).has_value());
  ASSERT_TRUE(options.secrets.Add("CLEAR", "s3cr3t-other", {"api.example"}).has_value());
  HttpExtension http(std::move(options));
  const Answer refused = CallNow(http, "get", {server.Url("/"), kWithToken});
  EXPECT_EQ(refused.code, RunErrorCode::kPermissionDenied);
  EXPECT_THAT(refused.message, HasSubstr("the secret 'TOKEN' is not for the host '127.0.0.1'"));
  const Value unknown = Opt({{"headers", Opt({{"X", "{{secret:TOKN}}"}})}});
  EXPECT_THAT(CallNow(http, "get", {server.Url("/"), unknown}).message,
              HasSubstr("did you mean 'TOKEN'"));
  const Value clear = Opt({{"headers", Opt({{"X", "{{secret:CLEAR}}"}})}});
  const Answer plain = CallNow(http, "get", {"http://api.example/", clear});
  EXPECT_EQ(plain.code, RunErrorCode::kPermissionDenied);
  EXPECT_THAT(plain.message, HasSubstr("use https"));
  EXPECT_THAT(CallNow(http, "get", {server.Url("/?k={{secret:TOKEN}}")}).message,
              HasSubstr("a secret belongs into a header"));
  EXPECT_TRUE(server.Requests().empty());
}

TEST(HttpSecrets, DoNotFollowToAnotherOrigin) {
  TestServer other([](const TestRequest&) { return TestReply{}; });
  TestServer server([&](const TestRequest&) {
    return TestReply{.status = 307, .headers = {"Location: " + other.Url("/")}};
  });
  HttpExtension http(WithSecret());
  const Value headers = Opt({{"headers", Opt({{"X-Own", "{{secret:TOKEN}}"}})}});
  ASSERT_TRUE(CallNow(http, "get", {server.Url("/"), headers}).success);
  EXPECT_EQ(server.Requests()[0].headers.at("x-own"), "s3cr3t-value");
  EXPECT_EQ(other.Requests()[0].headers.count("x-own"), 0u);
}

// Reads a stream to its end; its pieces one after the other.
std::vector<std::string> ReadAll(HttpExtension& http, const Value& id, Answer* last = nullptr) {
  std::vector<std::string> pieces;
  for (;;) {
    Answer answer = CallNow(http, "next", {id});
    if (last != nullptr) *last = answer;
    if (!answer.success) return pieces;
    const Value& data = *answer.value.Find("data");
    const Bytes* bytes = data.As<Bytes>();
    pieces.push_back(bytes != nullptr ? bytes->data : *data.As<std::string>());
    if (answer.value.BoolOr("done", false)) return pieces;
  }
}

std::string Joined(const std::vector<std::string>& pieces) {
  std::string all;
  for (const std::string& piece : pieces) all += piece;
  return all;
}

TEST(HttpStream, PiecesComeAsTheyArriveInWholeCharacters) {
  TestServer server([](const TestRequest&) {
    return TestReply{.headers = {"Content-Type: text/event-stream"},
                     .chunks = {"one ", "tw\xC3", "\xB6 ", "end"},
                     .chunk_gap = std::chrono::milliseconds(60)};
  });
  HttpExtension http(AllowingLoopback());
  const Answer opened = CallNow(http, "stream", {server.Url("/")});
  ASSERT_TRUE(opened.success) << opened.message;
  EXPECT_EQ(opened.value.NumberOr("status", 0), 200);
  EXPECT_EQ(opened.value.Find("headers")->StringOr("content-type", ""), "text/event-stream");
  const Value id = *opened.value.Find("id");
  EXPECT_FALSE(CallLater(http, "next", {id}, "another run").get().success);
  const std::vector<std::string> pieces = ReadAll(http, id);
  EXPECT_GE(pieces.size(), 3u);
  EXPECT_EQ(Joined(pieces), "one tw\xC3\xB6 end");
  for (const std::string& piece : pieces)
    EXPECT_EQ(piece.find("\xC3\xB6") == std::string::npos, piece.find('\xC3') == std::string::npos);
  EXPECT_THAT(CallNow(http, "next", {id}).message, HasSubstr("the stream has ended"));
}

TEST(HttpStream, ASlowReaderSlowsTheSenderDown) {
  const std::string body(8'000'000, 'x');
  TestServer server([&](const TestRequest&) {
    return TestReply{.headers = {"Content-Type: application/octet-stream"}, .body = body};
  });
  HttpOptions options = AllowingLoopback();
  options.stream_buffer_max = 64 * 1024;
  HttpExtension http(std::move(options));
  const Answer opened = CallNow(http, "stream", {server.Url("/")});
  ASSERT_TRUE(opened.success) << opened.message;
  const std::vector<std::string> pieces = ReadAll(http, *opened.value.Find("id"));
  EXPECT_EQ(Joined(pieces).size(), body.size());
  for (const std::string& piece : pieces) EXPECT_LE(piece.size(), 128u * 1024);
}

TEST(HttpStream, HasALimitAndAnEnd) {
  TestServer server([](const TestRequest& request) {
    if (request.target == "/big") return TestReply{.body = std::string(300'000, 'x')};
    if (request.target == "/gone")
      return TestReply{.raw = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"};
    return TestReply{.chunks = std::vector<std::string>(200, "tick"),
                     .chunk_gap = std::chrono::milliseconds(50)};
  });
  HttpOptions options = AllowingLoopback();
  options.streams_max = 2;
  HttpExtension http(std::move(options));
  Answer last;
  const Answer big = CallNow(http, "stream", {server.Url("/big"), Opt({{"maxBytes", 100'000}})});
  ReadAll(http, *big.value.Find("id"), &last);
  EXPECT_THAT(last.message, HasSubstr("more than 100000 bytes"));
  const Answer gone = CallNow(http, "stream", {server.Url("/gone"), Opt({{"retries", 0}})});
  ReadAll(http, *gone.value.Find("id"), &last);
  EXPECT_FALSE(last.success);
  const Answer slow = CallNow(http, "stream", {server.Url("/slow")});
  const Answer other = CallLater(http, "stream", {server.Url("/slow")}, "other").get();
  EXPECT_EQ(CallNow(http, "stream", {server.Url("/slow")}).code, RunErrorCode::kOverloaded);
  EXPECT_EQ(CallNow(http, "close", {*slow.value.Find("id")}).value, Value(true));
  EXPECT_EQ(CallNow(http, "close", {*slow.value.Find("id")}).value, Value(false));
  http.Abandon("other");
  EXPECT_FALSE(CallLater(http, "next", {*other.value.Find("id")}, "other").get().success);
  EXPECT_TRUE(CallNow(http, "stream", {server.Url("/slow")}).success);
}

TEST(HttpStream, SecretsAreTakenOutAcrossPieces) {
  TestServer server([](const TestRequest&) {
    return TestReply{.headers = {"Content-Type: text/plain"},
                     .chunks = {"you sent s3cr", "3t-va", "lue, thanks"},
                     .chunk_gap = std::chrono::milliseconds(60)};
  });
  HttpExtension http(WithSecret());
  const Answer opened = CallNow(http, "stream", {server.Url("/"), kWithToken});
  ASSERT_TRUE(opened.success) << opened.message;
  EXPECT_EQ(Joined(ReadAll(http, *opened.value.Find("id"))), "you sent {{secret:TOKEN}}, thanks");
}

TEST(HttpStream, WholeCharactersAreCounted) {
  EXPECT_EQ(internal::WholeCharacters("abc"), 3u);
  EXPECT_EQ(internal::WholeCharacters("ab\xE2\x82"), 2u);
  EXPECT_EQ(internal::WholeCharacters("ab\xE2\x82\xAC"), 5u);
  EXPECT_EQ(internal::WholeCharacters("\xF0\x9F\x98"), 0u);
  EXPECT_EQ(internal::WholeCharacters("a\x80\x80\x80\x80"), 5u);  // No character at all: let go.
}

}  // namespace
}  // namespace nexus
