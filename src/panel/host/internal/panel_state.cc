#include "panel/host/internal/panel_state.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/json.h"
#include "base/text.h"

namespace nexus::internal {
namespace {

// True when `value` is plain JSON; false, and `deep` set, when it is nested too deeply.
bool IsJson(const Value& value, int depth_left, bool& deep) {
  if (const auto* array = value.As<ValueArray>()) {
    deep = deep || depth_left <= 0;
    return !deep && std::all_of(array->begin(), array->end(), [&](const Value& item) {
      return IsJson(item, depth_left - 1, deep);
    });
  }
  if (const auto* object = value.As<ValueObject>()) {
    deep = deep || depth_left <= 0;
    return !deep && std::all_of(object->begin(), object->end(), [&](const auto& entry) {
      return IsJson(entry.second, depth_left - 1, deep);
    });
  }
  if (const double* number = value.As<double>()) return *number - *number == 0;  // Finite.
  return value.is_null() || value.As<bool>() != nullptr || value.As<std::string>() != nullptr;
}

}  // namespace

std::size_t ValueBytes(const Value& value) {
  if (const auto* text = value.As<std::string>()) return text->size() + 2;
  std::size_t bytes = 2;
  if (const auto* array = value.As<ValueArray>()) {
    for (const Value& item : *array) bytes += ValueBytes(item);
    return bytes;
  }
  if (const auto* object = value.As<ValueObject>()) {
    for (const auto& [key, item] : *object) bytes += key.size() + 1 + ValueBytes(item);
    return bytes;
  }
  return value.As<double>() != nullptr ? 9 : bytes;
}

Result<Value> JsonForm(const Value& value, int depth_max) {
  bool deep = false;
  if (IsJson(value, depth_max, deep)) return value;
  if (!deep) {
    const auto limit = static_cast<std::size_t>(std::max(depth_max, 1));
    if (auto parsed = ParseJson(ToJson(value), {.depth_max = limit})) return parsed;
  }
  return Fail(Code::kInvalidArgument,
              "the value is nested more than " + std::to_string(depth_max) + " levels deep");
}

PanelState::PanelState(const PanelDefinition& definition, StateLimits limits) : limits_(limits) {
  Define(definition);
  values_ = defaults_;
  for (const auto& [key, value] : values_) bytes_ += ValueBytes(value);
}

void PanelState::Define(const PanelDefinition& definition) {
  types_.clear();
  computed_.clear();
  defaults_ = ValueObject();
  for (const StateDefinition& state : definition.states) {
    types_.emplace(state.name, state.type);
    defaults_.Append(state.name, state.initial);
  }
  for (const ComputedDefinition& computed : definition.computed) {
    computed_.push_back(computed.name);
  }
}

void PanelState::Restore(ValueObject values, std::uint64_t revision) {
  const std::lock_guard lock(mutex_);
  values_ = std::move(values);
  revision_ = durable_ = revision;
  undo_.clear();
}

Status PanelState::Replay(const std::vector<StateMutation>& mutations, std::uint64_t revision) {
  const std::lock_guard lock(mutex_);
  for (const StateMutation& mutation : mutations) {
    Value* const root = values_.Find(mutation.key);
    if (mutation.operation == StateMutation::Operation::kSet) {
      if (mutation.path.empty()) {
        values_.Set(mutation.key, mutation.value);
      } else if (root == nullptr) {
        return Fail(Code::kDataLoss, "state " + mutation.key + ": the journal writes into nothing");
      } else if (auto undo = AssignAt(*root, mutation.key, mutation.path, mutation.value); !undo) {
        return std::unexpected(undo.error());
      }
    } else if (mutation.path.empty()) {
      values_.Erase(mutation.key);
    } else if (root != nullptr) {
      if (auto undo = EraseAt(*root, mutation.key, mutation.path); !undo) {
        return std::unexpected(undo.error());
      }
    }
    key_revisions_[mutation.key] = revision;
  }
  revision_ = durable_ = revision;
  return {};
}

void PanelState::Redefine(const PanelDefinition& definition) {
  const std::lock_guard lock(mutex_);
  Define(definition);
  ValueObject adopted;
  bytes_ = 0;
  for (const auto& [key, fallback] : defaults_) {
    const Value* const had = values_.Find(key);
    const bool fits = had != nullptr && IsOfType(*had, types_.find(key)->second);
    adopted.Append(key, fits ? *had : fallback);
    bytes_ += ValueBytes(adopted.entries().back().second);
  }
  values_ = std::move(adopted);
}

Value PanelState::Get(std::string_view key) const {
  const std::lock_guard lock(mutex_);
  const Value* const value = values_.Find(key);
  return value == nullptr ? Value() : *value;
}

bool PanelState::Has(std::string_view key) const {
  const std::lock_guard lock(mutex_);
  return values_.Find(key) != nullptr;
}

std::vector<std::string> PanelState::Keys() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> keys;
  for (const auto& [key, value] : values_) keys.push_back(key);
  return keys;
}

bool PanelState::Declares(std::string_view key) const {
  const std::lock_guard lock(mutex_);
  return types_.find(key) != types_.end();
}

std::uint64_t PanelState::KeyRevision(std::string_view key) const {
  const std::lock_guard lock(mutex_);
  const auto found = key_revisions_.find(key);
  return found == key_revisions_.end() ? 0 : found->second;
}

std::uint64_t PanelState::revision() const {
  const std::lock_guard lock(mutex_);
  return revision_;
}

std::uint64_t PanelState::durable_revision() const {
  const std::lock_guard lock(mutex_);
  return durable_;
}

Error PanelState::UnknownKey(std::string_view key) const {
  if (std::find(computed_.begin(), computed_.end(), key) != computed_.end()) {
    return {Code::kInvalidArgument, "state " + std::string(key) +
                                        ": it is a computed value, which follows from the state "
                                        "and cannot be written"};
  }
  std::vector<std::string_view> names;
  for (const auto& [name, type] : types_) names.push_back(name);
  return {Code::kInvalidArgument, "state " + std::string(key) + ": the panel declares no such key" +
                                      DidYouMean(key, names) + "; declare it with <State name=\"" +
                                      std::string(key) + "\"/>"};
}

Status PanelState::Check(std::string_view key, const Value& value) const {
  const std::lock_guard lock(mutex_);
  const auto type = types_.find(key);
  if (type == types_.end()) return std::unexpected(UnknownKey(key));
  if (!IsOfType(value, type->second)) {
    return Fail(Code::kInvalidArgument, "state " + std::string(key) + ": it is a " +
                                            std::string(PanelTypeName(type->second)) +
                                            ", and cannot become a " +
                                            std::string(value.TypeName()));
  }
  return {};
}

Result<std::uint64_t> PanelState::Set(std::string_view key, std::span<const PathStep> path,
                                      const Value& value) {
  auto json = JsonForm(value, limits_.depth_max - static_cast<int>(path.size()));
  if (!json) {
    return std::unexpected(std::move(json).error().Context("state " + PathText(key, path)));
  }
  if (path.empty()) {
    NEXUS_TRY_STATUS(Check(key, *json));
  } else if (!Declares(key)) {
    const std::lock_guard lock(mutex_);
    return std::unexpected(UnknownKey(key));
  }
  return Apply(key, path, *std::move(json));
}

Result<std::uint64_t> PanelState::Apply(std::string_view key, std::span<const PathStep> path,
                                        Value value) {
  const std::lock_guard lock(mutex_);
  Undo undo{.key = std::string(key), .bytes_before = bytes_, .whole = {}, .at = {}};
  const std::size_t added = ValueBytes(value);
  if (bytes_ + added > limits_.bytes_max) {
    return Fail(Code::kResourceExhausted, "state " + PathText(key, path) +
                                              ": the panel's state would grow above " +
                                              std::to_string(limits_.bytes_max) + " bytes");
  }
  Value* const root = values_.Find(key);
  if (path.empty()) {
    if (root != nullptr) {
      bytes_ -= std::min(bytes_, ValueBytes(*root));
      undo.whole = std::exchange(*root, std::move(value));
    } else {
      values_.Append(std::string(key), std::move(value));
    }
  } else {
    if (root == nullptr) {
      return Fail(
          Code::kInvalidArgument,
          "state " + std::string(key) + ": it was deleted, so there is nothing to write into");
    }
    NEXUS_TRY(undo.at, AssignAt(*root, key, path, std::move(value)));
    if (undo.at->previous) bytes_ -= std::min(bytes_, ValueBytes(*undo.at->previous));
    for (const Value& item : undo.at->tail) bytes_ -= std::min(bytes_, ValueBytes(item));
  }
  bytes_ += added;
  auto& key_revision = key_revisions_[std::string(key)];
  undo.key_revision_before = std::exchange(key_revision, ++revision_);
  undo.revision = revision_;
  undo_.push_back(std::move(undo));
  return revision_;
}

Result<std::uint64_t> PanelState::Delete(std::string_view key, std::span<const PathStep> path) {
  const std::lock_guard lock(mutex_);
  if (types_.find(key) == types_.end()) return std::unexpected(UnknownKey(key));
  Value* const root = values_.Find(key);
  if (root == nullptr) return std::uint64_t{0};
  Undo undo{.key = std::string(key), .bytes_before = bytes_, .whole = {}, .at = {}};
  if (path.empty()) {
    bytes_ -= std::min(bytes_, ValueBytes(*root));
    undo.whole = std::move(*root);
    values_.Erase(key);
  } else {
    NEXUS_TRY(std::optional<PathUndo> at, EraseAt(*root, key, path));
    if (!at) return std::uint64_t{0};
    bytes_ -= std::min(bytes_, ValueBytes(*at->previous));
    undo.at = std::move(at);
  }
  auto& key_revision = key_revisions_[std::string(key)];
  undo.key_revision_before = std::exchange(key_revision, ++revision_);
  undo.revision = revision_;
  undo_.push_back(std::move(undo));
  return revision_;
}

void PanelState::TakeBack(ValueObject& values, const Undo& undo) {
  if (undo.at) {
    Value* const root = values.Find(undo.key);
    NEXUS_CHECK(root != nullptr);
    Revert(*root, *undo.at);
  } else if (undo.whole) {
    values.Set(undo.key, *undo.whole);
  } else {
    values.Erase(undo.key);
  }
}

void PanelState::RevertOne() {
  const Undo undo = std::move(undo_.back());
  undo_.pop_back();
  TakeBack(values_, undo);
  key_revisions_[undo.key] = undo.key_revision_before;
  bytes_ = undo.bytes_before;
  revision_ = undo.revision - 1;
}

void PanelState::RevertTo(std::uint64_t revision) {
  const std::lock_guard lock(mutex_);
  while (!undo_.empty() && undo_.back().revision > revision) RevertOne();
}

void PanelState::MarkDurable(std::uint64_t revision) {
  const std::lock_guard lock(mutex_);
  durable_ = std::max(durable_, revision);
  while (!undo_.empty() && undo_.front().revision <= durable_) undo_.pop_front();
}

PanelState::View PanelState::Durable() const {
  const std::lock_guard lock(mutex_);
  View view{.revision = durable_, .values = values_, .key_revisions = key_revisions_, .dirty = {}};
  for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo) {
    TakeBack(view.values, *undo);
    view.key_revisions.erase(undo->key);
    view.dirty.insert(undo->key);
  }
  return view;
}

ValueObject PanelState::Head() const {
  const std::lock_guard lock(mutex_);
  return values_;
}

}  // namespace nexus::internal
