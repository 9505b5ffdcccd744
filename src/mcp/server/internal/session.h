#pragma once
/// A legacy session: what `initialize` agreed on, and what is under way in it.

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "mcp/server/internal/call_impl.h"

namespace nexus::mcp::internal {

/// Thread-safe.
class Session {
 public:
  Session(std::string its_id, CallerPtr its_caller, Revision agreed, InitializeParams said,
          const ServerOptions& options)
      : id(std::move(its_id)),
        caller(std::move(its_caller)),
        revision(agreed),
        client(std::make_shared<const ClientCapabilities>(std::move(said.client))),
        client_info(std::move(said.client_info)),
        in_flight(std::make_shared<InFlight>(options.in_flight_max)) {}

  const std::string id;  ///< Secret: who knows it, and is the same caller, is in the session.
  const CallerPtr caller;
  const Revision revision;
  const std::shared_ptr<const ClientCapabilities> client;
  const Implementation client_info;
  const std::shared_ptr<InFlight> in_flight;

  LogLevel log_level() const { return log_level_.load(std::memory_order_relaxed); }
  void set_log_level(LogLevel level) { log_level_.store(level, std::memory_order_relaxed); }
  bool CanAskClient() const {
    return client->sampling || client->roots || client->elicitation_form || client->elicitation_url;
  }

  /// Sends each of `required.requests` on the call's stream and brings the answers back to it.
  void Ask(std::shared_ptr<CallImpl> call, InputRequired required);
  /// A result or an error for something that was asked; others are dropped.
  void TakeAnswer(Message message);
  /// Cancels what is under way.
  void Close();

 private:
  struct Round {
    std::shared_ptr<CallImpl> call;
    InputAnswers answers;
    std::size_t missing = 0;
  };
  struct Asked {
    std::shared_ptr<Round> round;
    std::string key;
  };

  std::atomic<LogLevel> log_level_{LogLevel::kInfo};
  std::mutex mutex_;
  std::int64_t next_ask_ = 1;         // guarded by mutex_
  std::map<RequestId, Asked> asked_;  // guarded by mutex_
};
using SessionPtr = std::shared_ptr<Session>;

}  // namespace nexus::mcp::internal
