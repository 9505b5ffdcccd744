#include "mcp/server/internal/line_connection.h"

#include <utility>

namespace nexus::mcp::internal {
namespace {

// All messages share the channel.
class LineSink final : public ReplySink {
 public:
  explicit LineSink(std::shared_ptr<MessageSink> out) : out_(std::move(out)) {}
  void Send(std::string message, std::string_view key) override {
    (void)key;
    out_->Write(std::move(message));
  }
  void Finish(std::string message, int status) override {
    (void)status;
    out_->Write(std::move(message));
  }
  void Drop() override {}

 private:
  const std::shared_ptr<MessageSink> out_;
};

}  // namespace

LineConnection::LineConnection(std::shared_ptr<Core> core, CallerPtr caller,
                               std::shared_ptr<MessageSink> out)
    : core_(std::move(core)),
      caller_(std::move(caller)),
      out_(std::move(out)),
      in_flight_(std::make_shared<InFlight>(core_->options().in_flight_max)),
      sink_(std::make_shared<LineSink>(out_)) {}

void LineConnection::Receive(std::string_view line) {
  if (closed_.load(std::memory_order_relaxed)) return;
  auto message = ReadMessage(line, core_->options().limits);
  if (!message) {
    core_->Refuse(sink_, message.error().id, message.error().error, false);
    return;
  }
  switch (message->kind) {
    case Message::Kind::kRequest:
      return Request(*std::move(message));
    case Message::Kind::kNotification:
      return Notification(*std::move(message));
    case Message::Kind::kResult:
    case Message::Kind::kError:
      if (session_ != nullptr) session_->TakeAnswer(*std::move(message));
  }
}

void LineConnection::Request(Message request) {
  if (!HasModernMeta(request.params)) {
    if (session_ != nullptr) {
      core_->HandleLegacy(std::move(request), session_, sink_);
      return;
    }
    if (request.method == "initialize") return Initialize(std::move(request));
    // A ping is allowed at any time of the older revisions.
    if (request.method == "ping") return out_->Write(mcp::WriteResult(request.id, "{}"));
  }
  core_->HandleModern(std::move(request), caller_, sink_, in_flight_);
}

void LineConnection::Initialize(Message request) {
  RpcResult<SessionPtr> session = core_->Initialize(std::move(request.params), caller_, "stdio");
  if (!session) return core_->Refuse(sink_, request.id, session.error(), false);
  session_ = *std::move(session);
  core_->Subscribe(*session_, [out = out_](std::string message, std::string_view key) {
    (void)key;
    out->Write(std::move(message));
  });
  out_->Write(mcp::WriteResult(request.id, core_->InitializeResult(*session_)));
}

void LineConnection::Notification(Message notification) {
  if (notification.method != "notifications/cancelled") return;
  const RpcResult<CancelledParams> cancelled = ReadCancelled(std::move(notification.params));
  if (!cancelled) return;
  std::shared_ptr<CallImpl> call = in_flight_->Find(cancelled->request_id);
  if (call == nullptr && session_ != nullptr) {
    call = session_->in_flight->Find(cancelled->request_id);
  }
  if (call != nullptr) call->Cancel();
}

void LineConnection::Close() {
  if (closed_.exchange(true)) return;
  in_flight_->CancelAll();
  if (session_ == nullptr) return;
  core_->Forget(*session_);
  session_->Close();
}

std::size_t LineConnection::in_flight() const {
  return in_flight_->size() + (session_ == nullptr ? 0 : session_->in_flight->size());
}

}  // namespace nexus::mcp::internal
