#pragma once
/// A request under way: from its dispatch to its answer.

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "mcp/server/internal/reply_sink.h"
#include "mcp/server/internal/settings.h"

namespace nexus::mcp::internal {

class CallImpl;
class Session;

/// The requests of one connection or session that are not answered yet, by id. Thread-safe.
class InFlight {
 public:
  explicit InFlight(std::size_t max) : max_(max) {}
  /// Errors: kInvalidRequest for an id that is in use; kInternalError for too many.
  RpcResult<void> Add(const RequestId& id, std::shared_ptr<CallImpl> call);
  void Remove(const RequestId& id);
  std::shared_ptr<CallImpl> Find(const RequestId& id) const;
  std::size_t size() const;
  void CancelAll();

 private:
  const std::size_t max_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<CallImpl>> calls_;  // guarded by mutex_
};

struct CallStart {
  SettingsPtr settings;
  RequestId id;
  std::string method;
  CallerPtr caller;
  Revision revision = kNewest;
  std::shared_ptr<const ClientCapabilities> client;
  RequestMeta meta;  ///< Without `client`.
  ReplySinkPtr sink;
  std::shared_ptr<InFlight> in_flight;  ///< null: nobody can cancel it by its id.
  std::shared_ptr<Session> session;     ///< Legacy.
};

class CallImpl final : public Call, public std::enable_shared_from_this<CallImpl> {
 public:
  using Retry = std::move_only_function<void(std::shared_ptr<CallImpl>, InputAnswers)>;

  explicit CallImpl(CallStart start) : start_(std::move(start)) {}

  // Call
  const Caller& caller() const override { return *start_.caller; }
  Revision revision() const override { return start_.revision; }
  const ClientCapabilities& client() const override { return *start_.client; }
  const std::string& traceparent() const override { return start_.meta.traceparent; }
  bool wants_progress() const override { return !start_.meta.progress_token.is_undefined(); }
  void Progress(double progress, std::optional<double> total, std::string_view message) override;
  void Log(LogLevel level, std::string_view logger, const Value& data) override;
  bool cancelled() const override { return cancelled_.load(std::memory_order_acquire); }
  bool gone() const override { return gone_.load(std::memory_order_acquire); }
  void OnCancel(std::move_only_function<void()> action) override;
  void CloseStream() override;
  void MoreFollows() override { more_ = true; }
  void Finish(const CallToolResult& result) override { FinishWith(WriteResult(result, Frame())); }
  void Finish(const ReadResourceResult& result) override {
    FinishWith(WriteResult(result, Frame()));
  }
  void Finish(const GetPromptResult& result) override { FinishWith(WriteResult(result, Frame())); }
  void Finish(const CompleteResult& result) override { FinishWith(WriteResult(result, Frame())); }
  void Ask(InputRequired required) override;
  void Fail(RpcError error) override;

  const RequestId& id() const { return start_.id; }
  const CallerPtr& caller_ptr() const { return start_.caller; }
  const std::shared_ptr<Session>& session() const { return start_.session; }
  ResultFrame Frame() const { return start_.settings->Frame(start_.revision); }
  bool modern() const { return IsModern(start_.revision); }

  /// Ends it with a result's JSON.
  void FinishWith(const std::string& result_json);
  /// A message that belongs to it, unless it has ended.
  void Send(std::string message, std::string_view key = {});
  /// The client gave it up, or is gone: nothing is sent any more.
  void Cancel(bool gone = false);

  /// What the sealed requestState is bound to, and how a legacy client's answers are brought back.
  void SetRequestBinding(std::string binding) { binding_ = std::move(binding); }
  void SetRetry(Retry retry) { retry_ = std::move(retry); }
  /// A legacy client has answered everything that was asked.
  void Answered(InputAnswers answers);
  /// A legacy client would not answer.
  void Refused(std::string_view why);
  /// The client's requestState, opened into what the provider gave.
  RpcResult<void> OpenRequestState(InputAnswers& answers) const;

 private:
  /// Takes the sink when this ends it; null when it had ended before.
  ReplySinkPtr End();

  CallStart start_;
  std::string binding_;
  Retry retry_;
  std::atomic<bool> cancelled_{false}, gone_{false}, more_{false};
  std::mutex mutex_;
  bool ended_ = false;                         // guarded by mutex_
  std::optional<double> last_progress_;        // guarded by mutex_
  std::move_only_function<void()> on_cancel_;  // guarded by mutex_
};

}  // namespace nexus::mcp::internal
