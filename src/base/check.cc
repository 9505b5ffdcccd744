#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace nexus {

void CheckFailed(const char* file, int line, const char* condition, std::string_view why) {
  // fprintf and not the logger: the logger may be what is broken.
  std::fprintf(stderr, "%s:%d: check failed: %s%s%.*s\n", file, line, condition,
               why.empty() ? "" : ": ", static_cast<int>(why.size()), why.data());
  std::fflush(stderr);
  std::abort();
}

}  // namespace nexus
