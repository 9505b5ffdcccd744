#include "server/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"

namespace nexus {
namespace {

using ::testing::HasSubstr;

const Environment kNoEnvironment = [](const std::string&) -> std::optional<std::string> {
  return std::nullopt;
};

std::string ErrorOf(std::string_view text, const Environment& environment = kNoEnvironment) {
  const auto config = LoadConfig(text, "n.toml", environment);
  return config ? "" : config.error().message();
}

TEST(ConfigTest, ReadsWhatItPrints) {
  const auto config = LoadConfig("", "n.toml", kNoEnvironment);
  ASSERT_TRUE(config) << config.error().message();
  const std::string printed = PrintConfig(*config);
  EXPECT_THAT(printed, HasSubstr("[server]"));
  EXPECT_THAT(printed, HasSubstr("NEXUS_SERVER_PORT"));
  const auto again = LoadConfig(printed, "n.toml", kNoEnvironment);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(PrintConfig(*again), printed);
}

TEST(ConfigTest, NamesThePlaceOfEveryProblem) {
  const std::string error = ErrorOf("[server]\nprt = 1\naddress = 5\n[rate]\nburst = 0\n");
  EXPECT_THAT(error, HasSubstr("n.toml:2:1: there is no setting 'server.prt' (did you mean "
                               "'server.port'?)"));
  EXPECT_THAT(error, HasSubstr("n.toml:3:1: server.address must be a string"));
  EXPECT_THAT(error, HasSubstr("n.toml:5:1: rate.burst must be a number above 0, or \"none\""));
  EXPECT_THAT(ErrorOf("[server\n"), HasSubstr("n.toml:1:"));
  EXPECT_THAT(ErrorOf("[server]\nport = 1\nport = 2\n"), HasSubstr("n.toml:3:"));
}

// toml++ 3.3 runs into undefined behaviour for some letters of bare keys.
TEST(ConfigTest, CharactersBeyondAsciiAreEscaped) {
  EXPECT_TRUE(ReadToml("# \xc3\xa4 comment\na = \"\\u00e4\"\n", "n.toml").has_value());
  const auto bare = ReadToml("a = 1\nb\xc3\xa4 = 2\n", "n.toml");
  ASSERT_FALSE(bare.has_value());
  EXPECT_EQ(bare.error().message().find("n.toml:2:2: "), 0u) << bare.error().message();
}

TEST(ConfigTest, LimitsAreThoseOfRuns) {
  const auto config = LoadConfig("[limits]\nwall = \"2s\"\nevents = 7\n", "n.toml", kNoEnvironment);
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->limits.Get(Limit::kWall), 2'000u);
  EXPECT_EQ(config->limits.Get(Limit::kEvents), 7u);
  EXPECT_THAT(ErrorOf("[limits]\nwal = \"2s\"\n"), HasSubstr("did you mean wall"));
}

TEST(ConfigTest, ExtensionsHaveTablesOfTheirOwn) {
  const char* text = R"([extension.llm]
runTokens = 1000
[[extension.llm.providers]]
name = "main"
key = { env = "HIDDEN_NAME" }
[extension.llm.providers.models]
"m-1.5" = "x"
[extension.kv]
)";
  const auto config = LoadConfig(text, "n.toml", kNoEnvironment);
  ASSERT_TRUE(config) << config.error().message();
  ASSERT_EQ(config->extension_tables.size(), 2u);
  const ExtensionTable& llm = config->extension_tables[1];
  EXPECT_EQ(llm.name, "llm");
  EXPECT_EQ(ToJson(Value(llm.settings)),
            R"({"providers":[{"key":{"env":"HIDDEN_NAME"},"models":{"m-1.5":"x"},"name":"main"}],)"
            R"("runTokens":1000})");
  EXPECT_EQ(llm.places.at("runTokens"), "n.toml:2:1");
  EXPECT_EQ(llm.places.at("providers[0].name"), "n.toml:4:1");
  EXPECT_EQ(llm.places.at("providers[0].models.m-1.5"), "n.toml:7:1");
  EXPECT_THAT(PrintConfig(*config), HasSubstr("# [extension.llm] is set with 2 settings."));
  EXPECT_THAT(PrintConfig(*config), ::testing::Not(HasSubstr("HIDDEN_NAME")));
  EXPECT_THAT(ErrorOf("[extension]\nllm = 5\n"),
              HasSubstr("n.toml:2:1: extension.llm must be a table"));
}

TEST(ConfigTest, TheEnvironmentOverrides) {
  const Environment environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "NEXUS_SERVER_PORT") return "8080";
    if (name == "NEXUS_SERVER_ALLOWED_HOSTS") return "a.example, b.example";
    if (name == "NEXUS_LIMITS_CPU") return "3s";
    return std::nullopt;
  };
  const auto config = LoadConfig("[server]\nport = 1\n", "n.toml", environment);
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->listener.port, 8080);
  EXPECT_THAT(config->api.allowed_hosts, ::testing::ElementsAre("a.example", "b.example"));
  EXPECT_EQ(config->limits.Get(Limit::kCpu), 3'000u);
  const Environment wrong = [](const std::string& name) -> std::optional<std::string> {
    return name == "NEXUS_SERVER_PORT" ? std::optional<std::string>("many") : std::nullopt;
  };
  EXPECT_THAT(ErrorOf("", wrong), HasSubstr("NEXUS_SERVER_PORT: must be a whole number"));
}

TEST(ConfigTest, AnOpenAddressNeedsAuthentication) {
  const std::string open = "[server]\naddress = \"0.0.0.0\"\n";
  EXPECT_THAT(ErrorOf(open), HasSubstr("callers must say who they are"));
  EXPECT_EQ(ErrorOf(open + "[[auth.keys]]\nname = \"a\"\nsha256 = \"" + std::string(64, 'a') +
                    "\"\npermissions = [\"panel:read\"]\n"),
            "");
  EXPECT_THAT(ErrorOf("[[auth.keys]]\nname = \"a\"\nsha256 = \"b\"\n"), HasSubstr("64 hex digits"));
  EXPECT_THAT(ErrorOf("[[auth.keys]]\nnam = \"a\"\n"), HasSubstr("did you mean 'name'"));
  EXPECT_THAT(ErrorOf("[tls]\ncertificate = \"a.pem\"\n"), HasSubstr("both certificate and key"));
}

}  // namespace
}  // namespace nexus
