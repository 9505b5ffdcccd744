#include "cli/watch.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace nexus {

namespace fs = std::filesystem;

Result<FileWatcher> FileWatcher::Create(const std::vector<fs::path>& files) {
  FileWatcher watcher;
  watcher.fd_ = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  const auto fail = [] {
    return Fail(Code::kUnavailable,
                std::string("--watch: ") + std::strerror(errno) +
                    ": raise fs.inotify.max_user_watches, or watch fewer files");
  };
  if (watcher.fd_ < 0) return fail();
  for (const fs::path& file : files) {
    const fs::path folder = file.parent_path();
    watcher.files_.push_back(file);
    const bool known = std::any_of(watcher.folders_.begin(), watcher.folders_.end(),
                                   [&](const auto& entry) { return entry.second == folder; });
    if (known) continue;
    const int watch = inotify_add_watch(watcher.fd_, folder.c_str(),
                                        IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE);
    if (watch < 0) return fail();
    watcher.folders_.emplace_back(watch, folder);
  }
  return watcher;
}

FileWatcher::FileWatcher(FileWatcher&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      folders_(std::move(other.folders_)),
      files_(std::move(other.files_)) {}

FileWatcher::~FileWatcher() {
  if (fd_ >= 0) close(fd_);
}

// The first of our files among the events that are waiting.
std::optional<fs::path> FileWatcher::ReadEvents() {
  std::optional<fs::path> changed;
  alignas(inotify_event) std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t got = read(fd_, buffer.data(), buffer.size());
    if (got <= 0) return changed;
    for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(got);) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof(event));
      const char* name = buffer.data() + at + sizeof(event);
      at += sizeof(event) + event.len;
      const int watched = event.wd;  // The event itself ends in a flexible array: no capture.
      const auto folder = std::find_if(folders_.begin(), folders_.end(),
                                       [=](const auto& entry) { return entry.first == watched; });
      if (folder == folders_.end() || event.len == 0) continue;
      const fs::path file = folder->second / name;
      if (!changed && std::find(files_.begin(), files_.end(), file) != files_.end()) changed = file;
    }
  }
}

std::optional<fs::path> FileWatcher::Wait(int stop_fd, int quiet_ms) {
  std::optional<fs::path> changed;
  for (;;) {
    std::array<pollfd, 2> ends = {pollfd{.fd = fd_, .events = POLLIN, .revents = 0},
                                  pollfd{.fd = stop_fd, .events = POLLIN, .revents = 0}};
    const int ready = poll(ends.data(), ends.size(), changed ? quiet_ms : -1);
    if (ready < 0 && errno != EINTR) return std::nullopt;
    if (ready == 0) return changed;
    if (ready > 0 && ends[1].revents != 0) return std::nullopt;
    std::optional<fs::path> first = ReadEvents();
    if (!changed) changed = std::move(first);
  }
}

}  // namespace nexus
