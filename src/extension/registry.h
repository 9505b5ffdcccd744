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
  /// From here on its calls are checked against the schemas of its methods, and a call that does
  /// not fit is answered with INVALID_ARGUMENT naming the argument; the extension never sees it.
  /// Errors: kInvalidArgument for a bad name, one that is taken, or a schema that is none.
  Status Add(std::shared_ptr<Extension> extension);

  /// nullptr when there is none of that name. What is returned checks its calls.
  std::shared_ptr<Extension> Find(std::string_view name) const;
  /// Sorted.
  std::vector<std::string> Names() const;
  /// Every extension under its own name: what a run without aliases is given.
  std::vector<ExtensionBinding> Bindings() const;

  /// `[{name, methods: [{name, summary, capability, idempotent, pathArgument?, parameters?,
  /// result?}]}]`, for people and for catalogues; parameters and result are JSON Schemas,
  /// pathArgument the index of the argument that path grants judge.
  Value Describe() const;

 private:
  std::map<std::string, std::shared_ptr<Extension>, std::less<>> extensions_;
};

/// The descriptor of `method`, or nullptr.
const MethodDescriptor* FindMethod(const Extension& extension, std::string_view method);

}  // namespace nexus
