#include "server/internal/panel_hub.h"

#include <utility>

namespace nexus::internal {

std::shared_ptr<Broadcast> MakeBroadcast(std::shared_ptr<const PanelUpdate> update) {
  auto broadcast = std::make_shared<Broadcast>();
  if (!update->mutations.empty() || !update->computed.empty()) {
    broadcast->patch = std::make_shared<std::string>(PatchText(*update, {}));
  }
  for (const EmittedEvent& event : update->events) {
    broadcast->events.push_back(
        std::make_shared<std::string>(EventText(*update, event.name, event.payload)));
  }
  if (!update->view_commands.empty()) {
    broadcast->view = std::make_shared<std::string>(ViewText(*update));
  }
  broadcast->update = std::move(update);
  return broadcast;
}

void PanelHub::Channel::End() {
  const std::lock_guard lock(mutex);
  ended = true;
  if (subscription) panel->Unsubscribe(*subscription);
  subscription.reset();
}

PanelHub::~PanelHub() {
  for (const auto& [id, channel] : channels_) channel->End();
}

// On a worker: subscribing may wait for somebody who is being told what he missed.
void PanelHub::Subscribe(const std::shared_ptr<Channel>& channel) {
  const std::lock_guard lock(channel->mutex);
  if (channel->subscription || channel->ended) return;
  auto made = channel->panel->Subscribe(
      std::nullopt, [post = post_, weak = std::weak_ptr<Channel>(channel)](
                        const std::shared_ptr<const PanelUpdate>& update) {
        if (weak.expired()) return;
        post([weak, broadcast = MakeBroadcast(update)] {
          const auto live = weak.lock();
          if (live == nullptr) return;
          // A slow watcher may be thrown out while it is told.
          const std::vector<Watcher*> told(live->watchers.begin(), live->watchers.end());
          for (Watcher* watcher : told) {
            if (told.size() == 1 || live->watchers.contains(watcher)) watcher->Deliver(*broadcast);
          }
        });
      });
  if (made) channel->subscription = *made;
}

void PanelHub::Attach(const std::shared_ptr<Watcher>& watcher, std::optional<std::uint64_t> after) {
  auto& channel = channels_[watcher->panel()->id()];
  if (channel == nullptr) {
    channel = std::make_shared<Channel>();
    channel->panel = watcher->panel();
  }
  channel->watchers.insert(watcher.get());
  const bool taken = workers_.Add(
      [this, channel = channel, after, weak = std::weak_ptr<Watcher>(watcher)]() mutable {
        Subscribe(channel);
        Watcher::Beginning beginning;
        bool resumed = false;
        if (after) {
          beginning.revision = *after;
          auto& missed = beginning.missed;
          const auto once = channel->panel->Subscribe(
              *after, [&missed](const auto& update) { missed.push_back(update); });
          if (once) channel->panel->Unsubscribe(*once);
          resumed = once.has_value();
        }
        if (!resumed) {
          beginning.missed.clear();
          beginning.snapshot = channel->panel->State();
          beginning.revision = beginning.snapshot->revision;
        }
        post_([weak, beginning = std::move(beginning)]() mutable {
          if (const auto live = weak.lock()) live->Begin(std::move(beginning));
        });
      });
  if (!taken) watcher->PanelGone();
}

void PanelHub::Detach(Watcher* watcher) {
  const auto found = channels_.find(watcher->panel()->id());
  if (found == channels_.end()) return;
  found->second->watchers.erase(watcher);
  if (!found->second->watchers.empty()) return;
  const auto channel = std::move(found->second);
  channels_.erase(found);
  if (!workers_.Add([channel] { channel->End(); })) channel->End();
}

void PanelHub::Gone(const std::string& panel_id) {
  const auto found = channels_.find(panel_id);
  if (found == channels_.end()) return;
  const auto channel = std::move(found->second);
  channels_.erase(found);
  const std::vector<Watcher*> told(channel->watchers.begin(), channel->watchers.end());
  for (Watcher* watcher : told) watcher->PanelGone();
  channel->End();
}

std::size_t PanelHub::CountOf(const std::string& panel_id) const {
  const auto found = channels_.find(panel_id);
  return found == channels_.end() ? 0 : found->second->watchers.size();
}

}  // namespace nexus::internal
