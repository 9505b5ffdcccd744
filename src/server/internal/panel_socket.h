#pragma once
/// The WebSocket of one client on one panel: the messages of contract 10.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/auth.h"
#include "server/http.h"
#include "server/internal/outbox.h"
#include "server/internal/panel_hub.h"
#include "server/internal/server_metrics.h"

namespace nexus::internal {

/// What all sockets share. All of it outlives them.
struct SocketServices {
  PanelHub* hub = nullptr;
  PanelHub::PostFunction post;
  ServerMetrics* metrics = nullptr;
  /// 0, or after how many seconds this principal may call again.
  std::function<std::int64_t(const Principal&)> rate;
  std::size_t queue_bytes_max = 1 << 20;
};

/// On the listener's thread.
class PanelSocket final : public SocketHandler,
                          public Watcher,
                          public std::enable_shared_from_this<PanelSocket> {
 public:
  PanelSocket(const SocketServices& services, std::shared_ptr<Panel> panel, PrincipalPtr principal,
              std::optional<std::uint64_t> after_revision);

  // SocketHandler
  void OnOpen(SocketPort& port) override;
  void OnMessage(std::string_view text) override;
  SharedText NextMessage() override;
  void OnClosed() override;

  // Watcher
  const std::shared_ptr<Panel>& panel() const override { return panel_; }
  void Deliver(Broadcast& broadcast) override;
  void Begin(Beginning beginning) override;
  void PanelGone() override;

 private:
  enum Topic : std::uint8_t { kState = 1, kEvents = 2, kView = 4, kLogs = 8, kRuns = 16 };
  static constexpr std::size_t kCallsMax = 256;
  static constexpr std::size_t kEarlyMax = 64;
  static constexpr std::size_t kKeysMax = 1'000;

  void Send(SharedText text);
  void SendError(const std::string* request_id, std::string_view code, std::string_view message);
  void Trigger(const Value& message);
  void Subscribe(const Value& message, bool add);
  void Progress(const std::string& run_id, const SharedText& text, bool ended);
  void MakeFilter();
  void Pass(Broadcast& broadcast);
  void CheckQueue();

  const SocketServices& services_;
  const std::shared_ptr<Panel> panel_;
  const PrincipalPtr principal_;
  const std::optional<std::uint64_t> after_revision_;
  SocketPort* port_ = nullptr;
  Outbox outbox_;
  KeyFilter readable_;  // What the principal may read; null: every key.
  KeyFilter filter_;    // And of that, what it subscribed to; null: every key.
  std::optional<std::vector<std::string>> keys_;
  std::uint8_t topics_ = kState | kEvents | kView;
  bool begun_ = false;
  std::uint64_t begun_revision_ = 0;
  // What came before the beginning.
  std::vector<std::shared_ptr<Broadcast>> held_;
  std::vector<std::string> early_;
  std::map<std::string, bool> calls_;  // Run id -> ends with the connection.
};

}  // namespace nexus::internal
