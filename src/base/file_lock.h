#pragma once
/// A file that one process at a time holds.

#include <filesystem>

#include "base/result.h"

namespace nexus {

/// Held as long as the object lives, and given up by the kernel when the process ends, however it
/// ends. Movable.
class FileLock {
 public:
  FileLock() = default;
  /// Makes the file when it is not there. Errors: kUnavailable when another process holds it, with
  /// what to do; as WriteFileAtomic when it cannot be made.
  static Result<FileLock> Take(const std::filesystem::path& path);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

}  // namespace nexus
