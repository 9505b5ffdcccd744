// Property: any text is stripped or refused with a place; the result has as many lines and
// code points as the text.
#include <algorithm>
#include <cstdlib>

#include "base/utf8.h"
#include "source/typescript.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const nexus::Result<nexus::StrippedSource> stripped = nexus::StripTypes(text);
  if (!stripped) {
    if (stripped.error().message().find(':') == std::string::npos) std::abort();
    return 0;
  }
  const std::string& javascript = stripped->javascript;
  if (std::count(text.begin(), text.end(), '\n') !=
      std::count(javascript.begin(), javascript.end(), '\n')) {
    std::abort();
  }
  if (nexus::FindInvalidUtf8(text) == nexus::kValid &&
      nexus::CodePointCount(text) != nexus::CodePointCount(javascript)) {
    std::abort();
  }
  if (stripped->needs_bundler && !stripped->first_unerasable.known()) std::abort();
  (void)nexus::ReadModuleShape(text, nexus::Language::kTypeScript);
  (void)nexus::ReadModuleShape(javascript, nexus::Language::kJavaScript);
  return 0;
}
