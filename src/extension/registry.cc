#include "extension/registry.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "extension/internal/call_arguments.h"
#include "extension/schema.h"

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

// An extension whose calls have passed its schemas: the one place where arguments are checked, so
// that no extension depends on its author's care for that.
class CheckedExtension final : public Extension {
 public:
  struct Method {
    std::string name;
    Schema parameters;
    Schema result;
  };

  CheckedExtension(std::shared_ptr<Extension> extension, std::vector<Method> methods)
      : extension_(std::move(extension)), methods_(std::move(methods)) {}

  std::string_view name() const override { return extension_->name(); }
  std::span<const MethodDescriptor> methods() const override { return extension_->methods(); }
  void Abandon(std::string_view run_id) override { extension_->Abandon(run_id); }
  void Call(ExtensionCall call, AnswerFunction done) override {
    for (const Method& method : methods_) {
      if (method.name != call.method) continue;
      const std::string place = fmt::format("{}.{}", name(), method.name);
      if (Status checked = method.parameters.CheckArguments(call.args, place); !checked) {
        return done(internal::ToAnswer(checked.error()));
      }
      break;
    }
    extension_->Call(std::move(call), std::move(done));
  }
  const std::vector<Method>& described() const { return methods_; }

 private:
  const std::shared_ptr<Extension> extension_;
  const std::vector<Method> methods_;
};

Result<std::vector<CheckedExtension::Method>> ReadSchemas(const Extension& extension) {
  std::vector<CheckedExtension::Method> methods;
  for (const MethodDescriptor& descriptor : extension.methods()) {
    CheckedExtension::Method method{.name = descriptor.name, .parameters = {}, .result = {}};
    for (auto [text, schema] : {std::pair{descriptor.parameters, &method.parameters},
                                std::pair{descriptor.result, &method.result}}) {
      if (text.empty()) continue;
      Result<Schema> parsed = Schema::Parse(text);
      if (!parsed) {
        return std::unexpected(std::move(parsed).error().Context(
            fmt::format("extension '{}': method '{}'", extension.name(), descriptor.name)));
      }
      *schema = *std::move(parsed);
    }
    methods.push_back(std::move(method));
  }
  return methods;
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
  NEXUS_TRY(std::vector<CheckedExtension::Method> methods, ReadSchemas(*extension));
  auto checked = std::make_shared<CheckedExtension>(std::move(extension), std::move(methods));
  if (!extensions_.try_emplace(name, std::move(checked)).second) {
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
    // Add puts nothing else into the table.
    const auto& described = static_cast<const CheckedExtension&>(*extension).described();
    ValueArray methods;
    std::size_t index = 0;
    for (const MethodDescriptor& method : extension->methods()) {
      ValueObject entry{{"name", method.name},
                        {"summary", method.summary},
                        {"capability", fmt::format("ext:{}.{}", name, method.name)},
                        {"idempotent", method.idempotent}};
      if (method.path_argument) {
        entry.Append("pathArgument", std::uint64_t{*method.path_argument});
      }
      const CheckedExtension::Method& schemas = described[index++];
      const Value& parameters = schemas.parameters.ToValue();
      const Value& result = schemas.result.ToValue();
      if (!parameters.is_undefined()) entry.Append("parameters", parameters);
      if (!result.is_undefined()) entry.Append("result", result);
      methods.push_back(std::move(entry));
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
