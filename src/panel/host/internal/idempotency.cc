#include "panel/host/internal/idempotency.h"

#include <iterator>
#include <utility>

#include "panel/host/internal/panel_state.h"

namespace nexus::internal {

std::size_t ResultBytes(const RunResult& result) {
  std::size_t bytes = 512 + ValueBytes(result.return_value);
  for (const StateMutation& mutation : result.state_mutations) {
    bytes += 96 + ValueBytes(mutation.value);
  }
  for (const EmittedEvent& event : result.events) bytes += 64 + ValueBytes(event.payload);
  for (const ViewCommand& command : result.view_commands) bytes += 96 + ValueBytes(command.args);
  for (const LogEntry& entry : result.logs) bytes += 64 + entry.message.size();
  return bytes;
}

IdempotencyKeys::Map::iterator IdempotencyKeys::Add(const std::string& key) {
  const auto [at, is_new] = keys_.try_emplace(key);
  if (is_new) {
    order_.push_back(key);
    at->second.place = std::prev(order_.end());
  }
  return at;
}

void IdempotencyKeys::Remove(Map::iterator at) {
  bytes_ -= at->second.bytes;
  order_.erase(at->second.place);
  keys_.erase(at);
}

void IdempotencyKeys::Trim() {
  // The newest stays, however large.
  while (order_.size() > kIdempotencyKeysMax ||
         (bytes_ > kIdempotencyBytesMax && order_.size() > 1)) {
    Remove(keys_.find(order_.front()));
  }
}

const IdempotencyKeys::Entry* IdempotencyKeys::Claim(const std::string& key,
                                                     const LiveRunPtr& run) {
  if (const auto found = keys_.find(key); found != keys_.end()) return &found->second.entry;
  Add(key)->second.entry.run = run;
  Trim();
  return nullptr;
}

void IdempotencyKeys::Ended(const std::string& key, RunResult result, bool restored) {
  const auto at = restored ? Add(key) : keys_.find(key);
  if (at == keys_.end()) return;
  bytes_ -= at->second.bytes;
  at->second.bytes = key.size() + ResultBytes(result);
  bytes_ += at->second.bytes;
  at->second.entry = {.run = nullptr, .result = std::move(result)};
  Trim();
}

void IdempotencyKeys::Release(const std::string& key) {
  if (const auto at = keys_.find(key); at != keys_.end()) Remove(at);
}

void IdempotencyKeys::Clear() {
  keys_.clear();
  order_.clear();
  bytes_ = 0;
}

}  // namespace nexus::internal
