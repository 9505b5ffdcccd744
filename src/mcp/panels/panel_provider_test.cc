// Goal: panels are what contract 9 says they are: names that never change, schemas, results,
// resources with changes that are told, prompts, completion, and nothing beyond the caller's
// rights. Method: live panels in the tests' sandbox behind a server, spoken to in lines.
#include "mcp/panels/panel_provider.h"

#include <gtest/gtest.h>

#include <mutex>
#include <string>

#include "base/json.h"
#include "mcp/server/server.h"
#include "panel/host/testing/test_host.h"

namespace nexus::mcp {
namespace {

using nexus::testing::Eventually;
using nexus::testing::PanelText;
using nexus::testing::TestHost;
using nexus::testing::ToolText;

class Lines final : public MessageSink {
 public:
  void Write(std::string message) override {
    const std::lock_guard lock(mutex_);
    all_ += message + "\n";
  }
  std::string all() const {
    const std::lock_guard lock(mutex_);
    return all_;
  }
  void Clear() {
    const std::lock_guard lock(mutex_);
    all_.clear();
  }

 private:
  mutable std::mutex mutex_;
  std::string all_;
};

CallerPtr Everybody() {
  auto caller = std::make_shared<Caller>();
  caller->principal = "tester";
  caller->everything = true;
  return caller;
}

CallerPtr With(const std::vector<std::string>& tokens) {
  auto caller = std::make_shared<Caller>();
  caller->principal = "restricted";
  caller->capabilities = CapabilitySet::Parse(tokens).value();
  return caller;
}

class PanelProviderTest : public ::testing::Test {
 protected:
  void Open(PanelProviderOptions options = {}, CallerPtr caller = Everybody()) {
    provider_ = PanelProvider::Create(*host_.host, options);
    server_ = Server::Create({}, *provider_);
    connection_ = server_->Connect(std::move(caller), lines_);
  }
  void TearDown() override {
    if (connection_ != nullptr) connection_->Close();
  }

  /// The answer to a modern request, as JSON text.
  std::string Ask(const std::string& method, const std::string& params = "",
                  const std::string& meta = "") {
    lines_->Clear();
    const std::string id = std::to_string(++last_id_);
    connection_->Receive(R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":")" + method +
                         R"(","params":{)" + params + (params.empty() ? "" : ",") + R"("_meta":{)" +
                         meta + R"("io.modelcontextprotocol/protocolVersion":"2026-07-28",)" +
                         R"("io.modelcontextprotocol/clientCapabilities":{}}}})");
    EXPECT_TRUE(Eventually([&] { return Has(lines_->all(), "\"id\":" + id + ","); }))
        << method << " " << lines_->all();
    return lines_->all();
  }
  std::string CallTool(const std::string& name, const std::string& arguments = "{}") {
    return Ask("tools/call", R"("name":")" + name + R"(","arguments":)" + arguments);
  }
  std::string Read(const std::string& uri) {
    return Ask("resources/read", R"("uri":")" + uri + "\"");
  }
  static bool Has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  }

  static std::string Counter(const std::string& id) {
    return PanelText(
        R"(<State name="count" type="number" default="1"/>)"
        R"(<State name="secret" type="string" default="s"/>)"
        R"(<Computed name="double" value="$state.count * 2"/>)",
        ToolText("add", "$state.count += $args.by; return { count: $state.count };",
                 R"(description="Adds")",
                 R"(<Arg name="by" type="number" default="1" description="How much"/>)") +
            ToolText("look", "return $state.count;") + ToolText("fail", "throw new Error('no');") +
            R"(<Prompt name="greet" description="Greets"><Arg name="who" type="string"/>)"
            R"(<Arg name="loud" type="boolean" default="false"/>Hello {who},)"
            R"( {unknown}!</Prompt>)",
        id);
  }

  TestHost host_;
  std::unique_ptr<PanelProvider> provider_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<Lines> lines_ = std::make_shared<Lines>();
  std::shared_ptr<Connection> connection_;
  int last_id_ = 0;
};

TEST(QualifiedName, IsPlainShortAndStable) {
  EXPECT_EQ(QualifiedName("tasks", "addTask"), "tasks__addTask");
  const std::string dotted = QualifiedName("my.panel", "add");
  EXPECT_TRUE(dotted.starts_with("my_panel__add_")) << dotted;
  EXPECT_NE(dotted, QualifiedName("my_panel", "add"));
  const std::string long_name = QualifiedName(std::string(100, 'p'), "add");
  EXPECT_EQ(long_name.size(), 64u);
  EXPECT_NE(long_name, QualifiedName(std::string(100, 'p'), "del"));
}

TEST(PanelUri, IsEncoded) {
  EXPECT_EQ(PanelUri("tasks", "state"), "nexus://tasks/state");
  EXPECT_EQ(PanelUri("a b", "state", "k/y"), "nexus://a%20b/state/k%2Fy");
}

TEST_F(PanelProviderTest, ToolsHaveSchemasAndHintsThatHold) {
  host_.Mount(Counter("c"));
  Open();
  const std::string tools = Ask("tools/list");
  EXPECT_TRUE(Has(tools, R"("name":"c__add")")) << tools;
  EXPECT_TRUE(Has(tools, R"("by":{"type":"number","description":"How much","default":1})"));
  EXPECT_TRUE(Has(tools, R"("name":"c__look")"));
  // What a handler asks for is all it gets, so that it only reads is known.
  const Value parsed = ParseJson(tools).value();
  const auto& list = *parsed.Find("result")->Find("tools")->As<ValueArray>();
  EXPECT_EQ(list[0].Find("annotations")->Find("readOnlyHint"), nullptr);
  EXPECT_EQ(*list[1].Find("annotations")->Find("readOnlyHint"), Value(true));
  EXPECT_EQ(*list[1].Find("annotations")->Find("openWorldHint"), Value(false));
}

TEST_F(PanelProviderTest, ACallRunsAndItsErrorIsTheModelsToSee) {
  host_.Mount(Counter("c"));
  Open();
  EXPECT_TRUE(Has(CallTool("c__add", R"({"by":4})"), R"("text":"{\"count\":5}")"));
  EXPECT_TRUE(Has(CallTool("c__add"), R"(\"count\":6)"));
  const std::string wrong = CallTool("c__add", R"({"bye":4})");
  EXPECT_TRUE(Has(wrong, R"("isError":true)") && Has(wrong, "INVALID_ARGUMENT")) << wrong;
  const std::string failed = CallTool("c__fail");
  EXPECT_TRUE(Has(failed, R"("isError":true)") && Has(failed, "EXECUTION_ERROR")) << failed;
  EXPECT_TRUE(Has(CallTool("c__none"), "-32602"));
}

TEST_F(PanelProviderTest, OutputSchemasGiveStructuredContent) {
  host_.Mount(PanelText("", R"(<Tool name="get"><Output>{"type":"object",)"
                            R"("properties":{"a":{"type":"number"}}}</Output>)"
                            R"(<Handler>return { a: 1 };</Handler></Tool>)"));
  Open();
  EXPECT_TRUE(Has(Ask("tools/list"), R"("outputSchema":{"type":"object")"));
  EXPECT_TRUE(Has(CallTool("p__get"), R"("structuredContent":{"a":1})"));
}

TEST_F(PanelProviderTest, NamesStayWhenPanelsJoin) {
  host_.Mount(Counter("b"));
  Open({.flat = true});
  EXPECT_TRUE(Has(CallTool("look"), R"("text":"1")"));
  host_.Mount(Counter("c"));
  provider_->PanelsChanged();
  EXPECT_TRUE(Has(CallTool("c__look"), R"("text":"1")"));
  EXPECT_TRUE(Has(CallTool("look"), R"("text":"1")"));
  ASSERT_TRUE(host_.host->Unmount("c").has_value());
  EXPECT_TRUE(Has(CallTool("c__look"), "-32602"));
}

TEST_F(PanelProviderTest, ResourcesAreRead) {
  host_.Mount(Counter("c"));
  Open();
  const std::string listed = Ask("resources/list");
  for (const char* part : {"meta", "state", "computed", "log"}) {
    EXPECT_TRUE(Has(listed, std::string("nexus://c/") + part)) << listed;
  }
  EXPECT_TRUE(Has(Ask("resources/templates/list"), "nexus://{panelId}/state/{key}"));
  EXPECT_TRUE(Has(Read("nexus://c/state"), R"({\"count\":1,\"secret\":\"s\"})"));
  EXPECT_TRUE(Has(Read("nexus://c/state/count"), R"("text":"1")"));
  EXPECT_TRUE(Has(Read("nexus://c/computed/double"), R"("text":"2")"));
  EXPECT_TRUE(Has(Read("nexus://c/meta"), R"(\"tools\":[\"add\",\"look\",\"fail\"])"));
  EXPECT_TRUE(Has(Read("nexus://c/log"), R"("text":"[]")"));
  const Value called = ParseJson(CallTool("c__look")).value();
  const std::string run_id(called.Find("result")->Find("_meta")->StringOr("nexus/runId", ""));
  EXPECT_TRUE(Has(Read("nexus://c/runs/" + run_id), R"(\"handler\":\"look\")"));
  for (const char* wrong : {"nexus://c/none", "nexus://none/state", "nexus://c/state/none",
                            "nexus://c/state/", "nexus://c", "file:///etc/passwd",
                            "nexus://c/state/%zz", "nexus://c/meta/x", "nexus://c/runs/none"}) {
    const std::string answer = Read(wrong);
    EXPECT_TRUE(Has(answer, "-32602") && Has(answer, R"("uri")")) << wrong << answer;
  }
}

TEST_F(PanelProviderTest, ChangesAreToldWhenTheyHappen) {
  host_.Mount(Counter("c"));
  Open();
  connection_->Receive(
      R"({"jsonrpc":"2.0","id":"s","method":"subscriptions/listen",)"
      R"("params":{"notifications":{"resourceSubscriptions":["nexus://c/state/count",)"
      R"("nexus://c/state/secret"],"toolsListChanged":true},)"
      R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
      R"("io.modelcontextprotocol/clientCapabilities":{}}}})");
  lines_->Clear();
  connection_->Receive(
      R"({"jsonrpc":"2.0","id":"t","method":"tools/call","params":{"name":"c__add",)"
      R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
      R"("io.modelcontextprotocol/clientCapabilities":{}}}})");
  EXPECT_TRUE(Eventually([&] { return Has(lines_->all(), "nexus://c/state/count"); }));
  EXPECT_FALSE(Has(lines_->all(), "nexus://c/state/secret"));
  provider_->PanelsChanged();
  EXPECT_TRUE(Has(lines_->all(), "notifications/tools/list_changed"));
  connection_->Receive(
      R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"s"}})");
  (void)CallTool("c__add");
  EXPECT_FALSE(Has(lines_->all(), "resources/updated"));
}

TEST_F(PanelProviderTest, PromptsAreFilledInAndCompleted) {
  host_.Mount(Counter("c"));
  Open();
  EXPECT_TRUE(Has(Ask("prompts/list"), R"("name":"c__greet")"));
  const std::string got = Ask("prompts/get", R"("name":"c__greet",)"
                                             R"("arguments":{"who":"Ann {x}"})");
  EXPECT_TRUE(Has(got, "Hello Ann {x}, {unknown}!")) << got;
  EXPECT_TRUE(Has(Ask("prompts/get", R"("name":"c__greet")"), "-32602"));
  EXPECT_TRUE(Has(Ask("prompts/get", R"("name":"none")"), "-32602"));
  EXPECT_TRUE(Has(Ask("completion/complete",
                      R"("ref":{"type":"ref/prompt","name":"c__greet"},"argument":{"name":"loud",)"
                      R"("value":"t"})"),
                  R"("values":["true"])"));
  EXPECT_TRUE(
      Has(Ask("completion/complete",
              R"("ref":{"type":"ref/resource","uri":"nexus://{panelId}/state/{key}"},)"
              R"("argument":{"name":"key","value":"c"},"context":{"arguments":{"panelId":"c"}})"),
          R"("values":["count"])"));
}

TEST_F(PanelProviderTest, ACallerSeesOnlyItsRights) {
  host_.Mount(Counter("c"));
  Open({}, With({"tools:call:look", "state:read:count"}));
  const std::string tools = Ask("tools/list");
  EXPECT_TRUE(Has(tools, "c__look") && !Has(tools, "c__add")) << tools;
  const std::string refused = CallTool("c__add");
  std::string unknown = CallTool("c__none");
  EXPECT_TRUE(Has(refused, "-32602"));
  // What may not be called is told from what does not exist by nothing.
  EXPECT_EQ(refused.substr(refused.find("\"error\"")).size() + 1,
            unknown.substr(unknown.find("\"error\"")).size());
  EXPECT_TRUE(Has(Read("nexus://c/state"), R"("text":"{\"count\":1}")"));
  EXPECT_TRUE(Has(Read("nexus://c/state/secret"), "-32602"));
  EXPECT_TRUE(Has(Read("nexus://c/log"), "-32602"));
  EXPECT_FALSE(Has(Ask("resources/list"), "nexus://c/log"));
  EXPECT_FALSE(Has(Read("nexus://c/meta"), "add"));
}

TEST_F(PanelProviderTest, WaitingIsToldAndCancellingStopsTheRun) {
  host_.Mount(PanelText(
      "", R"(<Extension name="fake"/>)" + ToolText("wait", "return await $ext.fake.never();"),
      "w"));
  Open();
  connection_->Receive(
      R"({"jsonrpc":"2.0","id":"w","method":"tools/call","params":{"name":"w__wait",)"
      R"("_meta":{"progressToken":1,"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
      R"("io.modelcontextprotocol/clientCapabilities":{}}}})");
  EXPECT_TRUE(Eventually([&] { return Has(lines_->all(), "waits for fake.never"); }))
      << lines_->all();
  connection_->Receive(
      R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"w"}})");
  EXPECT_TRUE(Eventually([&] { return host_.host->GetStats().suspended == 0; }));
  EXPECT_FALSE(Has(lines_->all(), "\"id\":\"w\""));
}

}  // namespace
}  // namespace nexus::mcp
