#pragma once
/// A panel host without a sandbox: its tools are functions, its state a map. For tests of what
/// stands in front of panels.

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/ulid.h"
#include "panel/host/panel_host.h"

namespace nexus::testing {

/// Thread-safe. The tools that are there: what the definition names. Every one answers with its
/// arguments; `set` writes each argument into the state; `hang` never answers.
class FakePanel final : public Panel {
 public:
  FakePanel(PanelDefinition definition, std::string owner)
      : definition_(std::move(definition)), owner_(std::move(owner)) {
    for (const StateDefinition& state : definition_.states) state_.Set(state.name, state.initial);
  }

  const std::string& id() const override { return definition_.id; }
  const std::string& owner() const override { return owner_; }
  std::int64_t created_unix_ms() const override { return 1'000; }
  const PanelDefinition& definition() const override { return definition_; }

  std::string CallTool(ToolCall call, RunObserver observer) override {
    RunResult result;
    result.run_id = NewUlid(1'000);
    {
      const std::lock_guard lock(mutex_);
      last_traceparent_ = call.traceparent;
    }
    const std::string run_id = result.run_id;
    if (call.tool == "hang" || call.tool == "stay") {
      const std::lock_guard lock(mutex_);
      waiting_.emplace_back(run_id, std::move(observer));
      return run_id;
    }
    result.return_value = call.args;
    if (const auto* args = call.args.As<ValueObject>(); args != nullptr && call.tool == "set") {
      for (const auto& [key, value] : *args) Write(result, key, value);
    }
    Tell(result);
    observer(result);
    return run_id;
  }
  Status Cancel(std::string_view run_id) override {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, observer] : waiting_) {
      if (id != run_id) continue;
      cancelled_.push_back(id);
      return {};
    }
    return Fail(Code::kNotFound, "no such run");
  }
  void SetState(std::string_view key, Value value, std::string_view principal,
                std::function<void(Result<std::uint64_t>)> done) override {
    (void)principal;
    RunResult result;
    Write(result, std::string(key), value);
    Tell(result);
    done(revision_.load());
  }
  std::uint64_t revision() const override { return revision_; }
  PanelSnapshot State() override {
    ++states_read;
    const std::lock_guard lock(mutex_);
    return {.revision = revision_, .state = state_, .computed = {}};
  }
  Result<ValueObject> StateAt(std::uint64_t revision) override {
    const std::lock_guard lock(mutex_);
    if (revision != revision_) return Fail(Code::kNotFound, "compacted away");
    return state_;
  }
  Result<std::uint64_t> Subscribe(std::optional<std::uint64_t> after,
                                  UpdateObserver observer) override {
    const std::lock_guard lock(delivery_mutex_);
    if (after && *after < oldest_) return Fail(Code::kNotFound, "compacted away");
    if (after) {
      for (const auto& update : history_) {
        if (update->revision > *after) observer(update);
      }
    }
    watchers_.emplace(++last_watcher_, std::move(observer));
    return last_watcher_;
  }
  void Unsubscribe(std::uint64_t subscription) override {
    const std::lock_guard lock(delivery_mutex_);
    watchers_.erase(subscription);
  }
  std::vector<RunRecord> Runs(std::size_t) const override { return {}; }
  std::optional<RunRecord> FindRun(std::string_view) const override { return std::nullopt; }
  std::vector<LogEntry> Logs(std::size_t) const override { return {}; }

  std::size_t watcher_count() const {
    const std::lock_guard lock(delivery_mutex_);
    return watchers_.size();
  }
  std::string last_traceparent() const {
    const std::lock_guard lock(mutex_);
    return last_traceparent_;
  }
  std::vector<std::string> cancelled() const {
    const std::lock_guard lock(mutex_);
    return cancelled_;
  }
  std::atomic<int> states_read{0};
  void ForgetHistoryBefore(std::uint64_t revision) { oldest_ = revision; }

 private:
  void Write(RunResult& result, const std::string& key, const Value& value) {
    const std::lock_guard lock(mutex_);
    state_.Set(key, value);
    result.state_mutations.push_back(
        {.key = key, .path = {}, .value = value, .revision = ++revision_});
  }
  void Tell(const RunResult& result) {
    if (result.state_mutations.empty()) return;
    auto update = std::make_shared<PanelUpdate>();
    update->panel_id = id();
    update->revision = result.state_mutations.back().revision;
    update->run_id = result.run_id;
    update->mutations = result.state_mutations;
    const std::lock_guard lock(delivery_mutex_);
    history_.push_back(update);
    for (const auto& [id, watcher] : watchers_) watcher(update);
  }

  const PanelDefinition definition_;
  const std::string owner_;
  mutable std::mutex mutex_, delivery_mutex_;
  ValueObject state_;
  std::atomic<std::uint64_t> revision_{0}, oldest_{0};
  std::vector<std::pair<std::string, RunObserver>> waiting_;
  std::vector<std::string> cancelled_;
  std::string last_traceparent_;
  std::vector<std::shared_ptr<const PanelUpdate>> history_;
  std::map<std::uint64_t, UpdateObserver> watchers_;
  std::uint64_t last_watcher_ = 0;
};

class FakePanelHost final : public PanelHost {
 public:
  Result<std::shared_ptr<Panel>> Mount(PanelDefinition definition, std::string source,
                                       std::string owner, ValueObject initial) override {
    (void)source;
    (void)initial;
    const std::lock_guard lock(mutex_);
    if (panels_.contains(definition.id)) return Fail(Code::kInvalidArgument, "the id is taken");
    const std::string id = definition.id;
    auto panel = std::make_shared<FakePanel>(std::move(definition), std::move(owner));
    panels_[id] = panel;
    return panel;
  }
  Result<std::shared_ptr<Panel>> Update(std::string_view id, PanelDefinition definition,
                                        std::string source) override {
    (void)definition;
    (void)source;
    if (auto panel = Find(id)) return panel;
    return Fail(Code::kNotFound, "no such panel");
  }
  Status Unmount(std::string_view id) override {
    const std::lock_guard lock(mutex_);
    const auto found = panels_.find(id);
    if (found == panels_.end()) return Fail(Code::kNotFound, "no such panel");
    panels_.erase(found);
    return {};
  }
  std::shared_ptr<Panel> Find(std::string_view id) const override {
    const std::lock_guard lock(mutex_);
    const auto found = panels_.find(id);
    return found == panels_.end() ? nullptr : found->second;
  }
  std::vector<std::shared_ptr<Panel>> List() const override {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<Panel>> panels;
    for (const auto& [id, panel] : panels_) panels.push_back(panel);
    return panels;
  }
  Stats GetStats() const override { return {.panels = List().size()}; }
  Status Ready() const override {
    if (!ready) return Fail(Code::kUnavailable, "the disk is full");
    return {};
  }
  void Drain(std::int64_t) override {}

  std::atomic<bool> ready{true};

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<FakePanel>, std::less<>> panels_;
};

}  // namespace nexus::testing
