#pragma once
/// A test of this binary as a process of its own, to be killed.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace nexus::testing {

inline constexpr int kReportTo = 3;  ///< The child's end of the pipe.

/// The argument `--nexus_<name>=` of this process; "" : there is none.
inline std::string ChildArgument(const std::string& name) {
  const std::string prefix = "--nexus_" + name + "=";
  for (const std::string& argument : ::testing::internal::GetArgvs()) {
    if (argument.starts_with(prefix)) return argument.substr(prefix.size());
  }
  return "";
}

/// Called by a child: a number for its parent.
inline void Report(int number) {
  if (write(kReportTo, &number, sizeof(number)) != sizeof(number)) _exit(1);
}

class KilledChild {
 public:
  /// `test`: a disabled one, "DurabilityChild.DISABLED_Adds".
  KilledChild(const std::string& test, const std::filesystem::path& folder,
              const std::string& panel = "p") {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    // A fresh program: a fork of this one would share its threads' locks.
    child_ = fork();
    if (child_ == 0) {
      dup2(ends[1], kReportTo);
      const std::string filter = "--gtest_filter=" + test;
      const std::string dir = "--nexus_dir=" + folder.string();
      const std::string id = "--nexus_panel=" + panel;
      execl("/proc/self/exe", "child", filter.c_str(), "--gtest_also_run_disabled_tests",
            "--gtest_brief=1", dir.c_str(), id.c_str(), nullptr);
      _exit(127);
    }
    close(ends[1]);
    read_end_ = ends[0];
  }
  KilledChild(const KilledChild&) = delete;
  KilledChild& operator=(const KilledChild&) = delete;
  ~KilledChild() {
    Kill();
    close(read_end_);
  }

  /// The next number it reported; false: it is dead and has said all.
  bool Next(int& number) { return read(read_end_, &number, sizeof(number)) == sizeof(number); }
  void Kill() {
    if (child_ == 0) return;
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
    child_ = 0;
  }

 private:
  pid_t child_ = 0;
  int read_end_ = -1;
};

}  // namespace nexus::testing
