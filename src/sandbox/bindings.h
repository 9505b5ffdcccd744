#pragma once
/// What a run can reach: the interfaces behind `$state`, `$ext`, `$tools` and the effect stream.
/// Every call has passed the run's gate before it gets here, so implementations hold no policy.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/value.h"
#include "sandbox/run_result.h"

namespace nexus {

/// One run's view of state: between two suspensions one revision plus the run's own writes.
/// Called on the run's thread only.
class StateBinding {
 public:
  virtual ~StateBinding() = default;
  /// Undefined when there is no such key.
  virtual Value Get(std::string_view key) = 0;
  virtual bool Has(std::string_view key) = 0;
  virtual std::vector<std::string> Keys() = 0;
  /// Returns the revision the write made. Errors become exceptions at the write, with the message:
  /// kInvalidArgument for a path through something that is no container or a write to a computed
  /// value, kResourceExhausted for a size limit.
  virtual Result<std::uint64_t> Set(std::string_view key, std::span<const PathStep> path,
                                    const Value& value) = 0;
  /// Revision, or 0 when there was nothing to delete.
  virtual Result<std::uint64_t> Delete(std::string_view key, std::span<const PathStep> path) = 0;
  /// A resumed run goes on with the newest revision.
  virtual void Refresh() {}
};

/// State in memory, for runs without a panel. Thread-compatible.
class MemoryState final : public StateBinding {
 public:
  /// `initial` is an object; each member is a key.
  explicit MemoryState(ValueObject initial = {}) : values_(std::move(initial)) {}
  Value Get(std::string_view key) override;
  bool Has(std::string_view key) override;
  std::vector<std::string> Keys() override;
  Result<std::uint64_t> Set(std::string_view key, std::span<const PathStep> path,
                            const Value& value) override;
  Result<std::uint64_t> Delete(std::string_view key, std::span<const PathStep> path) override;
  const ValueObject& values() const { return values_; }
  std::uint64_t revision() const { return revision_; }

 private:
  ValueObject values_;
  std::uint64_t revision_ = 0;
};

/// The answer to a suspended call.
struct Answer {
  bool success = true;
  Value value;                                        ///< When success.
  RunErrorCode code = RunErrorCode::kExtensionError;  ///< When not.
  std::string message;  ///< When not: becomes the exception's message at the await.
  Value details;        ///< When not: optional object, becomes `error.details`.

  static Answer Ok(Value value) {
    return {.value = std::move(value), .message = {}, .details = {}};
  }
  static Answer Failed(std::string message, RunErrorCode code = RunErrorCode::kExtensionError) {
    return {
        .success = false, .value = {}, .code = code, .message = std::move(message), .details = {}};
  }
};

struct ExtensionCall {
  std::string run_id;
  std::string suspension_id;
  std::string extension;  ///< Registered name.
  std::string method;
  ValueArray args;
  std::string idempotency_key;        ///< Stable across retries after a crash.
  std::int64_t deadline_unix_ms = 0;  ///< 0: none.
  std::string panel_id = {};          ///< Whose run it is; empty outside a panel.
};

struct MethodDescriptor {
  std::string name;
  std::string summary;                       ///< One line for people.
  bool idempotent = false;                   ///< May be repeated after a crash with the same key.
  std::optional<std::size_t> path_argument;  ///< Index of the argument path-prefix grants judge.
  /// JSON Schema of the list of arguments ("prefixItems", each with its name as "title"), and of
  /// the result. Empty: not described. The text outlives the extension; extension/schema.h says
  /// which part of JSON Schema is understood.
  std::string_view parameters = {};
  std::string_view result = {};
};

/// `done` is called exactly once, from any thread, possibly before Call returns.
using AnswerFunction = std::move_only_function<void(Answer)>;

/// One named capability of the host. Thread-safe: calls of many runs come at once.
class Extension {
 public:
  virtual ~Extension() = default;
  virtual std::string_view name() const = 0;
  virtual std::span<const MethodDescriptor> methods() const = 0;
  /// `call.method` is one of methods().
  virtual void Call(ExtensionCall call, AnswerFunction done) = 0;
  /// The run is gone: its outstanding calls may be abandoned. `done` is still called.
  virtual void Abandon(std::string_view run_id) { (void)run_id; }
};

/// What one run sees as `$ext`: alias -> extension. Immutable while runs use it.
struct ExtensionBinding {
  std::string alias;
  std::shared_ptr<Extension> extension;
};

/// Answers `$tools.name(args)`; the panel provides it. Same rules as Extension::Call.
class ToolBinding {
 public:
  virtual ~ToolBinding() = default;
  virtual void CallTool(std::string_view run_id, std::string_view name, Value args,
                        AnswerFunction done) = 0;
  virtual std::vector<std::string> ToolNames() const = 0;
};

/// Effects as they happen, before any I/O the program does after them starts. On the run's thread.
class EffectObserver {
 public:
  virtual ~EffectObserver() = default;
  /// `flush.status` says how the run stands; its effect lists hold what is new.
  virtual void OnFlush(const RunResult& flush) = 0;
  virtual void OnLog(std::string_view run_id, const LogEntry& entry) {
    (void)run_id;
    (void)entry;
  }
};

}  // namespace nexus
