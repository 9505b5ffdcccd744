#include "extension/internal/llm_service.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/clock.h"
#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "base/ulid.h"
#include "extension/internal/call_arguments.h"
#include "extension/internal/http_request.h"

namespace nexus::internal {
namespace {

using Milliseconds = std::chrono::milliseconds;

constexpr std::size_t kStreamsMax = 64;
constexpr std::size_t kErrorBytesMax = 64 * 1024;
constexpr Milliseconds kWaitFirst{500};
constexpr Milliseconds kWaitMost{30'000};
// Providers count tokens their own way; three bytes each is more than ordinary text has.
constexpr std::uint64_t kBytesPerToken = 3;
constexpr std::uint64_t kTokensPerMessage = 8;

std::int64_t UnixMsNow() { return SystemClock().UnixMs(); }

std::uint64_t TokensOf(std::size_t bytes) { return (bytes + kBytesPerToken - 1) / kBytesPerToken; }

bool MayPass(long status) { return status == 408 || status == 429 || status >= 500; }

std::optional<Milliseconds> RetryAfter(const HttpResponse& response) {
  const std::string* text = FindHeader(response, "retry-after");
  double seconds = 0;
  if (text == nullptr) return std::nullopt;
  const auto read = std::from_chars(text->data(), text->data() + text->size(), seconds);
  if (read.ec != std::errc() || !(seconds >= 0 && seconds < 86'400)) return std::nullopt;
  return Milliseconds(static_cast<std::int64_t>(std::ceil(seconds * 1000)));
}

}  // namespace

struct LlmService::Job {
  std::string place, run_id, panel_id, key;
  LlmRequest request;
  AnswerFunction done;
  bool stream = false;
  std::uint64_t stream_id = 0;
  std::vector<Candidate> candidates;
  Candidate current = {};
  std::uint32_t attempts = 0;
  Clock::time_point deadline;
  bool reserved = false;
  LlmCost lost;  // Of attempts that may have been worked on, but never answered.
  std::vector<std::string> failures;
  // Of the attempt under way, when it streams.
  std::optional<LlmStreamReader> reader;
  std::optional<Error> broken;
  std::string error_body;
  bool begun = false;  // The program has its stream: nobody else can be asked any more.
};

Result<LlmParts> LlmParts::Make(LlmOptions options) {
  LlmParts parts;
  const LlmBudget& budget = options.budget;
  const bool money = budget.run_usd > 0 || budget.panel_day_usd > 0;
  for (const LlmProvider& provider : options.providers) {
    NEXUS_TRY(const HttpUrl url, HttpUrl::Parse(provider.url));
    HostRule rule{.host = url.host,
                  .port = url.port,
                  .literal = Address::Parse(url.host).has_value(),
                  .allow_private = true};
    parts.http.policy.Allow(std::move(rule));
    if (!provider.key.empty()) {
      NEXUS_TRY_STATUS(parts.keys.Add(provider.name, provider.key, {url.host}));
    }
    for (const LlmModel& model : provider.models) {
      if (!money || model.price.known()) continue;
      return nexus::Fail(Code::kInvalidArgument,
                         fmt::format("provider '{}': model '{}' has no price, so a budget in money "
                                     "cannot be kept: set inputUsdPerMTok and outputUsdPerMTok",
                                     provider.name, model.name));
    }
  }
  const bool replays = options.cassette_mode == CassetteMode::kReplay;
  if (options.providers.empty() && !replays) {
    return nexus::Fail(Code::kInvalidArgument,
                       "no provider is named: add one to 'providers', or replay a "
                       "cassette");
  }
  if (budget.run_tokens != 0 || budget.panel_day_tokens != 0 || money) {
    NEXUS_TRY(parts.ledger, LlmLedger::Open(budget, options.clock_unix_ms));
  }
  if (options.cassette_mode != CassetteMode::kOff) {
    NEXUS_TRY(parts.cassette, LlmCassette::Open(options.cassette, options.cassette_mode));
  }
  parts.http.calls_max = options.calls_max;
  parts.http.queue_max = options.queue_max;
  parts.options = std::move(options);
  return parts;
}

LlmService::LlmService(LlmParts parts)
    : parts_(std::move(parts)),
      health_(parts_.options.providers.size()),
      streams_({.streams_max = kStreamsMax,
                .buffer_max = parts_.options.response_bytes_max,
                .idle = Milliseconds(parts_.options.deadline_ms)}),
      transport_(parts_.http) {}

const LlmProvider& LlmService::ProviderOf(const Candidate& candidate) const {
  return parts_.options.providers[candidate.provider];
}
const LlmModel& LlmService::ModelOf(const Candidate& candidate) const {
  return ProviderOf(candidate).models[candidate.model];
}

Result<std::vector<LlmService::Candidate>> LlmService::CandidatesFor(const LlmRequest& request,
                                                                     std::string_view place) const {
  std::vector<Candidate> found;
  std::vector<std::string_view> names;
  const std::vector<LlmProvider>& providers = parts_.options.providers;
  for (std::size_t p = 0; p < providers.size(); ++p) {
    for (std::size_t m = 0; m < providers[p].models.size(); ++m) {
      const LlmModel& model = providers[p].models[m];
      if (std::find(names.begin(), names.end(), model.name) == names.end()) {
        names.push_back(model.name);
      }
      if (request.model.empty() ? m != 0 : model.name != request.model) continue;
      found.push_back({.provider = p, .model = m});
      break;
    }
  }
  if (!found.empty()) return found;
  return nexus::Fail(Code::kInvalidArgument,
                     fmt::format("{}: no provider offers the model '{}'{}: there are {}", place,
                                 request.model.substr(0, 80), DidYouMean(request.model, names),
                                 fmt::join(names, ", ")));
}

LlmCost LlmService::CostOf(const LlmModel& model, LlmUsage usage) const {
  LlmCost cost{.tokens = static_cast<std::int64_t>(usage.input_tokens + usage.output_tokens)};
  if (model.price.known()) {
    // USD for a million tokens are thousands of nano-USD for one.
    cost.nano_usd =
        std::llround((static_cast<double>(usage.input_tokens) * model.price.input_usd +
                      static_cast<double>(usage.output_tokens) * model.price.output_usd) *
                     1000);
  }
  return cost;
}

// What a call may take that asks now: its input by a generous count, and all the output it allows.
LlmUsage LlmService::Estimated(const Job& job) const {
  const std::size_t bytes = ToJson(job.request.ToValue()).size();
  return {.input_tokens = TokensOf(bytes) + kTokensPerMessage * job.request.messages.size(),
          .output_tokens = job.request.max_tokens};
}

Status LlmService::Reserve(Job& job) {
  if (parts_.ledger == nullptr) return {};
  LlmCost most;
  for (const Candidate& candidate : job.candidates) {
    const LlmCost cost = CostOf(ModelOf(candidate), Estimated(job));
    most = {.tokens = std::max(most.tokens, cost.tokens),
            .nano_usd = std::max(most.nano_usd, cost.nano_usd)};
  }
  NEXUS_TRY_STATUS(parts_.ledger->Reserve(job.key, job.run_id, job.panel_id, most));
  job.reserved = true;
  return {};
}

void LlmService::Settle(Job& job, LlmCost cost) {
  if (!std::exchange(job.reserved, false)) return;
  cost.tokens += job.lost.tokens;
  cost.nano_usd += job.lost.nano_usd;
  // If this cannot be written the reservation stays booked: too much, never too little.
  (void)parts_.ledger->Settle(job.key, cost);
}

void LlmService::Ask(const ExtensionCall& call, AnswerFunction done) {
  Result<LlmRequest> request = ReadLlmRequest(call, parts_.options);
  if (!request) return done(ToAnswer(request.error()));
  auto job = std::make_shared<Job>();
  job->place = CallArguments(call).Place();
  job->run_id = call.run_id;
  job->panel_id = call.panel_id;
  job->key = call.idempotency_key.empty() ? NewUlid(UnixMsNow()) : call.idempotency_key;
  job->request = *std::move(request);
  job->done = std::move(done);
  job->stream = call.method == "stream";
  if (parts_.cassette != nullptr && parts_.cassette->mode() == CassetteMode::kReplay) {
    return Replay(job);
  }
  auto candidates = CandidatesFor(job->request, job->place);
  if (!candidates) return job->done(ToAnswer(candidates.error()));
  job->candidates = *std::move(candidates);
  Milliseconds left(parts_.options.deadline_ms);
  if (call.deadline_unix_ms != 0) {
    left = std::clamp(Milliseconds(call.deadline_unix_ms - UnixMsNow()), Milliseconds(1), left);
  }
  job->deadline = Clock::now() + left;
  if (Status reserved = Reserve(*job); !reserved) {
    const bool spent = reserved.error().code() == Code::kResourceExhausted;
    Answer answer = ToAnswer(std::move(reserved).error().Context(job->place));
    if (spent) answer.code = RunErrorCode::kQuotaExceeded;
    return job->done(std::move(answer));
  }
  if (job->stream) {
    Result<std::uint64_t> id = streams_.Open(job->run_id);
    if (!id) return Fail(job, std::move(id).error(), RunErrorCode::kOverloaded);
    job->stream_id = *id;
  }
  Attempt(job);
}

// The provider that comes first among those that are not left alone; else the one that is free
// soonest, and then not before that.
void LlmService::Attempt(const JobPtr& job) {
  const Clock::time_point now = Clock::now();
  Clock::time_point start = Clock::time_point::max();
  {
    const std::scoped_lock lock(mutex_);
    for (const Candidate& candidate : job->candidates) {
      const Clock::time_point free_at = std::max(now, health_[candidate.provider].free_at);
      if (free_at >= start) continue;
      start = free_at;
      job->current = candidate;
    }
  }
  const bool too_late =
      start >= job->deadline || start - now > Milliseconds(parts_.options.retry_wait_ms_max);
  if (job->attempts >= parts_.options.attempts_max || too_late) {
    const std::string why =
        job->failures.empty()
            ? fmt::format("every provider failed a moment ago; the next may be asked in {} s",
                          std::chrono::ceil<std::chrono::seconds>(start - now).count())
            : fmt::format("no provider answered: {}", fmt::join(job->failures, "; "));
    return Fail(job, Error(Code::kUnavailable, why + ": try again later"),
                RunErrorCode::kUnavailable);
  }
  ++job->attempts;
  job->error_body.clear();
  job->broken.reset();
  job->reader.reset();
  if (job->stream) job->reader.emplace(ProviderOf(job->current).format);
  HttpRequest request = MakeRequest(*job);
  request.start_at = start;
  const std::uint64_t number = transport_.Submit(
      std::move(request), [this, job](HttpOutcome outcome) { Ended(job, std::move(outcome)); },
      job->stream ? MakeSink(job) : HttpSink{});
  if (job->stream_id != 0) {
    streams_.SetSource(job->stream_id,
                       {.resume = {},  // Never paused: the buffer holds a whole answer.
                        .cancel = [this, number] { transport_.Cancel(number); }});
  }
}

HttpRequest LlmService::MakeRequest(const Job& job) const {
  const LlmProvider& provider = ProviderOf(job.current);
  const bool openai = provider.format == LlmFormat::kOpenAi;
  HttpRequest request;
  request.place = job.place;
  request.run_id = job.run_id;
  request.method = "POST";
  std::string url = provider.url;
  while (url.ends_with('/')) url.pop_back();
  // LlmParts::Make has read the front of it.
  request.url = *HttpUrl::Parse(url + (openai ? "/chat/completions" : "/v1/messages"));
  request.headers = {{"content-type", "application/json"}, {"idempotency-key", job.key}};
  if (!openai) request.headers.emplace_back("anthropic-version", "2023-06-01");
  if (!provider.key.empty()) {
    request.headers.emplace_back(openai ? "authorization" : "x-api-key",
                                 openai ? "Bearer " + provider.key : provider.key);
  }
  request.body = WriteLlmBody(job.request, provider, ModelOf(job.current).id, job.stream);
  request.has_body = true;
  request.response_bytes_max = parts_.options.response_bytes_max;
  request.redirect = RedirectMode::kError;
  request.deadline = job.deadline;
  if (!job.stream) {
    request.deadline =
        std::min(job.deadline, Clock::now() + Milliseconds(parts_.options.timeout_ms));
  }
  return request;
}

HttpSink LlmService::MakeSink(const JobPtr& job) {
  HttpSink sink;
  sink.on_head = [this, job](const HttpRequest&, const HttpResponse& response) {
    if (response.status < 200 || response.status > 299) return;
    job->begun = true;
    std::exchange(job->done, nullptr)(
        Answer::Ok(Value::Object({{"id", job->stream_id},
                                  {"model", ModelOf(job->current).name},
                                  {"provider", ProviderOf(job->current).name}})));
  };
  sink.on_data = [this, job](std::string_view data) {
    if (!job->begun) {
      job->error_body.append(data.substr(0, kErrorBytesMax - job->error_body.size()));
      return SinkAnswer::kMore;
    }
    Result<std::string> text = job->reader->Feed(data);
    if (!text) {
      job->broken = std::move(text).error();
      return SinkAnswer::kStop;
    }
    if (text->empty()) return SinkAnswer::kMore;
    const bool gone = streams_.Push(job->stream_id, *text) == StreamTable::Taken::kGone;
    return gone ? SinkAnswer::kStop : SinkAnswer::kMore;
  };
  return sink;
}

void LlmService::Ended(const JobPtr& job, HttpOutcome outcome) {
  const LlmProvider& provider = ProviderOf(job->current);
  if (job->broken) {
    outcome.error = std::move(job->broken);
    outcome.code.reset();
  }
  if (outcome.error) {
    const Code code = outcome.error->code();
    const bool cancelled = outcome.code == RunErrorCode::kCancelled;
    const bool may_pass = code == Code::kUnavailable || code == Code::kDeadlineExceeded;
    // It may have been worked on, and paid for, though nobody says so.
    if (!job->begun) {
      const LlmUsage asked{.input_tokens = Estimated(*job).input_tokens, .output_tokens = 0};
      const LlmCost cost = CostOf(ModelOf(job->current), asked);
      job->lost.tokens += cost.tokens;
      job->lost.nano_usd += cost.nano_usd;
    }
    if (may_pass && !cancelled && !outcome.code && !job->begun) {
      return TryAgain(job, outcome, outcome.error->message());
    }
    const RunErrorCode answered = outcome.code ? *outcome.code : ToAnswer(*outcome.error).code;
    return Fail(job, *std::move(outcome.error), answered);
  }
  const long status = outcome.response.status;
  if (status < 200 || status > 299) {
    const std::string said = ReadLlmError(job->stream ? job->error_body : outcome.response.body);
    std::string why =
        fmt::format("'{}' answered {}{}{}", provider.name, status, said.empty() ? "" : ": ", said);
    if (MayPass(status)) return TryAgain(job, outcome, std::move(why));
    return Fail(job, Error(Code::kInvalidArgument, std::move(why)), RunErrorCode::kExtensionError);
  }
  Result<LlmAnswer> answer =
      job->stream ? job->reader->Finish() : ReadLlmAnswer(provider.format, outcome.response.body);
  if (answer) return Succeed(job, *std::move(answer));
  std::string why = fmt::format("'{}': {}", provider.name, answer.error().message());
  if (job->begun)
    return Fail(job, Error(Code::kDataLoss, std::move(why)), RunErrorCode::kExtensionError);
  TryAgain(job, outcome, std::move(why));
}

// Leaves the provider alone for a while and asks whoever is next.
void LlmService::TryAgain(const JobPtr& job, const HttpOutcome& outcome, std::string why) {
  parts_.keys.Redact(why);
  if (job->failures.size() < 8) job->failures.push_back(std::move(why));
  {
    const std::scoped_lock lock(mutex_);
    Health& health = health_[job->current.provider];
    Milliseconds wait = std::min(kWaitMost, kWaitFirst * (1 << std::min(health.failures, 8U)));
    wait = wait / 2 + Milliseconds(SystemEntropy64() % static_cast<std::uint64_t>(wait.count()));
    ++health.failures;
    health.free_at = Clock::now() + RetryAfter(outcome.response).value_or(wait);
  }
  Attempt(job);
}

void LlmService::Succeed(const JobPtr& job, LlmAnswer answer) {
  {
    const std::scoped_lock lock(mutex_);
    health_[job->current.provider] = {};
  }
  const LlmModel& model = ModelOf(job->current);
  LlmUsage usage = Estimated(*job);
  usage.output_tokens = TokensOf(answer.text.size());
  if (answer.usage) usage = *answer.usage;
  const LlmCost cost = CostOf(model, usage);
  Settle(*job, cost);
  ValueObject counted{{"inputTokens", usage.input_tokens}, {"outputTokens", usage.output_tokens}};
  if (!answer.usage) counted.Append("estimated", true);
  ValueObject result{{"text", std::move(answer.text)},
                     {"model", answer.model.empty() ? model.id : answer.model},
                     {"provider", ProviderOf(job->current).name},
                     {"stopReason", answer.stop_reason}};
  ValueArray calls;
  for (LlmToolCall& call : answer.tool_calls) {
    calls.push_back(
        Value::Object({{"id", call.id}, {"name", call.name}, {"args", std::move(call.args)}}));
  }
  if (!calls.empty()) result.Append("toolCalls", std::move(calls));
  result.Append("usage", std::move(counted));
  if (model.price.known()) result.Append("costUsd", static_cast<double>(cost.nano_usd) / 1e9);
  Value value(std::move(result));
  parts_.keys.Redact(value);
  if (parts_.cassette != nullptr && parts_.cassette->mode() == CassetteMode::kRecord) {
    if (Status kept = parts_.cassette->Record(job->request.ToValue(), value); !kept) {
      return Fail(job, std::move(kept).error(), RunErrorCode::kUnavailable);
    }
  }
  Deliver(job, Answer::Ok(std::move(value)));
}

void LlmService::Fail(const JobPtr& job, Error error, RunErrorCode code) {
  LlmCost cost;
  if (job->begun && job->reader) {
    LlmUsage usage = Estimated(*job);
    usage.output_tokens = TokensOf(job->reader->so_far().text.size());
    cost = CostOf(ModelOf(job->current), usage);
  }
  Settle(*job, cost);
  Answer answer =
      ToAnswer(error.message().starts_with(job->place) ? std::move(error)
                                                       : std::move(error).Context(job->place));
  answer.code = code;
  parts_.keys.Redact(answer.message);
  Deliver(job, std::move(answer));
}

// To whoever waits: for the call itself, or for the end of its stream.
void LlmService::Deliver(const JobPtr& job, Answer answer) {
  if (job->stream && job->begun) return streams_.End(job->stream_id, std::move(answer));
  if (job->stream_id != 0) streams_.Close(job->stream_id, job->run_id);
  std::exchange(job->done, nullptr)(std::move(answer));
}

void LlmService::Replay(const JobPtr& job) {
  Result<Value> found = parts_.cassette->Find(job->request.ToValue());
  if (!found) return job->done(ToAnswer(std::move(found).error().Context(job->place)));
  if (!job->stream) return job->done(Answer::Ok(*std::move(found)));
  Result<std::uint64_t> id = streams_.Open(job->run_id);
  if (!id) return Fail(job, std::move(id).error(), RunErrorCode::kOverloaded);
  streams_.Push(*id, found->StringOr("text", ""));
  Value head = Value::Object({{"id", *id},
                              {"model", found->StringOr("model", "")},
                              {"provider", found->StringOr("provider", "")}});
  streams_.End(*id, Answer::Ok(*std::move(found)));
  job->done(Answer::Ok(std::move(head)));
}

void LlmService::Next(const ExtensionCall& call, AnswerFunction done) {
  const Result<std::uint64_t> id = ReadStreamId(call);
  if (!id) return done(ToAnswer(id.error()));
  streams_.Next(*id, call.run_id,
                [done = std::move(done)](Result<StreamTable::Piece> piece) mutable {
                  if (!piece) {
                    return done(ToAnswer(std::move(piece).error().Context("llm.next")));
                  }
                  if (piece->done && !piece->last.success) return done(std::move(piece->last));
                  ValueObject answer{{"text", std::move(piece->data)}, {"done", piece->done}};
                  if (piece->done) answer.Append("result", std::move(piece->last.value));
                  done(Answer::Ok(std::move(answer)));
                });
}

void LlmService::Stop(const ExtensionCall& call, AnswerFunction done) {
  const Result<std::uint64_t> id = ReadStreamId(call);
  if (!id) return done(ToAnswer(id.error()));
  done(Answer::Ok(streams_.Close(*id, call.run_id)));
}

void LlmService::Abandon(std::string_view run_id) {
  streams_.Abandon(run_id);
  transport_.Abandon(run_id);
}

}  // namespace nexus::internal
