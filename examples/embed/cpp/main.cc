// Runs a program in a fresh sandbox and prints what it gave.
#include <nexus/nexus.h>

#include <iostream>

int main() {
  auto sandbox = nexus::Sandbox::Create(nexus::InstalledOptions());
  if (!sandbox) return std::cerr << sandbox.error().message() << "\n", 1;
  auto program = (*sandbox)->Load({.name = "add.js", .text = "return $args.a + $args.b"});
  if (!program) return std::cerr << program.error().error.message << "\n", 1;
  nexus::ExecutionContext context;
  context.args = nexus::Value::Object({{"a", 1}, {"b", 2}});
  const nexus::RunResult result = (*sandbox)->Execute(*program, std::move(context));
  std::cout << nexus::ToJson(result.return_value) << "\n";
  return result.status == nexus::RunStatus::kSuccess ? 0 : 1;
}
