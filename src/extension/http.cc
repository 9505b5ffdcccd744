#include "extension/http.h"

#include <fmt/format.h>

#include <utility>

#include "base/utf8.h"
#include "extension/internal/call_arguments.h"
#include "extension/internal/http_transport.h"
#include "extension/internal/streams.h"

namespace nexus {
namespace {

using internal::HttpOutcome;
using internal::HttpRequest;
using internal::HttpResponse;
using internal::SinkAnswer;
using internal::StreamTable;

constexpr std::string_view kRequest = R"({"prefixItems": [
  {"title": "url", "type": "string", "minLength": 1, "maxLength": 16384},
  {"title": "options", "type": ["object", "null"], "additionalProperties": false, "properties": {
    "headers": {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
    "body": {"type": ["string", "bytes", "null"]},
    "json": {"description": "true: parse the answer; another value: send it, and parse the answer"},
    "timeoutMs": {"type": "integer", "minimum": 1},
    "timeout": {"type": "integer", "minimum": 1, "description": "older name of timeoutMs"},
    "maxBytes": {"type": "integer", "minimum": 1},
    "redirect": {"enum": ["follow", "manual", "error"]},
    "retries": {"type": "integer", "minimum": 0, "maximum": 5}}}], "minItems": 1})";
constexpr std::string_view kAnyRequest = R"({"prefixItems": [
  {"title": "url", "type": "string", "minLength": 1, "maxLength": 16384},
  {"title": "options", "type": ["object", "null"], "additionalProperties": false, "properties": {
    "method": {"type": "string", "description": "GET, POST, PUT, DELETE, HEAD, PATCH or OPTIONS"},
    "headers": {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
    "body": {"type": ["string", "bytes", "null"]},
    "json": {"description": "true: parse the answer; another value: send it, and parse the answer"},
    "timeoutMs": {"type": "integer", "minimum": 1},
    "timeout": {"type": "integer", "minimum": 1, "description": "older name of timeoutMs"},
    "maxBytes": {"type": "integer", "minimum": 1},
    "redirect": {"enum": ["follow", "manual", "error"]},
    "retries": {"type": "integer", "minimum": 0, "maximum": 5}}}], "minItems": 1})";
constexpr std::string_view kResponse = R"({"type": "object", "properties": {
  "status": {"type": "integer"}, "ok": {"type": "boolean", "description": "status 200 to 299"},
  "url": {"type": "string", "description": "after redirects"},
  "headers": {"type": "object", "additionalProperties": {"type": "string"}},
  "body": {"type": ["string", "bytes"]}, "json": {"description": "with option json"}},
  "required": ["status", "ok", "url", "headers", "body"]})";
constexpr std::string_view kOpened = R"({"type": "object", "properties": {
  "id": {"type": "integer", "description": "for next and close"}, "status": {"type": "integer"},
  "ok": {"type": "boolean"}, "url": {"type": "string"},
  "headers": {"type": "object", "additionalProperties": {"type": "string"}}},
  "required": ["id", "status", "ok", "url", "headers"]})";
constexpr std::string_view kPiece = R"({"type": "object", "properties": {
  "data": {"type": ["string", "bytes"], "description": "text when its content type says so"},
  "done": {"type": "boolean"}}, "required": ["data", "done"]})";
constexpr std::string_view kStreamId =
    R"({"prefixItems": [{"title": "id", "type": "integer", "minimum": 1}], "minItems": 1})";

MethodDescriptor Verb(const char* name, const char* summary, bool idempotent) {
  return {.name = name,
          .summary = summary,
          .idempotent = idempotent,
          .path_argument = {},
          .parameters = kRequest,
          .result = kResponse};
}

const MethodDescriptor kMethods[] = {
    Verb("get", "GET a URL", true),
    Verb("head", "HEAD of a URL", true),
    Verb("put", "PUT to a URL", true),
    Verb("delete", "DELETE a URL", true),
    Verb("post", "POST to a URL", false),
    Verb("patch", "PATCH a URL", false),
    {.name = "request",
     .summary = "Any method",
     .idempotent = false,
     .path_argument = {},
     .parameters = kAnyRequest,
     .result = kResponse},
    {.name = "stream",
     .summary = "Any method; the body is fetched with next",
     .idempotent = false,
     .path_argument = {},
     .parameters = kAnyRequest,
     .result = kOpened},
    {.name = "next",
     .summary = "The next piece of a stream",
     .idempotent = false,
     .path_argument = {},
     .parameters = kStreamId,
     .result = kPiece},
    {.name = "close",
     .summary = "End a stream early; was it open?",
     .idempotent = true,
     .path_argument = {},
     .parameters = kStreamId,
     .result = R"({"type": "boolean"})"},
};

// What is known of a stream once its head is there. Touched by the transport's thread alone until
// the stream's first byte, and read only from then on.
struct Opening {
  AnswerFunction done;
  bool text = false;
  bool with_secret = false;
};

// Whole characters only, and no secret: the longest form of one might just be coming in.
StreamTable::Prepare HoldBack(const HttpOptions& options, std::shared_ptr<Opening> opening) {
  return [&options, opening = std::move(opening)](std::string& buffer, bool ended) -> std::size_t {
    if (opening->with_secret) options.secrets.Redact(buffer);
    if (ended) return buffer.size();
    const std::size_t held = opening->with_secret ? options.secrets.longest_form() - 1 : 0;
    if (buffer.size() <= held) return 0;
    const std::string_view free = std::string_view(buffer).substr(0, buffer.size() - held);
    return opening->text ? internal::WholeCharacters(free) : free.size();
  };
}

}  // namespace

struct HttpExtension::State {
  explicit State(HttpOptions given)
      : options(std::move(given)),
        streams({.streams_max = options.streams_max,
                 .buffer_max = options.stream_buffer_max,
                 .idle = std::chrono::milliseconds(options.stream_idle_ms)}),
        transport(options) {}

  void Redact(const HttpRequest& request, Answer& answer) const {
    if (!request.with_secret) return;
    options.secrets.Redact(answer.value);
    options.secrets.Redact(answer.message);
  }
  Answer ToAnswer(HttpOutcome outcome) const {
    Answer answer;
    if (outcome.error) {
      answer = outcome.ToFailure();
    } else {
      Result<Value> value = ResponseToValue(outcome.request, std::move(outcome.response));
      answer = value ? Answer::Ok(*std::move(value)) : internal::ToAnswer(value.error());
    }
    Redact(outcome.request, answer);
    return answer;
  }

  const HttpOptions options;
  // Goes after the transport: requests that end at shutdown tell the streams so.
  StreamTable streams;
  internal::HttpTransport transport;
};

HttpExtension::HttpExtension(HttpOptions options)
    : state_(std::make_unique<State>(std::move(options))) {}
HttpExtension::~HttpExtension() = default;

std::span<const MethodDescriptor> HttpExtension::methods() const { return kMethods; }

void HttpExtension::Call(ExtensionCall call, AnswerFunction done) {
  if (call.method == "stream") return Stream(std::move(call), std::move(done));
  if (call.method == "next" || call.method == "close") return Continue(call, std::move(done));
  Result<HttpRequest> request = internal::ReadRequest(call, state_->options);
  if (!request) return done(internal::ToAnswer(request.error()));
  state_->transport.Submit(*std::move(request), [state = state_.get(), done = std::move(done)](
                                                    HttpOutcome outcome) mutable {
    done(state->ToAnswer(std::move(outcome)));
  });
}

void HttpExtension::Stream(ExtensionCall call, AnswerFunction done) {
  Result<HttpRequest> request = internal::ReadRequest(call, state_->options);
  if (!request) return done(internal::ToAnswer(request.error()));
  State* state = state_.get();
  auto opening = std::make_shared<Opening>(Opening{.done = std::move(done)});
  const Result<std::uint64_t> opened =
      state->streams.Open(call.run_id, HoldBack(state->options, opening));
  if (!opened) {
    Answer full = internal::ToAnswer(Error(opened.error()).Context(request->place));
    full.code = RunErrorCode::kOverloaded;
    return opening->done(std::move(full));
  }
  const std::uint64_t id = *opened;
  internal::HttpSink sink;
  sink.on_head = [state, opening, id](const HttpRequest& sent, const HttpResponse& response) {
    opening->text = IsText(response);
    if (!opening->text) state->streams.SetBinary(id);
    opening->with_secret = sent.with_secret;
    Value head = HeadToValue(sent, response);
    head.As<ValueObject>()->Append("id", id);
    Answer answer = Answer::Ok(std::move(head));
    state->Redact(sent, answer);
    std::exchange(opening->done, nullptr)(std::move(answer));
  };
  sink.on_data = [state, id](std::string_view data) {
    switch (state->streams.Push(id, data)) {
      case StreamTable::Taken::kYes:
        return SinkAnswer::kMore;
      case StreamTable::Taken::kFull:
        return SinkAnswer::kPause;
      case StreamTable::Taken::kGone:
        break;
    }
    return SinkAnswer::kStop;
  };
  const auto ended = [state, opening, id, run_id = call.run_id](HttpOutcome outcome) {
    Answer last = outcome.error ? state->ToAnswer(std::move(outcome)) : Answer::Ok({});
    if (!opening->done) return state->streams.End(id, std::move(last));
    state->streams.Close(id, run_id);
    opening->done(std::move(last));
  };
  const std::uint64_t number = state->transport.Submit(*std::move(request), ended, std::move(sink));
  state->streams.SetSource(id, {.resume = [state, number] { state->transport.Resume(number); },
                                .cancel = [state, number] { state->transport.Cancel(number); }});
}

void HttpExtension::Continue(const ExtensionCall& call, AnswerFunction done) {
  const Result<std::uint64_t> id = internal::ReadStreamId(call);
  if (!id) return done(internal::ToAnswer(id.error()));
  if (call.method == "close") return done(Answer::Ok(state_->streams.Close(*id, call.run_id)));
  state_->streams.Next(
      *id, call.run_id,
      [done = std::move(done), place = "http.next"](Result<StreamTable::Piece> piece) mutable {
        if (!piece) return done(internal::ToAnswer(std::move(piece).error().Context(place)));
        if (piece->done && !piece->last.success) return done(std::move(piece->last));
        const bool text = !piece->binary && FindInvalidUtf8(piece->data) == kValid;
        Value data = text ? Value(std::move(piece->data)) : Value(Bytes{std::move(piece->data)});
        done(Answer::Ok(Value::Object({{"data", std::move(data)}, {"done", piece->done}})));
      });
}

void HttpExtension::Abandon(std::string_view run_id) {
  state_->streams.Abandon(run_id);
  state_->transport.Abandon(run_id);
}

}  // namespace nexus
