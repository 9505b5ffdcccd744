#include "mcp/server/internal/subscriptions.h"

#include <algorithm>
#include <utility>

#include "base/json.h"

namespace nexus::mcp::internal {

std::uint64_t Subscriptions::Add(Subscriber subscriber) {
  auto entry = std::make_shared<Entry>();
  entry->subscriber = std::move(subscriber);
  const std::lock_guard lock(mutex_);
  entries_.emplace(next_, std::move(entry));
  return next_++;
}

void Subscriptions::Remove(std::uint64_t id) {
  EntryPtr entry;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) return;
    entry = found->second;
  }
  const std::vector<std::string> uris = entry->uris;
  for (const std::string& uri : uris) RemoveUri(id, uri);
  const std::lock_guard lock(mutex_);
  entries_.erase(id);
}

bool Subscriptions::AddUri(std::uint64_t id, const std::string& uri) {
  const std::lock_guard watch(watch_mutex_);
  EntryPtr entry;
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) return false;
    entry = found->second;
    if (std::find(entry->uris.begin(), entry->uris.end(), uri) != entry->uris.end()) return true;
    first = !by_uri_.contains(uri);
  }
  // Asked for every caller: what one may read another may not. Counted once.
  if (!provider_.Watch(*entry->subscriber.caller, uri)) return false;
  if (!first) provider_.Unwatch(uri);
  const std::lock_guard lock(mutex_);
  by_uri_[uri].push_back(id);
  entry->uris.push_back(uri);
  return true;
}

void Subscriptions::RemoveUri(std::uint64_t id, const std::string& uri) {
  const std::lock_guard watch(watch_mutex_);
  {
    const std::lock_guard lock(mutex_);
    const auto entry = entries_.find(id);
    const auto found = by_uri_.find(uri);
    if (entry == entries_.end() || found == by_uri_.end()) return;
    if (std::erase(entry->second->uris, uri) == 0) return;
    std::erase(found->second, id);
    if (!found->second.empty()) return;
    by_uri_.erase(found);
  }
  provider_.Unwatch(uri);
}

std::size_t Subscriptions::UriCount(std::uint64_t id) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  return found == entries_.end() ? 0 : found->second->uris.size();
}

std::size_t Subscriptions::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

void Subscriptions::Send(const Entry& entry, std::string_view method, ValueObject params,
                         std::string_view key) {
  std::string text = R"({"jsonrpc":"2.0","method":")";
  text += method;
  text += '"';
  const std::string& id = entry.subscriber.subscription_id_json;
  if (!id.empty() || !params.empty()) {
    text += R"(,"params":{)";
    if (!id.empty()) {
      text += R"("_meta":{")";
      text += meta::kSubscriptionId;
      text += "\":";
      text += id;
      text += '}';
    }
    for (const auto& [name, value] : params) {
      if (text.back() != '{') text += ',';
      AppendJsonString(text, name);
      text += ':';
      AppendJson(text, value);
    }
    text += '}';
  }
  text += '}';
  entry.subscriber.send(std::move(text), key);
}

// Sent under the lock, so that nobody is told after Remove; `send` only queues.
void Subscriptions::Tell(bool ListenFilter::* which, std::string_view method) {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, entry] : entries_) {
    if (entry->subscriber.lists.*which) Send(*entry, method, {}, method);
  }
}

void Subscriptions::OnToolsChanged() {
  Tell(&ListenFilter::tools, "notifications/tools/list_changed");
}
void Subscriptions::OnPromptsChanged() {
  Tell(&ListenFilter::prompts, "notifications/prompts/list_changed");
}
void Subscriptions::OnResourcesChanged() {
  Tell(&ListenFilter::resources, "notifications/resources/list_changed");
}

void Subscriptions::OnResourceUpdated(std::string_view uri) {
  const std::lock_guard lock(mutex_);
  const auto found = by_uri_.find(uri);
  if (found == by_uri_.end()) return;
  for (const std::uint64_t id : found->second) {
    Send(*entries_.find(id)->second, "notifications/resources/updated", ValueObject{{"uri", uri}},
         uri);
  }
}

}  // namespace nexus::mcp::internal
