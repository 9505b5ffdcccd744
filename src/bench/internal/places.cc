#include "bench/internal/places.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/file.h"

extern char** environ;

namespace nexus::bench {

std::filesystem::path SourceDir() { return NEXUS_BENCH_SOURCE_DIR; }
std::filesystem::path QuickJsDir() { return NEXUS_BENCH_QUICKJS_DIR; }

Result<std::filesystem::path> BenchCacheDir() {
  const char* const named = std::getenv("NEXUS_CACHE");
  if (named != nullptr && *named != 0) return std::filesystem::path(named);
  return CacheDir();
}

Result<TemporaryDir> TemporaryDir::Make(const std::filesystem::path& parent) {
  std::error_code error;
  const auto in = parent.empty() ? std::filesystem::temp_directory_path(error) : parent;
  std::string path = (in / "nexus-bench-XXXXXX").string();
  if (error || mkdtemp(path.data()) == nullptr) {
    return Fail(Code::kUnavailable,
                "temporary folder: cannot be made: " + std::string(std::strerror(errno)));
  }
  return TemporaryDir(path);
}

TemporaryDir::~TemporaryDir() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

Result<Process> Process::Start(const std::vector<std::string>& arguments,
                               const std::vector<std::string>& variables,
                               const std::filesystem::path& folder) {
  int to_child[2];
  int from_child[2];
  if (pipe2(to_child, O_CLOEXEC) != 0 || pipe2(from_child, O_CLOEXEC) != 0) {
    return Fail(Code::kUnavailable, "pipe: " + std::string(std::strerror(errno)));
  }
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  std::vector<char*> env;
  for (const std::string& variable : variables) env.push_back(const_cast<char*>(variable.c_str()));
  for (char** variable = environ; *variable != nullptr; ++variable) env.push_back(*variable);
  env.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to_child[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, from_child[1], STDOUT_FILENO);
  if (!folder.empty()) posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  Process process;
  const int failed =
      posix_spawnp(&process.pid_, argv.front(), &actions, nullptr, argv.data(), env.data());
  posix_spawn_file_actions_destroy(&actions);
  close(to_child[0]);
  close(from_child[1]);
  process.in_ = to_child[1];
  process.out_ = from_child[0];
  if (failed != 0) {
    process.pid_ = -1;
    return Fail(Code::kNotFound,
                arguments.front() + ": cannot be started: " + std::strerror(failed));
  }
  return process;
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      in_(std::exchange(other.in_, -1)),
      out_(std::exchange(other.out_, -1)),
      buffer_(std::move(other.buffer_)) {}

Process::~Process() {
  if (pid_ > 0) kill(pid_, SIGKILL);
  Wait();
  if (out_ >= 0) close(out_);
}

Status Process::WriteLine(std::string_view line) {
  std::string bytes(line);
  bytes += '\n';
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t n = write(in_, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Fail(Code::kUnavailable, "the process does not read any more");
    done += static_cast<std::size_t>(n);
  }
  return {};
}

Result<std::string> Process::ReadLine() {
  for (;;) {
    if (const std::size_t end = buffer_.find('\n'); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    char chunk[4096];
    const ssize_t n = read(out_, chunk, sizeof(chunk));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Fail(Code::kUnavailable, "the process has ended");
    buffer_.append(chunk, static_cast<std::size_t>(n));
  }
}

int Process::Wait() {
  if (in_ >= 0) close(std::exchange(in_, -1));
  if (pid_ <= 0) return 0;
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace nexus::bench
