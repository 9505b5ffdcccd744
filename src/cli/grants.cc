#include "cli/grants.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "base/text.h"

namespace nexus {
namespace {

Result<std::uint64_t> ReadCount(std::string_view grant, std::string_view name,
                                std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number > 0) return number;
  return Fail(Code::kInvalidArgument,
              fmt::format("--cap {}: {}={}: must be a whole number above 0", grant, name, text));
}

Result<std::int64_t> ReadDurationMs(std::string_view grant, std::string_view text) {
  std::string_view digits = text;
  std::int64_t unit_ms = 0;
  if (text.ends_with("ms")) {
    unit_ms = 1;
    digits.remove_suffix(2);
  } else if (!text.empty()) {
    const char suffix = text.back();
    unit_ms = suffix == 's' ? 1000 : suffix == 'm' ? 60'000 : suffix == 'h' ? 3'600'000 : 0;
    digits.remove_suffix(1);
  }
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool good = unit_ms != 0 && error == std::errc() && end == digits.data() + digits.size() &&
                    number > 0 && number < 1'000'000'000;
  if (good) return static_cast<std::int64_t>(number) * unit_ms;
  return Fail(
      Code::kInvalidArgument,
      fmt::format("--cap {}: for={}: write a time such as 500ms, 30s, 5m or 2h", grant, text));
}

}  // namespace

Result<Grant> ParseGrant(std::string_view text, std::int64_t now_unix_ms) {
  const std::size_t question = text.find('?');
  Grant grant;
  Result<CapabilityToken> token = CapabilityToken::Parse(text.substr(0, question));
  if (!token) return std::unexpected(std::move(token).error().Context("--cap"));
  grant.token = *std::move(token);
  if (question == std::string_view::npos) return grant;
  for (const std::string_view condition : Split(text.substr(question + 1), '&')) {
    const std::size_t equals = condition.find('=');
    const std::string_view name = condition.substr(0, equals);
    const std::string_view value =
        equals == std::string_view::npos ? "" : condition.substr(equals + 1);
    if (name == "path" && !value.empty()) {
      grant.conditions.path_prefix = std::string(value);
    } else if (name == "calls") {
      NEXUS_TRY(const std::uint64_t calls, ReadCount(text, name, value));
      grant.conditions.calls_max = static_cast<std::uint32_t>(
          std::min<std::uint64_t>(calls, std::numeric_limits<std::uint32_t>::max()));
    } else if (name == "for") {
      NEXUS_TRY(const std::int64_t duration_ms, ReadDurationMs(text, value));
      grant.conditions.expires_unix_ms = now_unix_ms + duration_ms;
    } else {
      constexpr std::array<std::string_view, 3> kNames = {"path", "calls", "for"};
      return Fail(Code::kInvalidArgument, fmt::format("--cap {}: unknown condition '{}'{}: write "
                                                      "?path=PREFIX, ?calls=N or ?for=TIME, joined "
                                                      "with '&'",
                                                      text, condition, DidYouMean(name, kNames)));
    }
  }
  return grant;
}

Result<CapabilitySet> ParseGrants(const std::vector<std::string>& texts, bool with_state,
                                  std::int64_t now_unix_ms) {
  std::vector<Grant> grants;
  if (with_state) {
    grants.push_back({.token = {.type = "state:read", .scope = "*"}, .conditions = {}});
    grants.push_back({.token = {.type = "state:write", .scope = "*"}, .conditions = {}});
  }
  for (const std::string& text : texts) {
    NEXUS_TRY(Grant grant, ParseGrant(text, now_unix_ms));
    grants.push_back(std::move(grant));
  }
  return CapabilitySet(std::move(grants));
}

}  // namespace nexus
