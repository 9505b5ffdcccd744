#include <utility>

#include "sandbox/bindings.h"

namespace nexus {
namespace {

std::string StepText(const PathStep& step) {
  if (const auto* name = std::get_if<std::string>(&step)) return "." + *name;
  return "[" + std::to_string(std::get<std::uint32_t>(step)) + "]";
}

std::string PathText(std::string_view key, std::span<const PathStep> path) {
  std::string text(key);
  for (const PathStep& step : path) text += StepText(step);
  return text;
}

std::string StepKey(const PathStep& step) {
  if (const auto* name = std::get_if<std::string>(&step)) return *name;
  return std::to_string(std::get<std::uint32_t>(step));
}

// One step down; nullptr when there is nothing there.
Value* Child(Value& parent, const PathStep& step) {
  if (auto* object = parent.As<ValueObject>()) return object->Find(StepKey(step));
  if (auto* array = parent.As<ValueArray>()) {
    const auto* index = std::get_if<std::uint32_t>(&step);
    if (index != nullptr && *index < array->size()) return &(*array)[*index];
  }
  return nullptr;
}

Result<Value*> ContainerAt(Value& root, std::string_view key, std::span<const PathStep> path) {
  Value* at = &root;
  for (std::size_t i = 0; i < path.size(); ++i) {
    at = Child(*at, path[i]);
    if (at == nullptr) {
      return Fail(Code::kInvalidArgument,
                  "state " + PathText(key, path.first(i + 1)) + ": there is nothing to write into");
    }
  }
  return at;
}

// A sparse write far behind the end would allocate what the guest names; JavaScript programs that
// grow a list do so from its end.
constexpr std::uint32_t kArrayGapMax = 1024;

Status Assign(Value& container, const PathStep& step, const Value& value, std::string place) {
  if (auto* object = container.As<ValueObject>()) {
    object->Set(StepKey(step), value);
    return {};
  }
  auto* array = container.As<ValueArray>();
  if (array == nullptr) {
    return Fail(Code::kInvalidArgument,
                "state " + place + ": cannot write into a " + std::string(container.TypeName()));
  }
  if (const auto* name = std::get_if<std::string>(&step)) {
    const double* length = value.As<double>();
    const bool sound =
        length != nullptr && *length >= 0 && *length <= static_cast<double>(array->size());
    if (*name != "length" || !sound) {
      return Fail(Code::kInvalidArgument, "state " + place + ": a list has no property " + *name);
    }
    array->resize(static_cast<std::size_t>(*length));
    return {};
  }
  const std::uint32_t index = std::get<std::uint32_t>(step);
  if (index > array->size() + kArrayGapMax) {
    return Fail(Code::kInvalidArgument,
                "state " + place + ": index is far behind the end of the list");
  }
  if (index >= array->size()) array->resize(std::size_t{index} + 1, Value(nullptr));
  (*array)[index] = value;
  return {};
}

}  // namespace

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
  NEXUS_TRY(Value * container, ContainerAt(*root, key, path.first(path.size() - 1)));
  NEXUS_TRY_STATUS(Assign(*container, path.back(), value, PathText(key, path)));
  return ++revision_;
}

Result<std::uint64_t> MemoryState::Delete(std::string_view key, std::span<const PathStep> path) {
  if (path.empty()) return values_.Erase(key) ? ++revision_ : 0;
  Value* root = values_.Find(key);
  if (root == nullptr) return std::uint64_t{0};
  NEXUS_TRY(Value * container, ContainerAt(*root, key, path.first(path.size() - 1)));
  if (auto* object = container->As<ValueObject>()) {
    return object->Erase(StepKey(path.back())) ? ++revision_ : 0;
  }
  auto* array = container->As<ValueArray>();
  const auto* index = std::get_if<std::uint32_t>(&path.back());
  if (array == nullptr || index == nullptr || *index >= array->size()) return std::uint64_t{0};
  (*array)[*index] = Value(nullptr);  // A hole in JavaScript; state holds JSON, so null.
  return ++revision_;
}

}  // namespace nexus
