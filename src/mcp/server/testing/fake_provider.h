#pragma once
/// A provider for tests: a few tools that answer, wait, tell or ask; one resource; one prompt.

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "mcp/server/provider.h"

namespace nexus::mcp::testing {

/// Thread-safe. Tools: `echo` answers its arguments, `wait` stays until Release, `tell` logs and
/// tells progress, `ask` wants a name of the user and keeps a state, `secret` is for who may call
/// it. Resources `u:1` and `u:secret`.
class FakeProvider final : public Provider {
 public:
  std::vector<Tool> ListTools(const Caller& caller) override {
    std::vector<Tool> tools;
    for (const char* name : {"ask", "echo", "mirror", "secret", "tell", "wait"}) {
      if (!caller.MayCall(name)) continue;
      Tool tool;
      tool.name = name;
      tool.description = "For tests";
      tools.push_back(std::move(tool));
    }
    return tools;
  }
  std::vector<Resource> ListResources(const Caller& caller) override {
    std::vector<Resource> resources;
    for (const char* key : {"1", "secret"}) {
      if (!caller.MayRead(key)) continue;
      Resource resource;
      resource.uri = std::string("u:") + key;
      resource.name = key;
      resources.push_back(std::move(resource));
    }
    return resources;
  }
  std::vector<ResourceTemplate> ListTemplates(const Caller& caller) override {
    (void)caller;
    return {};
  }
  std::vector<Prompt> ListPrompts(const Caller& caller) override {
    (void)caller;
    Prompt prompt;
    prompt.name = "hello";
    return {prompt};
  }

  void CallTool(CallPtr call, CallToolParams params) override {
    if (!call->caller().MayCall(params.name)) return NoTool(call, params.name);
    if (params.name == "echo" || params.name == "secret" || params.name == "mirror") {
      return Say(call, ToJson(params.arguments));
    }
    if (params.name == "tell") {
      call->Log(LogLevel::kInfo, "fake", "a line");
      call->Progress(1, 2, "half");
      call->Progress(1, 2, "not more than before: dropped");
      return Say(call, "told");
    }
    if (params.name == "ask") return Ask(call, params);
    if (params.name != "wait") return NoTool(call, params.name);
    call->OnCancel([this] {
      const std::lock_guard lock(mutex_);
      ++cancelled_;
    });
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(call));
  }
  void ReadResource(CallPtr call, ReadResourceParams params) override {
    if (!Exists(call->caller(), params.uri)) {
      return call->Fail({.code = code::kInvalidParams,
                         .message = "no such resource",
                         .data = Value::Object({{"uri", params.uri}})});
    }
    ReadResourceResult result;
    ResourceContents contents;
    contents.uri = params.uri;
    contents.text = "content";
    result.contents.push_back(std::move(contents));
    call->Finish(result);
  }
  void GetPrompt(CallPtr call, GetPromptParams params) override {
    (void)params;
    GetPromptResult result;
    result.messages.push_back({.role = "user", .content = TextContent("hello")});
    call->Finish(result);
  }
  void Complete(CallPtr call, CompleteParams params) override {
    call->Finish(CompleteResult{.values = {params.value + "!"}, .total = 1, .has_more = false});
  }
  std::optional<Value> MirroredSchema(const Caller& caller, std::string_view tool) override {
    (void)caller;
    if (tool != "mirror") return std::nullopt;
    return ParseJson(R"({"type":"object","properties":{
      "region":{"type":"string","x-mcp-header":"Region"},
      "deep":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"N"}}}}})")
        .value();
  }

  void SetObserver(ChangeObserver* observer) override {
    const std::lock_guard lock(mutex_);
    observer_ = observer;
  }
  bool Watch(const Caller& caller, std::string_view uri) override {
    if (!Exists(caller, uri)) return false;
    const std::lock_guard lock(mutex_);
    ++watched_[std::string(uri)];
    return true;
  }
  void Unwatch(std::string_view uri) override {
    const std::lock_guard lock(mutex_);
    if (--watched_[std::string(uri)] == 0) watched_.erase(std::string(uri));
  }

  // What tests do and look at.
  void Release(const std::string& text = "released") {
    std::vector<CallPtr> waiting;
    {
      const std::lock_guard lock(mutex_);
      waiting.swap(waiting_);
    }
    for (const CallPtr& call : waiting) Say(call, text);
  }
  void Changed(std::string_view uri) {
    if (ChangeObserver* observer = Observer()) observer->OnResourceUpdated(uri);
  }
  void ToolsChanged() {
    if (ChangeObserver* observer = Observer()) observer->OnToolsChanged();
  }
  std::size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
  }
  int cancelled() const {
    const std::lock_guard lock(mutex_);
    return cancelled_;
  }
  std::map<std::string, int> watched() const {
    const std::lock_guard lock(mutex_);
    return watched_;
  }

 private:
  static void Say(const CallPtr& call, std::string text) {
    CallToolResult result;
    result.content.push_back(TextContent(std::move(text)));
    call->Finish(result);
  }
  static void NoTool(const CallPtr& call, const std::string& name) {
    call->Fail({.code = code::kInvalidParams, .message = "no tool '" + name + "'", .data = {}});
  }
  static void Ask(const CallPtr& call, const CallToolParams& params) {
    const Value* const answer = params.input.responses.Find("name");
    if (answer != nullptr && params.input.request_state == "asked") {
      return Say(call, "hello " + ToJson(*answer));
    }
    call->Ask({.requests = {{"name", InputRequest("elicitation/create",
                                                  Value::Object({{"message", "Who?"}}))}},
               .request_state = "asked"});
  }
  static bool Exists(const Caller& caller, std::string_view uri) {
    return (uri == "u:1" || uri == "u:secret") && caller.MayRead(uri.substr(2));
  }
  ChangeObserver* Observer() {
    const std::lock_guard lock(mutex_);
    return observer_;
  }

  mutable std::mutex mutex_;
  ChangeObserver* observer_ = nullptr;  // guarded by mutex_
  std::vector<CallPtr> waiting_;        // guarded by mutex_
  std::map<std::string, int> watched_;  // guarded by mutex_
  int cancelled_ = 0;                   // guarded by mutex_
};

}  // namespace nexus::mcp::testing
