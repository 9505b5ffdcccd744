#pragma once
/// What a run on the command line can reach: the sandbox, and the extensions the operator named.

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/bundle.h"
#include "extension/registry.h"
#include "sandbox/sandbox.h"

namespace nexus {

/// The extensions as options name them.
struct ExtensionChoice {
  std::vector<std::string> extensions;     ///< --ext NAME or NAME=JSON|@FILE
  std::string workspace;                   ///< --workspace DIR or DIR:ro
  std::vector<std::string> allowed_hosts;  ///< --allow-host
  std::string kv_file;                     ///< --kv
  std::vector<std::string> capabilities;   ///< --cap: ext:NAME makes NAME available
};

/// Names of the extensions that can be chosen.
std::vector<std::string_view> KnownExtensions();

/// Errors: as the extensions' own Create, and kInvalidArgument for an unknown name or setting, each
/// naming the option.
Result<Registry> BuildRegistry(const ExtensionChoice& choice);

/// Where things are kept, by option or by default.
struct Places {
  std::string cache_dir;  ///< --cache-dir; empty: CacheDir().
};

/// The sandbox of this process. Errors: as Sandbox::Create.
Result<std::unique_ptr<Sandbox>> OpenSandbox(const Places& places);

/// For BundleFile: kept bundles are signed with the installation's key. Never fails: without a
/// place to keep them, bundles are not kept.
BundleOptions BundlingAt(const Places& places);

}  // namespace nexus
