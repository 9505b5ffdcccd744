#include "panel/host/internal/host_impl.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/thread.h"
#include "panel/host/internal/handler_program.h"
#include "panel/nxml/nxml.h"

namespace nexus::internal {
namespace {

constexpr std::int64_t kUnmountWaitMs = 5'000;

std::string Placed(const std::string& file, const RunError& error) {
  std::string text = error.file.empty() ? file : error.file;
  if (error.location.line != 0) {
    text += ":" + std::to_string(error.location.line) + ":" + std::to_string(error.location.column);
  }
  return text + ": " + std::string(RunErrorCodeName(error.code)) + ": " + error.message + "\n";
}

}  // namespace

HostImpl::HostImpl(PanelHostOptions options) : options_(std::move(options)) {
  services_->options = &options_;
  services_->sandbox = options_.sandbox;
}

Status HostImpl::Open() {
  timers_ = std::make_unique<Timers>(options_.clock_unix_ms);
  services_->timers = timers_.get();
  std::vector<StoredPanel> stored;
  if (!options_.data_dir.empty()) {
    NEXUS_TRY_STATUS(MakeDirs(options_.data_dir));
    NEXUS_TRY(lock_, FileLock::Take(options_.data_dir / "lock"));
    NEXUS_TRY(journal_, Journal::Open(options_.data_dir / "panels.db", options_.synced,
                                      options_.journal_pages_max));
    services_->journal = journal_.get();
    NEXUS_TRY(stored, journal_->Load());
  }
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  const unsigned count = options_.workers != 0 ? options_.workers : cores;
  for (unsigned i = 0; i < count; ++i) {
    workers_.emplace_back([this] {
      NameThisThread("panel-worker");
      services_->queue.Work();
    });
  }
  for (StoredPanel& panel : stored) ReopenPanel(std::move(panel));
  return {};
}

HostImpl::~HostImpl() {
  services_->draining = true;
  if (timers_ != nullptr) timers_->Stop();
  services_->queue.Stop();
  for (std::thread& worker : workers_) worker.join();
  // What the workers submitted is written and told before the panels go.
  journal_.reset();
  for (const auto& [id, panel] : panels_) panel->Abandon();
}

Result<std::unique_ptr<LoadedHandler>> HostImpl::LoadOne(const LoadedPanel& panel, std::string name,
                                                         const HandlerDefinition& handler,
                                                         std::string& errors) {
  const PanelDefinition& definition = panel.definition;
  auto loaded = std::make_unique<LoadedHandler>();
  loaded->name = std::move(name);
  if (options_.strict && !handler.declared) {
    errors += definition.file + ":" + std::to_string(handler.position.line) + ":" +
              std::to_string(handler.position.column) + ": INVALID_HANDLER: " + loaded->name +
              " declares no capabilities, and this node is strict: add a <Capabilities> element\n";
    return loaded;
  }
  auto program = LoadHandler(*options_.sandbox, handler, definition.file, panel.source);
  if (!program) {
    errors += Placed(definition.file, program.error().error);
    return loaded;
  }
  loaded->program = *std::move(program);
  loaded->capabilities = CapabilitySet::Of(handler.requested);
  if (options_.ceiling) {
    loaded->capabilities = loaded->capabilities.AttenuatedBy(*options_.ceiling);
  }
  for (const CapabilityToken& token : handler.requested) {
    if (token.type != "state:read") continue;
    for (const ComputedDefinition& computed : definition.computed) {
      if (token.scope == "*" || token.scope == computed.name) {
        loaded->computed.push_back(computed.name);
      }
    }
  }
  return loaded;
}

Result<std::unique_ptr<LoadedPanel>> HostImpl::LoadPanel(PanelDefinition definition,
                                                         std::string source) {
  auto panel = std::make_unique<LoadedPanel>();
  panel->definition = std::move(definition);
  panel->source = std::move(source);
  const PanelDefinition& from = panel->definition;
  std::string errors;
  if (from.id.empty()) return Fail(Code::kInvalidArgument, "a panel needs an id");
  for (const ToolDefinition& tool : from.tools) {
    NEXUS_TRY(auto handler, LoadOne(*panel, tool.name, tool.handler, errors));
    handler->tool = &tool;
    handler->atomic = tool.atomic;
    panel->handlers.push_back(std::move(handler));
  }
  for (const LifecycleDefinition& lifecycle : from.lifecycles) {
    const bool mount = lifecycle.on == LifecycleEvent::kMount;
    NEXUS_TRY(auto handler, LoadOne(*panel, mount ? "lifecycle:mount" : "lifecycle:unmount",
                                    lifecycle.handler, errors));
    panel->handlers.push_back(std::move(handler));
  }
  auto computed = ComputedValues::Create(*options_.sandbox, from, panel->source);
  if (!computed) {
    for (const RunError& error : computed.error()) errors += Placed(from.file, error);
  } else {
    panel->computed = *std::move(computed);
  }
  for (const ExtensionUse& use : from.extensions) {
    auto extension = options_.find_extension ? options_.find_extension(use.name) : nullptr;
    // A panel may be looked at without it; a call of it says that it is not there.
    if (extension != nullptr) panel->extensions.push_back({use.alias, std::move(extension)});
  }
  if (!errors.empty()) {
    errors.pop_back();
    return Fail(Code::kInvalidArgument, "panel " + from.id + ":\n" + errors);
  }
  return panel;
}

Result<std::shared_ptr<Panel>> HostImpl::Mount(PanelDefinition definition, std::string source,
                                               std::string owner, ValueObject initial) {
  if (services_->draining) return Fail(Code::kUnavailable, "this node is shutting down");
  const std::string id = definition.id;
  const auto taken = [&id] {
    return Fail(Code::kInvalidArgument,
                "panel " + id + ": the id is taken: choose another, or unmount that panel first");
  };
  if (Find(id) != nullptr) return taken();
  NEXUS_TRY(auto loaded, LoadPanel(std::move(definition), std::move(source)));
  auto panel =
      std::make_shared<LivePanel>(services_, std::move(loaded), std::move(owner), timers_->NowMs());
  NEXUS_TRY_STATUS(panel->Preset(initial));
  {
    const std::lock_guard lock(panels_mutex_);
    if (!panels_.emplace(id, panel).second) return taken();
  }
  std::promise<Status> written;
  panel->Begin([&written](Status status) { written.set_value(std::move(status)); });
  if (Status status = written.get_future().get(); !status) {
    const std::lock_guard lock(panels_mutex_);
    panels_.erase(id);
    return std::unexpected(std::move(status).error());
  }
  panel->RunLifecycle(LifecycleEvent::kMount, nullptr);
  panel->ArmTriggers();
  return panel;
}

Result<std::shared_ptr<Panel>> HostImpl::Update(std::string_view id, PanelDefinition definition,
                                                std::string source) {
  const std::shared_ptr<LivePanel> panel = FindLive(id);
  if (panel == nullptr) return Fail(Code::kNotFound, "there is no panel " + std::string(id));
  if (panel->loaded()->source == source) return panel;
  definition.id = std::string(id);
  NEXUS_TRY(auto loaded, LoadPanel(std::move(definition), std::move(source)));
  std::promise<Status> written;
  panel->Update(std::move(loaded),
                [&written](Status status) { written.set_value(std::move(status)); });
  NEXUS_TRY_STATUS(written.get_future().get());
  panel->RunLifecycle(LifecycleEvent::kMount, nullptr);
  panel->ArmTriggers();
  return panel;
}

void HostImpl::ReopenPanel(StoredPanel stored) {
  const std::string id = stored.id;
  const auto fail = [&](const std::string& why) {
    Log(Severity::kError, "panel not reopened; its data is kept", {{"panel", id}, {"reason", why}});
    const std::lock_guard lock(panels_mutex_);
    problems_.push_back("panel " + id + ": " + why);
  };
  NxmlReport report = ReadNxml(stored.source, {.file = id + ".nxml", .limits = {}});
  if (!report.panel) {
    return fail(report.errors.empty() ? "its text cannot be read" : report.errors.front().message);
  }
  report.panel->id = id;
  auto loaded = LoadPanel(*std::move(report.panel), stored.source);
  if (!loaded) return fail(loaded.error().message());
  auto panel = std::make_shared<LivePanel>(services_, *std::move(loaded), stored.owner,
                                           stored.created_unix_ms);
  if (const std::string loss = panel->Restore(std::move(stored)); !loss.empty()) {
    const std::lock_guard lock(panels_mutex_);
    problems_.push_back("panel " + id + ": " + loss);
  }
  {
    const std::lock_guard lock(panels_mutex_);
    panels_.emplace(id, panel);
  }
  panel->ArmTriggers();
}

Status HostImpl::Unmount(std::string_view id) {
  const std::shared_ptr<LivePanel> panel = FindLive(id);
  if (panel == nullptr) return Fail(Code::kNotFound, "there is no panel " + std::string(id));
  // A promise that outlives this call: the handler may answer after we stopped waiting.
  auto unmounted = std::make_shared<std::promise<void>>();
  const bool runs = panel->RunLifecycle(LifecycleEvent::kUnmount, [unmounted](const RunResult& r) {
    if (r.status != RunStatus::kSuspended) unmounted->set_value();
  });
  if (runs) {
    (void)unmounted->get_future().wait_for(std::chrono::milliseconds(kUnmountWaitMs));
  }
  auto ended = std::make_shared<std::promise<Status>>();
  panel->End([ended](Status status) { ended->set_value(std::move(status)); });
  NEXUS_TRY_STATUS(ended->get_future().get());
  const std::lock_guard lock(panels_mutex_);
  panels_.erase(panels_.find(id));
  return {};
}

std::shared_ptr<LivePanel> HostImpl::FindLive(std::string_view id) const {
  const std::lock_guard lock(panels_mutex_);
  const auto found = panels_.find(id);
  return found == panels_.end() ? nullptr : found->second;
}

std::shared_ptr<Panel> HostImpl::Find(std::string_view id) const { return FindLive(id); }

std::vector<std::shared_ptr<Panel>> HostImpl::List() const {
  const std::lock_guard lock(panels_mutex_);
  std::vector<std::shared_ptr<Panel>> panels;
  for (const auto& [id, panel] : panels_) panels.push_back(panel);
  return panels;
}

PanelHost::Stats HostImpl::GetStats() const {
  Stats stats;
  stats.runs = services_->runs;
  stats.errors = services_->errors;
  if (journal_ != nullptr) {
    stats.journal_commits = journal_->commits();
    stats.journal_records = journal_->records();
  }
  stats.queued = services_->queued;
  stats.running = services_->running;
  stats.suspended = services_->suspended;
  const std::lock_guard lock(panels_mutex_);
  stats.panels = panels_.size();
  return stats;
}

Status HostImpl::Ready() const {
  if (services_->draining) return Fail(Code::kUnavailable, "shutting down");
  if (journal_ != nullptr) NEXUS_TRY_STATUS(journal_->Health());
  const std::lock_guard lock(panels_mutex_);
  if (!problems_.empty()) return Fail(Code::kDataLoss, problems_.front());
  return {};
}

void HostImpl::WaitForIdle(std::int64_t wait_ms) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms);
  while (std::chrono::steady_clock::now() < until) {
    if (services_->queue.idle() && services_->queued == 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

void HostImpl::Drain(std::int64_t wait_ms) {
  services_->draining = true;
  WaitForIdle(wait_ms);
}

}  // namespace nexus::internal

namespace nexus {

Result<std::unique_ptr<PanelHost>> PanelHost::Create(PanelHostOptions options) {
  if (options.sandbox == nullptr) return Fail(Code::kInvalidArgument, "panels need a sandbox");
  auto host = std::make_unique<internal::HostImpl>(std::move(options));
  NEXUS_TRY_STATUS(host->Open());
  return std::unique_ptr<PanelHost>(std::move(host));
}

}  // namespace nexus
