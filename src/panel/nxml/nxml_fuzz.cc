// Property: any bytes give a report, never a crash; what reads prints, and reads back the same.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "panel/nxml/nxml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const nexus::NxmlReport report = nexus::ReadNxml(text, {.file = "fuzz.nxml", .limits = {}});
  if (!report.panel) {
    if (report.errors.empty()) std::abort();
    return 0;
  }
  const std::string printed = nexus::PrintNxml(*report.panel);
  const nexus::NxmlReport again = nexus::ReadNxml(printed, {.file = "fuzz.nxml", .limits = {}});
  if (!again.panel || nexus::PrintNxml(*again.panel) != printed) std::abort();
  return 0;
}
