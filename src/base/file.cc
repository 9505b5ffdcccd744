#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/random.h"
#include "base/text.h"

namespace nexus {
namespace {

constexpr std::size_t kKeyBytes = 32;

/// An errno as an error about `path`.
std::unexpected<Error> SystemFail(std::string_view what, const std::filesystem::path& path,
                                  int error) {
  const std::string reason = std::generic_category().message(error);
  const auto fail = [&](Code code, std::string_view advice) {
    return Fail(code, fmt::format("{}: {}: {}{}", path.native(), what, reason, advice));
  };
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return fail(Code::kNotFound, "");
    case EACCES:
    case EPERM:
    case EROFS:
      return fail(Code::kPermissionDenied, "");
    case ENOSPC:
    case EDQUOT:
      return fail(Code::kResourceExhausted, ": free some space and try again");
    case EISDIR:
    case ENAMETOOLONG:
    case ELOOP:
      return fail(Code::kInvalidArgument, "");
    default:
      return fail(Code::kUnavailable, "");
  }
}

/// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { Close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  /// 0 or an errno: some file systems report a full disk only here.
  int Close() {
    const int fd = std::exchange(fd_, -1);
    return fd >= 0 && close(fd) != 0 ? errno : 0;
  }

 private:
  int fd_;
};

int Open(const std::filesystem::path& path, int flags, unsigned mode = 0) {
  int fd = -1;
  do {
    fd = open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

/// 0 or an errno.
int WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

std::filesystem::path FolderOf(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

std::filesystem::path TemporaryName(const std::filesystem::path& path) {
  return FolderOf(path) /
         fmt::format(".{}.{:016x}.tmp", path.filename().native().substr(0, 200), SystemEntropy64());
}

/// Writes `temporary`; 0 or an errno, and then the file is gone.
int WriteTemporary(const std::filesystem::path& temporary, std::string_view bytes,
                   const WriteOptions& options) {
  Descriptor file(Open(temporary, O_WRONLY | O_CREAT | O_EXCL, options.mode));
  if (!file.valid()) return errno;
  int error = WriteAll(file.get(), bytes);
  if (error == 0 && options.sync && fsync(file.get()) != 0) error = errno;
  if (const int close_error = file.Close(); error == 0) error = close_error;
  if (error != 0) unlink(temporary.c_str());
  return error;
}

Result<std::filesystem::path> HomeFolder() {
  if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/') {
    return std::filesystem::path(home);
  }
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(16 * 1024);
  if (getpwuid_r(getuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr &&
      found->pw_dir != nullptr && found->pw_dir[0] == '/') {
    return std::filesystem::path(found->pw_dir);
  }
  return Fail(Code::kNotFound,
              "home folder: not known: set HOME or XDG_CACHE_HOME and "
              "XDG_STATE_HOME");
}

Result<std::filesystem::path> XdgFolder(const char* variable, std::string_view below_home) {
  // The specification has relative paths ignored.
  if (const char* set = std::getenv(variable); set != nullptr && set[0] == '/') {
    return std::filesystem::path(set) / "nexus";
  }
  NEXUS_TRY(const std::filesystem::path home, HomeFolder());
  return home / below_home / "nexus";
}

Result<std::string> LoadKey(const std::filesystem::path& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return SystemFail("signing key", path, errno);
  if ((status.st_mode & 077) != 0) {
    return Fail(Code::kPermissionDenied,
                fmt::format("{}: signing key: others may read or write it: run chmod 600 on it, or "
                            "remove it to get a new one",
                            path.native()));
  }
  NEXUS_TRY(const std::string text, ReadFile(path, 4096));
  std::string key;
  if (!FromHex(Trim(text), key) || key.size() != kKeyBytes) {
    return Fail(Code::kDataLoss,
                fmt::format("{}: signing key: not {} hexadecimal digits: remove the file to get a "
                            "new key (caches and snapshots signed with the old one are refused)",
                            path.native(), 2 * kKeyBytes));
  }
  return key;
}

}  // namespace

Result<std::string> ReadFile(const std::filesystem::path& path, std::size_t bytes_max) {
  const Descriptor file(Open(path, O_RDONLY));
  if (!file.valid()) return SystemFail("cannot be opened", path, errno);
  struct stat status{};
  if (fstat(file.get(), &status) != 0) return SystemFail("cannot be read", path, errno);
  if (S_ISDIR(status.st_mode)) return SystemFail("cannot be read", path, EISDIR);
  std::string content;
  // The size is a hint only: pipes and /proc files have none, and a file may grow meanwhile.
  std::size_t room = status.st_size > 0 ? static_cast<std::size_t>(status.st_size) + 1 : 65536;
  while (true) {
    const std::size_t have = content.size();
    content.resize(std::min(have + room, bytes_max + 1));
    const ssize_t got = read(file.get(), content.data() + have, content.size() - have);
    if (got < 0 && errno != EINTR) return SystemFail("cannot be read", path, errno);
    content.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return content;
    if (content.size() > bytes_max) {
      return Fail(
          Code::kResourceExhausted,
          fmt::format("{}: larger than {} bytes, the most that is read", path.native(), bytes_max));
    }
    if (content.size() == have + room) room = std::max<std::size_t>(content.size(), 65536);
  }
}

Status WriteFileAtomic(const std::filesystem::path& path, std::string_view bytes,
                       const WriteOptions& options) {
  const std::filesystem::path temporary = TemporaryName(path);
  if (const int error = WriteTemporary(temporary, bytes, options); error != 0) {
    return SystemFail("cannot be written", path, error);
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    unlink(temporary.c_str());
    return SystemFail("cannot be replaced", path, error);
  }
  if (options.sync) {
    const Descriptor folder(Open(FolderOf(path), O_RDONLY | O_DIRECTORY));
    if (!folder.valid() || fsync(folder.get()) != 0) {
      return SystemFail("cannot be synced", path, errno);
    }
  }
  return {};
}

Status MakeDirs(const std::filesystem::path& path) {
  std::filesystem::path so_far;
  for (const std::filesystem::path& part : path.lexically_normal()) {
    so_far /= part;
    if (mkdir(so_far.c_str(), 0700) == 0 || errno == EEXIST) continue;
    // A folder above may forbid writing and still be there.
    const int error = errno;
    struct stat status{};
    if (stat(so_far.c_str(), &status) != 0) return SystemFail("cannot be made", so_far, error);
  }
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return SystemFail("cannot be made", path, errno);
  if (!S_ISDIR(status.st_mode)) return SystemFail("cannot be made", path, ENOTDIR);
  return {};
}

Result<std::filesystem::path> CacheDir() { return XdgFolder("XDG_CACHE_HOME", ".cache"); }
Result<std::filesystem::path> StateDir() { return XdgFolder("XDG_STATE_HOME", ".local/state"); }

Result<std::string> LoadOrCreateKey(const std::filesystem::path& path) {
  Result<std::string> present = LoadKey(path);
  if (present || present.error().code() != Code::kNotFound) return present;
  NEXUS_TRY_STATUS(MakeDirs(FolderOf(path)));
  const std::filesystem::path temporary = TemporaryName(path);
  const std::string text = ToHex(SystemEntropy(kKeyBytes)) + "\n";
  if (const int error = WriteTemporary(temporary, text, {.sync = true, .mode = 0600}); error != 0) {
    return SystemFail("signing key cannot be written", path, error);
  }
  // link() fails when another process was first, where rename() would replace its key.
  const int linked = link(temporary.c_str(), path.c_str());
  const int error = errno;
  unlink(temporary.c_str());
  if (linked != 0 && error != EEXIST) {
    return SystemFail("signing key cannot be written", path, error);
  }
  return LoadKey(path);
}

}  // namespace nexus
