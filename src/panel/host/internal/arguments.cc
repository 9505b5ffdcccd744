#include "panel/host/internal/arguments.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"

namespace nexus::internal {
namespace {

std::unexpected<RunError> Refuse(const ToolDefinition& tool, std::string message) {
  RunError error;
  error.code = RunErrorCode::kInvalidArgument;
  error.message = "tool " + tool.name + ": " + std::move(message);
  error.handler_name = tool.name;
  return std::unexpected(std::move(error));
}

std::string Described(const ArgDefinition& arg) {
  std::string text = "a " + std::string(PanelTypeName(arg.type));
  if (!arg.description.empty()) text += " (" + arg.description + ")";
  return text;
}

}  // namespace

std::expected<Value, RunError> CheckArguments(const ToolDefinition& tool, Value given) {
  if (given.is_undefined()) given = Value::Object();
  auto* object = given.As<ValueObject>();
  if (object == nullptr) {
    return Refuse(tool, "its arguments are an object with a member for each, not a " +
                            std::string(given.TypeName()));
  }
  std::vector<std::string_view> names;
  for (const ArgDefinition& arg : tool.args) names.push_back(arg.name);
  for (const auto& [name, value] : *object) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      return Refuse(tool, "it has no argument '" + name + "'" + DidYouMean(name, names));
    }
  }
  ValueObject checked;
  for (const ArgDefinition& arg : tool.args) {
    Value* const value = object->Find(arg.name);
    const bool absent = value == nullptr || value->is_undefined() ||
                        (value->is_null() && (!arg.required || arg.default_value.has_value()));
    if (!absent) {
      if (!IsOfType(*value, arg.type)) {
        return Refuse(tool, "argument '" + arg.name + "' is " + Described(arg) + ", not a " +
                                std::string(value->TypeName()));
      }
      checked.Append(arg.name, std::move(*value));
    } else if (arg.default_value) {
      checked.Append(arg.name, *arg.default_value);
    } else if (arg.required) {
      return Refuse(tool, "argument '" + arg.name + "' is missing: " + Described(arg));
    }
  }
  return Value(std::move(checked));
}

}  // namespace nexus::internal
