#pragma once
/// Where the messages that belong to one request go.

#include <memory>
#include <string>
#include <string_view>

namespace nexus::mcp::internal {

/// Thread-safe; Call's lock gives the order.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  /// Before the answer: a notification, or a request to the client.
  virtual void Send(std::string message, std::string_view key = {}) = 0;
  /// The answer. `status`: what HTTP says when nothing was sent before.
  virtual void Finish(std::string message, int status) = 0;
  /// There is no answer: the request was cancelled.
  virtual void Drop() = 0;
  /// The stream ends, the request goes on (SEP-1699).
  virtual void Suspend() {}
};
using ReplySinkPtr = std::shared_ptr<ReplySink>;

}  // namespace nexus::mcp::internal
