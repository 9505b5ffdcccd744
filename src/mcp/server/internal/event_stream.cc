#include "mcp/server/internal/event_stream.h"

namespace nexus::mcp::internal {

std::string EventText(std::string_view id, std::string_view message) {
  std::string text;
  text.reserve(message.size() + id.size() + 40);
  text += "event: message\n";
  if (!id.empty()) {
    text += "id: ";
    text += id;
    text += '\n';
  }
  // A JSON text has no line ends of its own.
  text += "data: ";
  text += message;
  text += "\n\n";
  return text;
}

void EventStream::Attach(std::shared_ptr<HttpBody> body, std::uint64_t after, bool prime) {
  const std::lock_guard lock(mutex_);
  if (body_ != nullptr) body_->End();
  body_ = std::move(body);
  if (prime) {
    body_->Write("id: " + IdOf(last_ < after ? last_ : after) +
                 "\nretry: " + std::to_string(retry_ms_) + "\ndata:\n\n");
  }
  for (const auto& [event, text] : kept_) {
    if (event > after) body_->Write(text);
  }
  if (ended_) {
    body_->End();
    body_ = nullptr;
  }
}

void EventStream::Detach(const HttpBody* body) {
  const std::lock_guard lock(mutex_);
  if (body_.get() == body) body_ = nullptr;
}

void EventStream::Write(std::string_view message, std::string_view key) {
  const std::lock_guard lock(mutex_);
  if (ended_) return;
  std::string text = EventText(IdOf(++last_), message);
  if (body_ != nullptr) body_->Write(text, key);
  kept_.emplace_back(last_, std::move(text));
  if (kept_.size() > kept_max_) kept_.pop_front();
}

void EventStream::Suspend() {
  const std::lock_guard lock(mutex_);
  if (body_ != nullptr) body_->End();
  body_ = nullptr;
}

void EventStream::End() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  if (body_ != nullptr) body_->End();
  body_ = nullptr;
}

bool EventStream::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

}  // namespace nexus::mcp::internal
