#pragma once
/// Server-sent events (WHATWG HTML, "Parsing an event stream"), read as they arrive.

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace nexus::internal {

/// Thread-compatible. Line ends are LF, CR or CRLF, also across two feeds; a byte order mark at the
/// front is skipped; comments, ids and retry times are read over.
class SseDecoder {
 public:
  /// `event` is "message" when the stream names none. Data lines are joined by LF.
  using OnEvent = std::function<void(std::string_view event, std::string_view data)>;

  explicit SseDecoder(std::size_t event_bytes_max = std::size_t{1} << 20)
      : event_bytes_max_(event_bytes_max) {}

  /// Errors: kResourceExhausted for an event above the limit; the decoder is of no use afterwards.
  /// Cost: one pass over `bytes`.
  Status Feed(std::string_view bytes, const OnEvent& on_event);

 private:
  void TakeLine(std::string_view line, const OnEvent& on_event);

  const std::size_t event_bytes_max_;
  std::string line_, event_, data_;
  bool has_data_ = false;
  bool after_cr_ = false;
  bool first_line_ = true;
};

}  // namespace nexus::internal
