#pragma once
/// Bundles on disk: docs/format/bundle.md.

#include <filesystem>
#include <optional>
#include <string>

#include "cli/bundle.h"

namespace nexus {

/// Hex SHA-256 over what decides about a bundle besides its inputs: the entry's path, the bundler,
/// and the package.json, tsconfig.json and lock files above the entry.
std::string BundleKey(const std::filesystem::path& entry, const std::filesystem::path& esbuild);

/// nullopt when there is none, when an input has changed, or when the file is damaged or not signed
/// with this key (it is removed then).
std::optional<Bundle> LoadBundle(const BundleOptions& options, const std::string& key);

/// Keeps `bundle`; failing to is no error for the caller, only a log line. The oldest files go when
/// there are more than 200.
void StoreBundle(const BundleOptions& options, const std::string& key, const Bundle& bundle);

/// Removes the oldest files with `extension` in `folder` until `count_max` are left.
void KeepNewest(const std::filesystem::path& folder, std::string_view extension,
                std::size_t count_max);

}  // namespace nexus
