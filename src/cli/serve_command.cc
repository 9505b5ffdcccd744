// nexus serve: panels on a port.
#include <fmt/format.h>
#include <poll.h>

#include <cstdlib>
#include <filesystem>
#include <thread>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/exit_codes.h"
#include "cli/internal/command.h"
#include "cli/interrupt.h"
#include "cli/panel_files.h"
#include "cli/server_config.h"
#include "extension/approval.h"
#include "mcp/panels/panel_provider.h"
#include "mcp/server/server.h"
#include "panel/host/panel_host.h"
#include "server/api.h"
#include "server/auth.h"
#include "server/config.h"
#include "server/listener.h"

namespace nexus::internal {
namespace {

constexpr const char* kFooter = R"(Examples:
  nexus serve examples/panels
  nexus serve tasks.nxml --port 0 --memory
  nexus serve --config nexus.toml
Panels keep their state from one start to the next; a changed file updates its panel.
The first Ctrl-C lets running calls end, the second one does not wait.)";

/// /metrics and the two probes on a port of their own, for who may not reach the rest.
class MetricsHandler final : public HttpHandler {
 public:
  explicit MetricsHandler(Api& api) : api_(api) {}
  void Handle(HttpRequest request, Respond respond) override {
    const std::string_view path = request.path();
    if (path == "/metrics") {
      return respond({.body = api_.Metrics(), .content_type = "text/plain; version=0.0.4"});
    }
    if (path == "/healthz" || path == "/readyz") {
      return api_.Handle(std::move(request), std::move(respond));
    }
    respond({.status = 404, .body = "only /metrics, /healthz and /readyz are here\n"});
  }
  void Upgrade(HttpRequest request, UpgradeReply reply) override {
    (void)request;
    reply({.socket = nullptr, .refusal = {.status = 404, .body = "no WebSockets here\n"}});
  }
  HttpResponse Malformed(int status, std::string_view why) override {
    return api_.Malformed(status, why);
  }

 private:
  Api& api_;
};

class ServeCommand final : public Command {
 public:
  CLI::App* Declare(CLI::App& root) override {
    app_ = root.add_subcommand("serve", "Serve panels over HTTP and WebSocket, with a page");
    app_->add_option("FILE", files_, "Panels: .nxml files, or folders of them");
    app_->add_option("--config", config_file_, "The node's configuration")->type_name("FILE");
    app_->add_option("--port", port_, "Instead of [server] port; 0: any free one")
        ->type_name("N")
        ->check(CLI::Range(0, 65'535));
    app_->add_option("--address", address_, "Instead of [server] address")->type_name("IP");
    app_->add_option("--data", data_dir_, "Where panels are journaled")->type_name("DIR");
    app_->add_flag("--memory", memory_, "Keep nothing: panels are gone at the end");
    AddExtensionOptions(*app_, choice_);
    AddCacheDir(*app_, places_);
    AddJsonFlag(*app_, json_);
    app_->footer(kFooter);
    return app_;
  }

  int Run() override {
    InterruptListener interrupt;  // Before any thread, which would inherit its signals unblocked.
    if (const Status ready = Prepare(); !ready) return FailWith(ready.error(), json_);
    // What stands first goes last: runs that end late still tell the Api.
    std::unique_ptr<Api> api;
    std::unique_ptr<MetricsHandler> metrics_handler;
    if (const Status opened = OpenHost(); !opened) return FailWith(opened.error(), json_);
    if (const int exit_code = MountAll(); exit_code != kExitSuccess) return exit_code;
    OpenMcp();
    api = Api::Create(config_.api, *host_, *auth_);
    const int exit_code = Serve(*api, metrics_handler, interrupt);
    listener_.reset();
    metrics_listener_.reset();
    api->Stop();
    mcp_server_.reset();
    mcp_panels_.reset();
    host_.reset();
    return exit_code;
  }

 private:
  Status Prepare() {
    NEXUS_TRY(config_, ReadServerConfig(config_file_, address_));
    if (port_ >= 0) config_.listener.port = static_cast<std::uint16_t>(port_);
    static constexpr std::string_view kLevels[] = {"debug", "info", "warn", "error", "off"};
    for (std::size_t i = 0; i < std::size(kLevels); ++i) {
      if (config_.log_level == kLevels[i]) SetLogSeverity(static_cast<Severity>(i));
    }
    SetLogForm(config_.log_form == "json" ? LogForm::kJson : LogForm::kText);
    const auto add = [](auto& to, const auto& more) {
      to.insert(to.end(), more.begin(), more.end());
    };
    choice_.offered = config_.extensions;
    add(choice_.allowed_hosts, config_.allowed_hosts);
    if (choice_.workspace.empty()) choice_.workspace = config_.workspace;
    if (choice_.kv_file.empty()) choice_.kv_file = config_.kv_file;
    choice_.configured = ConfiguredExtensions(config_);
    NEXUS_TRY(registry_, BuildRegistry(choice_));
    NEXUS_TRY(auth_, Authenticator::Create(config_.auth));
    if (!files_.empty()) {
      NEXUS_TRY(files_, FindPanelFiles(files_));
    }
    return {};
  }

  Status OpenHost() {
    PanelHostOptions options;
    options.find_extension = [this](std::string_view name) { return registry_.Find(name); };
    if (!memory_) {
      options.data_dir = data_dir_.empty() ? config_.data_dir : data_dir_;
      if (options.data_dir.empty()) {
        NEXUS_TRY(const std::filesystem::path state, StateDir());
        options.data_dir = state / "panels";
      }
    }
    options.synced = config_.synced;
    options.workers = static_cast<unsigned>(config_.workers);
    options.queued_calls_max = config_.queued_calls_max;
    options.state_bytes_max = config_.state_bytes_max;
    options.revisions_kept = config_.revisions_kept;
    options.strict = config_.strict;
    options.limits = config_.limits;
    if (!config_.ceiling.empty()) {
      NEXUS_TRY(options.ceiling, CapabilitySet::Parse(config_.ceiling));
    }
    NEXUS_TRY_STATUS(OfferApprovals(options));
    NEXUS_TRY(sandbox_, OpenSandbox(places_));
    options.sandbox = sandbox_.get();
    config_.api.sandbox = sandbox_.get();
    NEXUS_TRY_STATUS(OfferTraces());
    options.spans = spans_;
    NEXUS_TRY(host_, PanelHost::Create(std::move(options)));
    return {};
  }

  void OpenMcp() {
    mcp_panels_ = mcp::PanelProvider::Create(*host_, {});
    mcp::ServerOptions options;
    options.info = {.name = "nexus", .version = NEXUS_VERSION, .title = "Nexus", .extra = {}};
    mcp_server_ = mcp::Server::Create(std::move(options), *mcp_panels_);
    config_.api.mcp = mcp_server_.get();
    config_.api.on_panels_changed = [this] { mcp_panels_->PanelsChanged(); };
  }

  Status OfferTraces() {
    if (config_.trace.endpoint.empty()) return {};
    if (!config_.trace_headers_file.empty()) {
      NEXUS_TRY(const std::string text, ReadFile(config_.trace_headers_file));
      for (const std::string_view line : Split(text, '\n')) {
        const std::size_t colon = line.find(':');
        if (Trim(line).empty()) continue;
        if (colon == std::string_view::npos) {
          // Not the line itself: it may be a credential.
          return Fail(Code::kInvalidArgument,
                      config_.trace_headers_file + ": a line is not \"Name: value\"");
        }
        config_.trace.headers.emplace_back(Trim(line.substr(0, colon)),
                                           Trim(line.substr(colon + 1)));
      }
    }
    NEXUS_TRY(std::shared_ptr<OtlpExporter> exporter, OtlpExporter::Create(config_.trace));
    config_.api.spans = spans_ = exporter;
    config_.api.trace_stats = [exporter] { return exporter->GetStats(); };
    return {};
  }

  // Panels may ask for rights: somebody is there to answer.
  Status OfferApprovals(const PanelHostOptions& host) {
    ApprovalOptions options;
    if (!host.data_dir.empty()) {
      NEXUS_TRY_STATUS(MakeDirs(host.data_dir));
      options.file = (host.data_dir / "approvals.db").string();
    }
    options.ceiling = host.ceiling;
    NEXUS_TRY(options.allowed, CapabilitySet::Parse(config_.approvals_allowed));
    NEXUS_TRY(options.denied, CapabilitySet::Parse(config_.approvals_denied));
    options.for_ms_max = config_.approvals_for_ms_max;
    options.wait_ms_max = config_.approvals_wait_ms_max;
    options.waiting_max = config_.approvals_waiting_max;
    NEXUS_TRY(std::shared_ptr<ApprovalExtension> approvals,
              ApprovalExtension::Create(std::move(options)));
    config_.api.approvals = approvals.get();
    return registry_.Add(std::move(approvals));
  }

  // Every file is tried, so that one start shows all that is wrong.
  int MountAll() {
    int exit_code = kExitSuccess;
    for (const std::string& name : files_) {
      auto file = ReadPanelFile(name);
      if (!file) return FailWith(file.error(), json_);
      if (!file->ok()) {
        PrintProblems(*file, Terminal(stderr));
        exit_code = kExitFailed;
        continue;
      }
      PanelDefinition panel = *std::move(file->report.panel);
      const std::string id = panel.id;
      const bool known = host_->Find(id) != nullptr;
      const auto mounted = known ? host_->Update(id, std::move(panel), file->source)
                                 : host_->Mount(std::move(panel), file->source, "operator");
      if (!mounted) {
        exit_code = FailWith(mounted.error(), json_);
      }
    }
    return exit_code;
  }

  int Serve(Api& api, std::unique_ptr<MetricsHandler>& metrics_handler,
            InterruptListener& interrupt) {
    auto listener =
        Listener::Start(config_.listener, api, [&api](Listener& started) { api.Attach(started); });
    if (!listener) return FailWith(listener.error(), json_);
    listener_ = *std::move(listener);
    if (config_.metrics_port != 0) {
      metrics_handler = std::make_unique<MetricsHandler>(api);
      ListenerOptions options;
      options.address = config_.metrics_address;
      options.port = static_cast<std::uint16_t>(config_.metrics_port);
      options.connections_max = 100;
      auto own = Listener::Start(options, *metrics_handler);
      if (!own) return FailWith(own.error(), json_);
      metrics_listener_ = *std::move(own);
    }
    Announce();
    pollfd wait{.fd = interrupt.interrupted_fd(), .events = POLLIN, .revents = 0};
    while (poll(&wait, 1, -1) < 0) {
    }
    Drain(api);
    return kExitSuccess;
  }

  // The second Ctrl-C is not ours to take: InterruptListener ends the process.
  void Drain(Api& api) {
    Terminal(stderr).Line("Shutting down: running calls may end");
    api.SetDraining();
    listener_->StopAccepting();
    mcp_server_->Shutdown();
    host_->Drain(config_.drain_ms);
    listener_->Shutdown(2'000);
    if (metrics_listener_ != nullptr) metrics_listener_->Shutdown(0);
  }

  void Announce() {
    const bool v6 = config_.listener.address.find(':') != std::string::npos;
    const std::string host = v6 ? "[" + config_.listener.address + "]" : config_.listener.address;
    const std::string url =
        fmt::format("{}://{}:{}", config_.listener.tls_key_file.empty() ? "http" : "https", host,
                    listener_->port());
    const auto panels = host_->List();
    if (json_) {
      ValueArray ids;
      for (const auto& panel : panels) ids.emplace_back(panel->id());
      PrintJson(Value::Object(
          {{"url", url}, {"port", std::uint64_t{listener_->port()}}, {"panels", std::move(ids)}}));
      std::fflush(stdout);
      return;
    }
    const Terminal out(stdout);
    out.Line(fmt::format("Nexus serves {} panel{} at {}", panels.size(),
                         panels.size() == 1 ? "" : "s", out.Styled(Style::kBold, url)));
    for (const auto& panel : panels) {
      out.Line(fmt::format("  {:<20} {}", panel->id(), panel->definition().title));
    }
    out.Line("Try:");
    out.Line(fmt::format("  curl {}/panels", url));
    if (!panels.empty() && !panels.front()->definition().tools.empty()) {
      out.Line(fmt::format("  curl -d '{{}}' {}/panels/{}/trigger/{}", url, panels.front()->id(),
                           panels.front()->definition().tools.front().name));
    }
    if (auth_->required()) out.Line("  with -H 'Authorization: Bearer KEY'");
    std::fflush(stdout);
  }

  CLI::App* app_ = nullptr;
  std::vector<std::string> files_;
  std::string config_file_, address_, data_dir_;
  int port_ = -1;
  bool memory_ = false, json_ = false;
  ExtensionChoice choice_;
  Places places_;

  ServerConfig config_;
  std::shared_ptr<SpanSink> spans_;
  Registry registry_;
  std::unique_ptr<Authenticator> auth_;
  std::unique_ptr<Sandbox> sandbox_;
  std::unique_ptr<PanelHost> host_;
  std::unique_ptr<mcp::PanelProvider> mcp_panels_;
  std::unique_ptr<mcp::Server> mcp_server_;
  std::unique_ptr<Listener> listener_, metrics_listener_;
};

}  // namespace

std::unique_ptr<Command> MakeServeCommand() { return std::make_unique<ServeCommand>(); }

}  // namespace nexus::internal
