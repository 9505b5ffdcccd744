#include "server/internal/outbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"

namespace nexus::internal {
namespace {

std::shared_ptr<const PanelUpdate> Update(std::uint64_t revision, const std::string& key,
                                          std::vector<PathStep> path, Value value) {
  auto update = std::make_shared<PanelUpdate>();
  update->revision = revision;
  update->mutations.push_back(
      {.key = key, .path = std::move(path), .value = std::move(value), .revision = revision});
  return update;
}

void Push(Outbox& outbox, const std::shared_ptr<const PanelUpdate>& update) {
  outbox.PushPatch(std::make_shared<std::string>(PatchText(*update, {})), update, {});
}

TEST(OutboxTest, PassesTextsThroughWhileTheClientKeepsUp) {
  Outbox outbox;
  Push(outbox, Update(1, "a", {}, 1));
  Push(outbox, Update(2, "a", {}, 2));
  EXPECT_THAT(*outbox.Next(), ::testing::HasSubstr("\"revision\":1"));
  EXPECT_THAT(*outbox.Next(), ::testing::HasSubstr("\"revision\":2"));
  EXPECT_EQ(outbox.Next(), nullptr);
  EXPECT_EQ(outbox.bytes(), 0u);
}

TEST(OutboxTest, MergesPatchesOfAKeyForASlowClient) {
  Outbox outbox;
  const std::string large(1'000, 'x');
  for (int i = 1; i <= 10'000; ++i) {
    Push(outbox, Update(static_cast<std::uint64_t>(i), i % 2 == 0 ? "a" : "b", {}, large));
  }
  EXPECT_LT(outbox.bytes(), Outbox::kMergeAboveBytes);
  const auto patch = ParseJson(*outbox.Next());
  ASSERT_TRUE(patch);
  EXPECT_EQ(patch->NumberOr("revision", 0), 10'000);
  EXPECT_EQ(patch->Find("mutations")->As<ValueArray>()->size(), 2u);
  EXPECT_EQ(outbox.Next(), nullptr);
  EXPECT_EQ(outbox.bytes(), 0u);
}

TEST(OutboxTest, KeepsPathsThatAWriteDoesNotCover) {
  Outbox outbox;
  Push(outbox, Update(1, "fill", {}, std::string(Outbox::kMergeAboveBytes, 'x')));
  Push(outbox, Update(2, "list", {PathStep(0u)}, 1));
  Push(outbox, Update(3, "list", {PathStep(1u)}, 2));
  Push(outbox, Update(4, "list", {PathStep(1u)}, 3));
  const auto patch = ParseJson(*outbox.Next());
  ASSERT_TRUE(patch);
  std::vector<double> revisions;
  for (const Value& mutation : *patch->Find("mutations")->As<ValueArray>()) {
    revisions.push_back(mutation.NumberOr("revision", 0));
  }
  EXPECT_THAT(revisions, ::testing::ElementsAre(1, 2, 4));
}

TEST(OutboxTest, EventsKeepTheirOrder) {
  Outbox outbox;
  Push(outbox, Update(1, "a", {}, std::string(Outbox::kMergeAboveBytes, 'x')));
  outbox.Push(std::make_shared<std::string>("event"));
  Push(outbox, Update(2, "a", {}, 2));
  EXPECT_THAT(*outbox.Next(), ::testing::HasSubstr("\"revision\":2"));
  EXPECT_EQ(*outbox.Next(), "event");
  EXPECT_EQ(outbox.Next(), nullptr);
}

}  // namespace
}  // namespace nexus::internal
