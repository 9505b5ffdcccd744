#pragma once
/// The stdio transport: one message a line in, one message a line out.
///
/// Lines are read in large pieces and handed on one by one; what is said while they are worked on
/// leaves in one write. Answers come in the order in which they are ready.

#include <cstddef>
#include <functional>

#include "base/result.h"
#include "mcp/server/server.h"

namespace nexus::mcp {

struct StdioOptions {
  int in = 0, out = 1;  ///< Descriptors; borrowed.
  int stop_fd = -1;     ///< Readable: leave; -1: none.
  std::size_t line_bytes_max = std::size_t{16} << 20;
  /// After the end of the input: how long what is under way may take.
  std::int64_t drain_ms = 5'000;
};

/// Serves one client until its input ends, `stop_fd` says so or nobody reads any more. Blocks.
/// Errors: kUnavailable when reading or writing fails.
Status ServeStdio(Server& server, CallerPtr caller, const StdioOptions& options);

}  // namespace nexus::mcp
