// nexus mcp: panels for clients of the Model Context Protocol.
#include <fmt/format.h>

#include <thread>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "cli/exit_codes.h"
#include "cli/grants.h"
#include "cli/internal/command.h"
#include "cli/internal/mcp_install.h"
#include "cli/interrupt.h"
#include "cli/panel_files.h"
#include "mcp/panels/panel_provider.h"
#include "mcp/server/late_provider.h"
#include "mcp/server/server.h"
#include "mcp/server/stdio.h"
#include "panel/host/panel_host.h"

namespace nexus::internal {
namespace {

constexpr const char* kFooter = R"(Examples:
  nexus mcp tasks.nxml                           the panel's tools, on stdin and stdout
  nexus mcp examples/panels --data ~/panels      keeps what the tools change
  nexus mcp tasks.nxml --cap tools:call:addTask --cap 'state:read:*'
  nexus mcp install --client claude-code tasks.nxml
A client starts this command itself; `nexus serve` has the same at http://.../mcp.
A file whose name is a subcommand's is written ./install)";

class McpCommand final : public Command {
 public:
  CLI::App* Declare(CLI::App& root) override {
    app_ = root.add_subcommand("mcp", "Serve panels to clients of the Model Context Protocol");
    app_->add_option("FILE", files_, "Panels: .nxml files, or folders of them");
    app_->add_flag("--flat", flat_, "Tools by their bare names instead of <panel>__<tool>");
    app_->add_option("--cap", capabilities_,
                     "What the client may do; repeat. Without one it may do everything")
        ->type_name("TOKEN")
        ->allow_extra_args(false);
    app_->add_option("--data", data_dir_, "Where panels are journaled; else they end with it")
        ->type_name("DIR");
    AddExtensionOptions(*app_, choice_);
    AddCacheDir(*app_, places_);
    app_->footer(kFooter);
    install_.Declare(*app_);
    return app_;
  }

  int Run() override {
    if (install_.chosen()) return install_.Run();
    if (files_.empty()) {
      return FailWith(
          Error(Code::kInvalidArgument, "mcp: FILE is missing: nexus mcp --help explains it"),
          false);
    }
    InterruptListener interrupt;  // Before any thread, which would inherit its signals unblocked.
    if (const Status ready = Prepare(); !ready) return FailWith(ready.error(), false);
    if (const int exit_code = ReadPanels(); exit_code != kExitSuccess) return exit_code;
    return Serve(interrupt);
  }

 private:
  Status Prepare() {
    SetLogSeverity(Severity::kWarn);
    NEXUS_TRY(registry_, BuildRegistry(choice_));
    NEXUS_TRY(files_, FindPanelFiles(files_));
    auto caller = std::make_shared<mcp::Caller>();
    caller->principal = "mcp";
    caller->everything = capabilities_.empty();
    if (!capabilities_.empty()) {
      NEXUS_TRY(caller->capabilities, ParseGrants(capabilities_, false, 0));
    }
    caller_ = std::move(caller);
    return {};
  }

  int ReadPanels() {
    int exit_code = kExitSuccess;
    for (const std::string& name : files_) {
      auto file = ReadPanelFile(name);
      if (!file) return FailWith(file.error(), false);
      if (!file->ok()) {
        PrintProblems(*file, Terminal(stderr));
        exit_code = kExitFailed;
      }
      panels_.push_back(*std::move(file));
    }
    return exit_code;
  }

  // The engine takes longer to start than a client takes to say hello: it starts meanwhile.
  int Serve(const InterruptListener& interrupt) {
    mcp::LateProvider late;
    mcp::ServerOptions options;
    options.info = {.name = "nexus", .version = NEXUS_VERSION, .title = "Nexus", .extra = {}};
    options.instructions = Instructions();
    auto server = mcp::Server::Create(std::move(options), late);
    std::thread opening([this, &late] { Open(late); });
    const Status served = mcp::ServeStdio(
        *server, caller_, {.in = 0, .out = 1, .stop_fd = interrupt.interrupted_fd()});
    opening.join();
    if (host_ != nullptr) host_->Drain(0);
    server.reset();  // It lets go of the provider.
    provider_.reset();
    host_.reset();
    if (opened_ && !*opened_) return FailWith(opened_->error(), false);
    return served ? kExitSuccess : FailWith(served.error(), false);
  }

  void Open(mcp::LateProvider& late) {
    opened_ = OpenHost();
    if (*opened_) {
      provider_ = mcp::PanelProvider::Create(*host_, {.flat = flat_});
      return late.Ready(*provider_);
    }
    // What a client shows is what it is answered; the operator reads stderr.
    Terminal(stderr).Line("nexus mcp: " + opened_->error().message());
    late.Failed(opened_->error().message());
  }

  Status OpenHost() {
    NEXUS_TRY(sandbox_, OpenSandbox(places_));
    PanelHostOptions options;
    options.sandbox = sandbox_.get();
    options.find_extension = [this](std::string_view name) { return registry_.Find(name); };
    options.data_dir = data_dir_;
    NEXUS_TRY(host_, PanelHost::Create(std::move(options)));
    for (PanelFile& file : panels_) {
      PanelDefinition panel = *std::move(file.report.panel);
      const std::string id = panel.id;
      const bool known = host_->Find(id) != nullptr;
      const auto mounted = known ? host_->Update(id, std::move(panel), file.source)
                                 : host_->Mount(std::move(panel), file.source, "operator");
      if (!mounted) return std::unexpected(Error(mounted.error()));
    }
    return {};
  }

  std::string Instructions() const {
    std::string text =
        "Panels are applications that people and agents share. A tool is named <panel>__<tool>; "
        "the "
        "resource nexus://<panel>/state is what it works on.";
    for (const PanelFile& file : panels_) {
      const PanelDefinition& panel = *file.report.panel;
      text += fmt::format("\n{}: {}", panel.id, panel.title);
      if (!panel.description.empty()) text += " - " + panel.description;
    }
    return text;
  }

  CLI::App* app_ = nullptr;
  std::vector<std::string> files_, capabilities_;
  std::string data_dir_;
  bool flat_ = false;
  ExtensionChoice choice_;
  Places places_;
  McpInstall install_;

  mcp::CallerPtr caller_;
  std::vector<PanelFile> panels_;
  Registry registry_;
  std::unique_ptr<Sandbox> sandbox_;
  std::unique_ptr<PanelHost> host_;
  std::unique_ptr<mcp::PanelProvider> provider_;
  std::optional<Status> opened_;
};

}  // namespace

std::unique_ptr<Command> MakeMcpCommand() { return std::make_unique<McpCommand>(); }

}  // namespace nexus::internal
