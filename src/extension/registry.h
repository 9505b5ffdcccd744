#pragma once
/// What a host offers to guests: extensions under their registered names. `$ext.alias.method(...)`
/// reaches one of them through a binding; the capability gate has judged the call before that.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sandbox/bindings.h"

namespace nexus {

/// Extensions by name. Filled at start, read afterwards. Thread-compatible: no Add while others
/// read.
class Registry {
 public:
  /// Names are 1-64 characters of [A-Za-z0-9_-], starting with a letter, because they are written
  /// in tokens ("ext:NAME.METHOD").
  /// Errors: kInvalidArgument for a bad name or one that is taken.
  Status Add(std::shared_ptr<Extension> extension);

  /// nullptr when there is none of that name.
  std::shared_ptr<Extension> Find(std::string_view name) const;
  /// Sorted.
  std::vector<std::string> Names() const;
  /// Every extension under its own name: what a run without aliases is given.
  std::vector<ExtensionBinding> Bindings() const;

  /// `[{name, methods: [{name, summary, idempotent}]}]`, for people and for catalogues.
  Value Describe() const;

 private:
  std::map<std::string, std::shared_ptr<Extension>, std::less<>> extensions_;
};

/// The descriptor of `method`, or nullptr.
const MethodDescriptor* FindMethod(const Extension& extension, std::string_view method);

}  // namespace nexus
