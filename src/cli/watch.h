#pragma once
/// Waits until one of some files changes.

#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "base/result.h"

namespace nexus {

/// Watches the folders of the files, because editors replace files instead of writing to them.
/// Not thread-safe.
class FileWatcher {
 public:
  /// Errors: kUnavailable when the system gives no watch (too many of them).
  static Result<FileWatcher> Create(const std::vector<std::filesystem::path>& files);
  FileWatcher(FileWatcher&& other) noexcept;
  FileWatcher& operator=(FileWatcher&&) = delete;
  ~FileWatcher();

  /// Blocks until a file has changed and nothing more has for `quiet_ms`; returns the first that
  /// did. nullopt when `stop_fd` becomes readable.
  std::optional<std::filesystem::path> Wait(int stop_fd, int quiet_ms = 80);

 private:
  FileWatcher() = default;
  std::optional<std::filesystem::path> ReadEvents();

  int fd_ = -1;
  std::vector<std::pair<int, std::filesystem::path>> folders_;
  std::vector<std::filesystem::path> files_;
};

}  // namespace nexus
