#include "sandbox/internal/recording.h"

#include <array>

#include "base/codec.h"

namespace nexus::internal {
namespace {

constexpr std::string_view kMagic = "NXREC001";

enum EntryKind : char { kHostCallEntry = 'c', kAnswerEntry = 'a', kStopEntry = 's' };

std::uint64_t ZigZag(std::int32_t n) {
  return (static_cast<std::uint32_t>(n) << 1) ^ static_cast<std::uint32_t>(n >> 31);
}
std::int32_t UnZigZag(std::uint64_t n) {
  const auto u = static_cast<std::uint32_t>(n);
  return static_cast<std::int32_t>((u >> 1) ^ (~(u & 1) + 1));
}

/// A few numbers, without an allocation.
class ShortText {
 public:
  void Byte(char byte) { bytes_[size_++] = byte; }
  void Varint(std::uint64_t n) {  // At most 32 bits: 5 bytes.
    for (; n >= 0x80; n >>= 7) Byte(static_cast<char>(n | 0x80));
    Byte(static_cast<char>(n));
  }
  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, 24> bytes_;
  std::size_t size_ = 0;
};

std::unexpected<Error> Corrupt(std::string_view what) {
  return Fail(Code::kDataLoss, "recording: " + std::string(what));
}

RecordedHostCall ReadHostCall(FieldReader& fields) {
  RecordedHostCall call;
  call.op = UnZigZag(fields.Number());
  call.a = UnZigZag(fields.Number());
  call.request = fields.Text();
  call.code = UnZigZag(fields.Number());
  call.reply = fields.Text();
  call.revision = fields.Wide();
  return call;
}

RecordedAnswer ReadAnswer(FieldReader& fields) {
  RecordedAnswer answer;
  answer.slot = static_cast<std::uint32_t>(fields.Number());
  answer.ok = fields.Byte() != 0;
  answer.value = fields.Text();
  return answer;
}

RecordedStopEntry ReadStop(FieldReader& fields) {
  RecordedStopEntry stop;
  stop.how = fields.Byte() == static_cast<char>(RecordedStop::kHard) ? RecordedStop::kHard
                                                                     : RecordedStop::kSoft;
  stop.reason = static_cast<std::uint8_t>(fields.Byte());
  stop.polls = static_cast<std::uint32_t>(fields.Number());
  return stop;
}

template <typename T, typename F>
Result<std::optional<T>> NextOf(std::string_view& rest, EntryKind kind, F&& read) {
  if (rest.empty() || rest.front() != kind) return std::optional<T>();
  FieldReader fields{rest.substr(1)};
  T entry = read(fields);
  if (!fields.ok) return Corrupt("an entry is cut off");
  rest = fields.rest;
  return std::optional<T>(entry);
}

}  // namespace

void RecordingWriter::Begin(const RecordingStart& header) {
  bytes_.clear();
  bytes_.reserve(384 + header.input.size());
  bytes_ += kMagic;
  for (const std::string_view text : {header.run_id, header.program_key, header.image_hash,
                                      header.program_name, header.panel_id, header.handler_name}) {
    AppendText(bytes_, text);
  }
  for (const std::uint64_t number :
       {static_cast<std::uint64_t>(header.started_unix_ms), header.memory_bytes, header.stack_bytes,
        header.heap_bytes, header.result_bytes, header.suspensions_max, header.wall_ms,
        header.cpu_ms, header.deadline_ms}) {
    AppendWide(bytes_, number);
  }
  AppendText(bytes_, header.input);
}

void RecordingWriter::HostCall(std::int32_t op, std::int32_t a, std::string_view request,
                               std::int32_t code, std::string_view reply, std::uint64_t revision) {
  // On the path of every host call: numbers are put together before they are appended.
  ShortText before;
  before.Byte(kHostCallEntry);
  before.Varint(ZigZag(op));
  before.Varint(ZigZag(a));
  before.Varint(request.size());
  bytes_.append(before.view());
  bytes_.append(request);
  ShortText between;
  between.Varint(ZigZag(code));
  between.Varint(reply.size());
  bytes_.append(between.view());
  bytes_.append(reply);
  ShortText after;
  after.Varint(revision & 0xffffffff);
  after.Varint(revision >> 32);
  bytes_.append(after.view());
}

void RecordingWriter::Answered(std::uint32_t slot, bool ok, std::string_view value) {
  bytes_ += kAnswerEntry;
  AppendVarint(bytes_, slot);
  bytes_ += static_cast<char>(ok);
  AppendText(bytes_, value);
}

void RecordingWriter::Stopped(RecordedStop how, std::uint8_t reason, std::uint32_t polls) {
  bytes_ += kStopEntry;
  bytes_ += static_cast<char>(how);
  bytes_ += static_cast<char>(reason);
  AppendVarint(bytes_, polls);
}

Result<RecordingReader> RecordingReader::Open(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) return Corrupt("not a recording of this version");
  bytes.remove_prefix(kMagic.size());
  FieldReader fields{bytes};
  RecordingReader reader;
  RecordingHeader& header = reader.header_;
  for (std::string* text : {&header.run_id, &header.program_key, &header.image_hash,
                            &header.program_name, &header.panel_id, &header.handler_name}) {
    *text = fields.Text();
  }
  header.started_unix_ms = static_cast<std::int64_t>(fields.Wide());
  for (std::uint64_t* number :
       {&header.memory_bytes, &header.stack_bytes, &header.heap_bytes, &header.result_bytes,
        &header.suspensions_max, &header.wall_ms, &header.cpu_ms, &header.deadline_ms}) {
    *number = fields.Wide();
  }
  header.input = fields.Text();
  if (!fields.ok) return Corrupt("its header is cut off");
  reader.rest_ = fields.rest;

  // Walk once, so that a corrupt tail is found before anything runs.
  FieldReader walk{fields.rest};
  while (walk.ok && !walk.rest.empty()) {
    switch (walk.Byte()) {
      case kHostCallEntry:
        ReadHostCall(walk);
        break;
      case kAnswerEntry:
        ReadAnswer(walk);
        break;
      case kStopEntry:
        reader.final_stop_ = ReadStop(walk);
        break;
      default:
        return Corrupt("an entry of unknown kind");
    }
  }
  if (!walk.ok) return Corrupt("an entry is cut off");
  return reader;
}

Result<std::optional<RecordedHostCall>> RecordingReader::NextHostCall() {
  return NextOf<RecordedHostCall>(rest_, kHostCallEntry, ReadHostCall);
}
Result<std::optional<RecordedAnswer>> RecordingReader::NextAnswer() {
  return NextOf<RecordedAnswer>(rest_, kAnswerEntry, ReadAnswer);
}
Result<std::optional<RecordedStopEntry>> RecordingReader::NextStop() {
  return NextOf<RecordedStopEntry>(rest_, kStopEntry, ReadStop);
}

}  // namespace nexus::internal
