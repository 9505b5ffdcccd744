#pragma once
/// Traces: which request led to which run and which call. The identifiers are W3C Trace Context's;
/// spans go to a sink, which may send them to a collector (server/otlp.h).

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/value.h"

namespace nexus {

/// One place in a trace: the trace, and the span that work done here belongs to.
struct TraceContext {
  std::array<std::uint8_t, 16> trace_id{};
  std::array<std::uint8_t, 8> span_id{};
  bool sampled = false;  ///< Somebody keeps this trace.

  std::string TraceIdHex() const;
  std::string SpanIdHex() const;
  /// "00-<trace id>-<span id>-<flags>"
  std::string ToTraceparent() const;
};

/// Reads a `traceparent` header (W3C Trace Context, section 3.2). nullopt when it is malformed, of
/// version ff, or has an id of zeros: then it is as if there were none.
std::optional<TraceContext> ParseTraceparent(std::string_view header);
/// A trace of its own.
TraceContext NewTrace(bool sampled);
/// A new span below `parent`, in its trace.
TraceContext ChildOf(const TraceContext& parent);

enum class SpanKind : std::uint8_t { kInternal = 1, kServer = 2, kClient = 3 };

/// A piece of work that is over.
struct Span {
  TraceContext context;
  std::array<std::uint8_t, 8> parent_id{};  ///< Zeros: the trace begins here.
  std::string name;
  SpanKind kind = SpanKind::kInternal;
  std::int64_t start_unix_ns = 0, end_unix_ns = 0;
  /// Strings, numbers and booleans. Never secrets, arguments or results.
  std::vector<std::pair<std::string, Value>> attributes;
  bool failed = false;
  std::string message;  ///< Of a failure.
};

/// Where spans go. Implementations are thread-safe and do not block.
class SpanSink {
 public:
  virtual ~SpanSink() = default;
  /// Whether a trace that begins here is kept.
  virtual bool Sample() = 0;
  virtual void Record(Span span) = 0;
};

/// Nanoseconds since 1970, as spans have them.
std::int64_t UnixNowNs();

}  // namespace nexus
