// nexus check FILE...: every error of a panel file at its place.
#include <fmt/format.h>

#include <utility>

#include "cli/exit_codes.h"
#include "cli/internal/command.h"
#include "cli/panel_files.h"

namespace nexus::internal {
namespace {

constexpr const char* kFooter = R"(Examples:
  nexus check examples/panels
  nexus check tasks.nxml --json | jq '.[0].errors'
Exit codes: 0 no errors (warnings do not count), 1 errors, 5 a file is missing.)";

class CheckCommand final : public Command {
 public:
  CLI::App* Declare(CLI::App& root) override {
    CLI::App* app =
        root.add_subcommand("check", "Check panel files: every error at its line and column");
    app->add_option("FILE", files_, "Panel files, or folders of them; - for standard input")
        ->required();
    app->add_flag("--sarif", sarif_, "Print SARIF 2.1.0, as code hosts and editors read it");
    AddJsonFlag(*app, json_);
    app->footer(kFooter);
    return app;
  }

  int Run() override {
    const bool machine = json_ || sarif_;
    const auto names = FindPanelFiles(files_);
    if (!names) return FailWith(names.error(), machine);
    std::vector<PanelFile> files;
    for (const std::string& name : *names) {
      auto file = ReadPanelFile(name);
      if (!file) return FailWith(file.error(), machine);
      files.push_back(*std::move(file));
    }
    bool ok = true;
    ValueArray checked;
    for (const PanelFile& file : files) {
      ok = ok && file.ok();
      if (json_) checked.push_back(CheckToJson(file));
      if (!machine) Show(file);
    }
    if (sarif_) {
      PrintJson(CheckToSarif(files));
    } else if (json_) {
      PrintJson(checked);
    }
    return ok ? kExitSuccess : kExitFailed;
  }

 private:
  static void Show(const PanelFile& file) {
    const Terminal out(stdout);
    PrintProblems(file, out);
    const NxmlReport& report = file.report;
    if (file.ok()) {
      out.Line(fmt::format("{}: {} ({} tools, {} warnings)", file.name,
                           out.Styled(Style::kGreen, "fine"), report.panel->tools.size(),
                           report.warnings.size()));
    } else {
      out.Line(fmt::format("{}: {} errors, {} warnings", file.name, report.errors.size(),
                           report.warnings.size()));
    }
  }

  std::vector<std::string> files_;
  bool json_ = false;
  bool sarif_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeCheckCommand() { return std::make_unique<CheckCommand>(); }

}  // namespace nexus::internal
