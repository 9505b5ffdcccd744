// nexus compile FILE...: bundles and compiles into the cache, so that the first run starts at once.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cli/exit_codes.h"
#include "cli/internal/command.h"
#include "cli/output.h"
#include "cli/prepare.h"

namespace nexus::internal {
namespace {

constexpr const char* kFooter = R"(Examples:
  nexus compile agent.ts
  nexus compile agents/*.ts -o /var/cache/nexus --json)";

class CompileCommand final : public Command {
 public:
  CLI::App* Declare(CLI::App& root) override {
    CLI::App* app = root.add_subcommand("compile", "Compile programs into the cache and report");
    app->add_option("FILE", files_, "Programs to compile")->required();
    app->add_option("-o,--output,--cache-dir", places_.cache_dir,
                    "The cache to compile into (default: the user's)")
        ->type_name("DIR");
    AddJsonFlag(*app, json_);
    app->footer(kFooter);
    return app;
  }

  int Run() override {
    Result<std::unique_ptr<Sandbox>> sandbox = OpenSandbox(places_);
    if (!sandbox) return FailWith(sandbox.error(), json_);
    int exit_code = kExitSuccess;
    ValueArray reports;
    for (const std::string& file : files_) {
      const int one = CompileOne(**sandbox, file, reports);
      exit_code = exit_code == kExitSuccess ? one : exit_code;
    }
    if (json_) PrintJson(Value(std::move(reports)));
    return exit_code;
  }

 private:
  int FailOne(const std::string& file, const RunError& error, int exit_code,
              ValueArray& reports) const {
    reports.push_back(
        Value::Object({{"file", file}, {"ok", false}, {"error", RunErrorToValue(error)}}));
    if (!json_) PrintError(error, Terminal(stderr));
    return exit_code;
  }

  int CompileOne(Sandbox& sandbox, const std::string& file, ValueArray& reports) const {
    const auto prepared = PrepareFile(file, BundlingAt(places_));
    if (!prepared)
      return FailOne(file, prepared.error().error, prepared.error().exit_code, reports);
    const auto compiled = sandbox.Precompile(prepared->spec);
    if (!compiled)
      return FailOne(file, compiled.error().error, ExitCodeOf(compiled.error().error.code),
                     reports);
    reports.push_back(Value::Object({{"file", file},
                                     {"ok", true},
                                     {"bundled", prepared->bundled},
                                     {"javascriptBytes", prepared->spec.text.size()},
                                     {"bytecodeBytes", compiled->bytecode_bytes},
                                     {"cacheHit", compiled->cache_hit},
                                     {"prepareUs", static_cast<double>(prepared->took.count())},
                                     {"compileUs", compiled->compilation_us}}));
    if (json_) return kExitSuccess;
    const Terminal out(stdout);
    const std::string how = compiled->cache_hit
                                ? "already in the cache"
                                : "compiled in " + FormatDuration(compiled->compilation_us);
    out.Line(fmt::format("{} {}: {}, {} of {}bytecode", out.Styled(Style::kGreen, "ok"), file, how,
                         FormatBytes(compiled->bytecode_bytes),
                         prepared->bundled ? "bundled " : ""));
    return kExitSuccess;
  }

  std::vector<std::string> files_;
  Places places_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeCompileCommand() { return std::make_unique<CompileCommand>(); }

}  // namespace nexus::internal
