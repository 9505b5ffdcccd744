// Goal: what is written behind --cap is read exactly or refused with the remedy.
#include "cli/grants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nexus {
namespace {

using testing::HasSubstr;

TEST(ParseGrant, ReadsConditions) {
  const Result<Grant> grant = ParseGrant("ext:code.read?path=src/&calls=10&for=5m", 1000);
  ASSERT_TRUE(grant.has_value()) << grant.error().message();
  EXPECT_EQ(grant->token.ToString(), "ext:code.read");
  EXPECT_EQ(grant->conditions.path_prefix, "src/");
  EXPECT_EQ(grant->conditions.calls_max, 10u);
  EXPECT_EQ(grant->conditions.expires_unix_ms, 1000 + 300'000);
}

TEST(ParseGrant, RefusesWhatItDoesNotKnow) {
  for (const char* bad :
       {"", "ext", "stat:read:x", "ext:http?calls=0", "ext:http?calls=-1", "ext:http?calls=1x",
        "ext:http?for=5", "ext:http?for=m", "ext:http?path=", "ext:http?until=3", "ext:http?"}) {
    EXPECT_FALSE(ParseGrant(bad, 0).has_value()) << bad;
  }
  EXPECT_THAT(ParseGrant("ext:http?cals=3", 0).error().message(),
              HasSubstr("did you mean 'calls'"));
}

TEST(ParseGrants, GivesTheStateOnlyWhenThereIsOne) {
  EXPECT_TRUE(ParseGrants({}, false, 0)->empty());
  const Result<CapabilitySet> set = ParseGrants({"ext:http"}, true, 0);
  EXPECT_TRUE(set->Covers(Right::kStateWrite, "anything"));
  EXPECT_TRUE(set->Covers(Right::kExtension, "http", "get"));
  EXPECT_FALSE(set->Covers(Right::kExtension, "code", "read"));
}

}  // namespace
}  // namespace nexus
