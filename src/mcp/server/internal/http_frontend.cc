#include "mcp/server/internal/http_frontend.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "base/base64.h"
#include "base/random.h"
#include "mcp/server/internal/header_check.h"

namespace nexus::mcp::internal {
namespace {

constexpr std::string_view kSessionHeader = "mcp-session-id";
constexpr std::size_t kSessionIdBytes = 24;

const HttpHeaders& StreamHeaders() {
  static const HttpHeaders headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}};
  return headers;
}

// An answer that is JSON unless something was said before: then it becomes a stream.
class HttpSink final : public ReplySink {
 public:
  /// `session` null: modern, without resumption.
  HttpSink(std::shared_ptr<HttpExchange> exchange, HttpSessionPtr session, bool may_stream)
      : exchange_(std::move(exchange)), session_(std::move(session)), may_stream_(may_stream) {}

  void Send(std::string message, std::string_view key) override {
    if (!may_stream_) return;
    Open();
    if (stream_ != nullptr) {
      stream_->Write(message, key);
    } else {
      body_->Write(EventText({}, message), key);
    }
  }
  void Finish(std::string message, int status, bool more) override {
    if (stream_ != nullptr) {
      stream_->Write(message);
      stream_->End();
    } else if (body_ != nullptr) {
      body_->Write(EventText({}, message));
      body_->End();
    } else {
      exchange_->Answer(status, std::move(message), {}, more);
    }
  }
  void Drop() override {
    if (stream_ != nullptr) {
      stream_->End();
    } else if (body_ != nullptr) {
      body_->End();
    } else {
      exchange_->Answer(202, {}, {});
    }
  }
  void Suspend() override {
    if (session_ == nullptr || !may_stream_ || !session_->primes()) return;
    Open();
    stream_->Suspend();
  }

 private:
  void Open() {
    if (body_ != nullptr || stream_ != nullptr) return;
    if (session_ == nullptr) {
      body_ = exchange_->Stream(StreamHeaders());
      return;
    }
    auto stream = session_->NewStream();
    auto body = exchange_->Stream(StreamHeaders());
    // The request goes on without its client, which may come back for the rest.
    exchange_->OnGone([stream, raw = body.get()] { stream->Detach(raw); });
    stream->Attach(std::move(body), 0, session_->primes());
    stream_ = std::move(stream);
  }

  const std::shared_ptr<HttpExchange> exchange_;
  const HttpSessionPtr session_;
  const bool may_stream_;
  std::shared_ptr<HttpBody> body_;
  std::shared_ptr<EventStream> stream_;
};

void AnswerError(HttpExchange& exchange, int status, int error_code, std::string message) {
  HttpHeaders headers;
  if (status == 405) headers.emplace_back("Allow", "POST, GET, DELETE");
  exchange.Answer(status,
                  WriteError({}, {.code = error_code, .message = std::move(message), .data = {}}),
                  std::move(headers));
}

bool Accepts(std::string_view accept, std::string_view type) {
  return accept.empty() || accept.find(type) != std::string_view::npos ||
         accept.find("*/*") != std::string_view::npos;
}

bool IsJson(std::string_view content_type) {
  const std::string_view type = content_type.substr(0, content_type.find(';'));
  constexpr std::string_view kJson = "application/json";
  return type.size() >= kJson.size() &&
         std::equal(kJson.begin(), kJson.end(), type.begin(),
                    [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b | 0x20 : b); }) &&
         type.find_first_not_of(' ', kJson.size()) == std::string_view::npos;
}

}  // namespace

HttpSession::HttpSession(SessionPtr session_in, const ServerOptions& options)
    : session(std::move(session_in)),
      standalone(std::make_shared<EventStream>(0, options.events_kept_max, options.sse_retry_ms)),
      options_(options) {}

std::shared_ptr<EventStream> HttpSession::NewStream() {
  const std::lock_guard lock(mutex_);
  // Ended ones are kept for who comes back, the oldest go first.
  if (streams_.size() >= options_.streams_kept_max) {
    const auto ended = std::find_if(streams_.begin(), streams_.end(),
                                    [](const auto& entry) { return entry.second->ended(); });
    if (ended != streams_.end()) streams_.erase(ended);
  }
  auto stream = std::make_shared<EventStream>(next_stream_++, options_.events_kept_max,
                                              options_.sse_retry_ms);
  streams_.emplace(stream->number(), stream);
  return stream;
}

std::shared_ptr<EventStream> HttpSession::Find(std::string_view event_id,
                                               std::uint64_t& event) const {
  const std::size_t dash = event_id.find('-');
  if (dash == std::string_view::npos) return nullptr;
  std::uint64_t number = 0;
  const char* const end = event_id.data() + event_id.size();
  const auto first = std::from_chars(event_id.data(), event_id.data() + dash, number);
  const auto second = std::from_chars(event_id.data() + dash + 1, end, event);
  if (first.ec != std::errc() || first.ptr != event_id.data() + dash || second.ec != std::errc() ||
      second.ptr != end) {
    return nullptr;
  }
  if (number == 0) return standalone;
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(number);
  return found == streams_.end() ? nullptr : found->second;
}

void HttpSession::EndAll() {
  standalone->End();
  std::map<std::uint64_t, std::shared_ptr<EventStream>> streams;
  {
    const std::lock_guard lock(mutex_);
    streams.swap(streams_);
  }
  for (const auto& [number, stream] : streams) stream->End();
}

void HttpFrontend::Handle(HttpCall call, std::shared_ptr<HttpExchange> exchange) {
  if (call.method == "POST") return Post(std::move(call), exchange);
  if (call.method == "GET") return Get(call, exchange);
  if (call.method == "DELETE") return Delete(call, exchange);
  AnswerError(*exchange, 405, code::kInvalidRequest, "messages are sent with POST");
}

void HttpFrontend::Post(HttpCall call, const std::shared_ptr<HttpExchange>& exchange) {
  if (!IsJson(call.content_type)) {
    return AnswerError(*exchange, 415, code::kInvalidRequest, "Content-Type: application/json");
  }
  if (!Accepts(call.accept, "application/json") && !Accepts(call.accept, "text/event-stream")) {
    return AnswerError(*exchange, 406, code::kInvalidRequest,
                       "Accept: application/json, text/event-stream");
  }
  auto message = ReadMessage(call.body, core_->options().limits);
  if (!message) {
    core_->CountError();
    return exchange->Answer(400, WriteError(message.error().id, message.error().error), {});
  }
  const std::string_view version = call.Header("mcp-protocol-version");
  const std::optional<Revision> revision = RevisionFromName(version);
  const bool legacy_header = revision && !IsModern(*revision);
  const bool modern = (!version.empty() && !legacy_header) || HasModernMeta(message->params) ||
                      (message->method == "server/discover" && call.Header(kSessionHeader).empty());
  if (modern) return PostModern(std::move(call), *std::move(message), exchange);
  PostLegacy(call, *std::move(message), exchange);
}

void HttpFrontend::PostModern(HttpCall call, Message message,
                              const std::shared_ptr<HttpExchange>& exchange) {
  if (message.kind == Message::Kind::kNotification) return exchange->Answer(202, {}, {});
  if (message.kind != Message::Kind::kRequest) {
    return AnswerError(*exchange, 400, code::kInvalidRequest,
                       "clients send requests and notifications, not answers");
  }
  const auto sink =
      std::make_shared<HttpSink>(exchange, nullptr, Accepts(call.accept, "text/event-stream"));
  const auto check = [&](const Message& request, const RequestMeta& meta) {
    return CheckHeaders(call, request, meta, core_->provider());
  };
  const auto running = core_->HandleModern(std::move(message), call.caller, sink, nullptr, check);
  // The closing of the answer's stream is the cancellation.
  if (running != nullptr) exchange->OnGone([running, core = core_] { running->Cancel(true); });
}

HttpSessionPtr HttpFrontend::FindSession(const HttpCall& call, HttpExchange& exchange) {
  const std::string_view id = call.Header(kSessionHeader);
  if (id.empty()) {
    AnswerError(exchange, 400, code::kInvalidRequest,
                "Mcp-Session-Id: initialize first, or send the modern _meta with each request");
    return nullptr;
  }
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(id);
  if (found == sessions_.end() ||
      found->second->session->caller->principal != call.caller->principal) {
    AnswerError(exchange, 404, code::kInvalidRequest,
                "there is no such session any more: initialize anew");
    return nullptr;
  }
  found->second->used_unix_ms = core_->settings()->clock.UnixMs();
  return found->second;
}

void HttpFrontend::PostLegacy(const HttpCall& call, Message message,
                              const std::shared_ptr<HttpExchange>& exchange) {
  if (message.kind == Message::Kind::kRequest && message.method == "initialize" &&
      call.Header(kSessionHeader).empty()) {
    return Initialize(call, std::move(message), exchange);
  }
  const HttpSessionPtr session = FindSession(call, *exchange);
  if (session == nullptr) return;
  switch (message.kind) {
    case Message::Kind::kRequest: {
      const auto sink =
          std::make_shared<HttpSink>(exchange, session, Accepts(call.accept, "text/event-stream"));
      core_->HandleLegacy(std::move(message), session->session, sink);
      return;
    }
    case Message::Kind::kNotification:
      if (message.method == "notifications/cancelled") {
        if (const auto cancelled = ReadCancelled(std::move(message.params))) {
          if (auto running = session->session->in_flight->Find(cancelled->request_id)) {
            running->Cancel();
          }
        }
      }
      break;
    case Message::Kind::kResult:
    case Message::Kind::kError:
      session->session->TakeAnswer(std::move(message));
      break;
  }
  exchange->Answer(202, {}, {});
}

void HttpFrontend::Initialize(const HttpCall& call, Message message,
                              const std::shared_ptr<HttpExchange>& exchange) {
  const std::string id = ToBase64Url(SystemEntropy(kSessionIdBytes));
  RpcResult<SessionPtr> made = core_->Initialize(std::move(message.params), call.caller, id);
  if (!made) {
    core_->CountError();
    return exchange->Answer(200, WriteError(message.id, made.error()), {});
  }
  const std::int64_t now = core_->settings()->clock.UnixMs();
  MakeRoom(now);
  auto session = std::make_shared<HttpSession>(*made, core_->options());
  session->used_unix_ms = now;
  core_->Subscribe(**made, [stream = session->standalone](std::string text, std::string_view key) {
    stream->Write(text, key);
  });
  {
    const std::lock_guard lock(mutex_);
    if (!closed_) sessions_.emplace(id, session);
  }
  exchange->Answer(200, mcp::WriteResult(message.id, core_->InitializeResult(**made)),
                   {{"Mcp-Session-Id", id}});
}

void HttpFrontend::Get(const HttpCall& call, const std::shared_ptr<HttpExchange>& exchange) {
  if (call.Header(kSessionHeader).empty()) {
    return AnswerError(*exchange, 405, code::kInvalidRequest, "messages are sent with POST");
  }
  if (!Accepts(call.accept, "text/event-stream")) {
    return AnswerError(*exchange, 406, code::kInvalidRequest, "Accept: text/event-stream");
  }
  const HttpSessionPtr session = FindSession(call, *exchange);
  if (session == nullptr) return;
  std::shared_ptr<EventStream> stream = session->standalone;
  std::uint64_t after = ~std::uint64_t{0};  // Only what is new.
  if (!call.last_event_id.empty()) {
    after = 0;
    stream = session->Find(call.last_event_id, after);
    if (stream == nullptr) {
      return AnswerError(*exchange, 404, code::kInvalidRequest,
                         "Last-Event-ID: this event is not kept any more");
    }
  }
  auto body = exchange->Stream(StreamHeaders());
  exchange->OnGone([stream, raw = body.get()] { stream->Detach(raw); });
  stream->Attach(std::move(body), after, session->primes());
}

void HttpFrontend::Delete(const HttpCall& call, const std::shared_ptr<HttpExchange>& exchange) {
  if (call.Header(kSessionHeader).empty()) {
    return AnswerError(*exchange, 405, code::kInvalidRequest, "there is no session to end");
  }
  const HttpSessionPtr session = FindSession(call, *exchange);
  if (session == nullptr) return;
  {
    const std::lock_guard lock(mutex_);
    sessions_.erase(session->session->id);
  }
  End(session);
  exchange->Answer(204, {}, {});
}

void HttpFrontend::End(const HttpSessionPtr& session) {
  core_->Forget(*session->session);
  session->session->Close();
  session->EndAll();
}

// Idle sessions end; when there are too many all the same, the one unused for longest.
void HttpFrontend::MakeRoom(std::int64_t now_ms) {
  std::vector<HttpSessionPtr> ended;
  {
    const std::lock_guard lock(mutex_);
    if (sessions_.size() < core_->options().sessions_max) return;
    std::erase_if(sessions_, [&](const auto& entry) {
      const bool idle = now_ms - entry.second->used_unix_ms > core_->options().session_idle_ms;
      if (idle) ended.push_back(entry.second);
      return idle;
    });
    if (ended.empty()) {
      const auto oldest =
          std::min_element(sessions_.begin(), sessions_.end(), [](const auto& a, const auto& b) {
            return a.second->used_unix_ms < b.second->used_unix_ms;
          });
      ended.push_back(oldest->second);
      sessions_.erase(oldest);
    }
  }
  for (const HttpSessionPtr& session : ended) End(session);
}

void HttpFrontend::Shutdown() {
  std::map<std::string, HttpSessionPtr, std::less<>> sessions;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    sessions.swap(sessions_);
  }
  for (const auto& [id, session] : sessions) End(session);
}

std::size_t HttpFrontend::session_count() const {
  const std::lock_guard lock(mutex_);
  return sessions_.size();
}

}  // namespace nexus::mcp::internal

namespace nexus::mcp {

std::string_view HttpCall::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

std::size_t HttpCall::Count(std::string_view name) const {
  return static_cast<std::size_t>(std::count_if(
      headers.begin(), headers.end(), [name](const auto& header) { return header.first == name; }));
}

}  // namespace nexus::mcp
