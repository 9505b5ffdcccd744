#pragma once
/// File access that cannot leave a folder: every path is resolved by the kernel below an open
/// directory, in one system call.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace nexus::internal {

/// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  bool open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

enum class FileType : std::uint8_t { kFile, kFolder, kLink, kOther };
std::string_view FileTypeName(FileType type);  // "file", "folder", "link", "other"

struct FileInfo {
  std::string path;  ///< As given, below the root.
  FileType type = FileType::kOther;
  std::uint64_t size = 0;
  double mtime_ms = 0;
};

/// Reads "./src//a.ts" as {"src", "a.ts"}; "" and "." as {}.
/// Errors: kInvalidArgument for an absolute path, "..", a NUL byte, or a path above 4,000 bytes.
Result<std::vector<std::string>> SplitPath(std::string_view path);

/// A folder and the rule that nothing outside it is reached. Thread-safe: holds one descriptor.
/// Every error names the path and is kNotFound, kPermissionDenied (a link, or a path that leaves
/// the root), kInvalidArgument (a folder where a file is wanted, or the reverse),
/// kResourceExhausted (too large, disk full) or kUnavailable.
class Beneath {
 public:
  static Result<Beneath> Open(const std::string& root, bool follow_links);

  /// Never blocks on a FIFO and never reads a device. A file above bytes_max is an error.
  Result<std::string> Read(std::string_view path, std::size_t bytes_max) const;
  /// Writes beside the target and renames, so that a reader sees the old or the new file. A link at
  /// `path` is replaced, not followed.
  Status Write(std::string_view path, std::string_view data, bool make_folders) const;
  Result<FileInfo> Stat(std::string_view path) const;
  /// The entries of a folder, sorted by name.
  Result<std::vector<FileInfo>> List(std::string_view path, std::size_t entries_max) const;
  /// False when there is nothing to remove.
  Result<bool> Remove(std::string_view path) const;

 private:
  Beneath(Descriptor root, bool follow_links)
      : root_(std::move(root)), follow_links_(follow_links) {}
  int OpenAt(const std::string& path, int flags) const;
  Result<Descriptor> OpenFolder(const std::vector<std::string>& parts,
                                std::string_view shown) const;
  Result<Descriptor> OpenParent(std::vector<std::string>& parts, std::string_view shown,
                                bool make_folders) const;

  Descriptor root_;
  bool follow_links_;
};

}  // namespace nexus::internal
