#include <utility>

#include "sandbox/bindings.h"
#include "sandbox/value_path.h"

namespace nexus {

Value MemoryState::Get(std::string_view key) {
  const Value* value = values_.Find(key);
  return value == nullptr ? Value() : *value;
}

bool MemoryState::Has(std::string_view key) { return values_.Find(key) != nullptr; }

std::vector<std::string> MemoryState::Keys() {
  std::vector<std::string> keys;
  for (const auto& [key, value] : values_) keys.push_back(key);
  return keys;
}

Result<std::uint64_t> MemoryState::Set(std::string_view key, std::span<const PathStep> path,
                                       const Value& value) {
  if (path.empty()) {
    values_.Set(std::string(key), value);
    return ++revision_;
  }
  Value* root = values_.Find(key);
  if (root == nullptr) {
    return Fail(Code::kInvalidArgument, "state " + std::string(key) + ": there is no such key");
  }
  if (const auto undo = AssignAt(*root, key, path, value); !undo) {
    return std::unexpected(undo.error());
  }
  return ++revision_;
}

Result<std::uint64_t> MemoryState::Delete(std::string_view key, std::span<const PathStep> path) {
  if (path.empty()) return values_.Erase(key) ? ++revision_ : 0;
  Value* root = values_.Find(key);
  if (root == nullptr) return std::uint64_t{0};
  const auto undo = EraseAt(*root, key, path);
  if (!undo) return std::unexpected(undo.error());
  return undo->has_value() ? ++revision_ : 0;
}

}  // namespace nexus
