#pragma once
/// The recording of a run: its input and everything the host told it, in order. With the same
/// program it reproduces the run exactly. Format: docs/format/recording.md.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace nexus::internal {

/// How a recorded run was stopped from outside, if it was.
enum class RecordedStop : std::uint8_t { kSoft = 1, kHard = 2 };

template <typename Text>
struct RecordingFields {
  Text run_id;
  Text program_key;
  Text image_hash;
  Text program_name;
  Text panel_id;
  Text handler_name;
  std::int64_t started_unix_ms = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t stack_bytes = 0;
  std::uint64_t heap_bytes = 0;
  std::uint64_t result_bytes = 0;
  std::uint64_t suspensions_max = 0;
  std::uint64_t wall_ms = 0;
  std::uint64_t cpu_ms = 0;
  std::uint64_t deadline_ms = 0;
  Text input;  ///< What nx_run was given.
};
using RecordingHeader = RecordingFields<std::string>;
using RecordingStart = RecordingFields<std::string_view>;

/// Appends to one buffer; costs a copy of what is recorded. Thread-compatible.
class RecordingWriter {
 public:
  void Begin(const RecordingStart& header);
  /// One host call: request, the i32 the guest got, the reply, and the state revision it made.
  void HostCall(std::int32_t op, std::int32_t a, std::string_view request, std::int32_t code,
                std::string_view reply, std::uint64_t revision);
  void Answered(std::uint32_t slot, bool ok, std::string_view value);
  void Stopped(RecordedStop how, std::uint8_t reason, std::uint32_t polls);

  const std::string& bytes() const { return bytes_; }
  std::string Take() { return std::move(bytes_); }
  void Restart(std::string prefix) { bytes_ = std::move(prefix); }

 private:
  std::string bytes_;
};

struct RecordedHostCall {
  std::int32_t op = 0, a = 0;
  std::string_view request;
  std::int32_t code = 0;
  std::string_view reply;
  std::uint64_t revision = 0;
};
struct RecordedAnswer {
  std::uint32_t slot = 0;
  bool ok = false;
  std::string_view value;
};
struct RecordedStopEntry {
  RecordedStop how = RecordedStop::kSoft;
  std::uint8_t reason = 0;
  std::uint32_t polls = 0;
};

/// Reads a recording front to back; borrows its bytes. Hostile bytes give errors, nothing else.
class RecordingReader {
 public:
  static Result<RecordingReader> Open(std::string_view bytes);
  const RecordingHeader& header() const { return header_; }

  /// The next entry when it is of that kind; nullopt when it is of another or the recording ends.
  /// Errors: kDataLoss.
  Result<std::optional<RecordedHostCall>> NextHostCall();
  Result<std::optional<RecordedAnswer>> NextAnswer();
  Result<std::optional<RecordedStopEntry>> NextStop();
  /// The stop that ends the recording, if one does, wherever the reader is.
  std::optional<RecordedStopEntry> FinalStop() const { return final_stop_; }
  bool at_end() const { return rest_.empty(); }

 private:
  RecordingHeader header_;
  std::string_view rest_;
  std::optional<RecordedStopEntry> final_stop_;
};

}  // namespace nexus::internal
