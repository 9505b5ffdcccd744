// What the server decodes itself: targets, queries, configuration, tokens, panels in JSON.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/json.h"
#include "server/config.h"
#include "server/internal/json_panel.h"
#include "server/internal/target.h"
#include "server/jwt.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  using namespace nexus;  // NOLINT: a test
  switch (data[0] % 4) {
    case 0:
      if (const auto target = internal::ParseTarget(text)) {
        (void)internal::QueryValue(target->query, "limit");
      }
      (void)internal::HostIsAllowed(text, {"nexus.example"});
      (void)internal::OriginIsAllowed(text, "localhost", {});
      break;
    case 1:
      (void)LoadConfig(text, "f", [](const std::string&) { return std::nullopt; });
      break;
    case 2: {
      static const auto verifier = JwtVerifier::Create({.algorithms = {"HS256", "RS256"}});
      (void)(*verifier)->Verify(text, 0);
      (void)(*verifier)->LoadJwks(text);
      break;
    }
    default:
      if (const auto body = ParseJson(text)) (void)internal::NxmlFromJsonPanel(*body);
  }
  return 0;
}
