#pragma once
/// Files: whole ones in, whole ones out, and where the installation keeps its own.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace nexus {

/// Errors: kNotFound; kPermissionDenied; kInvalidArgument for a folder; kResourceExhausted above
/// `bytes_max`; kUnavailable else. Each names the path.
Result<std::string> ReadFile(const std::filesystem::path& path,
                             std::size_t bytes_max = std::size_t{256} << 20);

struct WriteOptions {
  bool sync = false;     ///< On disk, not only in the kernel, when the call returns.
  unsigned mode = 0644;  ///< Permissions, before the process's umask.
};

/// Writes to a temporary name in the same folder, then renames: readers see the old content or the
/// new, never a part. On failure the temporary file is gone and the old content is untouched.
/// Errors: kResourceExhausted when the disk is full; kNotFound when the folder is missing;
/// kPermissionDenied; kUnavailable else. Each names the path and the system's reason.
Status WriteFileAtomic(const std::filesystem::path& path, std::string_view bytes,
                       const WriteOptions& options = {});

/// Makes `path` and what is missing above it, readable by the owner alone.
Status MakeDirs(const std::filesystem::path& path);

/// $XDG_CACHE_HOME/nexus or ~/.cache/nexus; not made here. What is in it can be made again.
/// Errors: kNotFound when neither the environment nor the user database names a home.
Result<std::filesystem::path> CacheDir();
/// $XDG_STATE_HOME/nexus or ~/.local/state/nexus; not made here. Keys and histories.
Result<std::filesystem::path> StateDir();

/// The installation's signing key, 32 random bytes, made on first use with mode 0600. Several
/// processes may call this at once: all get the same key.
/// Errors: kPermissionDenied when others may read the file; kDataLoss when it is no key.
Result<std::string> LoadOrCreateKey(const std::filesystem::path& path);

}  // namespace nexus
