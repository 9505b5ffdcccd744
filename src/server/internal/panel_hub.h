#pragma once
/// Who watches which panel. One subscription a panel, whoever many watch it; what it brings is made
/// into text once and handed to all.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/workers.h"
#include "panel/host/panel_host.h"
#include "server/internal/messages.h"

namespace nexus::internal {

/// One update in the forms in which watchers want it. On the listener's thread once it is posted.
struct Broadcast {
  std::shared_ptr<const PanelUpdate> update;
  SharedText patch;  ///< Null: it changes nothing.
  std::vector<SharedText> events;
  SharedText view;
  // Made when the first one asks.
  std::vector<SharedText> logs;
  SharedText run;
};
/// Errors leave the texts empty, so building never fails.
std::shared_ptr<Broadcast> MakeBroadcast(std::shared_ptr<const PanelUpdate> update);

/// One who watches. Called on the listener's thread.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual const std::shared_ptr<Panel>& panel() const = 0;
  virtual void Deliver(Broadcast& broadcast) = 0;
  /// What was there when it came: the whole state, or (resumed) what it missed.
  struct Beginning {
    std::uint64_t revision = 0;
    std::optional<PanelSnapshot> snapshot;  ///< nullopt: resumed.
    std::vector<std::shared_ptr<const PanelUpdate>> missed;
  };
  virtual void Begin(Beginning beginning) = 0;
  virtual void PanelGone() = 0;
};

/// On the listener's thread.
class PanelHub {
 public:
  using PostFunction = std::function<void(std::move_only_function<void()>)>;
  /// `post` runs work on the listener's thread. Borrows `workers`.
  PanelHub(PostFunction post, Workers& workers) : post_(std::move(post)), workers_(workers) {}
  /// Ends every subscription. The listener has stopped.
  ~PanelHub();

  /// Deliver is called from here on, and Begin once, soon.
  void Attach(const std::shared_ptr<Watcher>& watcher, std::optional<std::uint64_t> after);
  void Detach(Watcher* watcher);
  /// The panel was unmounted.
  void Gone(const std::string& panel_id);
  std::size_t CountOf(const std::string& panel_id) const;

 private:
  struct Channel {
    std::shared_ptr<Panel> panel;
    std::set<Watcher*> watchers;
    std::mutex mutex;
    std::optional<std::uint64_t> subscription;  // guarded by mutex
    bool ended = false;                         // guarded by mutex
    void End();
  };
  void Subscribe(const std::shared_ptr<Channel>& channel);

  const PostFunction post_;
  Workers& workers_;
  std::map<std::string, std::shared_ptr<Channel>, std::less<>> channels_;
};

}  // namespace nexus::internal
