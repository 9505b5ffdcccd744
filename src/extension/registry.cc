#include "extension/registry.h"

#include <fmt/format.h>

#include <utility>

namespace nexus {
namespace {

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool IsExtensionName(std::string_view name) {
  if (name.empty() || name.size() > 64 || !IsLetter(name[0])) return false;
  for (const char c : name) {
    if (!IsLetter(c) && !(c >= '0' && c <= '9') && c != '_' && c != '-') return false;
  }
  return true;
}

}  // namespace

Status Registry::Add(std::shared_ptr<Extension> extension) {
  const std::string name(extension->name());
  if (!IsExtensionName(name)) {
    return Fail(Code::kInvalidArgument,
                fmt::format("extension '{}': a name is 1 to 64 letters, digits, '_' or '-' and "
                            "starts with a letter: rename it",
                            name));
  }
  if (!extensions_.try_emplace(name, std::move(extension)).second) {
    return Fail(Code::kInvalidArgument,
                fmt::format("extension '{}': the name is taken: register it once", name));
  }
  return {};
}

std::shared_ptr<Extension> Registry::Find(std::string_view name) const {
  const auto found = extensions_.find(name);
  return found == extensions_.end() ? nullptr : found->second;
}

std::vector<std::string> Registry::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, extension] : extensions_) names.push_back(name);
  return names;
}

std::vector<ExtensionBinding> Registry::Bindings() const {
  std::vector<ExtensionBinding> bindings;
  for (const auto& [name, extension] : extensions_) bindings.push_back({name, extension});
  return bindings;
}

Value Registry::Describe() const {
  ValueArray list;
  for (const auto& [name, extension] : extensions_) {
    ValueArray methods;
    for (const MethodDescriptor& method : extension->methods()) {
      methods.push_back(Value::Object(
          {{"name", method.name}, {"summary", method.summary}, {"idempotent", method.idempotent}}));
    }
    list.push_back(Value::Object({{"name", name}, {"methods", std::move(methods)}}));
  }
  return list;
}

const MethodDescriptor* FindMethod(const Extension& extension, std::string_view method) {
  for (const MethodDescriptor& descriptor : extension.methods()) {
    if (descriptor.name == method) return &descriptor;
  }
  return nullptr;
}

}  // namespace nexus
