#include "cli/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace nexus {
namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
  int read_end = -1;
  int write_end = -1;

  Pipe() {
    std::array<int, 2> ends = {-1, -1};
    if (pipe2(ends.data(), O_CLOEXEC) == 0)
      std::tie(read_end, write_end) = std::pair(ends[0], ends[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    if (read_end >= 0) close(read_end);
    CloseWriteEnd();
  }
  void CloseWriteEnd() {
    if (write_end >= 0) close(std::exchange(write_end, -1));
  }
};

// Returns the process id, or -errno.
pid_t Spawn(const ChildRequest& request, const Pipe& out, const Pipe& err) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.write_end, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.write_end, STDERR_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  posix_spawn_file_actions_addchdir_np(&actions, request.folder.c_str());
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);  // A group of its own, so that it can be killed whole.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  std::vector<std::string> words = {request.program.string()};
  words.insert(words.end(), request.arguments.begin(), request.arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::string path = "PATH=/usr/local/bin:/usr/bin:/bin";
  std::string home = "HOME=/";
  std::array<char*, 3> environment = {path.data(), home.data(), nullptr};
  pid_t child = -1;
  const int error = posix_spawn(&child, request.program.c_str(), &actions, &attributes, argv.data(),
                                environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? child : -error;
}

// Reads both pipes until they end. Errors as RunChild.
Status ReadAll(const ChildRequest& request, const Pipe& out, const Pipe& err,
               ChildOutcome& outcome) {
  const Clock::time_point deadline = Clock::now() + request.time_max;
  std::array<pollfd, 2> ends = {pollfd{.fd = out.read_end, .events = POLLIN, .revents = 0},
                                pollfd{.fd = err.read_end, .events = POLLIN, .revents = 0}};
  const std::array<std::string*, 2> texts = {&outcome.output, &outcome.errors};
  while (ends[0].fd >= 0 || ends[1].fd >= 0) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) {
      return Fail(Code::kDeadlineExceeded,
                  fmt::format("{}: did not end within {} ms and was stopped: make its work smaller",
                              request.program.string(), request.time_max.count()));
    }
    const int ready = poll(ends.data(), ends.size(), static_cast<int>(left.count()));
    if (ready < 0 && errno != EINTR) return Fail(Code::kUnavailable, std::strerror(errno));
    for (std::size_t i = 0; ready > 0 && i < ends.size(); ++i) {
      if (ends[i].fd < 0 || ends[i].revents == 0) continue;
      std::array<char, 65536> chunk;
      const ssize_t got = read(ends[i].fd, chunk.data(), chunk.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        ends[i].fd = -1;
        continue;
      }
      texts[i]->append(chunk.data(), static_cast<std::size_t>(got));
      if (texts[i]->size() > request.output_bytes_max) {
        return Fail(Code::kResourceExhausted,
                    fmt::format("{}: wrote more than {} bytes and was stopped",
                                request.program.string(), request.output_bytes_max));
      }
    }
  }
  return {};
}

}  // namespace

Result<ChildOutcome> RunChild(const ChildRequest& request) {
  Pipe out;
  Pipe err;
  if (out.read_end < 0 || err.read_end < 0) {
    return Fail(Code::kResourceExhausted, "no file descriptors left for a child process");
  }
  const pid_t child = Spawn(request, out, err);
  if (child < 0) {
    return Fail(Code::kNotFound, fmt::format("{}: cannot be started: {}", request.program.string(),
                                             std::strerror(-child)));
  }
  out.CloseWriteEnd();
  err.CloseWriteEnd();
  ChildOutcome outcome;
  const Status read = ReadAll(request, out, err, outcome);
  if (!read) kill(-child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!read) return std::unexpected(read.error());
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

}  // namespace nexus
