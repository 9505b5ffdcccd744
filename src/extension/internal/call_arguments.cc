#include "extension/internal/call_arguments.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace nexus::internal {

std::string CallArguments::Place() const { return call_.extension + "." + call_.method; }

const Value& CallArguments::At(std::size_t index) const {
  static const Value kAbsent;
  return index < call_.args.size() ? call_.args[index] : kAbsent;
}

Result<std::string> CallArguments::String(std::size_t index, std::string_view name) const {
  const Value& value = At(index);
  if (const std::string* text = value.As<std::string>()) return *text;
  return Fail(Code::kInvalidArgument, fmt::format("{}: argument {} ({}) must be a string, not {}",
                                                  Place(), index + 1, name, value.TypeName()));
}

Result<std::string> CallArguments::StringOr(std::size_t index, std::string_view name,
                                            std::string_view otherwise) const {
  if (At(index).is_undefined()) return std::string(otherwise);
  return String(index, name);
}

Result<const ValueObject*> CallArguments::Options(
    std::size_t index, std::initializer_list<std::string_view> allowed) const {
  const Value& value = At(index);
  if (value.is_undefined() || value.is_null()) return nullptr;
  const ValueObject* options = value.As<ValueObject>();
  if (options == nullptr) {
    return Fail(Code::kInvalidArgument,
                fmt::format("{}: argument {} (options) must be an object, not {}", Place(),
                            index + 1, value.TypeName()));
  }
  for (const auto& [key, member] : *options) {
    if (std::find(allowed.begin(), allowed.end(), key) == allowed.end()) {
      return Fail(Code::kInvalidArgument, fmt::format("{}: unknown option '{}': the options are {}",
                                                      Place(), key, fmt::join(allowed, ", ")));
    }
  }
  return options;
}

const Value* OptionReader::Raw(std::string_view name) const {
  if (options_ == nullptr) return nullptr;
  const Value* value = options_->Find(name);
  return value == nullptr || value->is_undefined() ? nullptr : value;
}

Result<std::uint64_t> OptionReader::Integer(std::string_view name, std::uint64_t otherwise,
                                            std::uint64_t min, std::uint64_t max) const {
  const Value* value = Raw(name);
  if (value == nullptr) return otherwise;
  const double* number = value->As<double>();
  const bool whole = number != nullptr && std::trunc(*number) == *number;
  if (!whole || *number < static_cast<double>(min) || *number > static_cast<double>(max)) {
    return Fail(Code::kInvalidArgument,
                fmt::format("{}: option '{}' must be a whole number from {} to {}", place_, name,
                            min, max));
  }
  return static_cast<std::uint64_t>(*number);
}

Result<bool> OptionReader::Bool(std::string_view name, bool otherwise) const {
  const Value* value = Raw(name);
  if (value == nullptr) return otherwise;
  if (const bool* flag = value->As<bool>()) return *flag;
  return Fail(Code::kInvalidArgument, fmt::format("{}: option '{}' must be true or false, not {}",
                                                  place_, name, value->TypeName()));
}

Result<std::string> OptionReader::String(std::string_view name, std::string_view otherwise) const {
  const Value* value = Raw(name);
  if (value == nullptr) return std::string(otherwise);
  if (const std::string* text = value->As<std::string>()) return *text;
  return Fail(Code::kInvalidArgument, fmt::format("{}: option '{}' must be a string, not {}",
                                                  place_, name, value->TypeName()));
}

Result<std::optional<std::vector<std::string>>> OptionReader::Strings(std::string_view name) const {
  const Value* value = Raw(name);
  if (value == nullptr) return std::nullopt;
  std::vector<std::string> texts;
  const ValueArray* items = value->As<ValueArray>();
  bool all_strings = items != nullptr;
  for (std::size_t i = 0; all_strings && i < items->size(); ++i) {
    const std::string* text = (*items)[i].As<std::string>();
    all_strings = text != nullptr;
    if (all_strings) texts.push_back(*text);
  }
  if (!all_strings) {
    return Fail(Code::kInvalidArgument,
                fmt::format("{}: option '{}' must be a list of strings", place_, name));
  }
  return texts;
}

Answer ToAnswer(const Error& error) {
  // A time or size limit of the extension is not a limit of the run, so neither becomes TIMEOUT or
  // RESOURCE_LIMIT; `details.reason` tells them apart.
  RunErrorCode code = RunErrorCode::kExtensionError;
  if (error.code() == Code::kInvalidArgument) code = RunErrorCode::kInvalidArgument;
  if (error.code() == Code::kPermissionDenied) code = RunErrorCode::kPermissionDenied;
  if (error.code() == Code::kUnavailable) code = RunErrorCode::kUnavailable;
  Answer answer = Answer::Failed(error.message(), code);
  answer.details = Value::Object({{"reason", std::string(CodeName(error.code()))}});
  return answer;
}

}  // namespace nexus::internal
