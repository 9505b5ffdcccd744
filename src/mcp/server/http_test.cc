// Goal: Streamable HTTP of both kinds: statuses, headers against bodies, sessions, streams that a
// client comes back to, clients that go away. Method: requests as values, with an exchange that
// remembers what it is given.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/base64.h"
#include "mcp/server/internal/header_check.h"
#include "mcp/server/server.h"
#include "mcp/server/testing/fake_provider.h"

namespace nexus::mcp {
namespace {

using testing::FakeProvider;

struct FakeBody final : HttpBody {
  void Write(std::string text, std::string_view key) override {
    (void)key;
    if (!ended) all += text;
  }
  void End() override { ended = true; }
  std::string all;
  bool ended = false;
};

struct FakeExchange final : HttpExchange {
  using HttpExchange::Answer;
  void Answer(int answered, std::string text, HttpHeaders given, bool soon) override {
    (void)soon;
    EXPECT_EQ(status, 0) << "answered twice";
    status = answered;
    body = std::move(text);
    headers = std::move(given);
  }
  std::shared_ptr<HttpBody> Stream(HttpHeaders given) override {
    EXPECT_EQ(status, 0) << "answered twice";
    status = 200;
    headers = std::move(given);
    stream = std::make_shared<FakeBody>();
    return stream;
  }
  void OnGone(std::move_only_function<void()> action) override { gone = std::move(action); }
  std::string Header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return {};
  }

  int status = 0;
  std::string body;
  HttpHeaders headers;
  std::shared_ptr<FakeBody> stream;
  std::move_only_function<void()> gone;
};
using Given = std::shared_ptr<FakeExchange>;

CallerPtr Named(const std::string& name) {
  auto caller = std::make_shared<Caller>();
  caller->principal = name;
  caller->everything = true;
  return caller;
}

constexpr const char* kMeta = R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
                              R"("io.modelcontextprotocol/clientCapabilities":{}})";

class HttpTest : public ::testing::Test {
 protected:
  explicit HttpTest(ServerOptions options = {})
      : server_(Server::Create(std::move(options), provider_)) {}

  Given Send(HttpCall call) {
    auto exchange = std::make_shared<FakeExchange>();
    if (call.caller == nullptr) call.caller = Named("tester");
    server_->Handle(std::move(call), exchange);
    return exchange;
  }
  static HttpCall Post(std::string body, HttpHeaders headers) {
    return {.method = "POST",
            .body = std::move(body),
            .accept = "application/json, text/event-stream",
            .content_type = "application/json",
            .last_event_id = {},
            .headers = std::move(headers),
            .caller = nullptr};
  }
  static HttpHeaders ModernHeaders(const std::string& method, const std::string& name = "") {
    HttpHeaders headers = {{"mcp-protocol-version", "2026-07-28"}, {"mcp-method", method}};
    if (!name.empty()) headers.emplace_back("mcp-name", name);
    return headers;
  }
  static std::string Body(const std::string& method, const std::string& params = "") {
    return R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"(","params":{)" +
           (params.empty() ? "" : params + ",") + kMeta + "}}";
  }
  static HttpCall CallOf(const std::string& tool, const std::string& arguments = "{}") {
    return Post(Body("tools/call", R"("name":")" + tool + R"(","arguments":)" + arguments),
                ModernHeaders("tools/call", tool));
  }

  std::string Initialize(const std::string& capabilities = "{}",
                         const std::string& version = "2025-11-25") {
    const Given answer = Send(Post(R"({"jsonrpc":"2.0","id":0,"method":"initialize",)"
                                   R"("params":{"protocolVersion":")" +
                                       version + R"(","capabilities":)" + capabilities +
                                       R"(,"clientInfo":{"name":"c",)"
                                       R"("version":"1"}}})",
                                   {}));
    EXPECT_EQ(answer->status, 200) << answer->body;
    return answer->Header("Mcp-Session-Id");
  }
  static HttpHeaders InSession(const std::string& id) {
    return {{"mcp-session-id", id}, {"mcp-protocol-version", "2025-11-25"}};
  }

  FakeProvider provider_;
  std::unique_ptr<Server> server_;
};

TEST_F(HttpTest, AModernRequestIsAnsweredWithJson) {
  const Given answer = Send(CallOf("echo", R"({"a":1})"));
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->stream, nullptr);
  EXPECT_NE(answer->body.find(R"({\"a\":1})"), std::string::npos) << answer->body;
}

TEST_F(HttpTest, HeadersMustMirrorTheBody) {
  const auto code_of = [this](HttpCall call) {
    const Given answer = Send(std::move(call));
    EXPECT_EQ(answer->status, 400) << answer->body;
    return answer->body.find("-32020") != std::string::npos;
  };
  EXPECT_TRUE(code_of(Post(Body("tools/list"), {{"mcp-method", "tools/list"}})));
  EXPECT_TRUE(code_of(Post(Body("tools/list"), {{"mcp-protocol-version", "2026-07-28"}})));
  EXPECT_TRUE(code_of(Post(Body("tools/list"), ModernHeaders("tools/call"))));
  HttpHeaders twice = ModernHeaders("tools/list");
  twice.emplace_back("mcp-method", "tools/list");
  EXPECT_TRUE(code_of(Post(Body("tools/list"), twice)));
  EXPECT_TRUE(code_of(Post(Body("tools/call", R"("name":"echo")"), ModernHeaders("tools/call"))));
  EXPECT_TRUE(
      code_of(Post(Body("tools/call", R"("name":"echo")"), ModernHeaders("tools/call", "other"))));
  EXPECT_TRUE(code_of(
      Post(Body("resources/read", R"("uri":"u:1")"), ModernHeaders("resources/read", "u:2"))));
  HttpHeaders other = ModernHeaders("tools/list");
  other[0].second = "2025-11-25";
  EXPECT_TRUE(code_of(Post(Body("tools/list"), other)));
}

TEST_F(HttpTest, NamesMayBeEncoded) {
  EXPECT_EQ(Send(Post(Body("tools/call", R"("name":"echo")"),
                      ModernHeaders("tools/call", "=?base64?ZWNobw==?=")))
                ->status,
            200);
  EXPECT_EQ(internal::HeaderValue("=?base64?SGVsbG8=?="), "Hello");
  EXPECT_EQ(internal::HeaderValue("=?BASE64?SGVsbG8=?="), "=?BASE64?SGVsbG8=?=");
  EXPECT_EQ(internal::HeaderValue("=?base64?not base64?="), std::nullopt);
  EXPECT_EQ(internal::HeaderValue("=?base64?SGVsbG8?="), std::nullopt);  // No padding.
  EXPECT_EQ(internal::HeaderValue("=?base64?__8=?="), std::nullopt);     // The other alphabet.
  EXPECT_EQ(internal::HeaderValue("a\nb"), std::nullopt);
  EXPECT_EQ(internal::HeaderValue("\xc3\xa4"), std::nullopt);
}

TEST_F(HttpTest, MirroredParametersMustBeThere) {
  const auto status = [this](const std::string& arguments, HttpHeaders extra) {
    HttpCall call = CallOf("mirror", arguments);
    call.headers.insert(call.headers.end(), extra.begin(), extra.end());
    return Send(std::move(call))->status;
  };
  EXPECT_EQ(status("{}", {}), 200);
  EXPECT_EQ(status(R"({"region":null})", {}), 200);
  EXPECT_EQ(status(R"({"region":"eu"})", {}), 400);
  EXPECT_EQ(status(R"({"region":"eu"})", {{"mcp-param-region", "eu"}}), 200);
  EXPECT_EQ(status(R"({"region":"eu"})", {{"mcp-param-region", "us"}}), 400);
  EXPECT_EQ(status("{}", {{"mcp-param-region", "eu"}}), 400);
  EXPECT_EQ(status(R"({"region":"ä"})", {{"mcp-param-region", "=?base64?w6Q=?="}}), 200);
  EXPECT_EQ(status(R"({"deep":{"n":42}})", {{"mcp-param-n", "42.0"}}), 200);
  EXPECT_EQ(status(R"({"deep":{"n":42}})", {{"mcp-param-n", "43"}}), 400);
  EXPECT_EQ(status(R"({"deep":{"n":42}})", {{"mcp-param-n", "nan"}}), 400);
  EXPECT_EQ(status("{}", {{"mcp-param-unknown", "x"}}), 200);
}

TEST_F(HttpTest, StatusesAreThoseOfTheSpecification) {
  EXPECT_EQ(Send(Post("{", {}))->status, 400);
  EXPECT_EQ(Send(Post(R"({"jsonrpc":"2.0","id":1,"method":"server/discover","params":{}})",
                      ModernHeaders("server/discover")))
                ->status,
            400);
  EXPECT_EQ(Send(Post(Body("unknown/method"), ModernHeaders("unknown/method")))->status, 404);
  EXPECT_EQ(Send(Post(Body("initialize"), ModernHeaders("initialize")))->status, 404);
  const Given asked = Send(CallOf("ask"));
  EXPECT_EQ(asked->status, 400);
  EXPECT_NE(asked->body.find("-32021"), std::string::npos);
  HttpCall typed = Post(Body("tools/list"), ModernHeaders("tools/list"));
  typed.content_type = "text/plain";
  EXPECT_EQ(Send(std::move(typed))->status, 415);
  HttpCall accepted = Post(Body("tools/list"), ModernHeaders("tools/list"));
  accepted.accept = "text/html";
  EXPECT_EQ(Send(std::move(accepted))->status, 406);
  EXPECT_EQ(Send({.method = "PUT"})->status, 405);
  EXPECT_EQ(Send({.method = "GET"})->status, 405);
  EXPECT_EQ(Send({.method = "DELETE"})->status, 405);
  EXPECT_EQ(Send(Post(R"({"jsonrpc":"2.0","method":"notifications/x"})",
                      ModernHeaders("notifications/x")))
                ->status,
            202);
  EXPECT_EQ(Send(Post(R"({"jsonrpc":"2.0","id":1,"result":{}})", ModernHeaders("x")))->status, 400);
}

TEST_F(HttpTest, WhatIsSaidBeforeTheAnswerMakesAStream) {
  HttpCall call = CallOf("tell");
  call.body.insert(call.body.find("\"_meta\":{") + 9, R"("progressToken":1,)");
  const Given answer = Send(std::move(call));
  ASSERT_NE(answer->stream, nullptr);
  EXPECT_EQ(answer->Header("X-Accel-Buffering"), "no");
  EXPECT_TRUE(answer->stream->ended);
  EXPECT_EQ(answer->stream->all.find("id: "), std::string::npos);
  EXPECT_LT(answer->stream->all.find("notifications/progress"),
            answer->stream->all.find("\"result\""));
}

TEST_F(HttpTest, AClientThatGoesAwayCancels) {
  const Given answer = Send(CallOf("wait"));
  ASSERT_TRUE(answer->gone);
  answer->gone();
  EXPECT_EQ(provider_.cancelled(), 1);
  provider_.Release();
}

TEST_F(HttpTest, ListenStaysOpenUntilTheClientGoes) {
  const Given stream =
      Send(Post(Body("subscriptions/listen", R"("notifications":{"toolsListChanged":true})"),
                ModernHeaders("subscriptions/listen")));
  ASSERT_NE(stream->stream, nullptr);
  EXPECT_NE(stream->stream->all.find("subscriptions/acknowledged"), std::string::npos);
  provider_.ToolsChanged();
  EXPECT_NE(stream->stream->all.find("tools/list_changed"), std::string::npos);
  EXPECT_FALSE(stream->stream->ended);
  EXPECT_EQ(server_->GetStats().subscriptions, 1u);
  stream->gone();
  EXPECT_EQ(server_->GetStats().subscriptions, 0u);
}

TEST_F(HttpTest, ASessionIsMadeUsedAndEnded) {
  const std::string id = Initialize();
  EXPECT_GE(id.size(), 22u);
  EXPECT_EQ(Send(Post(R"({"jsonrpc":"2.0","method":"notifications/initialized"})", InSession(id)))
                ->status,
            202);
  const std::string ping = R"({"jsonrpc":"2.0","id":1,"method":"ping"})";
  EXPECT_EQ(Send(Post(ping, InSession(id)))->status, 200);
  EXPECT_EQ(Send(Post(ping, {}))->status, 400);
  EXPECT_EQ(Send(Post(ping, InSession("other")))->status, 404);
  // Another caller who knows the id is not in the session.
  HttpCall stolen = Post(ping, InSession(id));
  stolen.caller = Named("thief");
  EXPECT_EQ(Send(std::move(stolen))->status, 404);
  HttpCall end{.method = "DELETE", .headers = InSession(id)};
  EXPECT_EQ(Send(end)->status, 204);
  EXPECT_EQ(Send(Post(ping, InSession(id)))->status, 404);
  EXPECT_EQ(server_->GetStats().sessions, 0u);
}

TEST_F(HttpTest, ALegacyStreamIsPrimedAndResumed) {
  const std::string id = Initialize();
  HttpCall call = Post(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"tell",)"
                       R"("_meta":{"progressToken":1}}})",
                       InSession(id));
  const Given answer = Send(std::move(call));
  ASSERT_NE(answer->stream, nullptr);
  const std::string& all = answer->stream->all;
  EXPECT_TRUE(all.starts_with("id: 1-0\nretry: 500\ndata:\n\n")) << all;
  EXPECT_NE(all.find("id: 1-3\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\""), std::string::npos)
      << all;
  // Back for what came after the first event: the rest, and the end.
  HttpCall back{.method = "GET",
                .accept = "text/event-stream",
                .last_event_id = "1-1",
                .headers = InSession(id)};
  const Given rest = Send(back);
  ASSERT_NE(rest->stream, nullptr);
  EXPECT_EQ(rest->stream->all.find("id: 1-1\nevent"), std::string::npos);
  EXPECT_NE(rest->stream->all.find("notifications/progress"), std::string::npos)
      << rest->stream->all;
  EXPECT_TRUE(rest->stream->ended);
  back.last_event_id = "99-1";
  EXPECT_EQ(Send(back)->status, 404);
  back.last_event_id = "x";
  EXPECT_EQ(Send(back)->status, 404);
}

TEST_F(HttpTest, OlderSessionsAreNotPrimed) {
  const std::string id = Initialize("{}", "2025-06-18");
  const Given answer =
      Send(Post(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"tell"}})",
                {{"mcp-session-id", id}, {"mcp-protocol-version", "2025-06-18"}}));
  ASSERT_NE(answer->stream, nullptr);
  EXPECT_EQ(answer->stream->all.find("retry:"), std::string::npos);
}

TEST_F(HttpTest, TheStandaloneStreamCarriesChanges) {
  const std::string id = Initialize();
  const Given stream =
      Send({.method = "GET", .accept = "text/event-stream", .headers = InSession(id)});
  ASSERT_NE(stream->stream, nullptr);
  provider_.ToolsChanged();
  EXPECT_NE(stream->stream->all.find("tools/list_changed"), std::string::npos);
  stream->gone();
  provider_.ToolsChanged();  // Kept for who comes back.
  const Given again = Send({.method = "GET",
                            .accept = "text/event-stream",
                            .last_event_id = "0-1",
                            .headers = InSession(id)});
  EXPECT_NE(again->stream->all.find("id: 0-2"), std::string::npos) << again->stream->all;
}

TEST_F(HttpTest, AnswersToQuestionsComeAsPosts) {
  const std::string id = Initialize(R"({"elicitation":{}})");
  const Given call = Send(Post(
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask"}})", InSession(id)));
  ASSERT_NE(call->stream, nullptr);
  EXPECT_NE(call->stream->all.find("elicitation/create"), std::string::npos);
  EXPECT_EQ(
      Send(Post(R"({"jsonrpc":"2.0","id":1,"result":{"action":"accept"}})", InSession(id)))->status,
      202);
  EXPECT_NE(call->stream->all.find("hello"), std::string::npos) << call->stream->all;
  EXPECT_TRUE(call->stream->ended);
}

TEST_F(HttpTest, ALegacyRequestIsCancelledByNotification) {
  const std::string id = Initialize();
  const Given call = Send(Post(
      R"({"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"wait"}})", InSession(id)));
  EXPECT_EQ(call->status, 0);
  EXPECT_EQ(Send(Post(R"({"jsonrpc":"2.0","method":"notifications/cancelled",)"
                      R"("params":{"requestId":5}})",
                      InSession(id)))
                ->status,
            202);
  EXPECT_EQ(provider_.cancelled(), 1);
  EXPECT_EQ(call->status, 202);
}

class FewSessionsTest : public HttpTest {
 protected:
  FewSessionsTest() : HttpTest({.sessions_max = 2}) {}
};

TEST_F(FewSessionsTest, TheOneUnusedForLongestEnds) {
  (void)Initialize();
  (void)Initialize();
  (void)Initialize();
  EXPECT_EQ(server_->GetStats().sessions, 2u);
}

}  // namespace
}  // namespace nexus::mcp
