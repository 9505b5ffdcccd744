#include "server/internal/outbox.h"

#include <algorithm>
#include <utility>

#include "base/json.h"

namespace nexus::internal {

void Outbox::Push(SharedText text) {
  bytes_ += text->size();
  items_.push_back({.text = std::move(text), .update = nullptr, .filter = {}});
}

void Outbox::PushPatch(SharedText text, const std::shared_ptr<const PanelUpdate>& update,
                       const KeyFilter& filter) {
  if (merged_ == nullptr && bytes_ + text->size() > kMergeAboveBytes) MergeWaiting();
  if (merged_ != nullptr) {
    bytes_ -= merged_->bytes;
    merged_->Add(*update, filter);
    bytes_ += merged_->bytes;
    return;
  }
  bytes_ += text->size();
  items_.push_back({.text = std::move(text), .update = update, .filter = filter});
}

// Every waiting patch goes into one, which stands where the first of them stood: an event may be
// told after a later patch, but never before its own.
void Outbox::MergeWaiting() {
  merged_ = std::make_unique<MergedPatch>();
  std::deque<Item> rest;
  bool placed = false;
  bytes_ = 0;
  for (Item& item : items_) {
    if (item.update == nullptr) {
      bytes_ += item.text->size();
      rest.push_back(std::move(item));
      continue;
    }
    merged_->Add(*item.update, item.filter);
    if (!std::exchange(placed, true)) rest.emplace_back();
  }
  if (!placed) rest.emplace_back();
  bytes_ += merged_->bytes;
  items_ = std::move(rest);
}

SharedText Outbox::Next() {
  if (items_.empty()) return nullptr;
  Item item = std::move(items_.front());
  items_.pop_front();
  if (item.text != nullptr) {
    bytes_ -= item.text->size();
    return item.text;
  }
  const auto merged = std::move(merged_);
  bytes_ -= merged->bytes;
  return merged->Text();
}

void Outbox::MergedPatch::AddMutation(const StateMutation& mutation) {
  MergedMutation added{
      .key = mutation.key, .path = PathText(mutation), .json = {}, .steps = mutation.path};
  AppendMutation(added.json, mutation);
  const auto is_below = [&](const MergedMutation& old) {
    return old.steps.size() >= added.steps.size() &&
           std::equal(added.steps.begin(), added.steps.end(), old.steps.begin());
  };
  // A removed list item moves its neighbours: only a write of the whole value can stand for it.
  const bool moves = mutation.operation == StateMutation::Operation::kDelete && !added.path.empty();
  for (std::size_t i = mutations.size(); i-- > 0 && !moves;) {
    if (mutations[i].key != added.key) continue;
    if (!is_below(mutations[i])) break;
    const bool removes = mutations[i].json.starts_with("{\"operation\":\"delete\"");
    if (removes && mutations[i].steps.size() == added.steps.size() && !added.path.empty()) break;
    bytes -= mutations[i].json.size() + 1;
    mutations.erase(mutations.begin() + static_cast<std::ptrdiff_t>(i));
  }
  bytes += added.json.size() + 1;
  mutations.push_back(std::move(added));
}

void Outbox::MergedPatch::Add(const PanelUpdate& update, const KeyFilter& filter) {
  revision = std::max(revision, update.revision);
  unix_ms = update.unix_ms;
  for (const StateMutation& mutation : update.mutations) {
    if (!filter || filter(mutation.key)) AddMutation(mutation);
  }
  for (const auto& [name, value] : update.computed) {
    if (filter && !filter(name)) continue;
    std::string json = value.is_undefined() ? "null" : ToJson(value);
    const auto same = std::find_if(computed.begin(), computed.end(),
                                   [&name](const auto& entry) { return entry.first == name; });
    bytes += json.size();
    if (same == computed.end()) {
      bytes += name.size() + 4;
      computed.emplace_back(name, std::move(json));
    } else {
      bytes -= same->second.size();
      same->second = std::move(json);
    }
  }
}

SharedText Outbox::MergedPatch::Text() const {
  auto out = std::make_shared<std::string>("{\"type\":\"PATCH\",\"revision\":");
  *out += std::to_string(revision) + ",\"mutations\":[";
  for (const MergedMutation& mutation : mutations) {
    if (&mutation != &mutations.front()) *out += ',';
    *out += mutation.json;
  }
  *out += "],\"computed\":{";
  bool first = true;
  for (const auto& [name, json] : computed) {
    if (!std::exchange(first, false)) *out += ',';
    AppendJsonString(*out, name);
    *out += ':';
    *out += json;
  }
  *out += "},\"timestamp\":" + std::to_string(unix_ms) + "}";
  return out;
}

}  // namespace nexus::internal
