#include "server/internal/panel_socket.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/json.h"
#include "base/text.h"

namespace nexus::internal {
namespace {

constexpr std::array<std::string_view, 5> kTopics = {"state", "events", "view", "logs", "runs"};
constexpr std::array<std::string_view, 4> kMessages = {"TRIGGER", "SUBSCRIBE", "UNSUBSCRIBE",
                                                       "PING"};
constexpr std::uint16_t kCloseNormal = 1000;
constexpr std::uint16_t kCloseSlow = 1013;

SharedText Share(std::string text) { return std::make_shared<const std::string>(std::move(text)); }

std::string ReplyText(const char* type, const std::string& request_id) {
  std::string out = std::string("{\"type\":\"") + type + "\"";
  if (!request_id.empty()) {
    out += ",\"requestId\":";
    AppendJsonString(out, request_id);
  }
  return out;
}

std::string ResultText(const std::string& request_id, const RunResult& result,
                       const KeyFilter& filter) {
  return ReplyText("RESULT", request_id) + ",\"result\":" + ResultJson(result, filter) + "}";
}

std::string ProgressText(const std::string& request_id, const RunResult& flush,
                         const KeyFilter& filter) {
  std::string out = ReplyText("PROGRESS", request_id) + ",\"runId\":";
  AppendJsonString(out, flush.run_id);
  ValueArray suspensions;
  for (const Suspension& suspension : flush.suspensions) {
    suspensions.push_back(Value::Object({{"suspensionId", suspension.suspension_id},
                                         {"extensionName", suspension.extension_name},
                                         {"method", suspension.method},
                                         {"args", suspension.args}}));
  }
  out += ",\"status\":\"suspended\",\"suspensions\":" + ToJson(Value(std::move(suspensions)));
  out += ",\"mutations\":[";
  bool first = true;
  for (const StateMutation& mutation : flush.state_mutations) {
    if (filter && !filter(mutation.key)) continue;
    if (!std::exchange(first, false)) out += ',';
    AppendMutation(out, mutation);
  }
  return out + "]}";
}

}  // namespace

PanelSocket::PanelSocket(const SocketServices& services, std::shared_ptr<Panel> panel,
                         PrincipalPtr principal, std::optional<std::uint64_t> after_revision)
    : services_(services),
      panel_(std::move(panel)),
      principal_(std::move(principal)),
      after_revision_(after_revision) {
  if (!principal_->MayReadAll()) {
    readable_ = [reader = principal_](std::string_view key) { return reader->MayRead(key); };
  }
  MakeFilter();
}

void PanelSocket::MakeFilter() {
  filter_ = nullptr;
  if (!keys_ && principal_->MayReadAll()) return;
  // A copy of the keys: a filter may wait in the outbox longer than the subscription.
  filter_ = [keys = keys_, principal = principal_](std::string_view key) {
    if (keys && std::find(keys->begin(), keys->end(), key) == keys->end()) return false;
    return principal->MayRead(key);
  };
}

void PanelSocket::OnOpen(SocketPort& port) {
  port_ = &port;
  services_.hub->Attach(shared_from_this(), after_revision_);
}

void PanelSocket::OnClosed() {
  port_ = nullptr;
  services_.hub->Detach(this);
  for (const auto& [run_id, ends] : calls_) {
    if (ends) (void)panel_->Cancel(run_id);
  }
}

void PanelSocket::PanelGone() {
  if (port_ != nullptr) port_->Close(kCloseNormal, "Panel destroyed");
}

SharedText PanelSocket::NextMessage() { return begun_ ? outbox_.Next() : nullptr; }

void PanelSocket::Send(SharedText text) {
  if (port_ == nullptr) return;
  outbox_.Push(std::move(text));
  CheckQueue();
}

void PanelSocket::SendError(const std::string* request_id, std::string_view code,
                            std::string_view message) {
  Send(Share(ErrorText(request_id, code, message)));
}

void PanelSocket::CheckQueue() {
  if (port_ == nullptr) return;
  if (outbox_.bytes() > services_.queue_bytes_max) {
    port_->Close(kCloseSlow, "Too slow: connect again with ?revision=");
    return;
  }
  if (begun_) port_->Wake();
}

void PanelSocket::Begin(Beginning beginning) {
  if (port_ == nullptr) return;
  std::string text = "{\"type\":\"CONNECTED\",\"panelId\":";
  AppendJsonString(text, panel_->id());
  text += ",\"revision\":" + std::to_string(beginning.revision);
  if (beginning.snapshot) {
    text += ",\"state\":";
    AppendFiltered(text, beginning.snapshot->state, readable_);
    text += ",\"computed\":";
    AppendFiltered(text, beginning.snapshot->computed, readable_);
  } else {
    text += ",\"resumed\":true";
  }
  outbox_.Push(Share(text + "}"));
  begun_revision_ = beginning.revision;
  for (const auto& update : beginning.missed) {
    begun_revision_ = std::max(begun_revision_, update->revision);
    std::string patch = PatchText(*update, filter_);
    if (!patch.empty()) outbox_.PushPatch(Share(std::move(patch)), update, filter_);
  }
  begun_ = true;
  for (const auto& broadcast : std::exchange(held_, {})) Pass(*broadcast);
  for (const std::string& message : std::exchange(early_, {})) OnMessage(message);
  CheckQueue();
}

void PanelSocket::Deliver(Broadcast& broadcast) {
  if (port_ == nullptr) return;
  if (begun_) {
    Pass(broadcast);
    return CheckQueue();
  }
  held_.push_back(std::make_shared<Broadcast>(broadcast));
  if (held_.size() > 10'000) port_->Close(kCloseSlow, "The panel changes too fast");
}

void PanelSocket::Pass(Broadcast& broadcast) {
  const auto& update = broadcast.update;
  // The beginning told of it already.
  const bool known = !update->mutations.empty() && update->revision <= begun_revision_;
  if ((topics_ & kState) != 0 && broadcast.patch != nullptr && !known) {
    if (!filter_) {
      outbox_.PushPatch(broadcast.patch, update, filter_);
    } else if (std::string patch = PatchText(*update, filter_); !patch.empty()) {
      outbox_.PushPatch(Share(std::move(patch)), update, filter_);
    }
  }
  if ((topics_ & kEvents) != 0) {
    for (const SharedText& event : broadcast.events) outbox_.Push(event);
  }
  if ((topics_ & kView) != 0 && broadcast.view != nullptr) outbox_.Push(broadcast.view);
  if ((topics_ & kLogs) != 0 && principal_->MayReadAll() && !update->logs.empty()) {
    if (broadcast.logs.empty()) {
      for (const LogEntry& entry : update->logs) {
        broadcast.logs.push_back(Share(LogText(*update, entry)));
      }
    }
    for (const SharedText& log : broadcast.logs) outbox_.Push(log);
  }
  if ((topics_ & kRuns) != 0 && update->finished) {
    if (!principal_->MayReadAll() && update->finished->principal != principal_->name) return;
    if (principal_->MayReadAll()) {
      if (broadcast.run == nullptr) {
        broadcast.run =
            Share(EventText(*update, "system:run", RunRecordToValue(*update->finished, {})));
      }
      outbox_.Push(broadcast.run);
    } else {
      outbox_.Push(
          Share(EventText(*update, "system:run", RunRecordToValue(*update->finished, filter_))));
    }
  }
}

void PanelSocket::OnMessage(std::string_view text) {
  if (!begun_) {
    if (early_.size() >= kEarlyMax) {
      if (port_ != nullptr) port_->Close(1008, "Wait for CONNECTED");
      return;
    }
    early_.emplace_back(text);
    return;
  }
  const Result<Value> message = ParseJson(text, {.bytes_max = 16 << 20, .depth_max = 128});
  if (!message) return SendError(nullptr, "PARSE_ERROR", message.error().message());
  const std::string_view type = message->StringOr("type", "");
  if (type == "TRIGGER") return Trigger(*message);
  if (type == "SUBSCRIBE") return Subscribe(*message, true);
  if (type == "UNSUBSCRIBE") return Subscribe(*message, false);
  if (type == "PING") return Send(Share("{\"type\":\"PONG\"}"));
  SendError(nullptr, "UNKNOWN_MESSAGE",
            "type '" + std::string(type.substr(0, 64)) +
                "' is none of TRIGGER, SUBSCRIBE, UNSUBSCRIBE, PING" + DidYouMean(type, kMessages));
}

void PanelSocket::Subscribe(const Value& message, bool add) {
  std::uint8_t topics = topics_;
  if (const Value* list = message.Find("topics")) {
    const auto* items = list->As<ValueArray>();
    if (items == nullptr) {
      return SendError(nullptr, "INVALID_ARGUMENT", "topics: a list of strings");
    }
    for (const Value& item : *items) {
      const auto* name = item.As<std::string>();
      const auto at =
          name == nullptr ? kTopics.end() : std::find(kTopics.begin(), kTopics.end(), *name);
      if (at == kTopics.end()) {
        return SendError(nullptr, "INVALID_ARGUMENT",
                         "topics: they are state, events, view, logs, runs" +
                             (name == nullptr ? "" : DidYouMean(*name, kTopics)));
      }
      const auto bit = static_cast<std::uint8_t>(1u << (at - kTopics.begin()));
      topics = static_cast<std::uint8_t>(add ? topics | bit : topics & ~bit);
    }
  }
  if (const Value* list = message.Find("keys")) {
    const auto* items = list->As<ValueArray>();
    if (items == nullptr || items->size() > kKeysMax) {
      return SendError(nullptr, "INVALID_ARGUMENT", "keys: a list of at most 1000 strings");
    }
    std::vector<std::string> keys = keys_.value_or(std::vector<std::string>());
    for (const Value& item : *items) {
      const auto* key = item.As<std::string>();
      if (key == nullptr) return SendError(nullptr, "INVALID_ARGUMENT", "keys: a list of strings");
      std::erase(keys, *key);
      if (add) keys.push_back(*key);
    }
    if (keys.size() > kKeysMax) {
      return SendError(nullptr, "INVALID_ARGUMENT", "keys: at most 1000 of them");
    }
    if (add || keys_) keys_ = std::move(keys);
  }
  topics_ = topics;
  MakeFilter();
}

void PanelSocket::Trigger(const Value& message) {
  const std::string request_id(message.StringOr("requestId", ""));
  const std::string tool(message.StringOr("tool", ""));
  if (request_id.size() > 256) {
    return SendError(nullptr, "INVALID_ARGUMENT", "requestId: at most 256 bytes");
  }
  if (!principal_->May(Permission::kExecute) || !principal_->MayCall(tool)) {
    return SendError(&request_id, "PERMISSION_DENIED",
                     "calling it needs panel:execute and tools:call:" + tool);
  }
  const ToolDefinition* definition = panel_->definition().FindTool(tool);
  if (definition == nullptr) {
    return SendError(&request_id, "TOOL_NOT_FOUND",
                     "panel " + panel_->id() + " has no tool '" + tool + "'");
  }
  if (calls_.size() >= kCallsMax) {
    return SendError(&request_id, "OVERLOADED", "256 calls of this connection run already: wait");
  }
  if (const std::int64_t wait_s = services_.rate(*principal_); wait_s != 0) {
    return SendError(&request_id, "RATE_LIMITED",
                     "too many calls: try again in " + std::to_string(wait_s) + " s");
  }
  ToolCall call;
  call.tool = tool;
  if (const Value* args = message.Find("args")) call.args = *args;
  if (const Value* scope = message.Find("scope")) call.scope = *scope;
  call.principal = principal_->name;
  const KeyFilter filter = readable_;
  auto observer = [weak = weak_from_this(), post = services_.post, metrics = services_.metrics,
                   panel_id = panel_->id(), request_id, filter](const RunResult& flush) {
    const bool ended = flush.status != RunStatus::kSuspended;
    if (ended) metrics->CountRun(panel_id, flush);
    SharedText text = Share(ended ? ResultText(request_id, flush, filter)
                                  : ProgressText(request_id, flush, filter));
    post([weak, text = std::move(text), run_id = flush.run_id, ended] {
      if (const auto self = weak.lock()) self->Progress(run_id, text, ended);
    });
  };
  const std::string run_id = panel_->CallTool(std::move(call), std::move(observer));
  calls_.emplace(run_id, definition->on_disconnect == OnDisconnect::kCancel);
}

void PanelSocket::Progress(const std::string& run_id, const SharedText& text, bool ended) {
  if (ended) calls_.erase(run_id);
  Send(text);
}

}  // namespace nexus::internal
