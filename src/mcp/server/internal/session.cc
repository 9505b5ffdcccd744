#include "mcp/server/internal/session.h"

#include <utility>

namespace nexus::mcp::internal {

void Session::Ask(std::shared_ptr<CallImpl> call, InputRequired required) {
  auto round = std::make_shared<Round>();
  round->call = call;
  round->answers.request_state = std::move(required.request_state);
  round->missing = required.requests.size();
  if (round->missing == 0) return call->Answered(std::move(round->answers));
  std::vector<std::string> messages;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, request] : required.requests) {
      const RequestId ask_id = RequestId::Of(next_ask_++);
      const Value* const params = request.Find("params");
      messages.push_back(WriteRequest(ask_id, request.StringOr("method", ""),
                                      params == nullptr ? Value() : *params));
      asked_.emplace(ask_id, Asked{.round = round, .key = key});
    }
  }
  for (std::string& message : messages) call->Send(std::move(message));
}

void Session::TakeAnswer(Message message) {
  std::shared_ptr<Round> round;
  bool refused = false;
  {
    const std::lock_guard lock(mutex_);
    const auto found = asked_.find(message.id);
    if (found == asked_.end()) return;
    const Asked asked = std::move(found->second);
    asked_.erase(found);
    round = asked.round;
    refused = message.kind == Message::Kind::kError;
    if (refused) {
      std::erase_if(asked_, [&](const auto& entry) { return entry.second.round == round; });
    } else {
      round->answers.responses.Set(asked.key, std::move(message.result));
      if (--round->missing != 0) return;
    }
  }
  if (refused) return round->call->Refused("the client refused: " + message.error.message);
  round->call->Answered(std::move(round->answers));
}

void Session::Close() {
  in_flight->CancelAll();
  std::map<RequestId, Asked> asked;
  const std::lock_guard lock(mutex_);
  asked.swap(asked_);
}

}  // namespace nexus::mcp::internal
