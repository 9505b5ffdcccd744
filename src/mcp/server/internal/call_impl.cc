#include "mcp/server/internal/call_impl.h"

#include <utility>

#include "mcp/server/internal/request_state.h"
#include "mcp/server/internal/session.h"

namespace nexus::mcp::internal {

RpcResult<void> InFlight::Add(const RequestId& id, std::shared_ptr<CallImpl> call) {
  const std::lock_guard lock(mutex_);
  if (calls_.size() >= max_) {
    return Refuse(code::kInternalError, "too many requests are under way: wait for some of them");
  }
  if (!calls_.try_emplace(id.json, std::move(call)).second) {
    return Refuse(code::kInvalidRequest, "id " + id.json + " is in use: its request is under way");
  }
  return {};
}

void InFlight::Remove(const RequestId& id) {
  std::shared_ptr<CallImpl> removed;  // Ends outside of the lock.
  const std::lock_guard lock(mutex_);
  const auto found = calls_.find(id.json);
  if (found == calls_.end()) return;
  removed = std::move(found->second);
  calls_.erase(found);
}

std::shared_ptr<CallImpl> InFlight::Find(const RequestId& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = calls_.find(id.json);
  return found == calls_.end() ? nullptr : found->second;
}

std::size_t InFlight::size() const {
  const std::lock_guard lock(mutex_);
  return calls_.size();
}

void InFlight::CancelAll() {
  std::unordered_map<std::string, std::shared_ptr<CallImpl>> calls;
  {
    const std::lock_guard lock(mutex_);
    calls.swap(calls_);
  }
  for (const auto& [id, call] : calls) call->Cancel(true);
}

ReplySinkPtr CallImpl::End() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(ended_, true)) return nullptr;
  on_cancel_ = nullptr;
  return std::move(start_.sink);
}

void CallImpl::FinishWith(const std::string& result_json) {
  const ReplySinkPtr sink = End();
  if (sink == nullptr) return;
  // Before the answer leaves: a client may use the id again as soon as it has it.
  if (start_.in_flight != nullptr) start_.in_flight->Remove(start_.id);
  sink->Finish(mcp::WriteResult(start_.id, result_json), 200, more_);
}

void CallImpl::Fail(RpcError error) {
  const ReplySinkPtr sink = End();
  if (sink == nullptr) return;
  if (start_.in_flight != nullptr) start_.in_flight->Remove(start_.id);
  if (!modern() && start_.method == "resources/read" && error.code == code::kInvalidParams &&
      error.data.Find("uri") != nullptr) {
    error.code = code::kResourceNotFound;
  }
  // What a provider says of a well-formed request is an answer; only a missing capability and a
  // missing method are the transport's business too.
  const bool by_status = modern() && (error.code == code::kMissingClientCapability ||
                                      error.code == code::kMethodNotFound);
  sink->Finish(WriteError(start_.id, error), by_status ? HttpStatusOf(error) : 200);
}

void CallImpl::Send(std::string message, std::string_view key) {
  const std::lock_guard lock(mutex_);
  if (!ended_) start_.sink->Send(std::move(message), key);
}

void CallImpl::Progress(double progress, std::optional<double> total, std::string_view message) {
  if (!wants_progress()) return;
  std::string text = WriteNotification("notifications/progress",
                                       ToValue(ProgressParams{.token = start_.meta.progress_token,
                                                              .progress = progress,
                                                              .total = total,
                                                              .message = std::string(message)}));
  const std::lock_guard lock(mutex_);
  if (ended_ || (last_progress_ && progress <= *last_progress_)) return;
  last_progress_ = progress;
  start_.sink->Send(std::move(text));
}

void CallImpl::Log(LogLevel level, std::string_view logger, const Value& data) {
  const std::optional<LogLevel> least =
      modern()
          ? start_.meta.log_level
          : (start_.session == nullptr ? std::nullopt : std::optional(start_.session->log_level()));
  if (!least || level < *least) return;
  ValueObject params{{"level", LogLevelWord(level)}};
  if (!logger.empty()) params.Append("logger", logger);
  params.Append("data", data.is_undefined() ? Value(nullptr) : data);
  Send(WriteNotification("notifications/message", Value(std::move(params))));
}

void CallImpl::OnCancel(std::move_only_function<void()> action) {
  {
    const std::lock_guard lock(mutex_);
    if (!cancelled()) {
      if (!ended_) on_cancel_ = std::move(action);
      return;
    }
  }
  action();
}

void CallImpl::CloseStream() {
  const std::lock_guard lock(mutex_);
  if (!ended_) start_.sink->Suspend();
}

void CallImpl::Cancel(bool gone) {
  ReplySinkPtr sink;
  std::move_only_function<void()> action;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(ended_, true)) return;
    gone_.store(gone, std::memory_order_release);
    cancelled_.store(true, std::memory_order_release);
    sink = std::move(start_.sink);
    action = std::move(on_cancel_);
  }
  if (start_.in_flight != nullptr) start_.in_flight->Remove(start_.id);
  if (action) action();
  sink->Drop();
}

void CallImpl::Ask(InputRequired required) {
  for (const auto& [key, request] : required.requests) {
    const std::string method(request.StringOr("method", ""));
    if (client().CanAnswer(method)) continue;
    if (!modern()) return Refused("this client did not declare that it answers " + method);
    return Fail(
        {.code = code::kMissingClientCapability,
         .message = "this request needs a client that answers " + method,
         .data = Value::Object({{"requiredCapabilities", ClientCapabilities::NeededFor(method)}})});
  }
  if (!modern()) {
    if (start_.session == nullptr || retry_ == nullptr) return Refused("nobody can be asked here");
    return start_.session->Ask(shared_from_this(), std::move(required));
  }
  if (required.request_state) {
    const Settings& settings = *start_.settings;
    required.request_state = SealState(settings.options.state_key, *required.request_state,
                                       {.principal = caller().principal, .request = binding_},
                                       settings.clock.UnixMs() + settings.options.state_ttl_ms);
  }
  FinishWith(WriteResult(required, Frame()));
}

RpcResult<void> CallImpl::OpenRequestState(InputAnswers& answers) const {
  if (!answers.request_state) return {};
  NEXUS_TRY(answers.request_state,
            OpenState(start_.settings->options.state_key, *answers.request_state,
                      {.principal = caller().principal, .request = binding_},
                      start_.settings->clock.UnixMs()));
  return {};
}

void CallImpl::Answered(InputAnswers answers) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
  }
  // Copied by each round: the next one may ask again.
  retry_(shared_from_this(), std::move(answers));
}

void CallImpl::Refused(std::string_view why) {
  if (start_.method == "tools/call") return Finish(ToolFailure(std::string(why)));
  Fail({.code = code::kInvalidRequest, .message = std::string(why), .data = {}});
}

}  // namespace nexus::mcp::internal
