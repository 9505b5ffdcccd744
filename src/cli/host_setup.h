#pragma once
/// What a run on the command line can reach: the sandbox, and the extensions the operator named.

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/bundle.h"
#include "extension/registry.h"
#include "extension/settings.h"
#include "sandbox/sandbox.h"

namespace nexus {

/// The settings of one extension as the configuration has them.
struct ConfiguredExtension {
  std::string name;
  ValueObject settings;
  ExtensionSettings::Place place;  ///< Where a setting stands.
};

/// The extensions as options and the configuration name them. --ext wins over the configuration.
struct ExtensionChoice {
  std::vector<std::string> extensions;          ///< --ext NAME or NAME=JSON|@FILE
  std::string workspace;                        ///< --workspace DIR or DIR:ro
  std::vector<std::string> allowed_hosts;       ///< --allow-host
  std::string kv_file;                          ///< --kv
  std::vector<std::string> capabilities;        ///< --cap: ext:NAME makes NAME available
  std::vector<ConfiguredExtension> configured;  ///< [extension.NAME] of nexus.toml
  std::vector<std::string> offered;             ///< [extensions] offer, as --ext takes them
};

/// Names of the extensions that can be chosen.
std::vector<std::string_view> KnownExtensions();

/// Reads the settings of `choice` and makes nothing: no file is opened but those of secrets.
/// Errors: as BuildRegistry's, of settings alone.
Status CheckExtensions(const ExtensionChoice& choice);

/// Errors: as the extensions' own Create, and kInvalidArgument for an unknown name or setting, each
/// naming the option.
Result<Registry> BuildRegistry(const ExtensionChoice& choice);

/// Every extension there is, to show what it offers; not to be called.
Result<Registry> BuildShownRegistry();

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
