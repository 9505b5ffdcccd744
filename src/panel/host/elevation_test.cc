// Goal: a right given to a run while it waited is that run's alone: up to the ceiling, until it
// expires, through a restart, and never a right of the handler. Method: an extension that answers
// with whatever the test wants to grant.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "panel/host/testing/test_host.h"

namespace nexus::testing {
namespace {

using ::testing::HasSubstr;

/// `ask` is answered when the test says so, with grants.
class GrantingExtension final : public Extension {
 public:
  std::string_view name() const override { return "approval"; }
  std::span<const MethodDescriptor> methods() const override { return methods_; }
  void Call(ExtensionCall call, AnswerFunction done) override {
    const std::lock_guard lock(mutex_);
    calls_.push_back(std::move(call));
    waiting_.push_back(std::move(done));
  }
  std::size_t asked() const {
    const std::lock_guard lock(mutex_);
    return calls_.size();
  }
  ExtensionCall last() const {
    const std::lock_guard lock(mutex_);
    return calls_.back();
  }
  void Grant(const std::string& token, std::int64_t expires_unix_ms) {
    AnswerFunction done;
    {
      const std::lock_guard lock(mutex_);
      done = std::move(waiting_.back());
      waiting_.pop_back();
    }
    Answer answer = Answer::Ok(Value(true));
    answer.grants.push_back(
        {CapabilityToken::Parse(token).value(), {.expires_unix_ms = expires_unix_ms}});
    done(std::move(answer));
  }

 private:
  const std::vector<MethodDescriptor> methods_ = {
      {.name = "request", .summary = "", .idempotent = true, .path_argument = {}}};
  mutable std::mutex mutex_;
  std::vector<ExtensionCall> calls_;
  std::vector<AnswerFunction> waiting_;
};

constexpr const char* kPanel = R"(<NexusPanel id="p">
  <Data><State name="n" type="number" default="0"/></Data>
  <Logic>
    <Extension name="approval"/><Extension name="fake"/>
    <Tool name="write">
      <Arg name="wait" type="boolean" default="false"/>
      <Capabilities>
        <Capability type="ext" scope="approval,fake.later"/>
        <Capability type="state:read" scope="n"/>
      </Capabilities>
      <Handler>
        let before = "allowed";
        try { $state.n = 1 } catch (error) { before = error.name }
        await $ext.approval.request({capability: "state:write:n", reason: "test"});
        if ($args.wait) await $ext.fake.later(1);
        $state.n = $state.n + 5;
        return before;
      </Handler>
    </Tool>
  </Logic>
</NexusPanel>)";

class ElevationTest : public ::testing::Test {
 protected:
  std::unique_ptr<TestHost> Open(PanelHostOptions options = {}) {
    options.find_extension = [this](std::string_view name) -> std::shared_ptr<Extension> {
      if (name == "approval") return approval_;
      return name == "fake" ? fake_ : nullptr;
    };
    return std::make_unique<TestHost>(std::move(options));
  }
  static std::int64_t Now() { return SystemClock().UnixMs(); }

  std::shared_ptr<GrantingExtension> approval_ = std::make_shared<GrantingExtension>();
  std::shared_ptr<FakeExtension> fake_ = std::make_shared<FakeExtension>();
};

TEST_F(ElevationTest, TheRunGoesOnWithTheRightAndNoOtherRunHasIt) {
  const auto test = Open();
  const auto panel = test->Mount(kPanel);
  auto first = Start(*panel, {.tool = "write", .principal = "ann"});
  ASSERT_TRUE(Eventually([&] { return approval_->asked() == 1; }));
  EXPECT_EQ(approval_->last().panel_id, "p");
  EXPECT_EQ(approval_->last().handler, "write");
  EXPECT_EQ(approval_->last().principal, "ann");
  approval_->Grant("state:write:n", Now() + 60'000);
  const RunResult result = first.get();
  EXPECT_EQ(result.status, RunStatus::kSuccess) << (result.error ? result.error->message : "");
  EXPECT_EQ(result.return_value, Value("PermissionDenied"));
  EXPECT_EQ(StateText(*panel), R"({"n":5})");
  // The next run starts without it.
  auto second = Start(*panel, {.tool = "write"});
  ASSERT_TRUE(Eventually([&] { return approval_->asked() == 2; }));
  approval_->Grant("state:write:other", Now() + 60'000);
  const RunResult denied = second.get();
  ASSERT_TRUE(denied.error);
  EXPECT_EQ(denied.error->code, RunErrorCode::kPermissionDenied);
  EXPECT_EQ(denied.error->capability, "state:write:n");
}

TEST_F(ElevationTest, NothingIsGivenAboveTheCeiling) {
  PanelHostOptions options;
  options.ceiling = CapabilitySet::Parse({"ext:approval", "state:read:*"}).value();
  const auto test = Open(std::move(options));
  const auto panel = test->Mount(kPanel);
  auto run = Start(*panel, {.tool = "write"});
  ASSERT_TRUE(Eventually([&] { return approval_->asked() == 1; }));
  approval_->Grant("state:write:n", Now() + 60'000);
  const RunResult result = run.get();
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->code, RunErrorCode::kPermissionDenied);
  EXPECT_EQ(StateText(*panel), R"({"n":0})");
}

TEST_F(ElevationTest, AGrantIsOverWhenItsTimeIs) {
  const auto test = Open();
  const auto panel = test->Mount(kPanel);
  auto run = Start(*panel, {.tool = "write"});
  ASSERT_TRUE(Eventually([&] { return approval_->asked() == 1; }));
  approval_->Grant("state:write:n", Now() - 1);
  const RunResult result = run.get();
  ASSERT_TRUE(result.error);
  EXPECT_THAT(result.error->message, HasSubstr("expired"));
}

TEST_F(ElevationTest, ARunThatWaitsForItOutlivesTheHost) {
  const TempFolder folder;
  PanelHostOptions options;
  options.data_dir = folder.path();
  options.compact_suspended_after_ms = 1;
  {
    const auto test = Open(options);
    const auto panel = test->Mount(kPanel);
    (void)Start(*panel, {.tool = "write"});
    ASSERT_TRUE(Eventually([&] { return approval_->asked() == 1; }));
    test->host->Drain(100);
  }
  const auto test = Open(options);
  // The call is made again, with the key it had.
  ASSERT_TRUE(Eventually([&] { return approval_->asked() == 2; }));
  EXPECT_FALSE(approval_->last().idempotency_key.empty());
  approval_->Grant("state:write:n", Now() + 60'000);
  const auto panel = test->host->Find("p");
  ASSERT_NE(panel, nullptr);
  EXPECT_TRUE(Eventually([&] { return StateText(*panel) == R"({"n":5})"; }));
}

TEST_F(ElevationTest, AGrantOutlivesTheHostWithItsRun) {
  const TempFolder folder;
  PanelHostOptions options;
  options.data_dir = folder.path();
  std::string text = kPanel;
  text.replace(text.find("fake.later(1)"), 13, "fake.never(1)");
  text.replace(text.find("fake.later\""), 11, "fake.never\"");
  {
    const auto test = Open(options);
    const auto panel = test->Mount(text);
    (void)Start(*panel, {.tool = "write", .args = Value::Object({{"wait", true}})});
    ASSERT_TRUE(Eventually([&] { return approval_->asked() == 1; }));
    approval_->Grant("state:write:n", Now() + 600'000);
    ASSERT_TRUE(Eventually([&] { return fake_->calls().size() == 1; }));
    test->host->Drain(100);
  }
  const auto test = Open(options);
  ASSERT_TRUE(Eventually([&] { return fake_->calls().size() == 2; }));
  fake_->AnswerKept(Value(1));
  const auto panel = test->host->Find("p");
  ASSERT_NE(panel, nullptr);
  EXPECT_TRUE(Eventually([&] { return StateText(*panel) == R"({"n":5})"; }));
}

// The answer is in the journal, what followed from it is not: a restart delivers it again.
TEST_F(ElevationTest, AnAnswerThatIsDeliveredAgainBringsItsRight) {
  const TempFolder folder;
  PanelHostOptions options;
  options.data_dir = folder.path();
  const std::string text = PanelText(
      R"(<State name="n" type="number" default="0"/>)",
      R"(<Extension name="approval"/><Extension name="fake"/><Tool name="both"><Capabilities>
           <Capability type="ext" scope="approval,fake.never"/></Capabilities><Handler>
           await Promise.all([$ext.approval.request({}), $ext.fake.never(1)]);
           $state.n = 5;
         </Handler></Tool>)");
  {
    const auto test = Open(options);
    const auto panel = test->Mount(text);
    (void)Start(*panel, {.tool = "both"});
    ASSERT_TRUE(Eventually([&] { return approval_->asked() == 1 && fake_->calls().size() == 1; }));
    approval_->Grant("state:write:n", Now() + 600'000);
    test->host->Drain(100);
  }
  const auto test = Open(options);
  ASSERT_TRUE(Eventually([&] { return fake_->calls().size() == 2; }));
  fake_->AnswerKept(Value(1));
  const auto panel = test->host->Find("p");
  ASSERT_NE(panel, nullptr);
  EXPECT_TRUE(Eventually([&] { return StateText(*panel) == R"({"n":5})"; }));
  EXPECT_EQ(approval_->asked(), 1u) << "an answered call is not made again";
}

}  // namespace
}  // namespace nexus::testing
