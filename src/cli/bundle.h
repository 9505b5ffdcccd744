#pragma once
/// Bundles a program and what it imports (npm packages, files beside it) into one module, with
/// esbuild as a child process; no Node.js is needed. Bundles are kept by content, so a second start
/// costs a few hashes. Format of the kept files: docs/format/bundle.md.

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/run_result.h"

namespace nexus {

struct BundleOptions {
  std::filesystem::path esbuild;    ///< Empty: looked for (FindEsbuild).
  std::filesystem::path cache_dir;  ///< Where bundles are kept; empty: nowhere.
  std::string signing_key;          ///< Of kept bundles; used with cache_dir.
};

struct Bundle {
  std::string javascript;
  std::string source_map;  ///< JSON; its files are relative to the working folder.
  std::vector<std::filesystem::path> inputs;  ///< Absolute; what a change of makes it stale.
  bool cache_hit = false;
};

/// NEXUS_ESBUILD, else `esbuild` beside the running program, else ../lib/nexus/esbuild from there.
/// Errors: kNotFound with the remedy.
Result<std::filesystem::path> FindEsbuild();

/// Errors: COMPILATION_ERROR with file, line, column and snippet for what the author can mend (an
/// import that does not resolve, one of Node's builtin modules, a syntax error); INTERNAL_ERROR
/// when the bundler cannot be run.
std::expected<Bundle, RunError> BundleFile(const std::filesystem::path& entry,
                                           const BundleOptions& options);

/// Reads what esbuild prints about its first error. Never fails: an unknown form becomes the
/// message.
RunError ParseBundlerError(const std::string& errors, const std::filesystem::path& folder);

/// `file` as a person in the working folder would write it: relative when it lies below, else
/// absolute.
std::string DisplayPath(const std::filesystem::path& file);

}  // namespace nexus
