#pragma once
/// From a file on disk to what the sandbox loads: types are stripped in process, imports and what
/// cannot be stripped go through the bundler.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/bundle.h"
#include "sandbox/sandbox.h"
#include "source/typescript.h"

namespace nexus {

struct PreparedProgram {
  ProgramSpec spec;
  std::string source_map;  ///< JSON text; empty when the code is what was written.
  std::string source;      ///< The file as the author wrote it.
  bool is_module = false;
  bool bundled = false;
  bool bundle_cache_hit = false;
  std::vector<ImportFound> imports;           ///< Of the file itself.
  std::vector<std::filesystem::path> inputs;  ///< What a change of makes it stale; absolute.
  std::chrono::microseconds took{0};
};

/// Reads .js, .mjs, .cjs, .ts and .mts; "-" reads JavaScript from standard input.
/// Errors: COMPILATION_ERROR and INVALID_HANDLER as BundleFile and the parser report them, with
/// file, line, column and snippet. A file that cannot be read: `not_found` and EXECUTION_ERROR.
struct PrepareFailure {
  RunError error;
  int exit_code = 1;
};
std::expected<PreparedProgram, PrepareFailure> PrepareFile(const std::string& file,
                                                           const BundleOptions& options);

/// A spec again from its saved parts (run files).
Result<ProgramSpec> SpecFromParts(std::string name, std::string text, ProgramForm form,
                                  const std::string& source_map, std::string author_text);

}  // namespace nexus
