#pragma once
/// Panels for tests: a host over the tests' sandbox, and calls that wait for their result.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "base/json.h"
#include "base/testing/temp_folder.h"
#include "panel/host/panel_host.h"
#include "panel/nxml/nxml.h"
#include "sandbox/testing/fake_extension.h"
#include "sandbox/testing/test_sandbox.h"

namespace nexus::testing {

inline PanelDefinition ReadPanel(const std::string& nxml) {
  NxmlReport report = ReadNxml(nxml, {.file = "test.nxml", .limits = {}});
  for (const NxmlProblem& error : report.errors) {
    ADD_FAILURE() << error.position.line << ":" << error.position.column << ": " << error.code
                  << ": " << error.message;
  }
  if (!report.panel) std::abort();
  return *std::move(report.panel);
}

/// A panel "p" around what stands in Data and Logic.
inline std::string PanelText(const std::string& data, const std::string& logic,
                             const std::string& id = "p") {
  return "<NexusPanel id=\"" + id + "\"><Data>" + data + "</Data><Logic>" + logic +
         "</Logic></NexusPanel>";
}

/// A tool whose handler is `code`.
inline std::string ToolText(const std::string& name, const std::string& code,
                            const std::string& attributes = "", const std::string& args = "") {
  return "<Tool name=\"" + name + "\" " + attributes + ">" + args + "<Handler>" + code +
         "</Handler></Tool>";
}

struct TestHost {
  explicit TestHost(PanelHostOptions options = {}) {
    extension = std::make_shared<FakeExtension>();
    if (options.sandbox == nullptr) options.sandbox = &SharedSandbox();
    if (!options.find_extension) {
      options.find_extension = [this](std::string_view name) -> std::shared_ptr<Extension> {
        return name == "fake" ? extension : nullptr;
      };
    }
    auto created = PanelHost::Create(std::move(options));
    if (!created) {
      ADD_FAILURE() << created.error().message();
      std::abort();
    }
    host = *std::move(created);
  }

  std::shared_ptr<Panel> Mount(const std::string& nxml, ValueObject initial = {}) {
    auto panel = host->Mount(ReadPanel(nxml), nxml, "tester", std::move(initial));
    if (!panel) {
      ADD_FAILURE() << panel.error().message();
      std::abort();
    }
    return *std::move(panel);
  }

  std::shared_ptr<FakeExtension> extension;
  std::unique_ptr<PanelHost> host;
};

/// Starts a call; the future has the final result.
inline std::future<RunResult> Start(Panel& panel, ToolCall call) {
  auto promise = std::make_shared<std::promise<RunResult>>();
  std::future<RunResult> result = promise->get_future();
  panel.CallTool(std::move(call), [promise](const RunResult& flush) {
    if (flush.status != RunStatus::kSuspended) promise->set_value(flush);
  });
  return result;
}

inline RunResult Call(Panel& panel, const std::string& tool, Value args = {}) {
  return Start(panel, {.tool = tool, .args = std::move(args)}).get();
}

inline std::string StateText(Panel& panel) { return ToJson(Value(panel.State().state)); }
inline std::string ComputedText(Panel& panel) { return ToJson(Value(panel.State().computed)); }

/// Waits until `condition` holds, at most ten seconds.
template <typename Condition>
bool Eventually(Condition condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

/// Waits until every run has ended and is on disk.
inline bool Settles(const PanelHost& host) {
  return Eventually([&] {
    if (host.GetStats().queued != 0) return false;
    for (const auto& panel : host.List()) {
      for (const RunRecord& run : panel->Runs(1)) {  // Those that live come first.
        if (run.result.status == RunStatus::kSuspended) return false;
      }
    }
    return true;
  });
}

}  // namespace nexus::testing
