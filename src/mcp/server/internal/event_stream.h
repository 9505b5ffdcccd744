#pragma once
/// A legacy stream of server-sent events that a client can come back to (Resumability and
/// Redelivery, 2025-11-25).

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "mcp/server/server.h"

namespace nexus::mcp::internal {

/// One message as an event; `id` "" leaves the id out.
std::string EventText(std::string_view id, std::string_view message);

/// Thread-safe.
class EventStream {
 public:
  /// `number` tells it from the other streams of its session.
  EventStream(std::uint64_t number, std::size_t kept_max, std::int64_t retry_ms)
      : number_(number), kept_max_(kept_max), retry_ms_(retry_ms) {}

  std::uint64_t number() const { return number_; }
  /// From now on events go to `body`; those after `after` that are still kept go first. The body of
  /// before ends. `prime`: an empty event first, so that the client knows where it is.
  void Attach(std::shared_ptr<HttpBody> body, std::uint64_t after, bool prime);
  /// The client went away; events are kept for it.
  void Detach(const HttpBody* body);
  void Write(std::string_view message, std::string_view key = {});
  /// Ends the body without ending the stream.
  void Suspend();
  /// Nothing comes any more.
  void End();
  bool ended() const;

 private:
  std::string IdOf(std::uint64_t event) const {
    return std::to_string(number_) + "-" + std::to_string(event);
  }

  const std::uint64_t number_;
  const std::size_t kept_max_;
  const std::int64_t retry_ms_;
  mutable std::mutex mutex_;
  std::uint64_t last_ = 0;                                  // guarded by mutex_
  std::deque<std::pair<std::uint64_t, std::string>> kept_;  // guarded by mutex_
  std::shared_ptr<HttpBody> body_;                          // guarded by mutex_
  bool ended_ = false;                                      // guarded by mutex_
};

}  // namespace nexus::mcp::internal
