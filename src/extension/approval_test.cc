// Goal: nobody gets a right that a person or the policy did not grant, nobody grants what they do
// not hold or the ceiling forbids, and a request outlives the process. Method: a clock that stands
// still, calls whose answers are futures.
#include "extension/approval.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <thread>

#include "base/testing/temp_folder.h"
#include "extension/internal/call_for_test.h"
#include "extension/registry.h"
#include "store/sqlite.h"

namespace nexus {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

CapabilitySet Set(const std::vector<std::string>& tokens) {
  return CapabilitySet::Parse(tokens).value();
}

class ApprovalTest : public ::testing::Test {
 protected:
  ApprovalExtension& Open(ApprovalOptions options = {}) {
    desk_.reset();
    options.clock = &clock_;
    options.file = (folder_.path() / "approvals.db").string();
    auto made = ApprovalExtension::Create(std::move(options));
    EXPECT_TRUE(made.has_value()) << made.error().message();
    desk_ = *made;
    return *desk_;
  }
  std::future<Answer> Ask(const std::string& capability, const std::string& key = "run.1",
                          double for_ms = 60'000) {
    auto promise = std::make_shared<std::promise<Answer>>();
    ExtensionCall call{
        .run_id = key.substr(0, key.find('.')),
        .suspension_id = key,
        .extension = "approval",
        .method = "request",
        .args = {Value::Object(
            {{"capability", capability}, {"reason", "to report"}, {"forMs", for_ms}})},
        .idempotency_key = key,
        .panel_id = "p",
        .handler = "send",
        .principal = "ann"};
    auto future = promise->get_future();
    desk_->Call(std::move(call),
                [promise](Answer answer) { promise->set_value(std::move(answer)); });
    return future;
  }
  static bool Ready(std::future<Answer>& answer) {
    return answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }

  FakeClock clock_{1'000'000};
  const testing::TempFolder folder_;
  std::shared_ptr<ApprovalExtension> desk_;
  const Approver boss_{.name = "boss", .capabilities = Set({"ext:http", "state:write:*"})};
};

TEST_F(ApprovalTest, WaitsForAPersonWhoHoldsTheRight) {
  ApprovalExtension& desk = Open();
  auto answer = Ask("ext:http.post");
  ASSERT_FALSE(Ready(answer));
  ASSERT_EQ(desk.Waiting().size(), 1u);
  const Approval waiting = desk.Waiting().front();
  EXPECT_EQ(waiting.panel_id, "p");
  EXPECT_EQ(waiting.reason, "to report");
  const Approver poor{.name = "bob", .capabilities = Set({"ext:http.get"})};
  const auto refused = desk.Approve(waiting.id, poor);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Code::kPermissionDenied);
  EXPECT_FALSE(Ready(answer));
  ASSERT_TRUE(desk.Approve(waiting.id, boss_).has_value());
  const Answer given = answer.get();
  ASSERT_TRUE(given.success) << given.message;
  ASSERT_EQ(given.grants.size(), 1u);
  EXPECT_EQ(given.grants[0].token.ToString(), "ext:http.post");
  EXPECT_EQ(given.grants[0].conditions.expires_unix_ms, 1'060'000);
  EXPECT_EQ(given.value.StringOr("by", ""), "boss");
  EXPECT_TRUE(desk.Waiting().empty());
  EXPECT_EQ(desk.GetStats().approved, 1u);
}

TEST_F(ApprovalTest, ARefusalIsTheProgramsExceptionWithItsReason) {
  ApprovalExtension& desk = Open();
  auto answer = Ask("ext:http.post");
  ASSERT_TRUE(desk.Deny(desk.Waiting().front().id, "boss", "not today").has_value());
  const Answer given = answer.get();
  EXPECT_FALSE(given.success);
  EXPECT_EQ(given.code, RunErrorCode::kPermissionDenied);
  EXPECT_THAT(given.message, HasSubstr("boss refused ext:http.post: not today"));
  EXPECT_TRUE(given.grants.empty());
}

TEST_F(ApprovalTest, IsDecidedOnce) {
  ApprovalExtension& desk = Open();
  auto answer = Ask("ext:http.post");
  const std::string id = desk.Waiting().front().id;
  ASSERT_TRUE(desk.Deny(id, "boss", "").has_value());
  const auto again = desk.Approve(id, boss_);
  ASSERT_FALSE(again.has_value());
  EXPECT_THAT(std::string(again.error().message()), HasSubstr("denied already"));
  EXPECT_EQ(desk.Approve("01JD3ZK5T8R8N6W9A2C4E6G8J0", boss_).error().code(), Code::kNotFound);
}

TEST_F(ApprovalTest, NothingAboveTheCeilingCanBeAskedFor) {
  ApprovalExtension& desk = Open({.ceiling = Set({"ext:http.get"})});
  const Answer none = Ask("ext:code").get();
  EXPECT_EQ(none.code, RunErrorCode::kPermissionDenied);
  EXPECT_THAT(none.message, HasSubstr("above the ceiling"));
  auto cut = Ask("ext:http", "run.2");
  ASSERT_EQ(desk.Waiting().size(), 1u);
  EXPECT_THAT(desk.Waiting().front().Asked().ToStrings(), ElementsAre("ext:http.get"));
  ASSERT_TRUE(desk.Approve(desk.Waiting().front().id, boss_).has_value());
  ASSERT_EQ(cut.get().grants.size(), 1u);
}

TEST_F(ApprovalTest, PolicyAnswersAtOnceAndRefusalWins) {
  ApprovalExtension& desk =
      Open({.allowed = Set({"ext:http"}), .denied = Set({"ext:http.delete"})});
  const Answer granted = Ask("ext:http.get").get();
  ASSERT_TRUE(granted.success) << granted.message;
  EXPECT_EQ(granted.value.StringOr("by", ""), "policy");
  EXPECT_FALSE(Ask("ext:http.delete", "run.2").get().success);
  // All of http would be delete too.
  EXPECT_FALSE(Ask("ext:http", "run.3").get().success);
  auto person = Ask("state:write:x", "run.4");
  EXPECT_FALSE(Ready(person));
  EXPECT_EQ(desk.History(10).value().size(), 4u);
}

TEST_F(ApprovalTest, TheTimeIsCutToTheLongestAndByTheApprover) {
  ApprovalExtension& desk = Open({.for_ms_max = 30'000});
  auto answer = Ask("ext:http.post", "run.1", 86'000'000);
  ASSERT_EQ(desk.Waiting().front().for_ms, 30'000);
  ASSERT_TRUE(desk.Approve(desk.Waiting().front().id, boss_, 5'000).has_value());
  EXPECT_EQ(answer.get().grants[0].conditions.expires_unix_ms, 1'005'000);
  auto longer = Ask("ext:http.post", "run.2", 2'000);
  ASSERT_TRUE(desk.Approve(desk.Waiting().front().id, boss_, 9'000).has_value());
  EXPECT_EQ(longer.get().grants[0].conditions.expires_unix_ms, 1'002'000);
}

TEST_F(ApprovalTest, NobodyAnswersInTime) {
  ApprovalExtension& desk = Open({.wait_ms_max = 10'000});
  auto answer = Ask("ext:http.post");
  clock_.AdvanceMs(10'001);
  ASSERT_EQ(answer.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  const Answer given = answer.get();
  EXPECT_EQ(given.code, RunErrorCode::kPermissionDenied);
  EXPECT_THAT(given.message, HasSubstr("nobody answered"));
  EXPECT_EQ(desk.History(1).value().front().status, ApprovalStatus::kExpired);
}

TEST_F(ApprovalTest, ARequestOutlivesTheProcess) {
  Open();
  auto lost = Ask("ext:http.post");
  const std::string id = desk_->Waiting().front().id;
  Open();
  EXPECT_FALSE(lost.get().success);
  // Its run has not asked again yet: nothing to decide.
  EXPECT_TRUE(desk_->Waiting().empty());
  EXPECT_FALSE(desk_->Approve(id, boss_).has_value());
  auto again = Ask("ext:http.post");
  ASSERT_EQ(desk_->Waiting().size(), 1u);
  EXPECT_EQ(desk_->Waiting().front().id, id);
  ASSERT_TRUE(desk_->Approve(id, boss_).has_value());
  EXPECT_TRUE(again.get().success);
  // The answer was lost: the repeated call finds the decision, with the time it had.
  Open();
  clock_.AdvanceMs(20'000);
  const Answer repeated = Ask("ext:http.post").get();
  ASSERT_TRUE(repeated.success);
  EXPECT_EQ(repeated.grants[0].conditions.expires_unix_ms, 1'060'000);
}

TEST_F(ApprovalTest, ADecisionIsNotForOtherWords) {
  ApprovalExtension& desk = Open();
  auto first = Ask("ext:http.get");
  ASSERT_TRUE(desk.Approve(desk.Waiting().front().id, boss_).has_value());
  ASSERT_TRUE(first.get().success);
  auto other = Ask("ext:http.post");  // The same key.
  EXPECT_FALSE(Ready(other));
  EXPECT_EQ(desk.Waiting().size(), 1u);
}

TEST_F(ApprovalTest, EndsWithItsRun) {
  ApprovalExtension& desk = Open();
  auto answer = Ask("ext:http.post");
  const std::string id = desk.Waiting().front().id;
  desk.Abandon("run");
  EXPECT_EQ(answer.get().code, RunErrorCode::kCancelled);
  EXPECT_TRUE(desk.Waiting().empty());
  EXPECT_THAT(std::string(desk.Approve(id, boss_).error().message()), HasSubstr("is gone"));
}

TEST_F(ApprovalTest, TooManyAndMalformedRequestsAreRefused) {
  Open({.waiting_max = 1});
  auto first = Ask("ext:http.post");
  EXPECT_EQ(Ask("ext:http.get", "run.2").get().code, RunErrorCode::kOverloaded);
  EXPECT_EQ(Ask("ext:ht*", "run.3").get().code, RunErrorCode::kInvalidArgument);
  Registry registry;
  ASSERT_TRUE(registry.Add(desk_).has_value());
  const auto checked = registry.Find("approval");
  const auto ask = [&](ValueObject request) {
    return internal::CallNow(*checked, "request", {Value(std::move(request))}).message;
  };
  EXPECT_THAT(ask({{"reason", "x"}}), HasSubstr("capability"));
  EXPECT_THAT(ask({{"capability", "ext:http"}}), HasSubstr("reason"));
  EXPECT_THAT(ask({{"capability", "ext:http"}, {"reason", ""}}), HasSubstr("reason"));
  EXPECT_THAT(ask({{"capability", "ext:http"}, {"reason", "x"}, {"forMs", 1}}), HasSubstr("forMs"));
}

TEST_F(ApprovalTest, AnotherFilesTablesAreNotTaken) {
  {
    auto file = SqliteFile::Open((folder_.path() / "approvals.db").string());
    ASSERT_TRUE(file->Execute("CREATE TABLE other (x INTEGER)").has_value());
  }
  const auto made = ApprovalExtension::Create({.file = (folder_.path() / "approvals.db").string()});
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code(), Code::kDataLoss);
}

}  // namespace
}  // namespace nexus
