#pragma once
/// One client on a channel that keeps order.

#include <atomic>
#include <memory>
#include <string>

#include "mcp/server/internal/core.h"

namespace nexus::mcp::internal {

class LineConnection final : public Connection,
                             public std::enable_shared_from_this<LineConnection> {
 public:
  LineConnection(std::shared_ptr<Core> core, CallerPtr caller, std::shared_ptr<MessageSink> out);
  ~LineConnection() override { LineConnection::Close(); }

  void Receive(std::string_view line) override;
  void Close() override;
  std::size_t in_flight() const override;

 private:
  void Request(Message request);
  void Notification(Message notification);
  void Initialize(Message request);

  const std::shared_ptr<Core> core_;
  const CallerPtr caller_;
  const std::shared_ptr<MessageSink> out_;
  const std::shared_ptr<InFlight> in_flight_;  // Of modern requests.
  const ReplySinkPtr sink_;
  SessionPtr session_;  // Of the older kind, after initialize.
  std::atomic<bool> closed_{false};
};

}  // namespace nexus::mcp::internal
