// Property: any bytes either open, and then every entry can be read to the end, or give an error;
// never a crash, never an endless loop.
#include <cstdlib>

#include "sandbox/internal/recording.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto reader = nexus::internal::RecordingReader::Open({reinterpret_cast<const char*>(data), size});
  if (!reader) return 0;
  while (!reader->at_end()) {
    const auto call = reader->NextHostCall();
    const auto answer = reader->NextAnswer();
    const auto stop = reader->NextStop();
    // What Open accepted is readable, and one of the three kinds comes next.
    if (!call || !answer || !stop) std::abort();
    if (!*call && !*answer && !*stop && !reader->at_end()) std::abort();
  }
  return 0;
}
