// Property: any text either parses or gives an error with a place; what parses is written and
// parsed to the same.
#include <cmath>
#include <cstdlib>

#include "base/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const nexus::Result<nexus::Value> value = nexus::ParseJson(text);
  if (!value) {
    if (value.error().message().find(':') == std::string::npos) std::abort();
    return 0;
  }
  const std::string written = nexus::ToJson(*value);
  const nexus::Result<nexus::Value> back = nexus::ParseJson(written);
  // Compared as text: an infinity, which 1e999 gives, is written as null.
  if (!back || nexus::ToJson(*back) != written) std::abort();
  return 0;
}
