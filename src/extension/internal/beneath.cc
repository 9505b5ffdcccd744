#include "extension/internal/beneath.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace nexus::internal {
namespace {

std::string Join(const std::vector<std::string>& parts) {
  std::string path;
  for (const std::string& part : parts) {
    if (!path.empty()) path += '/';
    path += part;
  }
  return path.empty() ? "." : path;
}

std::unexpected<Error> PathError(std::string_view path, int error) {
  const auto fail = [&](Code code, std::string_view why) {
    return Fail(code, fmt::format("'{}': {}", path, why));
  };
  switch (error) {
    case ENOENT:
      return fail(Code::kNotFound, "there is no such file or folder");
    case ENOTDIR:
      return fail(Code::kInvalidArgument, "a part of the path is not a folder");
    case EISDIR:
      return fail(Code::kInvalidArgument, "is a folder");
    case EXDEV:
      return fail(Code::kPermissionDenied, "leads out of the workspace: refused");
    case ELOOP:
      return fail(Code::kPermissionDenied,
                  "is or goes through a symbolic link: use the path the link points to");
    case EACCES:
    case EPERM:
      return fail(Code::kPermissionDenied, "the operating system denies access");
    case EROFS:
      return fail(Code::kPermissionDenied, "the file system is read-only");
    case ENAMETOOLONG:
      return fail(Code::kInvalidArgument, "a name in the path is too long");
    case ENOTEMPTY:
      return fail(Code::kInvalidArgument, "the folder is not empty: remove its files first");
    case ENOSPC:
    case EDQUOT:
      return fail(Code::kResourceExhausted,
                  "the disk is full; the file is as it was: free some space");
    case EMFILE:
    case ENFILE:
      return fail(Code::kResourceExhausted, "too many open files: try again");
    default:
      return fail(Code::kUnavailable, std::strerror(error));
  }
}

FileInfo ToInfo(std::string path, const struct stat& status) {
  FileInfo info{.path = std::move(path)};
  info.type = S_ISREG(status.st_mode)   ? FileType::kFile
              : S_ISDIR(status.st_mode) ? FileType::kFolder
              : S_ISLNK(status.st_mode) ? FileType::kLink
                                        : FileType::kOther;
  info.size = S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size) : 0;
  info.mtime_ms = static_cast<double>(status.st_mtim.tv_sec) * 1000 +
                  static_cast<double>(status.st_mtim.tv_nsec / 1'000'000);
  return info;
}

// Returns 0 or errno.
int WriteAll(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t written = write(fd, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    data.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

std::string TemporaryName() {
  std::uint64_t random = 0;
  if (getrandom(&random, sizeof(random), 0) != sizeof(random))
    random = static_cast<std::uint64_t>(getpid());
  return fmt::format(".nexus-{:016x}.tmp", random);
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

std::string_view FileTypeName(FileType type) {
  switch (type) {
    case FileType::kFile:
      return "file";
    case FileType::kFolder:
      return "folder";
    case FileType::kLink:
      return "link";
    case FileType::kOther:
      return "other";
  }
  return "other";
}

Result<std::vector<std::string>> SplitPath(std::string_view path) {
  const auto bad = [&](std::string_view why) {
    return Fail(Code::kInvalidArgument, fmt::format("'{}': {}", path.substr(0, 200), why));
  };
  if (path.size() > 4000) return bad("the path is longer than 4000 bytes");
  if (path.find('\0') != std::string_view::npos) {
    return Fail(Code::kInvalidArgument, "the path holds a NUL character");
  }
  if (path.starts_with('/'))
    return bad("paths are relative to the workspace: drop the leading '/'");
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      return Fail(Code::kPermissionDenied,
                  "'..' is not allowed in a path: name the file from the workspace's root");
    }
    parts.emplace_back(part);
  }
  return parts;
}

Result<Beneath> Beneath::Open(const std::string& root, bool follow_links) {
  Descriptor folder(open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder.open()) {
    const int error = errno;
    if (error == ENOENT) {
      return Fail(Code::kNotFound, fmt::format("workspace '{}': there is no such folder", root));
    }
    return Fail(Code::kInvalidArgument,
                fmt::format("workspace '{}': cannot be opened as a folder: {}", root,
                            std::strerror(error)));
  }
  Beneath beneath(std::move(folder), follow_links);
  const Descriptor probe(beneath.OpenAt(".", O_PATH | O_DIRECTORY));
  if (!probe.open()) {
    return Fail(Code::kUnavailable,
                fmt::format("workspace '{}': openat2 does not work here ({}): Linux 5.6 or later "
                            "without a filter on it is needed",
                            root, std::strerror(errno)));
  }
  return beneath;
}

int Beneath::OpenAt(const std::string& path, int flags) const {
  open_how how = {};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  if (!follow_links_) how.resolve |= RESOLVE_NO_SYMLINKS;
  // The kernel answers EAGAIN when a rename elsewhere raced with a ".." inside a link.
  for (int attempt = 0;; ++attempt) {
    const long fd = syscall(SYS_openat2, root_.get(), path.c_str(), &how, sizeof(how));
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR) || attempt == 100)
      return static_cast<int>(fd);
  }
}

Result<std::string> Beneath::Read(std::string_view path, std::size_t bytes_max) const {
  NEXUS_TRY(const std::vector<std::string> parts, SplitPath(path));
  const Descriptor file(OpenAt(Join(parts), O_RDONLY | O_NONBLOCK | O_NOCTTY));
  if (!file.open()) return PathError(path, errno);
  struct stat status = {};
  if (fstat(file.get(), &status) != 0) return PathError(path, errno);
  if (S_ISDIR(status.st_mode)) {
    return Fail(Code::kInvalidArgument, fmt::format("'{}': is a folder: use list", path));
  }
  if (!S_ISREG(status.st_mode)) {
    return Fail(Code::kInvalidArgument,
                fmt::format("'{}': is a device or a pipe, not a file", path));
  }
  const auto too_large = [&] {
    return Fail(
        Code::kResourceExhausted,
        fmt::format("'{}': has more than {} bytes: read a smaller file, or raise maxBytes if "
                    "the operator's limit allows it",
                    path, bytes_max));
  };
  if (static_cast<std::uint64_t>(status.st_size) > bytes_max) return too_large();
  // Files of /proc-like file systems say size 0, and files grow: read until the end says so.
  std::string data;
  data.resize(static_cast<std::size_t>(status.st_size) + 1);
  std::size_t used = 0;
  for (;;) {
    if (used == data.size()) data.resize(data.size() * 2 + 4096);
    const ssize_t got = read(file.get(), data.data() + used, data.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return PathError(path, errno);
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
    if (used > bytes_max) return too_large();
  }
  data.resize(used);
  return data;
}

Result<Descriptor> Beneath::OpenFolder(const std::vector<std::string>& parts,
                                       std::string_view shown) const {
  Descriptor folder(OpenAt(Join(parts), O_RDONLY | O_DIRECTORY));
  if (!folder.open()) return PathError(shown, errno);
  return folder;
}

// Takes the last name off `parts` and opens the folder it is in.
Result<Descriptor> Beneath::OpenParent(std::vector<std::string>& parts, std::string_view shown,
                                       bool make_folders) const {
  parts.pop_back();
  Result<Descriptor> folder = OpenFolder(parts, shown);
  if (folder || folder.error().code() != Code::kNotFound || !make_folders) return folder;
  // One name at a time, each in a folder that was itself opened below the root.
  std::vector<std::string> made;
  NEXUS_TRY(Descriptor parent, OpenFolder(made, shown));
  for (const std::string& part : parts) {
    if (mkdirat(parent.get(), part.c_str(), 0777) != 0 && errno != EEXIST)
      return PathError(shown, errno);
    made.push_back(part);
    NEXUS_TRY(parent, OpenFolder(made, shown));
  }
  return parent;
}

Status Beneath::Write(std::string_view path, std::string_view data, bool make_folders) const {
  NEXUS_TRY(std::vector<std::string> parts, SplitPath(path));
  if (parts.empty()) return Fail(Code::kInvalidArgument, fmt::format("'{}': is a folder", path));
  const std::string name = parts.back();
  NEXUS_TRY(const Descriptor folder, OpenParent(parts, path, make_folders));
  mode_t mode = 0666;
  struct stat status = {};
  const bool exists = fstatat(folder.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
  if (exists && S_ISDIR(status.st_mode)) return PathError(path, EISDIR);
  if (exists && S_ISREG(status.st_mode)) mode = status.st_mode & 0777;
  const std::string temporary = TemporaryName();
  const Descriptor file(openat(folder.get(), temporary.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file.open()) return PathError(path, errno);
  int error = WriteAll(file.get(), data);
  if (error == 0 && exists && S_ISREG(status.st_mode) && fchmod(file.get(), mode) != 0)
    error = errno;
  if (error == 0 && fsync(file.get()) != 0) error = errno;
  if (error == 0 && renameat(folder.get(), temporary.c_str(), folder.get(), name.c_str()) != 0)
    error = errno;
  if (error == 0) return {};
  unlinkat(folder.get(), temporary.c_str(), 0);
  return PathError(path, error);
}

Result<FileInfo> Beneath::Stat(std::string_view path) const {
  NEXUS_TRY(const std::vector<std::string> parts, SplitPath(path));
  const std::string joined = Join(parts);
  struct stat status = {};
  // The last name is not followed: a link is reported as a link.
  const Descriptor entry(OpenAt(joined, O_PATH | O_NOFOLLOW));
  if (!entry.open() || fstat(entry.get(), &status) != 0) return PathError(path, errno);
  return ToInfo(joined, status);
}

Result<std::vector<FileInfo>> Beneath::List(std::string_view path, std::size_t entries_max) const {
  NEXUS_TRY(const std::vector<std::string> parts, SplitPath(path));
  NEXUS_TRY(Descriptor folder, OpenFolder(parts, path));
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(folder.get()), &closedir);
  if (stream == nullptr) return PathError(path, errno);
  const int fd = folder.release();  // The stream closes it.
  std::vector<FileInfo> entries;
  const std::string prefix = parts.empty() ? "" : Join(parts) + "/";
  for (errno = 0; const dirent* entry = readdir(stream.get()); errno = 0) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (entries.size() == entries_max) {
      return Fail(Code::kResourceExhausted,
                  fmt::format("'{}': more than {} entries: list a smaller folder or raise max",
                              path, entries_max));
    }
    struct stat status = {};
    if (fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;  // Gone meanwhile.
    entries.push_back(ToInfo(prefix + std::string(name), status));
  }
  if (errno != 0) return PathError(path, errno);
  std::sort(entries.begin(), entries.end(),
            [](const FileInfo& a, const FileInfo& b) { return a.path < b.path; });
  return entries;
}

Result<bool> Beneath::Remove(std::string_view path) const {
  NEXUS_TRY(std::vector<std::string> parts, SplitPath(path));
  if (parts.empty()) {
    return Fail(Code::kInvalidArgument,
                fmt::format("'{}': the workspace itself cannot be removed", path));
  }
  const std::string name = parts.back();
  Result<Descriptor> folder = OpenParent(parts, path, false);
  if (!folder && folder.error().code() == Code::kNotFound) return false;
  if (!folder) return std::unexpected(std::move(folder).error());
  if (unlinkat(folder->get(), name.c_str(), 0) == 0) return true;
  int error = errno;
  if (error == EISDIR && unlinkat(folder->get(), name.c_str(), AT_REMOVEDIR) == 0) return true;
  if (error == EISDIR) error = errno;
  if (error == ENOENT) return false;
  return PathError(path, error);
}

}  // namespace nexus::internal
