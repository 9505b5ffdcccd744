#pragma once
/// Who wants to know of which changes: listen requests (modern) and sessions (legacy).

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "mcp/server/provider.h"

namespace nexus::mcp::internal {

/// One who is told. `send` must not block, and is not called after Remove has returned.
struct Subscriber {
  ListenFilter lists;  ///< Without uris.
  CallerPtr caller;
  std::string subscription_id_json;  ///< For `_meta`; "" for sessions.
  /// `key` is the same for changes that make each other superfluous.
  std::function<void(std::string message, std::string_view key)> send;
};

/// Thread-safe. Cost of a change: the number of those who wanted it.
class Subscriptions final : public ChangeObserver {
 public:
  explicit Subscriptions(Provider& provider) : provider_(provider) { provider_.SetObserver(this); }
  ~Subscriptions() override { provider_.SetObserver(nullptr); }
  Subscriptions(const Subscriptions&) = delete;
  Subscriptions& operator=(const Subscriptions&) = delete;

  std::uint64_t Add(Subscriber subscriber);
  void Remove(std::uint64_t id);
  /// False when the caller can read no such resource, or the subscriber is gone.
  bool AddUri(std::uint64_t id, const std::string& uri);
  void RemoveUri(std::uint64_t id, const std::string& uri);
  std::size_t UriCount(std::uint64_t id) const;
  std::size_t size() const;

  // ChangeObserver
  void OnToolsChanged() override;
  void OnPromptsChanged() override;
  void OnResourcesChanged() override;
  void OnResourceUpdated(std::string_view uri) override;

 private:
  struct Entry {
    Subscriber subscriber;
    std::vector<std::string> uris;
  };
  using EntryPtr = std::shared_ptr<Entry>;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  void Tell(bool ListenFilter::* which, std::string_view method);
  static void Send(const Entry& entry, std::string_view method, ValueObject params,
                   std::string_view key);

  Provider& provider_;
  std::mutex watch_mutex_;  // Held while the provider is told, so that its calls are in order.
  mutable std::mutex mutex_;
  std::uint64_t next_ = 1;                     // guarded by mutex_
  std::map<std::uint64_t, EntryPtr> entries_;  // guarded by mutex_
  std::unordered_map<std::string, std::vector<std::uint64_t>, Hash, std::equal_to<>>
      by_uri_;  // guarded by mutex_
};

}  // namespace nexus::mcp::internal
