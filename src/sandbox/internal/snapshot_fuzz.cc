// Property: any bytes either parse, with every page inside the memory the snapshot names, or give
// an error with a message; never a crash.
#include <cstdlib>

#include "sandbox/internal/dirty_pages.h"
#include "sandbox/internal/snapshot.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parts =
      nexus::internal::ParseSnapshotBody({reinterpret_cast<const char*>(data), size});
  if (!parts) {
    if (parts.error().message().empty()) std::abort();
    return 0;
  }
  for (const std::uint32_t page : parts->pages) {
    if (std::uint64_t{page} * nexus::internal::kPageBytes >= parts->memory_bytes) std::abort();
  }
  return 0;
}
