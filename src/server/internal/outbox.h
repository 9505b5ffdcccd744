#pragma once
/// What a WebSocket still has to be told. While its client keeps up, texts pass through, shared;
/// when it does not, patches are merged key by key, so that what waits is what is newest.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "server/internal/messages.h"

namespace nexus::internal {

class Outbox {
 public:
  static constexpr std::size_t kMergeAboveBytes = 32 << 10;

  void Push(SharedText text);
  /// `text` is PatchText of the update under `filter`.
  void PushPatch(SharedText text, const std::shared_ptr<const PanelUpdate>& update,
                 const KeyFilter& filter);
  /// nullptr when empty.
  SharedText Next();
  /// What waits; a shared text counts for each who waits for it.
  std::size_t bytes() const { return bytes_; }

 private:
  struct MergedMutation {
    std::string key, path, json;
    std::vector<PathStep> steps;
  };
  /// Patches that became one. A later mutation takes the place of the newest one of its key when
  /// that one's path is at or below its own: nothing between them can matter then.
  struct MergedPatch {
    std::uint64_t revision = 0;
    std::int64_t unix_ms = 0;
    std::vector<MergedMutation> mutations;
    std::vector<std::pair<std::string, std::string>> computed;
    std::size_t bytes = 0;
    void Add(const PanelUpdate& update, const KeyFilter& filter);
    void AddMutation(const StateMutation& mutation);
    SharedText Text() const;
  };
  struct Item {
    SharedText text;  // Null: the merged patch stands here.
    std::shared_ptr<const PanelUpdate> update;
    KeyFilter filter;
  };
  void MergeWaiting();

  std::deque<Item> items_;
  std::unique_ptr<MergedPatch> merged_;
  std::size_t bytes_ = 0;
};

}  // namespace nexus::internal
