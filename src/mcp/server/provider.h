#pragma once
/// What a server offers, behind one interface: tools, resources, prompts, completion.
///
/// A provider knows nothing of revisions, sessions and transports. It answers calls with the typed
/// results of mcp/protocol; when it needs something of the client it says so with Ask and is called
/// again with the answers, whichever era the client is of.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "capability/set.h"
#include "mcp/protocol/params.h"
#include "mcp/protocol/results.h"

namespace nexus::mcp {

/// Who asks, and what it may see and do.
struct Caller {
  std::string principal;
  CapabilitySet capabilities;
  bool everything = false;  ///< The machine's own user.
  bool may_read = true;     ///< Panels as wholes: state, runs, prompts.
  bool may_execute = true;

  bool MayCall(std::string_view tool) const {
    return may_execute && (everything || capabilities.Covers(Right::kToolCall, tool));
  }
  bool MayRead(std::string_view key) const {
    return may_read && (everything || capabilities.Covers(Right::kStateRead, key));
  }
};
using CallerPtr = std::shared_ptr<const Caller>;

/// One request that a provider works on. Thread-safe. Exactly one of Finish, Ask and Fail ends it;
/// what comes afterwards is dropped.
class Call {
 public:
  virtual ~Call() = default;

  virtual const Caller& caller() const = 0;
  virtual Revision revision() const = 0;
  /// What the client declared for this request (modern) or its session (legacy).
  virtual const ClientCapabilities& client() const = 0;
  virtual const std::string& traceparent() const = 0;
  /// False: Progress does nothing.
  virtual bool wants_progress() const = 0;

  /// Each `progress` must be greater than the last one; others are dropped.
  virtual void Progress(double progress, std::optional<double> total, std::string_view message) = 0;
  /// Sent when the client asked for this level.
  virtual void Log(LogLevel level, std::string_view logger, const Value& data) = 0;

  virtual bool cancelled() const = 0;
  /// Once it is cancelled: the client went away rather than asking for it.
  virtual bool gone() const = 0;
  /// `action` is called once, when the client gives the request up; at once when it has already.
  /// From any thread. A second action replaces the first.
  virtual void OnCancel(std::move_only_function<void()> action) = 0;
  /// Legacy streams end here and the client comes back for the rest (SEP-1699); else nothing.
  virtual void CloseStream() = 0;

  /// Before Finish: the next answer comes at once, so this one may leave together with it.
  virtual void MoreFollows() {}
  virtual void Finish(const CallToolResult& result) = 0;
  virtual void Finish(const ReadResourceResult& result) = 0;
  virtual void Finish(const GetPromptResult& result) = 0;
  virtual void Finish(const CompleteResult& result) = 0;
  /// The provider is called again, with another Call, when the client has answered. A client that
  /// did not declare it can answer is refused for the provider.
  virtual void Ask(InputRequired required) = 0;
  virtual void Fail(RpcError error) = 0;
};
using CallPtr = std::shared_ptr<Call>;

/// Told by a provider what has changed, from any thread.
class ChangeObserver {
 public:
  virtual ~ChangeObserver() = default;
  virtual void OnToolsChanged() = 0;
  virtual void OnPromptsChanged() = 0;
  virtual void OnResourcesChanged() = 0;
  virtual void OnResourceUpdated(std::string_view uri) = 0;
};

/// Thread-safe. Lists are in an order that stays the same, and hold only what the caller may use.
class Provider {
 public:
  virtual ~Provider() = default;

  virtual std::vector<Tool> ListTools(const Caller& caller) = 0;
  virtual std::vector<Resource> ListResources(const Caller& caller) = 0;
  virtual std::vector<ResourceTemplate> ListTemplates(const Caller& caller) = 0;
  virtual std::vector<Prompt> ListPrompts(const Caller& caller) = 0;

  /// Must not block for long: the transport's thread calls. A name that is unknown, or that the
  /// caller may not use, is code::kInvalidParams, the same for both.
  virtual void CallTool(CallPtr call, CallToolParams params) = 0;
  virtual void ReadResource(CallPtr call, ReadResourceParams params) = 0;
  virtual void GetPrompt(CallPtr call, GetPromptParams params) = 0;
  virtual void Complete(CallPtr call, CompleteParams params) = 0;

  /// The input schema of a tool, for the parameters that HTTP mirrors into headers; nullopt when
  /// there is no such tool for this caller, or none of its parameters is mirrored.
  virtual std::optional<Value> MirroredSchema(const Caller& caller, std::string_view tool) {
    (void)caller, (void)tool;
    return std::nullopt;
  }

  /// Whom to tell of changes; nullptr: nobody any more, and after return nobody is being told.
  virtual void SetObserver(ChangeObserver* observer) = 0;
  /// OnResourceUpdated is wanted for `uri` until Unwatch; calls are counted by the server, one
  /// Watch for each uri. False: this caller can read no such resource.
  virtual bool Watch(const Caller& caller, std::string_view uri) = 0;
  virtual void Unwatch(std::string_view uri) = 0;
};

}  // namespace nexus::mcp
