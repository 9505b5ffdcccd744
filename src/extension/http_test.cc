// Goal: a program reaches the hosts its operator allowed and nothing else, whatever names,
// redirects and servers do. Method: a server of our own on the loopback, a resolver of our own for
// the names.
#include "extension/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "extension/internal/call_for_test.h"
#include "extension/internal/test_server.h"

namespace nexus {
namespace {

using internal::CallLater;
using internal::CallNow;
using internal::TestReply;
using internal::TestRequest;
using internal::TestServer;
using testing::HasSubstr;

HttpOptions Allowing(const std::vector<std::string>& hosts) {
  Result<HttpPolicy> policy = HttpPolicy::Parse(hosts);
  EXPECT_TRUE(policy.has_value()) << policy.error().message();
  HttpOptions options;
  options.policy = *policy;
  options.timeout_ms = 5000;
  return options;
}

TestReply Echo(const TestRequest& request) {
  return {.headers = {"Content-Type: text/plain", "X-Method: " + request.method},
          .body = request.body};
}

TEST(HttpExtension, GetsTextWithStatusAndHeaders) {
  TestServer server([](const TestRequest&) {
    return TestReply{.status = 404,
                     .headers = {"Content-Type: text/html; charset=utf-8", "X-Two: a", "x-two: b"},
                     .body = "h\xC3\xA9"};
  });
  HttpExtension http(Allowing({"127.0.0.1"}));
  const Answer answer = CallNow(http, "get", {server.Url("/a?b=1")});
  ASSERT_TRUE(answer.success) << answer.message;
  EXPECT_EQ(answer.value.NumberOr("status", 0), 404);
  EXPECT_FALSE(answer.value.BoolOr("ok", true));
  EXPECT_EQ(answer.value.StringOr("body", ""), "h\xC3\xA9");
  EXPECT_EQ(answer.value.Find("headers")->StringOr("x-two", ""), "a, b");
  EXPECT_EQ(server.Requests()[0].target, "/a?b=1");
  EXPECT_EQ(answer.value.Find("json"), nullptr);
}

TEST(HttpExtension, BinaryBodiesAreBytes) {
  const std::string image("\x89PNG\0\xff", 6);
  TestServer server([&](const TestRequest&) {
    return TestReply{.headers = {"Content-Type: image/png"}, .body = image};
  });
  HttpExtension http(Allowing({"127.0.0.1"}));
  const Answer answer = CallNow(http, "get", {server.Url("/")});
  ASSERT_TRUE(answer.success) << answer.message;
  const Bytes* body = answer.value.Find("body")->As<Bytes>();
  ASSERT_NE(body, nullptr);
  EXPECT_EQ(body->data, image);
}

TEST(HttpExtension, SendsAndParsesJson) {
  TestServer server([](const TestRequest& request) {
    return TestReply{.headers = {"Content-Type: application/json"},
                     .body = R"({"got":)" + request.body + "}"};
  });
  HttpExtension http(Allowing({"127.0.0.1"}));
  const Value payload = Value::Object({{"n", 1}});
  const Answer answer =
      CallNow(http, "post", {server.Url("/"), Value::Object({{"json", payload}})});
  ASSERT_TRUE(answer.success) << answer.message;
  EXPECT_EQ(answer.value.Find("json")->Find("got")->NumberOr("n", 0), 1);
  EXPECT_EQ(server.Requests()[0].headers.at("content-type"), "application/json");
  EXPECT_EQ(server.Requests()[0].headers.count("expect"), 0u);
  const Answer asked = CallNow(http, "get", {server.Url("/"), Value::Object({{"json", true}})});
  EXPECT_FALSE(asked.success);  // {"got":} is not JSON
  EXPECT_THAT(asked.message, HasSubstr("is not JSON"));
}

TEST(HttpExtension, EveryMethodArrivesAsItself) {
  TestServer server(Echo);
  HttpExtension http(Allowing({"127.0.0.1"}));
  for (const std::string& name : {std::string("get"), std::string("post"), std::string("put"),
                                  std::string("delete"), std::string("patch")}) {
    const bool body = name != "get";
    const Value options = body ? Value::Object({{"body", "x"}}) : Value();
    const Answer answer = CallNow(http, name, {server.Url("/"), options});
    ASSERT_TRUE(answer.success) << name << ": " << answer.message;
    std::string upper = name;
    for (char& c : upper) c = static_cast<char>(c - 32);
    EXPECT_EQ(answer.value.Find("headers")->StringOr("x-method", ""), upper);
    EXPECT_EQ(answer.value.StringOr("body", ""), body ? "x" : "");
  }
  EXPECT_TRUE(CallNow(http, "head", {server.Url("/")}).success);
  EXPECT_TRUE(
      CallNow(http, "request", {server.Url("/"), Value::Object({{"method", "options"}})}).success);
  EXPECT_FALSE(
      CallNow(http, "request", {server.Url("/"), Value::Object({{"method", "CONNECT"}})}).success);
}

TEST(HttpExtension, RefusesHostsThatAreNotAllowed) {
  HttpExtension http(Allowing({"api.example.com"}));
  for (const char* url :
       {"http://other.example.com/", "http://api.example.com.evil.test/", "http://127.0.0.1/",
        "http://[::1]/", "http://169.254.169.254/latest/meta-data/", "http://localhost/"}) {
    const Answer answer = CallNow(http, "get", {url});
    EXPECT_FALSE(answer.success) << url;
    EXPECT_EQ(answer.code, RunErrorCode::kPermissionDenied) << url << ": " << answer.message;
    EXPECT_THAT(answer.message, HasSubstr("--allow-host")) << url;
  }
}

TEST(HttpExtension, RefusesPrivateAddressesInEverySpelling) {
  HttpExtension http(Allowing({"*"}));
  for (const char* url : {"http://127.0.0.1/",       "http://127.1/",
                          "http://2130706433/",      "http://0x7f.0.0.1/",
                          "http://0177.0.0.1/",      "http://0/",
                          "http://[::1]/",           "http://[::ffff:127.0.0.1]/",
                          "http://[::ffff:7f00:1]/", "http://[::]/",
                          "http://10.1.2.3/",        "http://192.168.0.1/",
                          "http://172.16.0.1/",      "http://100.64.0.1/",
                          "http://169.254.169.254/", "http://[fd00::1]/",
                          "http://[fe80::1]/",       "http://[64:ff9b::7f00:1]/",
                          "http://[2002:7f00:1::]/", "http://localhost/",
                          "http://localhost./",      "http://224.0.0.1/"}) {
    const Answer answer = CallNow(http, "get", {url});
    EXPECT_FALSE(answer.success) << url;
    EXPECT_EQ(answer.code, RunErrorCode::kPermissionDenied) << url << ": " << answer.message;
  }
}

TEST(HttpExtension, RefusesUrlsThatAreNotPlainHttp) {
  HttpExtension http(Allowing({"*"}));
  for (const char* url :
       {"file:///etc/passwd", "ftp://example.com/", "gopher://example.com/", "example.com/x", "/x",
        "", "http://user:pass@example.com/", "http://example.com@127.0.0.1/",
        "http://exa mple.com/", "http://example.com/\r\nX: y", "http://example.com\\@evil.test/",
        "http://[fe80::1%25eth0]/", "http://ex\xC3\xA4mple.com/", "http:///x",
        "http://example.com:0/", "http://example.com:99999/"}) {
    const Answer answer = CallNow(http, "get", {url});
    EXPECT_FALSE(answer.success) << url;
    EXPECT_EQ(answer.code, RunErrorCode::kInvalidArgument) << url << ": " << answer.message;
  }
}

TEST(HttpExtension, ChecksEveryRedirect) {
  TestServer inner([](const TestRequest&) { return TestReply{.body = "secret"}; });
  std::string location;
  TestServer server([&](const TestRequest& request) {
    if (request.target == "/end")
      return TestReply{.headers = {"Content-Type: text/plain"}, .body = request.method};
    if (request.target == "/loop") return TestReply{.status = 302, .headers = {"Location: /loop"}};
    return TestReply{.status = 302, .headers = {"Location: " + location}};
  });
  HttpExtension http(Allowing({"127.0.0.1:" + std::to_string(server.port())}));
  for (const std::string& target :
       {inner.Url("/"), std::string("http://169.254.169.254/"), std::string("file:///etc/passwd"),
        std::string("http://user@127.0.0.1/")}) {
    location = target;
    const Answer answer = CallNow(http, "get", {server.Url("/go")});
    EXPECT_FALSE(answer.success) << target;
    EXPECT_THAT(answer.message, HasSubstr("redirect")) << target;
  }
  EXPECT_TRUE(inner.Requests().empty());
  location = "/end";
  const Answer followed =
      CallNow(http, "post", {server.Url("/go"), Value::Object({{"body", "x"}})});
  ASSERT_TRUE(followed.success) << followed.message;
  EXPECT_EQ(followed.value.StringOr("body", ""), "GET");  // 302 after POST, as browsers do it
  EXPECT_EQ(followed.value.StringOr("url", ""), server.Url("/end"));
  const Answer manual =
      CallNow(http, "get", {server.Url("/go"), Value::Object({{"redirect", "manual"}})});
  EXPECT_EQ(manual.value.NumberOr("status", 0), 302);
  EXPECT_FALSE(
      CallNow(http, "get", {server.Url("/go"), Value::Object({{"redirect", "error"}})}).success);
  const Answer loop = CallNow(http, "get", {server.Url("/loop")});
  EXPECT_FALSE(loop.success);
  EXPECT_THAT(loop.message, HasSubstr("more than 10 redirects"));
}

TEST(HttpExtension, CredentialsDoNotFollowToAnotherOrigin) {
  TestServer other(Echo);
  TestServer server([&](const TestRequest&) {
    return TestReply{.status = 307, .headers = {"Location: " + other.Url("/")}};
  });
  HttpExtension http(Allowing({"127.0.0.1"}));
  const Value headers = Value::Object({{"Authorization", "Bearer x"}, {"X-Kept", "1"}});
  const Answer answer = CallNow(
      http, "post", {server.Url("/"), Value::Object({{"headers", headers}, {"body", "b"}})});
  ASSERT_TRUE(answer.success) << answer.message;
  ASSERT_EQ(other.Requests().size(), 1u);
  EXPECT_EQ(other.Requests()[0].headers.count("authorization"), 0u);
  EXPECT_EQ(other.Requests()[0].headers.at("x-kept"), "1");
  EXPECT_EQ(other.Requests()[0].body, "b");
}

TEST(HttpExtension, RebindingGainsNothing) {
  TestServer server([](const TestRequest&) { return TestReply{.body = "inside"}; });
  HttpOptions options = Allowing({"*"});
  int lookups = 0;
  // First a public address (which the policy would let through), then the loopback.
  options.resolver = [&](std::string_view) -> std::vector<std::string> {
    return {++lookups == 1 ? "::ffff:127.0.0.1" : "127.0.0.1"};
  };
  HttpExtension http(std::move(options));
  const std::string url = "http://rebind.example:" + std::to_string(server.port()) + "/";
  for (int i = 0; i < 3; ++i) {
    const Answer answer = CallNow(http, "get", {url});
    EXPECT_FALSE(answer.success);
    EXPECT_EQ(answer.code, RunErrorCode::kPermissionDenied) << answer.message;
    EXPECT_THAT(answer.message, HasSubstr("loopback"));
  }
  EXPECT_EQ(server.connection_count(), 0);
}

TEST(HttpExtension, ANameMayBePrivateWhenTheOperatorSaysSo) {
  TestServer server(Echo);
  HttpOptions options = Allowing({"intranet.example+private", "plain.example"});
  options.resolver = [](std::string_view) -> std::vector<std::string> { return {"127.0.0.1"}; };
  HttpExtension http(std::move(options));
  const std::string port = std::to_string(server.port());
  EXPECT_TRUE(CallNow(http, "get", {"http://intranet.example:" + port + "/"}).success);
  const Answer plain = CallNow(http, "get", {"http://plain.example:" + port + "/"});
  EXPECT_EQ(plain.code, RunErrorCode::kPermissionDenied);
  EXPECT_THAT(plain.message, HasSubstr("--allow-host plain.example+private"));
}

TEST(HttpExtension, RefusesHeaderInjection) {
  TestServer server(Echo);
  HttpExtension http(Allowing({"127.0.0.1"}));
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{"X", "a\r\nEvil: 1"},
                                                        {"X", "a\nb"},
                                                        {"X", std::string("a\0b", 3)},
                                                        {"X: y\r\nZ", "1"},
                                                        {"", "1"},
                                                        {"Host", "evil"},
                                                        {"content-length", "5"},
                                                        {"Transfer-Encoding", "chunked"},
                                                        {"Proxy-Authorization", "x"}}) {
    const Value headers = Value::Object({{name, value}});
    const Answer answer =
        CallNow(http, "get", {server.Url("/"), Value::Object({{"headers", headers}})});
    EXPECT_FALSE(answer.success) << name;
    EXPECT_EQ(answer.code, RunErrorCode::kInvalidArgument) << name;
  }
  EXPECT_TRUE(server.Requests().empty());
}

TEST(HttpExtension, ChecksOptions) {
  HttpExtension http(Allowing({"127.0.0.1"}));
  const auto message = [&](Value url, Value options) {
    const Answer answer = CallNow(http, "get", {std::move(url), std::move(options)});
    EXPECT_EQ(answer.code, RunErrorCode::kInvalidArgument);
    return answer.message;
  };
  EXPECT_EQ(message(5, {}), "http.get: argument 1 (url) must be a string, not number");
  EXPECT_THAT(message("http://127.0.0.1/", 7), HasSubstr("options) must be an object, not number"));
  EXPECT_THAT(message("http://127.0.0.1/", Value::Object({{"timout", 1}})),
              HasSubstr("unknown option 'timout'"));
  EXPECT_THAT(message("http://127.0.0.1/", Value::Object({{"timeoutMs", 0}})),
              HasSubstr("'timeoutMs'"));
  EXPECT_THAT(message("http://127.0.0.1/", Value::Object({{"body", "x"}})),
              HasSubstr("carries no body"));
  EXPECT_THAT(message("http://127.0.0.1/", Value::Object({{"redirect", "maybe"}})),
              HasSubstr("'redirect'"));
}

TEST(HttpExtension, StopsAtTimeAndSize) {
  TestServer server([](const TestRequest& request) {
    if (request.target == "/slow") return TestReply{.delay = std::chrono::seconds(20)};
    if (request.target == "/drip") {
      return TestReply{.raw = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"};
    }
    if (request.target == "/headers") {
      return TestReply{.raw = "HTTP/1.1 200 OK\r\nX: " + std::string(90'000, 'h') + "\r\n\r\n"};
    }
    return TestReply{.body = std::string(300'000, 'x')};
  });
  HttpOptions options = Allowing({"127.0.0.1"});
  options.response_bytes_max = 200'000;
  HttpExtension http(std::move(options));
  const auto start = std::chrono::steady_clock::now();
  const Answer slow =
      CallNow(http, "get", {server.Url("/slow"), Value::Object({{"timeoutMs", 100}})});
  EXPECT_FALSE(slow.success);
  EXPECT_THAT(slow.message, HasSubstr("did not answer in time"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  const Answer big = CallNow(http, "get", {server.Url("/big")});
  EXPECT_FALSE(big.success);
  EXPECT_THAT(big.message, HasSubstr("more than 200000 bytes"));
  EXPECT_FALSE(CallNow(http, "get", {server.Url("/drip")}).success);
  EXPECT_FALSE(CallNow(http, "get", {server.Url("/headers")}).success);
  EXPECT_FALSE(
      CallNow(http, "get", {server.Url("/big"), Value::Object({{"maxBytes", 300'000}})}).success);
}

TEST(HttpExtension, CarriesManyAtOnceOnFewConnections) {
  TestServer server([](const TestRequest& request) {
    return TestReply{.body = request.target, .delay = std::chrono::milliseconds(10)};
  });
  HttpExtension http(Allowing({"127.0.0.1"}));
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 100; ++i)
    answers.push_back(CallLater(http, "get", {server.Url("/" + std::to_string(i))}));
  for (int i = 0; i < 100; ++i) {
    const Answer answer = answers[static_cast<std::size_t>(i)].get();
    ASSERT_TRUE(answer.success) << answer.message;
    EXPECT_EQ(answer.value.StringOr("body", ""), "/" + std::to_string(i));
  }
  EXPECT_LE(server.connection_count(), 20);
}

TEST(HttpExtension, FullQueueAndAbandonedRunsAndShutdownAnswer) {
  TestServer server(
      [](const TestRequest&) { return TestReply{.delay = std::chrono::seconds(20)}; });
  HttpOptions options = Allowing({"127.0.0.1"});
  options.calls_max = 1;
  options.queue_max = 2;
  auto http = std::make_unique<HttpExtension>(std::move(options));
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 8; ++i)
    answers.push_back(CallLater(*http, "get", {server.Url("/")}, i == 0 ? "a" : "b"));
  EXPECT_EQ(answers.back().get().code, RunErrorCode::kOverloaded);
  http->Abandon("a");
  EXPECT_EQ(answers[0].get().code, RunErrorCode::kCancelled);
  http.reset();
  for (std::size_t i = 1; i + 1 < answers.size(); ++i) EXPECT_FALSE(answers[i].get().success);
}

TEST(HostRule, ReadsEveryFormAndRefusesTheRest) {
  for (const char* good : {"example.com", "EXAMPLE.com:443", "*.example.com", "*", "127.0.0.1:80",
                           "[::1]:80", "::1", "localhost", "a.b+private"}) {
    EXPECT_TRUE(HostRule::Parse(good).has_value()) << good;
  }
  for (const char* bad :
       {"", "http://example.com", "example.com:", "example.com:0", "example.com:70000", "a b",
        "*x.com", "*.example.com+private", "[::1", "[::1]x", "a/b", "user@host"}) {
    const Result<HostRule> rule = HostRule::Parse(bad);
    ASSERT_FALSE(rule.has_value()) << bad;
    EXPECT_THAT(rule.error().message(), HasSubstr("allowed host")) << bad;
  }
}

TEST(HostRule, WildcardsCoverSubdomainsOnly) {
  const Result<HostRule> rule = HostRule::Parse("*.example.com");
  const auto matches = [&](const char* url) { return rule->Matches(*HttpUrl::Parse(url)); };
  EXPECT_TRUE(matches("https://a.example.com/"));
  EXPECT_TRUE(matches("https://a.b.example.com/"));
  EXPECT_FALSE(matches("https://example.com/"));
  EXPECT_FALSE(matches("https://badexample.com/"));
  EXPECT_FALSE(matches("https://a.example.com.evil.test/"));
}

}  // namespace
}  // namespace nexus
