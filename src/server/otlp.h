#pragma once
/// Sends spans to a collector: OTLP over HTTP, in JSON, in batches, from a thread of its own.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/trace.h"

namespace nexus {

struct OtlpOptions {
  std::string endpoint;  ///< "http://127.0.0.1:4318"; "/v1/traces" is added unless it is there.
  std::vector<std::pair<std::string, std::string>> headers;  ///< Of every request: credentials.
  std::string service_name = "nexus";
  std::string instance_id;        ///< Tells nodes apart; empty: a random one.
  double sample = 1;              ///< Share of the traces that begin here; 0 to 1.
  std::size_t queue_max = 8'192;  ///< Spans that wait; above they are dropped and counted.
  std::size_t batch_max = 512;
  std::int64_t delay_ms = 1'000;  ///< How long a span may wait for others.
  std::int64_t timeout_ms = 10'000;
  int attempts_max = 4;  ///< For a batch that the collector was not ready for.
  std::string ca_file;   ///< PEM; empty: the system's authorities.
};

/// The body of one request: resourceSpans with one resource.
std::string OtlpBody(const std::vector<Span>& spans, const OtlpOptions& options);

/// Thread-safe. Record costs a lock and a move; it never blocks on the network.
class OtlpExporter final : public SpanSink {
 public:
  /// Errors: kInvalidArgument for an endpoint that is no http or https address.
  static Result<std::unique_ptr<OtlpExporter>> Create(OtlpOptions options);
  /// Sends what waits, for at most two seconds.
  ~OtlpExporter() override;

  bool Sample() override;
  void Record(Span span) override;

  struct Stats {
    std::uint64_t exported = 0;
    std::uint64_t dropped = 0;   ///< The queue was full, or the collector refused.
    std::uint64_t failures = 0;  ///< Requests that failed, those tried again included.
    std::size_t queued = 0;
  };
  Stats GetStats() const;

 private:
  class Sender;
  explicit OtlpExporter(std::unique_ptr<Sender> sender);
  std::unique_ptr<Sender> sender_;
};

}  // namespace nexus
