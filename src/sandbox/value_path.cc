#include "sandbox/value_path.h"

#include <cstdint>
#include <utility>
#include <variant>

#include "base/check.h"

namespace nexus {
namespace {

// A sparse write far behind the end would allocate what the guest names; JavaScript programs that
// grow a list do so from its end.
constexpr std::uint32_t kArrayGapMax = 1024;

std::string StepText(const PathStep& step) {
  if (const auto* name = std::get_if<std::string>(&step)) return "." + *name;
  return "[" + std::to_string(std::get<std::uint32_t>(step)) + "]";
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

Status SetLength(ValueArray& array, const std::string& place, const PathStep& step,
                 const Value& value, PathUndo& undo) {
  const std::string& name = std::get<std::string>(step);
  const double* length = value.As<double>();
  const bool sound =
      length != nullptr && *length >= 0 && *length <= static_cast<double>(array.size());
  if (name != "length" || !sound) {
    return Fail(Code::kInvalidArgument, "state " + place + ": a list has no property " + name);
  }
  const auto size = static_cast<std::size_t>(*length);
  undo.array_size = array.size();
  undo.tail.assign(std::make_move_iterator(array.begin() + static_cast<std::ptrdiff_t>(size)),
                   std::make_move_iterator(array.end()));
  array.resize(size);
  return {};
}

}  // namespace

std::string PathText(std::string_view key, std::span<const PathStep> path) {
  std::string text(key);
  for (const PathStep& step : path) text += StepText(step);
  return text;
}

Result<PathUndo> AssignAt(Value& root, std::string_view key, std::span<const PathStep> path,
                          Value value) {
  NEXUS_CHECK(!path.empty());
  NEXUS_TRY(Value * container, ContainerAt(root, key, path.first(path.size() - 1)));
  const PathStep& step = path.back();
  PathUndo undo;
  undo.path.assign(path.begin(), path.end());
  if (auto* object = container->As<ValueObject>()) {
    const std::string name = StepKey(step);
    if (Value* const present = object->Find(name)) {
      undo.previous = std::exchange(*present, std::move(value));
    } else {
      object->Append(name, std::move(value));
    }
    return undo;
  }
  auto* array = container->As<ValueArray>();
  if (array == nullptr) {
    return Fail(Code::kInvalidArgument, "state " + PathText(key, path) + ": cannot write into a " +
                                            std::string(container->TypeName()));
  }
  if (std::holds_alternative<std::string>(step)) {
    NEXUS_TRY_STATUS(SetLength(*array, PathText(key, path), step, value, undo));
    return undo;
  }
  const std::uint32_t index = std::get<std::uint32_t>(step);
  if (index > array->size() + kArrayGapMax) {
    return Fail(Code::kInvalidArgument,
                "state " + PathText(key, path) + ": index is far behind the end of the list");
  }
  if (index < array->size()) {
    undo.previous = std::exchange((*array)[index], std::move(value));
    return undo;
  }
  undo.array_size = array->size();
  array->resize(std::size_t{index} + 1, Value(nullptr));
  (*array)[index] = std::move(value);
  return undo;
}

Result<std::optional<PathUndo>> EraseAt(Value& root, std::string_view key,
                                        std::span<const PathStep> path) {
  NEXUS_CHECK(!path.empty());
  NEXUS_TRY(Value * container, ContainerAt(root, key, path.first(path.size() - 1)));
  Value* const present = Child(*container, path.back());
  if (present == nullptr) return std::optional<PathUndo>();
  PathUndo undo;
  undo.path.assign(path.begin(), path.end());
  undo.previous = std::move(*present);
  if (auto* object = container->As<ValueObject>()) {
    object->Erase(StepKey(path.back()));
  } else {
    *present = Value(nullptr);  // A hole in JavaScript; state holds JSON, so null.
  }
  return std::optional<PathUndo>(std::move(undo));
}

void Revert(Value& root, PathUndo undo) {
  const std::span<const PathStep> path = undo.path;
  const Result<Value*> found = ContainerAt(root, "", path.first(path.size() - 1));
  NEXUS_CHECK(found.has_value());
  Value& container = **found;
  if (auto* array = container.As<ValueArray>()) {
    if (undo.array_size) {
      if (array->size() > *undo.array_size) array->resize(*undo.array_size);
      for (Value& value : undo.tail) array->push_back(std::move(value));
    } else {
      (*array)[std::get<std::uint32_t>(path.back())] = *std::move(undo.previous);
    }
    return;
  }
  auto* object = container.As<ValueObject>();
  NEXUS_CHECK(object != nullptr);
  if (undo.previous) {
    object->Set(StepKey(path.back()), *std::move(undo.previous));
  } else {
    object->Erase(StepKey(path.back()));
  }
}

}  // namespace nexus
