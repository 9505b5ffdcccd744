// Goal: the endpoint on real sockets: streams that grow, are kept open and end, connections that go
// on behind them, clients that go away, clients that do not read. Method: plain sockets in front of
// a provider that is told what to do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "mcp/server/server.h"
#include "mcp/server/testing/fake_provider.h"
#include "server/api.h"
#include "server/listener.h"
#include "server/mcp_route.h"
#include "server/testing/fake_panel_host.h"
#include "server/testing/test_client.h"

namespace nexus {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using testing::TestClient;

template <typename Condition>
bool Eventually(Condition condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

class McpRouteTest : public ::testing::Test {
 protected:
  void Start(ListenerOptions options = {}) {
    server_ = mcp::Server::Create({}, provider_);
    auth_ = *Authenticator::Create({});
    ApiOptions api;
    api.mcp = server_.get();
    api_ = Api::Create(std::move(api), host_, *auth_);
    auto listener =
        Listener::Start(std::move(options), *api_, [this](Listener& l) { api_->Attach(l); });
    ASSERT_TRUE(listener) << listener.error().message();
    listener_ = *std::move(listener);
  }
  void TearDown() override {
    server_->Shutdown();
    listener_.reset();
    api_->Stop();
  }

  static std::string Post(const std::string& method, const std::string& params,
                          const std::string& name = "", const std::string& version = "1.1") {
    const std::string body =
        R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"(","params":{)" + params +
        R"("_meta":{"progressToken":1,"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
        R"("io.modelcontextprotocol/clientCapabilities":{}}}})";
    return "POST /mcp HTTP/" + version +
           "\r\nHost: localhost\r\nContent-Type: application/json\r\n"
           "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n"
           "Mcp-Method: " +
           method + "\r\n" + (name.empty() ? "" : "Mcp-Name: " + name + "\r\n") +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  static std::string Call(const std::string& tool, const std::string& version = "1.1") {
    return Post("tools/call", R"("name":")" + tool + R"(",)", tool, version);
  }
  static std::string Listen(const std::string& filter) {
    return Post("subscriptions/listen", R"("notifications":{)" + filter + "},");
  }
  /// What has come when `part` has.
  static std::string ReadUntil(TestClient& client, std::string& all, std::string_view part) {
    for (int i = 0; i < 200 && all.find(part) == std::string::npos; ++i) {
      all += client.ReadSome();
    }
    return all;
  }

  mcp::testing::FakeProvider provider_;
  testing::FakePanelHost host_;
  std::unique_ptr<mcp::Server> server_;
  std::unique_ptr<Authenticator> auth_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<Listener> listener_;
};

TEST_F(McpRouteTest, AStreamEndsAndTheConnectionGoesOn) {
  Start();
  TestClient client(listener_->port());
  client.Send(Call("tell"));
  std::string all;
  ReadUntil(client, all, "\r\n0\r\n\r\n");
  EXPECT_THAT(all, StartsWith("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                              "Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(all, HasSubstr("X-Accel-Buffering: no"));
  EXPECT_THAT(all, HasSubstr("notifications/progress"));
  EXPECT_THAT(all, HasSubstr("\"result\""));
  client.Send(Call("echo"));
  EXPECT_THAT(client.ReadResponse(), HasSubstr("Content-Type: application/json"));
}

TEST_F(McpRouteTest, RequestsBehindAStreamWaitForItsEnd) {
  Start();
  TestClient client(listener_->port());
  client.Send(Call("tell") + Call("echo") + Call("tell"));
  std::string all;
  ReadUntil(client, all, "application/json");
  for (int i = 0; i < 100 && all.rfind("\r\n0\r\n\r\n") < all.find("application/json"); ++i) {
    all += client.ReadSome();
  }
  EXPECT_LT(all.find("\r\n0\r\n\r\n"), all.find("application/json"));
  EXPECT_GT(all.rfind("\r\n0\r\n\r\n"), all.find("application/json"));
}

TEST_F(McpRouteTest, AnOldClientGetsAStreamUntilTheConnectionEnds) {
  Start();
  TestClient client(listener_->port());
  client.Send(Call("tell", "1.0"));
  const std::string all = client.ReadToEnd();
  EXPECT_THAT(all, Not(HasSubstr("chunked")));
  EXPECT_THAT(all, HasSubstr("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\""));
  EXPECT_TRUE(client.ended());
}

TEST_F(McpRouteTest, AClientThatGoesAwayInMidCallCancels) {
  Start();
  {
    TestClient client(listener_->port());
    client.Send(Call("wait"));
    ASSERT_TRUE(Eventually([this] { return provider_.waiting() == 1; }));
  }
  EXPECT_TRUE(Eventually([this] { return provider_.cancelled() == 1; }));
  provider_.Release();
}

TEST_F(McpRouteTest, AListenStreamIsKeptOpenAndItsEndIsNoticed) {
  Start({.ping_interval_ms = 300});
  TestClient client(listener_->port());
  client.Send(Listen(R"("toolsListChanged":true)"));
  std::string all;
  ReadUntil(client, all, "acknowledged");
  ReadUntil(client, all, "\r\n:\n\n\r\n");  // A comment in a chunk of its own.
  provider_.ToolsChanged();
  ReadUntil(client, all, "tools/list_changed");
  EXPECT_EQ(server_->GetStats().subscriptions, 1u);
  client.Close();
  EXPECT_TRUE(Eventually([this] { return server_->GetStats().subscriptions == 0; }));
}

TEST_F(McpRouteTest, ShutdownEndsStreamsWhole) {
  Start();
  TestClient client(listener_->port());
  client.Send(Listen(R"("toolsListChanged":true)"));
  std::string all;
  ReadUntil(client, all, "acknowledged");
  server_->Shutdown();
  ReadUntil(client, all, "\r\n0\r\n\r\n");
  EXPECT_THAT(all, HasSubstr("\"resultType\":\"complete\""));
}

TEST_F(McpRouteTest, AReaderThatDoesNotReadLosesItsStream) {
  Start();
  TestClient client(listener_->port(), 4096);
  client.Send(Listen(R"("resourceSubscriptions":["u:1"],"toolsListChanged":true)"));
  ASSERT_TRUE(Eventually([this] { return server_->GetStats().subscriptions == 1; }));
  // The same change waits once, however often it happens.
  for (int i = 0; i < 100'000; ++i) provider_.Changed("u:1");
  EXPECT_EQ(server_->GetStats().subscriptions, 1u);
}

TEST_F(McpRouteTest, ManyStreamsAndCallsGoSideBySide) {
  Start();
  std::vector<std::unique_ptr<TestClient>> streams;
  for (int i = 0; i < 256; ++i) {
    streams.push_back(std::make_unique<TestClient>(listener_->port()));
    streams.back()->Send(Listen(R"("toolsListChanged":true)"));
  }
  ASSERT_TRUE(Eventually([this] { return server_->GetStats().subscriptions == 256; }));
  TestClient client(listener_->port());
  for (int i = 0; i < 100; ++i) {
    client.Send(Call("echo"));
    EXPECT_THAT(client.ReadResponse(), HasSubstr("\"result\""));
  }
  provider_.ToolsChanged();
  for (const auto& stream : streams) {
    std::string all;
    EXPECT_THAT(ReadUntil(*stream, all, "list_changed"), HasSubstr("tools/list_changed"));
  }
}

}  // namespace
}  // namespace nexus
