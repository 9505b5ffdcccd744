#pragma once
/// The panels of a node and the threads that run them.

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/file_lock.h"
#include "panel/host/internal/live_panel.h"
#include "panel/host/panel_host.h"

namespace nexus::internal {

class HostImpl final : public PanelHost {
 public:
  explicit HostImpl(PanelHostOptions options);
  ~HostImpl() override;
  Status Open();

  Result<std::shared_ptr<Panel>> Mount(PanelDefinition definition, std::string source,
                                       std::string owner, ValueObject initial) override;
  Result<std::shared_ptr<Panel>> Update(std::string_view id, PanelDefinition definition,
                                        std::string source) override;
  Status Unmount(std::string_view id) override;
  std::shared_ptr<Panel> Find(std::string_view id) const override;
  std::vector<std::shared_ptr<Panel>> List() const override;
  Stats GetStats() const override;
  Status Ready() const override;
  void Drain(std::int64_t wait_ms) override;

 private:
  Result<std::unique_ptr<LoadedPanel>> LoadPanel(PanelDefinition definition, std::string source);
  Result<std::unique_ptr<LoadedHandler>> LoadOne(const LoadedPanel& panel, std::string name,
                                                 const HandlerDefinition& handler,
                                                 std::string& errors);
  void ReopenPanel(StoredPanel stored);
  std::shared_ptr<LivePanel> FindLive(std::string_view id) const;
  void WaitForIdle(std::int64_t wait_ms);

  const PanelHostOptions options_;
  FileLock lock_;
  const std::shared_ptr<PanelServices> services_ = std::make_shared<PanelServices>();
  std::unique_ptr<Timers> timers_;
  std::unique_ptr<Journal> journal_;

  mutable std::mutex panels_mutex_;
  std::map<std::string, std::shared_ptr<LivePanel>, std::less<>> panels_;
  std::vector<std::string> problems_;  ///< Panels that could not be opened again, and why.

  std::vector<std::thread> workers_;
};

}  // namespace nexus::internal
