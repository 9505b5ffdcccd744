// Property: any text either parses or gives an error; a map that parses answers for every place,
// always with one of its own sources.
#include <algorithm>
#include <cstdlib>

#include "source/source_map.h"

namespace {

void Try(std::string_view json) {
  const nexus::Result<nexus::SourceMap> map = nexus::SourceMap::Parse(json);
  if (!map) {
    if (map.error().message().empty()) std::abort();
    return;
  }
  for (std::uint32_t line = 0; line < 8; ++line) {
    for (std::uint32_t column = 0; column < 64; column += 7) {
      const nexus::OriginalPosition at = map->Find({line, column});
      if (!at.at.known()) continue;
      const auto& sources = map->sources();
      if (std::find(sources.begin(), sources.end(), at.file) == sources.end()) std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  Try(text);
  // As mappings alone, so that the fuzzer need not find JSON first.
  if (text.find_first_of("\"\\") == std::string::npos) {
    Try(R"({"version":3,"sources":["a",null],"sourcesContent":["x\ny"],"names":["n"],)"
        R"("mappings":")" +
        text + "\"}");
  }
  return 0;
}
