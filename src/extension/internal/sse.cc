#include "extension/internal/sse.h"

#include <fmt/format.h>

namespace nexus::internal {

Status SseDecoder::Feed(std::string_view bytes, const OnEvent& on_event) {
  while (!bytes.empty()) {
    // The LF of a CRLF whose CR ended the last line.
    if (after_cr_ && bytes.front() == '\n') bytes.remove_prefix(1);
    after_cr_ = false;
    const std::size_t end = bytes.find_first_of("\r\n");
    line_.append(bytes.substr(0, end));
    if (line_.size() + data_.size() > event_bytes_max_) {
      return Fail(Code::kResourceExhausted,
                  fmt::format("an event of the stream has more than {} bytes", event_bytes_max_));
    }
    if (end == std::string_view::npos) return {};
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    std::string_view line = line_;
    if (first_line_ && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
    first_line_ = false;
    TakeLine(line, on_event);
    line_.clear();
  }
  return {};
}

void SseDecoder::TakeLine(std::string_view line, const OnEvent& on_event) {
  if (line.empty()) {
    if (has_data_) on_event(event_.empty() ? std::string_view("message") : event_, data_);
    event_.clear();
    data_.clear();
    has_data_ = false;
    return;
  }
  const std::size_t colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "event") event_ = value;
  if (field != "data") return;
  if (has_data_) data_ += '\n';
  data_.append(value);
  has_data_ = true;
}

}  // namespace nexus::internal
