#include "panel/host/internal/run_trace.h"

#include <utility>

namespace nexus::internal {

std::shared_ptr<RunTrace> RunTrace::Begin(const std::shared_ptr<SpanSink>& sink,
                                          std::string_view traceparent) {
  if (sink == nullptr) return nullptr;
  const std::optional<TraceContext> parent = ParseTraceparent(traceparent);
  // Who asked decides whether the trace is kept.
  if (parent ? !parent->sampled : !sink->Sample()) return nullptr;
  std::shared_ptr<RunTrace> trace(new RunTrace(sink));
  trace->context_ = parent ? ChildOf(*parent) : NewTrace(true);
  if (parent) trace->parent_id_ = parent->span_id;
  return trace;
}

RunTrace::Call RunTrace::Around(const std::shared_ptr<RunTrace>& trace, const Suspension& call,
                                AnswerFunction done) {
  if (trace == nullptr) return {.done = std::move(done), .traceparent = {}};
  Span span;
  span.context = ChildOf(trace->context_);
  span.parent_id = trace->context_.span_id;
  span.name = call.extension_name + "." + call.method;
  span.kind = SpanKind::kClient;
  span.start_unix_ns = UnixNowNs();
  span.attributes = {{"nexus.extension", call.extension_name},
                     {"nexus.method", call.method},
                     {"nexus.suspension.id", call.suspension_id}};
  std::string traceparent = span.context.ToTraceparent();
  auto traced = [trace, span = std::move(span), done = std::move(done)](Answer answer) mutable {
    span.end_unix_ns = UnixNowNs();
    span.failed = !answer.success;
    if (span.failed) span.message = RunErrorCodeName(answer.code);
    trace->sink_->Record(std::move(span));
    done(std::move(answer));
  };
  return {.done = std::move(traced), .traceparent = std::move(traceparent)};
}

void RunTrace::End(const std::string& panel_id, const std::string& handler,
                   const RunResult& result) const {
  Span span;
  span.context = context_;
  span.parent_id = parent_id_;
  span.name = "run " + handler;
  span.start_unix_ns = start_unix_ns_;
  span.end_unix_ns = UnixNowNs();
  const RunMetrics& metrics = result.metrics;
  const auto number = [](std::uint64_t value) { return Value(static_cast<double>(value)); };
  span.attributes = {{"nexus.panel.id", panel_id},
                     {"nexus.handler", handler},
                     {"nexus.run.id", result.run_id},
                     {"nexus.run.status", RunStatusName(result.status)},
                     {"nexus.run.duration_us", number(metrics.duration_us)},
                     {"nexus.run.cpu_us", number(metrics.cpu_us)},
                     {"nexus.run.queue_us", number(metrics.queue_us)},
                     {"nexus.run.memory_peak_bytes", number(metrics.memory_peak_bytes)},
                     {"nexus.run.suspensions", number(metrics.suspensions)}};
  if (result.error) {
    // The code, not the message: a program writes it, and may write secrets into it.
    span.failed = true;
    span.message = RunErrorCodeName(result.error->code);
    span.attributes.emplace_back("error.type", RunErrorCodeName(result.error->code));
  }
  sink_->Record(std::move(span));
}

}  // namespace nexus::internal
