#pragma once
/// nexus mcp install: what to put into a client's configuration.

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace nexus::internal {

class McpInstall {
 public:
  void Declare(CLI::App& mcp);
  bool chosen() const { return app_ != nullptr && app_->parsed(); }
  /// Prints the snippet; changes no file.
  int Run();

 private:
  CLI::App* app_ = nullptr;
  std::string client_, name_ = "nexus", url_;
  std::vector<std::string> files_;
  bool json_ = false;
};

}  // namespace nexus::internal
