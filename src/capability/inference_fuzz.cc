// Property: any text is read or refused with a place, and what is inferred never asks for
// everything.
#include <cstdlib>

#include "capability/inference.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const nexus::Result<nexus::Inference> inference = nexus::InferCapabilities(text);
  if (!inference) {
    if (inference.error().message().find(':') == std::string::npos) std::abort();
    return 0;
  }
  for (const nexus::InferredCapability& found : inference->capabilities) {
    if (found.token.scope.find('*') != std::string::npos) std::abort();
    if (!nexus::CapabilityToken::Parse(found.token.ToString())) std::abort();
    if (!found.first_use.known()) std::abort();
  }
  return 0;
}
