// Goal: one client on a channel that keeps order gets what its era promises: handshake or _meta,
// answers, progress, cancellation, questions, changes, and nothing beyond its rights. Method: lines
// in, lines out, with a provider that is told what to do.
#include "mcp/server/server.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "mcp/server/late_provider.h"
#include "mcp/server/testing/fake_provider.h"

namespace nexus::mcp {
namespace {

using testing::FakeProvider;

class Lines final : public MessageSink {
 public:
  void Write(std::string message) override { lines.push_back(std::move(message)); }
  std::string Take() {
    std::string all;
    for (const std::string& line : lines) all += line + "\n";
    lines.clear();
    return all;
  }
  std::vector<std::string> lines;
};

CallerPtr Everybody() {
  auto caller = std::make_shared<Caller>();
  caller->principal = "tester";
  caller->everything = true;
  return caller;
}

class ServerTest : public ::testing::Test {
 protected:
  explicit ServerTest(ServerOptions options = {}, CallerPtr caller = Everybody())
      : server_(Server::Create(std::move(options), provider_)),
        connection_(server_->Connect(std::move(caller), lines_)) {}

  /// What one line is answered with at once.
  std::string Say(std::string_view line) {
    connection_->Receive(line);
    return lines_->Take();
  }
  std::string Legacy(std::string_view version = "2025-11-25",
                     std::string_view capabilities = "{}") {
    return Say(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":")" +
               std::string(version) + R"(","capabilities":)" + std::string(capabilities) +
               R"(,"clientInfo":{"name":"c","version":"1"}}})");
  }
  static std::string Modern(std::string_view id, std::string_view method,
                            std::string_view params = "", std::string_view meta = "",
                            std::string_view capabilities = "{}") {
    std::string text = R"({"jsonrpc":"2.0","id":)" + std::string(id) + R"(,"method":")" +
                       std::string(method) + R"(","params":{"_meta":{)" + std::string(meta) +
                       R"("io.modelcontextprotocol/protocolVersion":"2026-07-28",)" +
                       R"("io.modelcontextprotocol/clientCapabilities":)" +
                       std::string(capabilities) + "}";
    if (!params.empty()) text += "," + std::string(params);
    return text + "}}";
  }
  static bool Has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  }

  FakeProvider provider_;
  std::shared_ptr<Lines> lines_ = std::make_shared<Lines>();
  std::unique_ptr<Server> server_;
  std::shared_ptr<Connection> connection_;
};

TEST_F(ServerTest, LegacyHandshakeAgreesOnARevision) {
  const std::string answer = Legacy();
  EXPECT_TRUE(Has(answer, R"("protocolVersion":"2025-11-25")")) << answer;
  EXPECT_TRUE(Has(answer, R"("subscribe":true)")) << answer;
  EXPECT_FALSE(Has(answer, "resultType")) << answer;
  EXPECT_EQ(Say(R"({"jsonrpc":"2.0","method":"notifications/initialized"})"), "");
  EXPECT_EQ(Say(R"({"jsonrpc":"2.0","id":"p","method":"ping"})"),
            "{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"result\":{}}\n");
}

TEST_F(ServerTest, LegacyHandshakeOffersTheNewestForWhatItDoesNotKnow) {
  EXPECT_TRUE(Has(Legacy("1999-01-01"), R"("protocolVersion":"2025-11-25")"));
}

TEST_F(ServerTest, OlderRevisionsGetWhatTheyKnow) {
  EXPECT_TRUE(Has(Legacy("2024-11-05"), R"("protocolVersion":"2024-11-05")"));
  EXPECT_TRUE(Has(Say(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})"), R"("name":"echo")"));
}

TEST_F(ServerTest, LegacyRequestsNeedTheHandshake) {
  const std::string answer = Say(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})");
  EXPECT_TRUE(Has(answer, "-32602")) << answer;
}

TEST_F(ServerTest, DiscoverTellsVersionsAndWhoAnswers) {
  const std::string answer = Say(Modern("1", "server/discover"));
  for (const char* part : {R"("resultType":"complete")", R"("supportedVersions":["2026-07-28"])",
                           "io.modelcontextprotocol/serverInfo", R"("ttlMs":)",
                           R"("cacheScope":"public")", R"("listChanged":true)"}) {
    EXPECT_TRUE(Has(answer, part)) << part << " " << answer;
  }
}

TEST_F(ServerTest, ModernRequestsStandAlone) {
  EXPECT_TRUE(Has(Say(Modern("1", "tools/call", R"("name":"echo","arguments":{"a":1})")),
                  R"("text":"{\"a\":1}")"));
  EXPECT_TRUE(
      Has(Say(R"({"jsonrpc":"2.0","id":1,"method":"tools/list",)"
              R"("params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})"),
          "-32602"));
  const std::string wrong =
      Say(R"({"jsonrpc":"2.0","id":1,"method":"tools/list",)"
          R"("params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01",)"
          R"("io.modelcontextprotocol/clientCapabilities":{}}}})");
  EXPECT_TRUE(Has(wrong, "-32022")) << wrong;
  EXPECT_TRUE(Has(wrong, R"("supported":["2026-07-28"],"requested":"2099-01-01")")) << wrong;
}

TEST_F(ServerTest, WhatWasRemovedIsNotFound) {
  for (const char* method : {"initialize", "ping", "logging/setLevel", "resources/subscribe",
                             "resources/unsubscribe", "unknown/method"}) {
    EXPECT_TRUE(Has(Say(Modern("1", method)), "-32601")) << method;
  }
}

TEST_F(ServerTest, ListsCarryCachingHints) {
  for (const char* method :
       {"tools/list", "resources/list", "resources/templates/list", "prompts/list"}) {
    const std::string answer = Say(Modern("1", method));
    EXPECT_TRUE(Has(answer, R"("ttlMs":60000,"cacheScope":"private")")) << answer;
  }
}

TEST_F(ServerTest, BadLinesAreAnswered) {
  EXPECT_TRUE(Has(Say("{"), "-32700"));
  EXPECT_TRUE(Has(Say("[]"), "-32600"));
  EXPECT_TRUE(Has(Say(R"({"jsonrpc":"2.0","id":5,"method":""})"), R"("id":5)"));
}

TEST_F(ServerTest, AnIdIsInUseUntilItIsAnswered) {
  EXPECT_EQ(Say(Modern("7", "tools/call", R"("name":"wait")")), "");
  EXPECT_TRUE(Has(Say(Modern("7", "tools/list")), "-32600"));
  EXPECT_EQ(connection_->in_flight(), 1u);
  provider_.Release();
  EXPECT_TRUE(Has(lines_->Take(), R"("id":7)"));
  EXPECT_TRUE(Has(Say(Modern("7", "tools/list")), R"("tools")"));
  EXPECT_EQ(connection_->in_flight(), 0u);
}

TEST_F(ServerTest, ACancelledRequestIsNotAnswered) {
  EXPECT_EQ(Say(Modern("7", "tools/call", R"("name":"wait")")), "");
  EXPECT_EQ(Say(R"({"jsonrpc":"2.0","method":"notifications/cancelled",)"
                R"("params":{"requestId":7}})"),
            "");
  EXPECT_EQ(provider_.cancelled(), 1);
  provider_.Release();
  EXPECT_EQ(lines_->Take(), "");
  EXPECT_EQ(connection_->in_flight(), 0u);
}

TEST_F(ServerTest, ClosingCancelsAndSaysNothingMore) {
  EXPECT_EQ(Say(Modern("7", "tools/call", R"("name":"wait")")), "");
  connection_->Close();
  EXPECT_EQ(provider_.cancelled(), 1);
  provider_.Release();
  EXPECT_EQ(lines_->Take(), "");
}

TEST_F(ServerTest, ProgressAndLogsComeWhenTheyAreAskedFor) {
  EXPECT_EQ(Say(Modern("1", "tools/call", R"("name":"tell")")).find("notifications/"),
            std::string::npos);
  const std::string told =
      Say(Modern("2", "tools/call", R"("name":"tell")",
                 R"("progressToken":"t","io.modelcontextprotocol/logLevel":"debug",)"));
  EXPECT_TRUE(Has(told, R"("progressToken":"t","progress":1,"total":2,)"
                        R"("message":"half")"))
      << told;
  EXPECT_FALSE(Has(told, "dropped")) << told;
  EXPECT_TRUE(Has(told, R"("level":"info","logger":"fake","data":"a line")")) << told;
  EXPECT_FALSE(Has(Say(Modern("3", "tools/call", R"("name":"tell")",
                              R"("io.modelcontextprotocol/logLevel":"error",)")),
                   "notifications/message"));
}

TEST_F(ServerTest, LegacyLogsFollowTheSessionsLevel) {
  (void)Legacy();
  const std::string call =
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"tell"}})";
  EXPECT_TRUE(Has(Say(call), "notifications/message"));
  EXPECT_TRUE(Has(Say(R"({"jsonrpc":"2.0","id":2,"method":"logging/setLevel",)"
                      R"("params":{"level":"error"}})"),
                  R"("result":{})"));
  EXPECT_FALSE(Has(Say(call), "notifications/message"));
}

TEST_F(ServerTest, ModernQuestionsAreResultsWithASealedState) {
  const std::string asked =
      Say(Modern("1", "tools/call", R"("name":"ask")", "", R"({"elicitation":{}})"));
  EXPECT_TRUE(Has(asked, R"("resultType":"input_required")")) << asked;
  const std::size_t at = asked.find(R"("requestState":")") + 16;
  const std::string state = asked.substr(at, asked.find('"', at) - at);
  EXPECT_FALSE(Has(state, "asked"));
  const auto retry = [&](const std::string& sealed, const char* extra) {
    return Say(
        Modern("2", "tools/call",
               R"("name":"ask","inputResponses":{"name":{"action":"accept"}},"requestState":")" +
                   sealed + "\"" + extra,
               "", R"({"elicitation":{}})"));
  };
  EXPECT_TRUE(Has(retry(state, ""), "hello")) << state;
  EXPECT_TRUE(Has(retry(state + "A", ""), "-32602"));
  EXPECT_TRUE(Has(retry("", ""), "-32602"));
  // The same state with other arguments is another request.
  EXPECT_TRUE(Has(retry(state, R"(,"arguments":{"x":1})"), "-32602"));
}

TEST_F(ServerTest, AClientThatCannotAnswerIsNotAsked) {
  const std::string refused = Say(Modern("1", "tools/call", R"("name":"ask")"));
  EXPECT_TRUE(Has(refused, "-32021")) << refused;
  EXPECT_TRUE(Has(refused, R"("requiredCapabilities":{"elicitation":{}})")) << refused;
  (void)Legacy();
  EXPECT_TRUE(Has(Say(R"({"jsonrpc":"2.0","id":1,"method":"tools/call",)"
                      R"("params":{"name":"ask"}})"),
                  R"("isError":true)"));
}

TEST_F(ServerTest, LegacyQuestionsAreRequestsToTheClient) {
  (void)Legacy("2025-11-25", R"({"elicitation":{}})");
  const std::string asked =
      Say(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask"}})");
  EXPECT_EQ(
      asked,
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"elicitation/create\",\"params\":{\"message\":"
      "\"Who?\"}}\n");
  EXPECT_TRUE(Has(Say(R"({"jsonrpc":"2.0","id":1,"result":{"action":"accept"}})"), "hello"));
  // Answered again: nobody waits for it.
  EXPECT_EQ(Say(R"({"jsonrpc":"2.0","id":1,"result":{"action":"accept"}})"), "");
}

TEST_F(ServerTest, ALegacyClientMayRefuseToAnswer) {
  (void)Legacy("2025-11-25", R"({"elicitation":{}})");
  (void)Say(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask"}})");
  const std::string refused = Say(R"({"jsonrpc":"2.0","id":1,"error":{"code":-1,)"
                                  R"("message":"no"}})");
  EXPECT_TRUE(Has(refused, R"("isError":true)")) << refused;
  EXPECT_EQ(connection_->in_flight(), 0u);
}

TEST_F(ServerTest, ListenAcknowledgesFirstAndHonoursTheFilter) {
  const std::string ack = Say(Modern(
      "9", "subscriptions/listen",
      R"("notifications":{"toolsListChanged":true,"resourceSubscriptions":["u:1","u:none"]})"));
  EXPECT_EQ(
      ack,
      "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{"
      "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":9},\"notifications\":{"
      "\"toolsListChanged\":true,\"resourceSubscriptions\":[\"u:1\"]}}}\n");
  provider_.ToolsChanged();
  EXPECT_EQ(lines_->Take(),
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":{"
            "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":9}}}\n");
  provider_.Changed("u:1");
  EXPECT_TRUE(Has(lines_->Take(), R"("uri":"u:1")"));
  provider_.Changed("u:secret");
  EXPECT_EQ(lines_->Take(), "");
  EXPECT_EQ(provider_.watched(), (std::map<std::string, int>{{"u:1", 1}}));
  (void)Say(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":9}})");
  EXPECT_TRUE(provider_.watched().empty());
  provider_.ToolsChanged();
  EXPECT_EQ(lines_->Take(), "");
}

TEST_F(ServerTest, ShutdownEndsListenRequestsWithTheirResult) {
  (void)Say(
      Modern("9", "subscriptions/listen", R"("notifications":{"resourceSubscriptions":["u:1"]})"));
  server_->Shutdown();
  const std::string end = lines_->Take();
  EXPECT_TRUE(Has(end, R"("id":9,"result":{"resultType":"complete")")) << end;
  EXPECT_TRUE(Has(end, R"("io.modelcontextprotocol/subscriptionId":9)")) << end;
  EXPECT_TRUE(provider_.watched().empty());
  EXPECT_EQ(server_->GetStats().subscriptions, 0u);
}

TEST_F(ServerTest, LegacySubscriptionsEndWithTheSession) {
  (void)Legacy();
  const auto ask = [&](const char* method, const char* uri) {
    return Say(std::string(R"({"jsonrpc":"2.0","id":1,"method":"resources/)") + method +
               R"(","params":{"uri":")" + uri + "\"}}");
  };
  EXPECT_TRUE(Has(ask("subscribe", "u:1"), R"("result":{})"));
  EXPECT_TRUE(Has(ask("subscribe", "u:none"), "-32002"));
  provider_.Changed("u:1");
  EXPECT_EQ(
      lines_->Take(),
      "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":"
      "\"u:1\"}}\n");
  EXPECT_TRUE(Has(ask("unsubscribe", "u:1"), R"("result":{})"));
  provider_.Changed("u:1");
  EXPECT_EQ(lines_->Take(), "");
  (void)ask("subscribe", "u:1");
  provider_.ToolsChanged();
  EXPECT_TRUE(Has(lines_->Take(), "notifications/tools/list_changed"));
  connection_->Close();
  EXPECT_TRUE(provider_.watched().empty());
}

TEST_F(ServerTest, AMissingResourceHasTheCodeOfItsEra) {
  const std::string modern = Say(Modern("1", "resources/read", R"("uri":"u:none")"));
  EXPECT_TRUE(Has(modern, R"("code":-32602)")) << modern;
  EXPECT_TRUE(Has(modern, R"("data":{"uri":"u:none"})")) << modern;
  (void)Legacy();
  EXPECT_TRUE(
      Has(Say(R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"u:none"}})"),
          R"("code":-32002)"));
}

class PagedTest : public ServerTest {
 protected:
  PagedTest() : ServerTest({.page_size = 4}) {}
};

TEST_F(PagedTest, PagesFollowEachOther) {
  const std::string first = Say(Modern("1", "tools/list"));
  const std::size_t at = first.find(R"("nextCursor":")") + 14;
  ASSERT_NE(at, std::string::npos + 14) << first;
  const std::string cursor = first.substr(at, first.find('"', at) - at);
  const std::string second = Say(Modern("2", "tools/list", R"("cursor":")" + cursor + "\""));
  EXPECT_TRUE(Has(first, R"("name":"ask")") && !Has(first, R"("name":"wait")")) << first;
  EXPECT_TRUE(Has(second, R"("name":"wait")") && !Has(second, "nextCursor")) << second;
  EXPECT_TRUE(Has(Say(Modern("3", "tools/list", R"("cursor":"bm9uZQ")")), "-32602"));
}

CallerPtr Restricted() {
  auto caller = std::make_shared<Caller>();
  caller->principal = "restricted";
  caller->capabilities = CapabilitySet::Parse({"tools:call:echo", "state:read:1"}).value();
  return caller;
}

class RestrictedTest : public ServerTest {
 protected:
  RestrictedTest() : ServerTest({}, Restricted()) {}
};

TEST_F(RestrictedTest, SeesAndCallsOnlyWhatItMay) {
  const std::string tools = Say(Modern("1", "tools/list"));
  EXPECT_TRUE(Has(tools, R"("name":"echo")") && !Has(tools, "secret")) << tools;
  EXPECT_TRUE(Has(Say(Modern("2", "tools/call", R"("name":"secret")")), "-32602"));
  EXPECT_FALSE(Has(Say(Modern("3", "resources/list")), "secret"));
  EXPECT_TRUE(Has(Say(Modern("4", "resources/read", R"("uri":"u:secret")")), "-32602"));
  const std::string ack = Say(Modern("5", "subscriptions/listen",
                                     R"("notifications":{"resourceSubscriptions":["u:secret"]})"));
  EXPECT_TRUE(Has(ack, R"("notifications":{})")) << ack;
}

class BusyTest : public ServerTest {
 protected:
  BusyTest() : ServerTest({.in_flight_max = 2}) {}
};

TEST_F(BusyTest, TooManyRequestsAreRefused) {
  EXPECT_EQ(Say(Modern("1", "tools/call", R"("name":"wait")")), "");
  EXPECT_EQ(Say(Modern("2", "tools/call", R"("name":"wait")")), "");
  EXPECT_TRUE(Has(Say(Modern("3", "tools/call", R"("name":"wait")")), "-32603"));
}

TEST(LateProvider, FailsCallsWhenItCouldNotBeMade) {
  LateProvider late;
  const auto server = Server::Create({}, late);
  const auto lines = std::make_shared<Lines>();
  const auto connection = server->Connect(Everybody(), lines);
  connection->Receive(
      R"({"jsonrpc":"2.0","id":0,"method":"initialize",)"
      R"("params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c",)"
      R"("version":"1"}}})");
  EXPECT_FALSE(lines->Take().empty());  // Before it is there.
  late.Failed("the engine is broken");
  connection->Receive(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})");
  EXPECT_NE(lines->Take().find(R"("tools":[])"), std::string::npos);
  connection->Receive(R"({"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"x"}})");
  EXPECT_NE(lines->Take().find("the engine is broken"), std::string::npos);
}

}  // namespace
}  // namespace nexus::mcp
