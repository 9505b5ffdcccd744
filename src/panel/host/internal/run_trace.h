#pragma once
/// The spans of one run: itself, and the calls it makes.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/trace.h"
#include "panel/host/panel_host.h"
#include "sandbox/bindings.h"

namespace nexus::internal {

/// Immutable once made. What it is asked to record goes to the sink at once.
class RunTrace {
 public:
  /// nullptr when nobody keeps this trace: then nothing costs anything. `traceparent` is that of
  /// who asked; "" begins a trace.
  static std::shared_ptr<RunTrace> Begin(const std::shared_ptr<SpanSink>& sink,
                                         std::string_view traceparent);

  /// A call of the run: `done` records its span, then answers; `traceparent` is for whoever does
  /// what is asked, "" when there is no trace.
  struct Call {
    AnswerFunction done;
    std::string traceparent;
  };
  static Call Around(const std::shared_ptr<RunTrace>& trace, const Suspension& call,
                     AnswerFunction done);
  /// The run is over.
  void End(const std::string& panel_id, const std::string& handler, const RunResult& result) const;

 private:
  explicit RunTrace(std::shared_ptr<SpanSink> sink) : sink_(std::move(sink)) {}
  const std::shared_ptr<SpanSink> sink_;
  TraceContext context_;
  std::array<std::uint8_t, 8> parent_id_{};
  std::int64_t start_unix_ns_ = UnixNowNs();
};

}  // namespace nexus::internal
