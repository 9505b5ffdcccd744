// Property: any text is a token that prints and parses to itself, or an error with a reason; a set
// of it covers nothing but its own right.
#include <cstdlib>

#include "capability/gate.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto token = nexus::CapabilityToken::Parse(text);
  if (token) {
    const auto again = nexus::CapabilityToken::Parse(token->ToString());
    if (!again || *again != *token) std::abort();
    const nexus::CapabilitySet set = nexus::CapabilitySet::Of({*token});
    int rights = 0;
    for (int i = 0; i < nexus::kRightCount; ++i) {
      const auto right = static_cast<nexus::Right>(i);
      if (!set.AttenuatedBy(set).IsSubsetOf(set)) std::abort();
      if (right != token->right() && set.Covers(right, token->scope)) std::abort();
      rights += set.Covers(right, "some_name_nobody_has", "method");
    }
    if (rights > 0 && token->scope != "*" && token->scope != "some_name_nobody_has" &&
        token->scope != "some_name_nobody_has.method") {
      std::abort();
    }
  } else if (token.error().message().empty()) {
    std::abort();
  }
  const std::size_t half = size / 2;
  (void)nexus::ParseCapabilityList(text.substr(0, half), text.substr(half));
  // Paths: what is normal stays as it is, and is at or below itself.
  if (const auto path = nexus::NormalizePath(text)) {
    if (nexus::NormalizePath(*path) != *path || !nexus::IsAtOrBelow(*path, *path)) std::abort();
    if (("/" + *path + "/").find("/../") != std::string::npos) std::abort();
  }
  return 0;
}
