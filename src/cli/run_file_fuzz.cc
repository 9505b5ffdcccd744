// Property: any bytes either decode or give an error with a message; what decodes encodes to a run
// that decodes again.
#include <cstdlib>

#include "base/hash.h"
#include "cli/run_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // With a right checksum in front, so that the fuzzer gets past it.
  for (const std::string& input :
       {std::string(bytes), "NXRUN1\n" + nexus::Sha256Bytes(bytes) + std::string(bytes)}) {
    const auto run = nexus::DecodeSavedRun(input);
    if (!run && run.error().message().empty()) std::abort();
    if (run && !nexus::DecodeSavedRun(nexus::EncodeSavedRun(*run))) std::abort();
  }
  return 0;
}
