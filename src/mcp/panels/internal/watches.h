#pragma once
/// Which resources somebody wants to hear of, and the subscriptions to their panels.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "mcp/server/provider.h"
#include "panel/host/panel_host.h"

namespace nexus::mcp::internal {

/// Thread-safe. A panel is subscribed to as long as one of its resources is watched.
class Watches {
 public:
  ~Watches();

  void SetObserver(ChangeObserver* observer);
  void Tell(void (ChangeObserver::*change)());
  void Add(const std::shared_ptr<Panel>& panel, std::string_view uri);
  void Remove(std::string_view uri);

 private:
  // The observer outlives no call: it is reached under this lock only.
  struct Telling {
    std::mutex mutex;
    ChangeObserver* observer = nullptr;              // guarded by mutex
    std::map<std::string, int, std::less<>> wanted;  // guarded by mutex
  };
  struct Watched {
    std::weak_ptr<Panel> panel;
    std::uint64_t subscription = 0;
    std::size_t uris = 0;
  };
  static void OnUpdate(Telling& telling, const PanelUpdate& update);

  const std::shared_ptr<Telling> telling_ = std::make_shared<Telling>();
  std::mutex mutex_;                                    // Held while panels are (un)subscribed.
  std::map<std::string, Watched, std::less<>> panels_;  // By id; guarded by mutex_
  std::map<std::string, std::string, std::less<>> panel_of_;  // By URI; guarded by mutex_
};

}  // namespace nexus::mcp::internal
