// nexus fmt FILE...: panel files in the canonical form.
#include <fmt/format.h>

#include <utility>

#include "base/file.h"
#include "cli/exit_codes.h"
#include "cli/internal/command.h"
#include "cli/panel_files.h"

namespace nexus::internal {
namespace {

constexpr const char* kFooter = R"(Examples:
  nexus fmt tasks.nxml             rewrites the file
  nexus fmt --check panels         says which files are not in the canonical form
  nexus fmt - < tasks.nxml         prints it
Comments before <NexusPanel> stay. A file with comments inside is left alone, because they would be
lost.)";

std::string Canonical(const PanelFile& file) {
  std::string text;
  for (const std::string& comment : file.report.comments_before) {
    text += "<!--" + comment + "-->\n";
  }
  return text + PrintNxml(*file.report.panel);
}

class FmtCommand final : public Command {
 public:
  CLI::App* Declare(CLI::App& root) override {
    CLI::App* app = root.add_subcommand("fmt", "Rewrite panel files in the canonical form");
    app->add_option("FILE", files_, "Panel files, or folders of them; - for standard input")
        ->required();
    app->add_flag("--check", check_, "Change nothing; exit 1 when a file would change");
    app->footer(kFooter);
    return app;
  }

  int Run() override {
    const auto names = FindPanelFiles(files_);
    if (!names) return FailWith(names.error(), false);
    int exit_code = kExitSuccess;
    for (const std::string& name : *names) {
      auto file = ReadPanelFile(name);
      if (!file) return FailWith(file.error(), false);
      exit_code = std::max(exit_code, Format(*file));
    }
    return exit_code;
  }

 private:
  int Format(const PanelFile& file) const {
    const Terminal err(stderr);
    if (!file.ok()) {
      PrintProblems(file, err);
      return kExitFailed;
    }
    if (file.report.comment.known()) {
      err.Line(
          fmt::format("{}:{}:{}: not formatted: this comment would be lost; move it before "
                      "<NexusPanel> or into a handler",
                      file.name, file.report.comment.line, file.report.comment.column));
      return kExitFailed;
    }
    const std::string text = Canonical(file);
    if (file.name == "-") {
      std::fwrite(text.data(), 1, text.size(), stdout);
      return kExitSuccess;
    }
    if (text == file.source) return kExitSuccess;
    if (check_) {
      err.Line(file.name + ": not in the canonical form: nexus fmt " + file.name);
      return kExitFailed;
    }
    if (const Status written = WriteFileAtomic(file.name, text); !written) {
      return FailWith(written.error(), false);
    }
    err.Line(file.name + ": rewritten");
    return kExitSuccess;
  }

  std::vector<std::string> files_;
  bool check_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeFmtCommand() { return std::make_unique<FmtCommand>(); }

}  // namespace nexus::internal
