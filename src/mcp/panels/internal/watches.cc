#include "mcp/panels/internal/watches.h"

#include "mcp/panels/internal/resources.h"

namespace nexus::mcp::internal {

Watches::~Watches() {
  for (const auto& [id, watched] : panels_) {
    if (const auto panel = watched.panel.lock()) panel->Unsubscribe(watched.subscription);
  }
}

void Watches::SetObserver(ChangeObserver* observer) {
  const std::lock_guard lock(telling_->mutex);
  telling_->observer = observer;
}

void Watches::Tell(void (ChangeObserver::*change)()) {
  const std::lock_guard lock(telling_->mutex);
  if (telling_->observer != nullptr) (telling_->observer->*change)();
}

void Watches::OnUpdate(Telling& telling, const PanelUpdate& update) {
  const std::lock_guard lock(telling.mutex);
  if (telling.observer == nullptr || telling.wanted.empty()) return;
  for (const std::string& uri : ChangedUris(update)) {
    if (telling.wanted.contains(uri)) telling.observer->OnResourceUpdated(uri);
  }
}

void Watches::Add(const std::shared_ptr<Panel>& panel, std::string_view uri) {
  const std::lock_guard lock(mutex_);
  {
    const std::lock_guard telling(telling_->mutex);
    if (++telling_->wanted[std::string(uri)] > 1) return;
  }
  panel_of_.emplace(uri, panel->id());
  Watched& watched = panels_[panel->id()];
  if (watched.uris++ != 0 && watched.panel.lock() == panel) return;
  watched.panel = panel;
  const auto subscribed = panel->Subscribe(
      std::nullopt, [telling = telling_](const std::shared_ptr<const PanelUpdate>& update) {
        OnUpdate(*telling, *update);
      });
  watched.subscription = subscribed.value_or(0);
}

void Watches::Remove(std::string_view uri) {
  const std::lock_guard lock(mutex_);
  {
    const std::lock_guard telling(telling_->mutex);
    const auto wanted = telling_->wanted.find(uri);
    if (wanted == telling_->wanted.end() || --wanted->second > 0) return;
    telling_->wanted.erase(wanted);
  }
  const auto of = panel_of_.find(uri);
  if (of == panel_of_.end()) return;
  const auto found = panels_.find(of->second);
  panel_of_.erase(of);
  if (found == panels_.end() || --found->second.uris != 0) return;
  if (const auto panel = found->second.panel.lock()) panel->Unsubscribe(found->second.subscription);
  panels_.erase(found);
}

}  // namespace nexus::mcp::internal
