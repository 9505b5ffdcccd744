#pragma once
/// Everything a C++ program needs to run agent code, in one include:
///
///   #include <nexus/nexus.h>
///   #include <iostream>
///
///   int main() {
///     auto sandbox = nexus::Sandbox::Create(nexus::InstalledOptions());
///     if (!sandbox) return std::cerr << sandbox.error().message() << "\n", 1;
///     auto program = (*sandbox)->Load({.name = "add.js", .text = "return $args.a + $args.b"});
///     if (!program) return std::cerr << program.error().error.message << "\n", 1;
///     nexus::ExecutionContext context;
///     context.args = nexus::Value::Object({{"a", 1}, {"b", 2}});
///     const nexus::RunResult result = (*sandbox)->Execute(*program, std::move(context));
///     std::cout << nexus::ToJson(result.ToValue()) << "\n";
///   }

#include "base/json.h"
#include "base/result.h"
#include "base/value.h"
#include "capability/set.h"
#include "extension/code.h"
#include "extension/http.h"
#include "extension/kv.h"
#include "extension/registry.h"
#include "sandbox/agent.h"
#include "sandbox/sandbox.h"
#include "source/typescript.h"

namespace nexus {

/// Options that name the guest of the installation the program was built against. Programs that
/// bring their own guest set `guest_path` themselves.
inline SandboxOptions InstalledOptions() {
  SandboxOptions options;
#ifdef NEXUS_GUEST_PATH
  options.guest_path = NEXUS_GUEST_PATH;
#endif
  return options;
}

}  // namespace nexus
