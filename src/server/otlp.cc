#include "server/otlp.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/json.h"
#include "base/log.h"
#include "server/fetch.h"

namespace nexus {
namespace {

constexpr std::int64_t kEndMs = 2'000;
constexpr std::int64_t kFirstPauseMs = 500;

// Protobuf's JSON form: 64-bit numbers are strings.
Value AnyValue(const Value& value) {
  if (const bool* flag = value.As<bool>()) return Value::Object({{"boolValue", *flag}});
  if (const double* number = value.As<double>()) {
    if (*number == std::floor(*number) && std::abs(*number) < 9e15) {
      return Value::Object({{"intValue", std::to_string(static_cast<std::int64_t>(*number))}});
    }
    return Value::Object({{"doubleValue", *number}});
  }
  const auto* text = value.As<std::string>();
  return Value::Object({{"stringValue", text == nullptr ? ToJson(value) : *text}});
}

Value Attribute(const std::string& key, const Value& value) {
  return Value::Object({{"key", key}, {"value", AnyValue(value)}});
}

Value SpanValue(const Span& span) {
  ValueObject value{{"traceId", span.context.TraceIdHex()}, {"spanId", span.context.SpanIdHex()}};
  const bool is_root = std::all_of(span.parent_id.begin(), span.parent_id.end(),
                                   [](std::uint8_t byte) { return byte == 0; });
  if (!is_root) {
    TraceContext parent;
    parent.span_id = span.parent_id;
    value.Append("parentSpanId", parent.SpanIdHex());
  }
  value.Append("name", span.name);
  value.Append("kind", static_cast<int>(span.kind));
  value.Append("startTimeUnixNano", std::to_string(span.start_unix_ns));
  value.Append("endTimeUnixNano", std::to_string(span.end_unix_ns));
  ValueArray attributes;
  for (const auto& [key, attribute] : span.attributes) {
    attributes.push_back(Attribute(key, attribute));
  }
  value.Append("attributes", std::move(attributes));
  if (span.failed) {
    value.Append("status", Value::Object({{"code", 2}, {"message", span.message}}));
  }
  return Value(std::move(value));
}

// The statuses for which OTLP says: later.
bool MayTryAgain(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

}  // namespace

std::string OtlpBody(const std::vector<Span>& spans, const OtlpOptions& options) {
  ValueArray list;
  for (const Span& span : spans) list.push_back(SpanValue(span));
  const Value resource = Value::Object(
      {{"attributes", Value::Array({Attribute("service.name", options.service_name),
                                    Attribute("service.version", NEXUS_VERSION),
                                    Attribute("service.instance.id", options.instance_id)})}});
  const Value scope = Value::Object({{"name", "nexus"}, {"version", NEXUS_VERSION}});
  const Value scoped = Value::Object({{"scope", scope}, {"spans", Value(std::move(list))}});
  return ToJson(Value::Object(
      {{"resourceSpans",
        Value::Array(
            {Value::Object({{"resource", resource}, {"scopeSpans", Value::Array({scoped})}})})}}));
}

class OtlpExporter::Sender {
 public:
  explicit Sender(OtlpOptions options)
      : options_(std::move(options)), thread_([this] { Loop(); }) {}
  ~Sender() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      end_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(kEndMs);
      changed_.notify_all();
    }
    thread_.join();
  }

  void Add(Span span) {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= options_.queue_max) {
      ++stats_.dropped;
      return;
    }
    queue_.push_back(std::move(span));
    if (queue_.size() == 1 || queue_.size() == options_.batch_max) changed_.notify_all();
  }
  bool Sample() {
    if (options_.sample >= 1) return true;
    // Every so many: as even as it gets, and it needs no randomness.
    const std::lock_guard lock(mutex_);
    sampled_ += options_.sample;
    if (sampled_ < 1) return false;
    sampled_ -= 1;
    return true;
  }
  Stats GetStats() const {
    const std::lock_guard lock(mutex_);
    Stats stats = stats_;
    stats.queued = queue_.size();
    return stats;
  }

 private:
  using Lock = std::unique_lock<std::mutex>;

  void Loop() {
    Lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      changed_.wait_for(lock, std::chrono::milliseconds(options_.delay_ms),
                        [this] { return stopping_ || queue_.size() >= options_.batch_max; });
      std::vector<Span> batch;
      while (!queue_.empty() && batch.size() < options_.batch_max) {
        batch.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
      Send(lock, batch);
      if (stopping_ && std::chrono::steady_clock::now() >= end_) {
        stats_.dropped += queue_.size();
        return;
      }
    }
  }

  void Send(Lock& lock, const std::vector<Span>& batch) {
    std::int64_t pause_ms = kFirstPauseMs;
    for (int attempt = 1; attempt <= options_.attempts_max; ++attempt) {
      FetchRequest request{.url = options_.endpoint,
                           .method = "POST",
                           .headers = options_.headers,
                           .body = OtlpBody(batch, options_),
                           .timeout_ms = stopping_ ? kEndMs : options_.timeout_ms,
                           .bytes_max = 64 << 10,
                           .ca_file = options_.ca_file};
      request.headers.emplace_back("Content-Type", "application/json");
      lock.unlock();
      const Result<FetchedResponse> response = Fetch(request);
      lock.lock();
      if (response && response->status >= 200 && response->status < 300) {
        stats_.exported += batch.size();
        failing_ = false;
        return;
      }
      ++stats_.failures;
      const bool again = !response || MayTryAgain(response->status);
      Complain(response ? "status " + std::to_string(response->status)
                        : std::string(response.error().message()));
      if (!again || attempt == options_.attempts_max || stopping_) break;
      changed_.wait_for(lock, std::chrono::milliseconds(pause_ms), [this] { return stopping_; });
      pause_ms *= 2;
    }
    stats_.dropped += batch.size();
  }

  // Once, until it works again: a collector that is away for a day is no flood of lines.
  void Complain(const std::string& why) {
    if (std::exchange(failing_, true)) return;
    Log(Severity::kWarn, "traces are not taken", {{"endpoint", options_.endpoint}, {"why", why}});
  }

  const OtlpOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Span> queue_;                     // guarded by mutex_
  Stats stats_;                                // guarded by mutex_
  double sampled_ = 0;                         // guarded by mutex_
  bool stopping_ = false, failing_ = false;    // guarded by mutex_
  std::chrono::steady_clock::time_point end_;  // guarded by mutex_
  std::thread thread_;                         // Last: it uses the rest.
};

OtlpExporter::OtlpExporter(std::unique_ptr<Sender> sender) : sender_(std::move(sender)) {}
OtlpExporter::~OtlpExporter() = default;

Result<std::unique_ptr<OtlpExporter>> OtlpExporter::Create(OtlpOptions options) {
  std::string& url = options.endpoint;
  if (!url.starts_with("http://") && !url.starts_with("https://")) {
    return Fail(Code::kInvalidArgument,
                "trace.endpoint \"" + url + "\": an address such as http://127.0.0.1:4318");
  }
  while (url.ends_with('/')) url.pop_back();
  if (!url.ends_with("/v1/traces")) url += "/v1/traces";
  if (options.instance_id.empty()) options.instance_id = NewTrace(false).TraceIdHex();
  return std::unique_ptr<OtlpExporter>(
      new OtlpExporter(std::make_unique<Sender>(std::move(options))));
}

bool OtlpExporter::Sample() { return sender_->Sample(); }

void OtlpExporter::Record(Span span) {
  if (span.context.sampled) sender_->Add(std::move(span));
}

OtlpExporter::Stats OtlpExporter::GetStats() const { return sender_->GetStats(); }

}  // namespace nexus
