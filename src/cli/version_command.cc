// nexus version: what this build is made of.
#include <fmt/format.h>

#include "cli/exit_codes.h"
#include "cli/internal/command.h"

namespace nexus::internal {
namespace {

class VersionCommand final : public Command {
 public:
  CLI::App* Declare(CLI::App& root) override {
    CLI::App* app =
        root.add_subcommand("version", "Show the versions of nexus, its engine and its guest");
    AddCacheDir(*app, places_);
    AddJsonFlag(*app, json_);
    return app;
  }

  int Run() override {
    const Result<std::unique_ptr<Sandbox>> sandbox = OpenSandbox(places_);
    if (!sandbox) return FailWith(sandbox.error(), json_);
    const SandboxStats stats = (*sandbox)->Stats();
    const Result<std::filesystem::path> esbuild = FindEsbuild();
    if (json_) {
      PrintJson(Value::Object({{"version", NEXUS_VERSION},
                               {"engine", stats.engine_version},
                               {"guestHash", stats.guest_hash},
                               {"dirtyPages", stats.dirty_page_method},
                               {"bundler", esbuild ? Value(esbuild->string()) : Value(nullptr)}}));
      return kExitSuccess;
    }
    const Terminal out(stdout);
    out.Line(fmt::format("nexus {}", NEXUS_VERSION));
    out.Line(fmt::format("engine       {}", stats.engine_version));
    out.Line(fmt::format("guest        {}", stats.guest_hash.substr(0, 16)));
    out.Line(fmt::format("dirty pages  {}", stats.dirty_page_method));
    out.Line(
        fmt::format("bundler      {}", esbuild ? esbuild->string() : esbuild.error().message()));
    return kExitSuccess;
  }

 private:
  Places places_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeVersionCommand() { return std::make_unique<VersionCommand>(); }

}  // namespace nexus::internal
