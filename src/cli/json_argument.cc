#include "cli/json_argument.h"

#include <fmt/format.h>

#include <iostream>
#include <iterator>

#include "base/file.h"
#include "base/json.h"

namespace nexus {
namespace {

Result<std::string> ReadText(std::string_view option, const std::string& text,
                             std::string& source) {
  if (text == "-") {
    source = "standard input";
    return std::string{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  }
  if (!text.starts_with('@')) {
    source = "the argument";
    return text;
  }
  source = text.substr(1);
  Result<std::string> content = ReadFile(source);
  if (!content) return std::unexpected(std::move(content).error().Context(option));
  return content;
}

}  // namespace

Result<Value> ReadJsonArgument(std::string_view option, const std::string& text) {
  std::string source;
  NEXUS_TRY(const std::string json, ReadText(option, text, source));
  Result<Value> value = ParseJson(json);
  if (value) return value;
  return Fail(Code::kInvalidArgument,
              fmt::format("{}: {} is not JSON: {}: write JSON, @FILE or - (standard input)", option,
                          source, value.error().message()));
}

Result<ValueObject> ReadJsonObject(std::string_view option, const std::string& text) {
  NEXUS_TRY(Value value, ReadJsonArgument(option, text));
  if (ValueObject* object = value.As<ValueObject>()) return std::move(*object);
  return Fail(Code::kInvalidArgument,
              fmt::format("{}: must be a JSON object such as {{\"name\": 1}}, not {}", option,
                          value.TypeName()));
}

}  // namespace nexus
