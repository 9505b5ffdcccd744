#pragma once
/// A provider that is still being made: the server answers handshakes meanwhile, and whoever wants
/// more waits until it is there.

#include <condition_variable>
#include <mutex>
#include <string>

#include "mcp/server/provider.h"

namespace nexus::mcp {

/// Thread-safe.
class LateProvider final : public Provider {
 public:
  /// Borrowed for the rest of this object's life. One of the two is called, once.
  void Ready(Provider& provider);
  /// From now on lists are empty and calls fail with `why`.
  void Failed(std::string why);

  std::vector<Tool> ListTools(const Caller& caller) override;
  std::vector<Resource> ListResources(const Caller& caller) override;
  std::vector<ResourceTemplate> ListTemplates(const Caller& caller) override;
  std::vector<Prompt> ListPrompts(const Caller& caller) override;
  void CallTool(CallPtr call, CallToolParams params) override;
  void ReadResource(CallPtr call, ReadResourceParams params) override;
  void GetPrompt(CallPtr call, GetPromptParams params) override;
  void Complete(CallPtr call, CompleteParams params) override;
  std::optional<Value> MirroredSchema(const Caller& caller, std::string_view tool) override;
  void SetObserver(ChangeObserver* observer) override;
  bool Watch(const Caller& caller, std::string_view uri) override;
  void Unwatch(std::string_view uri) override;

 private:
  /// Waits; nullptr when it failed.
  Provider* Get();
  template <typename Params>
  void Forward(CallPtr call, Params params, void (Provider::*serve)(CallPtr, Params));

  std::mutex mutex_;
  std::condition_variable decided_;
  Provider* provider_ = nullptr;        // guarded by mutex_
  ChangeObserver* observer_ = nullptr;  // guarded by mutex_
  bool failed_ = false;                 // guarded by mutex_
  std::string why_;                     // guarded by mutex_
};

}  // namespace nexus::mcp
