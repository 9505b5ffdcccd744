#pragma once
/// Files the benchmarks need, and other programs they run.

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace nexus::bench {

std::filesystem::path SourceDir();   ///< Of this project.
std::filesystem::path QuickJsDir();  ///< The unpacked source of QuickJS; empty when not known.

/// $NEXUS_CACHE, else the user's cache folder: where tools/setup keeps its things as well.
Result<std::filesystem::path> BenchCacheDir();

/// A folder of its own that goes away with everything in it.
class TemporaryDir {
 public:
  /// Empty `parent`: the folder for temporary files.
  static Result<TemporaryDir> Make(const std::filesystem::path& parent = {});
  TemporaryDir(TemporaryDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryDir& operator=(TemporaryDir&&) = delete;
  ~TemporaryDir();
  const std::filesystem::path& path() const { return path_; }

 private:
  explicit TemporaryDir(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

/// A program started with its stdin and stdout on pipes; stderr is ours. Ended when this goes.
class Process {
 public:
  /// `variables` are "NAME=value" on top of this process's environment.
  static Result<Process> Start(const std::vector<std::string>& arguments,
                               const std::vector<std::string>& variables = {},
                               const std::filesystem::path& folder = {});
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  ~Process();

  Status WriteLine(std::string_view line);
  /// Without the line's end. Errors: kUnavailable when the program ended.
  Result<std::string> ReadLine();
  /// Waits. The exit status, or 128 + signal.
  int Wait();
  pid_t pid() const { return pid_; }

 private:
  Process() = default;
  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  std::string buffer_;
};

}  // namespace nexus::bench
