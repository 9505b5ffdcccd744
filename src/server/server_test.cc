// The server as clients meet it: real sockets in front of a fake host.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <thread>

#include "base/hash.h"
#include "base/json.h"
#include "extension/approval.h"
#include "server/api.h"
#include "server/listener.h"
#include "server/testing/fake_panel_host.h"
#include "server/testing/test_client.h"

namespace nexus {
namespace {

using testing::FakePanel;
using testing::FakePanelHost;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using testing::TestClient;

PanelDefinition Definition(const std::string& id) {
  PanelDefinition panel;
  panel.id = id;
  panel.title = "Test";
  for (const char* name : {"echo", "set", "hang", "stay"}) {
    ToolDefinition tool;
    tool.name = name;
    if (tool.name == "stay") tool.on_disconnect = OnDisconnect::kContinue;
    panel.tools.push_back(tool);
  }
  for (const char* name : {"count", "secret"}) {
    panel.states.push_back({.name = name, .type = PanelType::kNumber, .initial = 0});
  }
  return panel;
}

class ServerTest : public ::testing::Test {
 protected:
  void Start(AuthConfig auth = {}, ListenerOptions options = {}, ApiOptions api = {}) {
    auto made = Authenticator::Create(std::move(auth));
    ASSERT_TRUE(made) << made.error().message();
    auth_ = *std::move(made);
    panel_ = std::dynamic_pointer_cast<FakePanel>(*host_.Mount(Definition("p"), "", "ann", {}));
    api_ = Api::Create(std::move(api), host_, *auth_);
    auto listener =
        Listener::Start(std::move(options), *api_, [this](Listener& l) { api_->Attach(l); });
    ASSERT_TRUE(listener) << listener.error().message();
    listener_ = *std::move(listener);
  }
  void TearDown() override {
    listener_.reset();
    if (api_ != nullptr) api_->Stop();
  }
  std::uint16_t port() const { return listener_->port(); }

  std::string Ask(const std::string& method, const std::string& target,
                  const std::string& body = "", const std::string& headers = "") {
    TestClient client(port());
    client.Send(Text(method, target, body, "Host: localhost\r\n" + headers));
    return client.ReadResponse();
  }
  static std::string Text(const std::string& method, const std::string& target,
                          const std::string& body, const std::string& headers) {
    return method + " " + target + " HTTP/1.1\r\n" + headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  FakePanelHost host_;
  std::shared_ptr<FakePanel> panel_;
  std::unique_ptr<Authenticator> auth_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<Listener> listener_;
};

ApiKeyConfig Key(const std::string& name, std::vector<std::string> permissions,
                 std::vector<std::string> capabilities) {
  return {.name = name,
          .sha256 = Sha256Hex("key-" + name),
          .permissions = std::move(permissions),
          .capabilities = std::move(capabilities)};
}

AuthConfig TwoKeys() {
  return {.keys = {Key("ann", {"panel:create", "panel:read", "panel:execute", "panel:delete"},
                       {"state:read:*", "state:write:*", "tools:call:*"}),
                   Key("bob", {"panel:read", "panel:execute", "panel:delete"},
                       {"state:read:count", "tools:call:set"})},
          .jwt = {}};
}

TEST_F(ServerTest, CallsAToolAndAnswersWithTheResult) {
  Start();
  const std::string answer = Ask("POST", "/panels/p/trigger/echo", R"({"a":1})");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr(R"("returnValue":{"a":1})"));
  EXPECT_THAT(answer, HasSubstr(R"("status":"success")"));
}

TEST_F(ServerTest, SaysWhatIsWrongWithARequest) {
  Start();
  EXPECT_THAT(Ask("POST", "/panels/p/trigger/nope", "{}"), HasSubstr("TOOL_NOT_FOUND"));
  EXPECT_THAT(Ask("POST", "/panels/x/trigger/echo", "{}"), HasSubstr("PANEL_NOT_FOUND"));
  EXPECT_THAT(Ask("POST", "/panels/p/trigger/echo", "{"), HasSubstr("400 Bad Request"));
  EXPECT_THAT(Ask("POST", "/panels/p/trigger/echo", "[]"), HasSubstr("400 Bad Request"));
  EXPECT_THAT(Ask("GET", "/panels/p/trigger/echo"), HasSubstr("405 Method Not Allowed"));
  EXPECT_THAT(Ask("GET", "/nothing"), HasSubstr("404 Not Found"));
  EXPECT_THAT(Ask("GET", "/panels/%zz"), HasSubstr("400 Bad Request"));
  EXPECT_THAT(Ask("GET", "/state/graph"), HasSubstr("503 Service Unavailable"));
  EXPECT_THAT(Ask("POST", "/panels", R"({"nxmlSource":"<NexusPanel><Dta/></NexusPanel>"})"),
              HasSubstr("INVALID_NXML"));
}

TEST_F(ServerTest, MountsListsAndDeletesPanels) {
  Start();
  const std::string body = R"({"nxmlSource":"<NexusPanel id=\"q\" title=\"Q\"/>"})";
  EXPECT_THAT(Ask("POST", "/panels", body), HasSubstr("201 Created"));
  EXPECT_THAT(Ask("POST", "/panels", body), HasSubstr("409 Conflict"));
  EXPECT_THAT(Ask("POST", "/panels/from-nxml", body), HasSubstr(R"("id":"q-1")"));
  EXPECT_THAT(Ask("GET", "/panels"), HasSubstr(R"("total":3)"));
  EXPECT_THAT(Ask("DELETE", "/panels/q"), StartsWith("HTTP/1.1 204 No Content\r\n\r\n"));
  EXPECT_THAT(Ask("GET", "/panels/q"), HasSubstr("PANEL_NOT_FOUND"));
}

TEST_F(ServerTest, ReadsAndWritesState) {
  Start();
  EXPECT_THAT(Ask("PUT", "/panels/p/state/count", R"({"value":7})"), HasSubstr(R"("revision":1)"));
  EXPECT_THAT(Ask("GET", "/panels/p/state"), HasSubstr(R"("count":7)"));
  EXPECT_THAT(Ask("PUT", "/panels/p/state/nope", R"({"value":7})"), HasSubstr("404"));
  EXPECT_THAT(Ask("PUT", "/panels/p/state/count", R"({})"), HasSubstr("400"));
  EXPECT_THAT(Ask("GET", "/panels/p/state?revision=99"), HasSubstr("404"));
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  Start();
  TestClient client(port());
  std::string many;
  for (int i = 0; i < 50; ++i) {
    many += Text("POST", "/panels/p/trigger/echo", "{\"n\":" + std::to_string(i) + "}",
                 "Host: localhost\r\n");
  }
  client.Send(many);
  for (int i = 0; i < 50; ++i) {
    EXPECT_THAT(client.ReadResponse(), HasSubstr("\"n\":" + std::to_string(i) + "}"));
  }
}

TEST_F(ServerTest, ForeignHostsAndOriginsAreRefused) {
  Start({}, {}, {.allowed_hosts = {"nexus.example"}, .cors_origins = {"https://ok.example"}});
  const auto ask = [&](const std::string& headers) {
    TestClient client(port());
    client.Send(Text("GET", "/panels", "", headers));
    return client.ReadResponse();
  };
  EXPECT_THAT(ask("Host: evil.example\r\n"), StartsWith("HTTP/1.1 421 "));
  EXPECT_THAT(ask("Host: nexus.example:80\r\n"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask("Host: localhost\r\nOrigin: https://evil.example\r\n"),
              StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(ask("Host: localhost\r\nOrigin: null\r\n"), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(ask("Host: localhost:1\r\nOrigin: http://localhost:1\r\n"),
              StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask("Host: localhost\r\nOrigin: https://ok.example\r\n"),
              HasSubstr("Access-Control-Allow-Origin: https://ok.example"));
  TestClient socket(port());
  EXPECT_THAT(socket.OpenSocket("/panels/p/ws", "Origin: https://evil.example\r\n"),
              StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(ask("Host: localhost\r\nHost: evil.example\r\n"), StartsWith("HTTP/1.1 400 "));
}

TEST_F(ServerTest, MalformedAndOversizedRequestsAreRefused) {
  Start({}, {.header_bytes_max = 1024, .body_bytes_max = 1000});
  TestClient junk(port());
  junk.Send("HELLO\r\n\r\n");
  EXPECT_THAT(junk.ReadToEnd(), StartsWith("HTTP/1.1 400 "));
  EXPECT_TRUE(junk.ended());
  TestClient large(port());
  large.Send("POST /panels HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n");
  EXPECT_THAT(large.ReadToEnd(), StartsWith("HTTP/1.1 413 "));
  TestClient long_head(port());
  long_head.Send("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(5000, 'a') + "\r\n\r\n");
  EXPECT_THAT(long_head.ReadToEnd(), StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(Ask("GET", "/healthz"), HasSubstr("200 OK"));
}

TEST_F(ServerTest, SlowAndSilentClientsAreLetGo) {
  Start({}, {.header_timeout_ms = 300, .body_timeout_ms = 300, .idle_timeout_ms = 300});
  TestClient loris(port()), body(port()), silent(port()), gone(port());
  loris.Send("GET / HTTP/1.1\r\nHost: loc");
  body.Send("POST /panels HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{");
  gone.Send("GET / HT");
  gone.EndSending();
  EXPECT_THAT(loris.ReadToEnd(), StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(body.ReadToEnd(), StartsWith("HTTP/1.1 408 "));
  EXPECT_EQ(silent.ReadToEnd(), "");
  EXPECT_EQ(gone.ReadToEnd(), "");
  EXPECT_TRUE(loris.ended() && body.ended() && silent.ended() && gone.ended());
}

TEST_F(ServerTest, ConnectionsAboveTheLimitAreClosed) {
  Start({}, {.connections_max = 2});
  TestClient first(port()), second(port());
  first.Send(Text("GET", "/healthz", "", "Host: localhost\r\n"));
  second.Send(Text("GET", "/healthz", "", "Host: localhost\r\n"));
  EXPECT_THAT(first.ReadResponse(), HasSubstr("200 OK"));
  EXPECT_THAT(second.ReadResponse(), HasSubstr("200 OK"));
  TestClient third(port());
  EXPECT_EQ(third.ReadToEnd(), "");
  EXPECT_TRUE(third.ended());
}

TEST_F(ServerTest, KeysDecideWhoMayWhat) {
  Start(TwoKeys());
  const std::string ann = "X-API-Key: key-ann\r\n";
  const std::string bob = "Authorization: Bearer key-bob\r\n";
  EXPECT_THAT(Ask("GET", "/panels"), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(Ask("GET", "/panels", "", "X-API-Key: key-eve\r\n"), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(Ask("GET", "/panels", "", ann), HasSubstr(R"("tools":["echo","set","hang","stay"])"));
  EXPECT_THAT(Ask("GET", "/panels", "", bob), HasSubstr(R"("tools":["set"])"));
  EXPECT_THAT(Ask("POST", "/panels/p/trigger/echo", "{}", bob), StartsWith("HTTP/1.1 403 "));
  const std::string result = Ask("POST", "/panels/p/trigger/set", R"({"count":1,"secret":2})", bob);
  EXPECT_THAT(result, HasSubstr(R"("key":"count")"));
  EXPECT_THAT(result, Not(HasSubstr(R"("key":"secret")")));
  EXPECT_THAT(Ask("GET", "/panels/p/state", "", bob), Not(HasSubstr("secret")));
  EXPECT_THAT(Ask("PUT", "/panels/p/state/count", R"({"value":1})", bob),
              StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(Ask("POST", "/panels", "{}", bob), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(Ask("GET", "/auth/me", "", bob), HasSubstr(R"("principal":"bob")"));
  EXPECT_THAT(Ask("DELETE", "/panels/p", "", bob), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(Ask("DELETE", "/panels/p", "", ann), StartsWith("HTTP/1.1 204 "));
}

TEST_F(ServerTest, GuessingKeysIsSlowedDown) {
  Start(TwoKeys());
  std::string last;
  for (int i = 0; i < 40; ++i) last = Ask("GET", "/panels", "", "X-API-Key: guess\r\n");
  EXPECT_THAT(last, StartsWith("HTTP/1.1 429 "));
}

TEST_F(ServerTest, RequestsAboveTheRateWait) {
  Start({}, {}, {.rate = {.per_second = 1, .burst = 2}});
  EXPECT_THAT(Ask("GET", "/panels"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Ask("GET", "/panels"), StartsWith("HTTP/1.1 200 "));
  const std::string refused = Ask("GET", "/panels");
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 429 "));
  EXPECT_THAT(refused, HasSubstr("Retry-After: 1"));
}

TEST_F(ServerTest, TicketsOpenOneSocketOnce) {
  Start(TwoKeys());
  const std::string answer =
      Ask("POST", "/auth/tickets", R"({"panelId":"p"})", "X-API-Key: key-ann\r\n");
  const auto body = ParseJson(answer.substr(answer.find("\r\n\r\n") + 4));
  ASSERT_TRUE(body) << answer;
  const std::string ticket(body->StringOr("ticket", ""));
  TestClient without(port()), first(port()), second(port());
  EXPECT_THAT(without.OpenSocket("/panels/p/ws"), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(first.OpenSocket("/panels/p/ws?ticket=" + ticket), StartsWith("HTTP/1.1 101 "));
  EXPECT_THAT(second.OpenSocket("/panels/p/ws?ticket=" + ticket), StartsWith("HTTP/1.1 401 "));
}

TEST_F(ServerTest, ReadinessFollowsTheHost) {
  Start();
  EXPECT_THAT(Ask("GET", "/readyz"), StartsWith("HTTP/1.1 200 "));
  host_.ready = false;
  EXPECT_THAT(Ask("GET", "/readyz"), HasSubstr("the disk is full"));
  EXPECT_THAT(Ask("GET", "/healthz"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, MetricsAndInterfaceAreThere) {
  Start();
  (void)Ask("POST", "/panels/p/trigger/echo", "{}");
  const std::string metrics = Ask("GET", "/metrics");
  EXPECT_THAT(metrics, HasSubstr("nexus_handler_executions_total{status=\"success\"} 1"));
  EXPECT_THAT(metrics, HasSubstr("nexus_panel_executions_total{panel_id=\"p\"} 1"));
  const std::string openapi = Ask("GET", "/openapi.json");
  const auto document = ParseJson(openapi.substr(openapi.find("\r\n\r\n") + 4));
  ASSERT_TRUE(document);
  EXPECT_EQ(document->StringOr("openapi", ""), "3.1.0");
  EXPECT_NE(document->Find("paths")->Find("/panels/{id}/trigger/{tool}"), nullptr);
}

TEST_F(ServerTest, SocketsSeePatchesAndThenTheResult) {
  Start();
  TestClient client(port());
  EXPECT_THAT(client.OpenSocket("/panels/p/ws"), StartsWith("HTTP/1.1 101 "));
  EXPECT_THAT(client.ReadFrame(), HasSubstr(R"("type":"CONNECTED","panelId":"p","revision":0)"));
  client.SendFrame(R"({"type":"TRIGGER","tool":"set","args":{"count":5},"requestId":"r1"})");
  const std::string patch = client.ReadFrame();
  EXPECT_THAT(patch, HasSubstr(R"("type":"PATCH","revision":1)"));
  EXPECT_THAT(patch, HasSubstr(R"("operation":"set","key":"count","value":5)"));
  EXPECT_THAT(client.ReadFrame(), HasSubstr(R"("type":"RESULT","requestId":"r1")"));
  client.SendFrame(R"({"type":"PING"})");
  EXPECT_EQ(client.ReadFrame(), R"({"type":"PONG"})");
  client.SendFrame("{");
  EXPECT_THAT(client.ReadFrame(), HasSubstr("PARSE_ERROR"));
  client.SendFrame(R"({"type":"TRIGER"})");
  EXPECT_THAT(client.ReadFrame(), HasSubstr("UNKNOWN_MESSAGE"));
  client.SendFrame(R"({"type":"TRIGGER","tool":"nope","requestId":"r2"})");
  EXPECT_THAT(client.ReadFrame(), HasSubstr(R"("requestId":"r2","code":"TOOL_NOT_FOUND")"));
}

TEST_F(ServerTest, SubscribedKeysLimitPatches) {
  Start();
  TestClient client(port());
  (void)client.OpenSocket("/panels/p/ws");
  (void)client.ReadFrame();
  client.SendFrame(R"({"type":"SUBSCRIBE","keys":["count"]})");
  client.SendFrame(R"({"type":"PING"})");
  (void)client.ReadFrame();
  (void)Ask("PUT", "/panels/p/state/secret", R"({"value":1})");
  (void)Ask("PUT", "/panels/p/state/count", R"({"value":2})");
  const std::string patch = client.ReadFrame();
  EXPECT_THAT(patch, HasSubstr(R"("key":"count")"));
  EXPECT_THAT(patch, HasSubstr(R"("revision":2)"));
}

TEST_F(ServerTest, AClientThatComesBackGetsWhatItMissed) {
  Start();
  for (int i = 1; i <= 3; ++i) {
    (void)Ask("PUT", "/panels/p/state/count", "{\"value\":" + std::to_string(i) + "}");
  }
  TestClient client(port());
  (void)client.OpenSocket("/panels/p/ws?revision=1");
  EXPECT_THAT(client.ReadFrame(), HasSubstr(R"("resumed":true)"));
  EXPECT_THAT(client.ReadFrame(), HasSubstr(R"("revision":2)"));
  EXPECT_THAT(client.ReadFrame(), HasSubstr(R"("revision":3)"));
  panel_->ForgetHistoryBefore(2);
  TestClient late(port());
  (void)late.OpenSocket("/panels/p/ws?revision=1");
  EXPECT_THAT(late.ReadFrame(), HasSubstr(R"("revision":3,"state":{"count":3)"));
}

TEST_F(ServerTest, DeletingAPanelClosesItsSockets) {
  Start();
  TestClient client(port());
  (void)client.OpenSocket("/panels/p/ws");
  (void)client.ReadFrame();
  (void)Ask("DELETE", "/panels/p");
  EXPECT_EQ(client.ReadFrame(), "close 1000 Panel destroyed");
}

TEST_F(ServerTest, CallsEndWithTheConnectionThatMadeThem) {
  Start();
  {
    TestClient client(port());
    (void)client.OpenSocket("/panels/p/ws");
    (void)client.ReadFrame();
    client.SendFrame(R"({"type":"TRIGGER","tool":"hang"})");
    client.SendFrame(R"({"type":"PING"})");
    (void)client.ReadFrame();
  }
  for (int i = 0; i < 100 && panel_->cancelled().empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(panel_->cancelled().size(), 1u);
}

TEST_F(ServerTest, ARunEndsWithTheRequestThatAskedForIt) {
  Start();
  const auto leave = [&](const std::string& target, const std::string& headers = "") {
    TestClient client(port());
    client.Send(Text("POST", target, "{}", "Host: localhost\r\n" + headers));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  };
  // Nobody waits for these, or they say that they go on.
  leave("/panels/p/trigger/stay");
  leave("/panels/p/trigger/hang?wait=false");
  leave("/panels/p/trigger/hang", "Idempotency-Key: k\r\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  EXPECT_EQ(panel_->cancelled().size(), 0u);
  leave("/panels/p/trigger/hang");
  for (int i = 0; i < 200 && panel_->cancelled().empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(panel_->cancelled().size(), 1u);
}

TEST_F(ServerTest, AClientThatClosesOneHalfIsStillAnswered) {
  Start();
  TestClient client(port());
  client.Send(Text("POST", "/panels/p/trigger/echo", "{\"a\":1}", "Host: localhost\r\n"));
  client.EndSending();
  EXPECT_THAT(client.ReadResponse(), HasSubstr(R"("returnValue":{"a":1})"));
}

TEST_F(ServerTest, AFloodOfRequestsLeavesRoomForOthers) {
  Start({}, {}, {.rate = {.per_second = 5, .burst = 5}});
  TestClient flood(port());
  std::string many;
  for (int i = 0; i < 2'000; ++i) {
    many += Text("POST", "/panels/p/trigger/echo", "{}", "Host: localhost\r\n");
  }
  flood.Send(many);
  // Probes are not counted, and another connection is served meanwhile.
  EXPECT_THAT(Ask("GET", "/healthz"), HasSubstr("200 OK"));
  int refused = 0;
  for (int i = 0; i < 2'000; ++i) {
    refused += flood.ReadResponse().find("429 Too Many Requests") != std::string::npos ? 1 : 0;
  }
  EXPECT_GE(refused, 1'900);
}

TEST_F(ServerTest, AClientThatSendsAndNeverReadsIsLetGo) {
  Start({}, {.write_timeout_ms = 500});
  TestClient client(port(), 4096);
  const std::string large(1 << 20, 'x');
  // Answers fill the pipe; once they do, nothing more is read either.
  for (int i = 0; i < 16; ++i) {
    client.Send(
        Text("POST", "/panels/p/trigger/echo", "{\"t\":\"" + large + "\"}", "Host: localhost\r\n"));
    if (listener_->GetStats().connections == 0) break;
  }
  for (int i = 0; i < 300 && listener_->GetStats().connections != 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(listener_->GetStats().connections, 0u);
}

TEST_F(ServerTest, TheListOfPanelsReadsNoState) {
  Start();
  (void)Ask("PUT", "/panels/p/state/count", R"({"value":7})");
  EXPECT_THAT(Ask("GET", "/panels"), HasSubstr(R"("revision":1)"));
  EXPECT_THAT(Ask("GET", "/panels/p"), HasSubstr(R"("revision":1)"));
  EXPECT_EQ(panel_->states_read, 0);
}

TEST_F(ServerTest, ThePageComesWithAndWithoutGzip) {
  Start();
  const std::string packed = Ask("GET", "/", "", "Accept-Encoding: br, gzip\r\n");
  const std::string plain = Ask("GET", "/");
  EXPECT_THAT(packed, HasSubstr("Content-Encoding: gzip"));
  EXPECT_THAT(plain, HasSubstr("200 OK"));
  EXPECT_THAT(plain, Not(HasSubstr("Content-Encoding")));
  EXPECT_THAT(plain, HasSubstr("<html"));
  EXPECT_THAT(Ask("GET", "/", "", "Accept-Encoding: gzip;q=0\r\n"), HasSubstr("<html"));
}

TEST_F(ServerTest, RunsAskForRightsAndAreAnswered) {
  const auto desk = ApprovalExtension::Create({}).value();
  AuthConfig auth = TwoKeys();
  auth.keys.push_back(Key("boss", {"panel:read", "panel:approve"}, {"ext:http"}));
  auth.keys.push_back(Key("clerk", {"panel:read", "panel:approve"}, {"state:read:*"}));
  Start(std::move(auth), {}, {.approvals = desk.get()});
  std::promise<Answer> promise;
  desk->Call({.run_id = "r",
              .suspension_id = "r.1",
              .extension = "approval",
              .method = "request",
              .args = {Value::Object({{"capability", "ext:http.post"}, {"reason", "to report"}})},
              .idempotency_key = "r.1",
              .panel_id = "p",
              .handler = "send",
              .principal = "ann"},
             [&](Answer answer) { promise.set_value(std::move(answer)); });
  const std::string id = desk->Waiting().front().id;
  const auto as = [](const std::string& who) { return "X-API-Key: key-" + who + "\r\n"; };
  EXPECT_THAT(Ask("GET", "/approvals", "", as("ann")), HasSubstr(R"("mayApprove":false)"));
  EXPECT_THAT(Ask("GET", "/approvals", "", as("bob")), HasSubstr(R"({"approvals":[]})"));
  EXPECT_THAT(Ask("GET", "/approvals/" + id, "", as("bob")), HasSubstr("404"));
  EXPECT_THAT(Ask("GET", "/approvals", "", as("boss")), HasSubstr(R"("mayApprove":true)"));
  const std::string approve = "/approvals/" + id + "/approve";
  EXPECT_THAT(Ask("POST", approve, "{}", as("ann")), HasSubstr("this needs panel:approve"));
  EXPECT_THAT(Ask("POST", approve, "{}", as("clerk")), HasSubstr("must hold the right itself"));
  EXPECT_THAT(Ask("POST", approve, "{\"forMs\":-1}", as("boss")), HasSubstr("400"));
  EXPECT_THAT(Ask("GET", approve, "", as("boss")), HasSubstr("405"));
  EXPECT_THAT(Ask("POST", "/approvals/" + id + "/perhaps", "{}", as("boss")), HasSubstr("404"));
  EXPECT_THAT(Ask("POST", approve, "{\"forMs\":5000}", as("boss")),
              HasSubstr(R"("decidedBy":"boss")"));
  EXPECT_EQ(promise.get_future().get().grants.size(), 1u);
  EXPECT_THAT(Ask("POST", approve, "{}", as("boss")), HasSubstr("409 Conflict"));
  EXPECT_THAT(Ask("GET", "/approvals?status=all", "", as("boss")),
              HasSubstr(R"("status":"approved")"));
  EXPECT_THAT(Ask("GET", "/approvals?status=some", "", as("boss")), HasSubstr("400"));
  EXPECT_THAT(Ask("GET", "/metrics"), HasSubstr("nexus_approvals_total{decision=\"approved\"} 1"));
}

TEST_F(ServerTest, AClientThatNeverReadsIsDropped) {
  Start({}, {}, {.socket_queue_bytes_max = 256 << 10});
  TestClient client(port(), 4096);
  (void)client.OpenSocket("/panels/p/ws");
  (void)client.ReadFrame();
  // Results are never merged, so they pile up behind what the kernel takes.
  const std::string call =
      R"({"type":"TRIGGER","tool":"echo","args":{"x":")" + std::string(200'000, 'x') + R"("}})";
  for (int i = 0; i < 100; ++i) client.SendFrame(call);
  for (int i = 0; i < 400 && listener_->GetStats().sockets != 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(25));
  }
  EXPECT_EQ(listener_->GetStats().sockets, 0u);
  EXPECT_THAT(Ask("GET", "/healthz"), HasSubstr("200 OK"));
}

TEST_F(ServerTest, ShutdownSendsGoingAway) {
  Start();
  TestClient client(port());
  (void)client.OpenSocket("/panels/p/ws");
  (void)client.ReadFrame();
  std::thread stop([this] { listener_->Shutdown(1'000); });
  EXPECT_THAT(client.ReadFrame(), StartsWith("close 1001"));
  client.Close();
  stop.join();
}

}  // namespace
}  // namespace nexus
