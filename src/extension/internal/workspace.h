#pragma once
/// The methods of the extension `code`, and of one root of `files`: each a plain function of its
/// arguments.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/value.h"
#include "extension/code.h"
#include "extension/internal/beneath.h"

namespace nexus::internal {

/// Thread-safe: the folder handle is immutable, the quota atomic.
class Workspace {
 public:
  /// `read_only_remedy`: how the operator allows writing, for messages.
  Workspace(CodeOptions options, Beneath folder, std::string read_only_remedy)
      : options_(std::move(options)),
        folder_(std::move(folder)),
        read_only_remedy_(std::move(read_only_remedy)) {}

  /// True while the caller still wants the answer.
  using Wanted = std::function<bool()>;

  Result<Value> Call(const ExtensionCall& call, const Wanted& wanted);
  /// Calls that may walk a whole tree and belong on another thread.
  static bool IsWalk(const ExtensionCall& call);

 private:
  struct Walk;

  Result<Value> Read(const ExtensionCall& call) const;
  Result<Value> Write(const ExtensionCall& call);
  Result<Value> List(const ExtensionCall& call, const Wanted& wanted) const;
  Result<Value> Stat(const ExtensionCall& call) const;
  Result<Value> Exists(const ExtensionCall& call) const;
  Result<Value> Search(const ExtensionCall& call, const Wanted& wanted) const;
  Result<Value> Remove(const ExtensionCall& call) const;
  Status CheckWritable(const ExtensionCall& call) const;
  Status ForEach(const Walk& walk, const std::function<Result<bool>(const FileInfo&)>& visit) const;

  const CodeOptions options_;
  const Beneath folder_;
  const std::string read_only_remedy_;
  std::atomic<std::uint64_t> written_{0};
};

}  // namespace nexus::internal
