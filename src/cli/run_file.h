#pragma once
/// A finished run on disk, with all that is needed to run it again: docs/format/run-file.md.

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/prepare.h"
#include "sandbox/sandbox.h"

namespace nexus {

struct SavedRun {
  std::string run_id;
  std::string
      program_key;  ///< The sandbox's key of the program, to tell when the engine has changed.
  ProgramSpec spec;
  std::string source_map;  ///< JSON text of spec.source_map.
  std::string recording;
  std::string result_json;  ///< What the run gave, without metrics; empty when it was too large.
};

std::string EncodeSavedRun(const SavedRun& run);
/// Errors: kDataLoss with what is wrong.
Result<SavedRun> DecodeSavedRun(std::string_view bytes);

/// A run's result without what differs from one time to the next (metrics, times of log lines).
std::string ComparableResult(const RunResult& result);

/// The folder of saved runs. Keeps the newest 200.
class RunArchive {
 public:
  explicit RunArchive(std::filesystem::path folder) : folder_(std::move(folder)) {}
  /// StateDir()/runs.
  static Result<RunArchive> Open();

  Status Save(const SavedRun& run) const;
  /// `name` is a file, a run id, the beginning of one that fits no other, or "last".
  /// Errors: kNotFound, kInvalidArgument for an ambiguous beginning, kDataLoss.
  Result<SavedRun> Load(const std::string& name) const;
  /// Run ids, newest first.
  std::vector<std::string> List() const;

 private:
  std::filesystem::path folder_;
};

}  // namespace nexus
