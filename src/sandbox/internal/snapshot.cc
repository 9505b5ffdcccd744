// Suspended runs as bytes: docs/format/snapshot.md.

#include <zstd.h>

#include <cstring>

#include "base/check.h"
#include "base/codec.h"
#include "base/hash.h"
#include "sandbox/internal/run_impl.h"
#include "sandbox/internal/sandbox_impl.h"
#include "sandbox/internal/snapshot.h"

namespace nexus::internal {
namespace {

constexpr std::string_view kMagic = "NXSNAP01";
constexpr int kCompressionLevel = 3;
constexpr std::size_t kSignatureBytes = 32;
constexpr std::uint64_t kDeadlineMsMax = 1'000'000'000'000;  // 30 years, without overflow in ns.
constexpr std::uint64_t kSnapshotMemoryBytesMax = std::uint64_t{4} << 30;

struct CompressorDelete {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// What the image holds in the pages of `delta`: most of a changed page is still the image's, so
// with this as the dictionary only the difference is stored.
std::string ImagePages(const Image& image, const std::vector<std::uint32_t>& index) {
  std::string pages(index.size() * kPageBytes, '\0');
  for (std::size_t i = 0; i < index.size(); ++i) {
    if (const std::uint8_t* const page = image.page(index[i])) {
      std::memcpy(pages.data() + i * kPageBytes, page, kPageBytes);
    }
  }
  return pages;
}

std::string CompressPages(const Image& image, const PageDelta& delta) {
  thread_local const std::unique_ptr<ZSTD_CCtx, CompressorDelete> context(ZSTD_createCCtx());
  const std::string dictionary = ImagePages(image, delta.index);
  std::string out(ZSTD_compressBound(delta.content.size()), '\0');
  ZSTD_CCtx_reset(context.get(), ZSTD_reset_session_and_parameters);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kCompressionLevel);
  ZSTD_CCtx_refPrefix(context.get(), dictionary.data(), dictionary.size());
  const std::size_t size = ZSTD_compress2(context.get(), out.data(), out.size(),
                                          delta.content.data(), delta.content.size());
  NEXUS_CHECK(!ZSTD_isError(size), "compressing a snapshot");
  out.resize(size);
  out.shrink_to_fit();
  return out;
}

Status ExpandPages(const Image& image, std::string_view compressed, PageDelta& delta) {
  thread_local const std::unique_ptr<ZSTD_DCtx, CompressorDelete> context(ZSTD_createDCtx());
  const std::string dictionary = ImagePages(image, delta.index);
  delta.content.resize(delta.index.size() * kPageBytes);
  ZSTD_DCtx_reset(context.get(), ZSTD_reset_session_and_parameters);
  ZSTD_DCtx_refPrefix(context.get(), dictionary.data(), dictionary.size());
  const std::size_t size =
      ZSTD_decompressDCtx(context.get(), delta.content.data(), delta.content.size(),
                          compressed.data(), compressed.size());
  if (ZSTD_isError(size) || size != delta.content.size()) {
    return nexus::Fail(Code::kDataLoss, "snapshot: its pages cannot be unpacked");
  }
  return {};
}

void AppendPageIndex(std::string& out, const std::vector<std::uint32_t>& index) {
  AppendVarint(out, index.size());
  std::uint32_t last = 0;
  for (const std::uint32_t page : index) {
    AppendVarint(out, page - last);
    last = page;
  }
}

bool ReadPageIndex(std::string_view& bytes, std::size_t pages_max,
                   std::vector<std::uint32_t>& index) {
  std::uint64_t count = 0;
  if (!ReadVarint(bytes, count) || count > bytes.size()) return false;
  std::uint64_t page = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t step = 0;
    if (!ReadVarint(bytes, step) || (i != 0 && step == 0)) return false;
    page += step;
    if (page >= pages_max) return false;
    index.push_back(static_cast<std::uint32_t>(page));
  }
  return true;
}

Status Corrupt(std::string_view what) {
  return nexus::Fail(Code::kDataLoss, "snapshot: " + std::string(what));
}

template <typename Numbers>
Value NumbersToValue(const Numbers& numbers) {
  ValueArray array;
  for (const auto number : numbers) array.emplace_back(static_cast<double>(number));
  while (!array.empty() && array.back() == Value(0)) array.pop_back();  // Most are not used.
  return array;
}

template <typename Numbers>
bool NumbersFromValue(const Value* value, Numbers& numbers) {
  const ValueArray* const array = value == nullptr ? nullptr : value->As<ValueArray>();
  if (array == nullptr || array->size() > numbers.size()) return false;
  for (std::size_t i = 0; i < array->size(); ++i) {
    const double* const number = (*array)[i].As<double>();
    if (number == nullptr || *number < 0 || *number > 1e15) return false;
    numbers[i] = static_cast<typename Numbers::value_type>(*number);
  }
  return true;
}

}  // namespace

Result<SnapshotParts> ParseSnapshotBody(std::string_view body) {
  if (!body.starts_with(kMagic)) return std::unexpected(Corrupt("not one of this version").error());
  body.remove_prefix(kMagic.size());
  std::string_view guest, engine, key, image_hash, encoded, compressed;
  SnapshotParts parts;
  std::uint64_t stack_pointer = 0;
  if (!ReadText(body, guest) || !ReadText(body, engine) || !ReadText(body, key) ||
      !ReadText(body, image_hash) || !ReadVarint(body, parts.memory_bytes) ||
      !ReadText(body, encoded) || !ReadVarint(body, stack_pointer) ||
      parts.memory_bytes > kSnapshotMemoryBytesMax || stack_pointer > parts.memory_bytes) {
    return std::unexpected(Corrupt("its header is malformed").error());
  }
  if (!ReadPageIndex(body, parts.memory_bytes / kPageBytes, parts.pages) ||
      !ReadText(body, compressed) || !body.empty()) {
    return std::unexpected(Corrupt("its pages are malformed").error());
  }
  NEXUS_TRY(parts.fields, DecodeValue(encoded));
  parts.guest_hash = guest;
  parts.engine = engine;
  parts.program_key = key;
  parts.image_hash = image_hash;
  parts.compressed = compressed;
  parts.stack_pointer = static_cast<std::uint32_t>(stack_pointer);
  return parts;
}

Status RunImpl::Compact() {
  if (!parked_) return nexus::Fail(Code::kInvalidArgument, "compact: the run is not suspended");
  if (!parked_->compressed.empty()) return {};
  parked_->compressed = CompressPages(*image_, parked_->pages);
  // Assigning `{}` would keep the capacity, and with it the memory.
  parked_->pages.content = std::vector<std::uint8_t>();
  parked_->pages.index.shrink_to_fit();
  return {};
}

Status RunImpl::Expand() {
  NEXUS_TRY_STATUS(ExpandPages(*image_, parked_->compressed, parked_->pages));
  parked_->compressed = std::string();
  return {};
}

std::size_t RunImpl::held_bytes() const {
  std::size_t bytes = sizeof(*this) + recording_.bytes().capacity();
  if (parked_) {
    bytes += parked_->pages.content.capacity() + parked_->compressed.capacity() +
             parked_->pages.index.capacity() * sizeof(std::uint32_t);
  }
  return bytes;
}

Result<std::string> RunImpl::Snapshot() {
  if (phase_ != Phase::kSuspended || !parked_) {
    return nexus::Fail(Code::kInvalidArgument,
                       "snapshot: only a suspended run can be kept: start it first");
  }
  ValueArray pending;
  for (const PendingCall& call : pending_) {
    pending.push_back(Value::Object({{"number", call.number},
                                     {"slot", call.slot},
                                     {"idempotent", call.idempotent},
                                     {"tool", call.is_tool},
                                     {"extension", call.suspension.extension_name},
                                     {"method", call.suspension.method},
                                     {"args", call.suspension.args}}));
  }
  ValueObject uses;
  for (const auto& [id, count] : gate_.uses()) uses.Append(id, count);
  const Value fields = Value::Object({{"runId", result_.run_id},
                                      {"uses", std::move(uses)},
                                      {"keptBytes", kept_bytes_},
                                      {"pending", std::move(pending)},
                                      {"suspensionCount", suspension_count_},
                                      {"suspensions", result_.metrics.suspensions},
                                      {"used", NumbersToValue(used_)},
                                      {"hostCalls", NumbersToValue(host_call_counts_)},
                                      {"runningNs", running_ns_},
                                      {"cpuNs", cpu_ns_},
                                      {"ageMs", (MonotonicNs() - started_ns_) / 1'000'000},
                                      {"takenUnixMs", sandbox_.UnixMs()}});

  std::string bytes(kMagic);
  AppendText(bytes, sandbox_.engine().guest_hash());
  AppendText(bytes, Engine::Version());
  AppendText(bytes, program_->key());
  AppendText(bytes, image_->hash());
  AppendVarint(bytes, image_->base().memory_bytes());
  std::string encoded;
  NEXUS_TRY_STATUS(EncodeValue(fields, encoded));
  AppendText(bytes, encoded);
  AppendVarint(bytes, parked_->pages.stack_pointer);
  AppendPageIndex(bytes, parked_->pages.index);
  AppendText(bytes, parked_->compressed.empty() ? CompressPages(*image_, parked_->pages)
                                                : parked_->compressed);
  if (bytes.size() + kSignatureBytes > limits_[Limit::kSnapshot]) {
    return nexus::Fail(Code::kResourceExhausted,
                       "snapshot: it takes " + std::to_string(bytes.size()) +
                           " bytes, the limit snapshot is " +
                           FormatLimit(Limit::kSnapshot, limits_[Limit::kSnapshot]));
  }
  bytes += HmacSha256(sandbox_.signing_key(), bytes);
  return bytes;
}

Status RunImpl::RestoreFields(const Value& fields) {
  const Value* const pending = fields.Find("pending");
  const ValueArray* const calls = pending == nullptr ? nullptr : pending->As<ValueArray>();
  if (calls == nullptr || !NumbersFromValue(fields.Find("used"), used_) ||
      !NumbersFromValue(fields.Find("hostCalls"), host_call_counts_)) {
    return Corrupt("its fields are malformed");
  }
  result_.run_id = fields.StringOr("runId", "");
  gate_.set_run_id(result_.run_id);
  kept_bytes_ = static_cast<std::uint64_t>(std::max(0.0, fields.NumberOr("keptBytes", 0)));
  if (const Value* uses = fields.Find("uses"); uses != nullptr && uses->As<ValueObject>()) {
    std::map<std::string, std::uint32_t> counts;
    for (const auto& [id, count] : *uses->As<ValueObject>()) {
      const double* const n = count.As<double>();
      if (n == nullptr || !(*n >= 0 && *n <= UINT32_MAX))
        return Corrupt("its fields are malformed");
      counts.emplace(id, static_cast<std::uint32_t>(*n));
    }
    gate_.RestoreUses(std::move(counts));
  }
  suspension_count_ = static_cast<std::uint32_t>(fields.NumberOr("suspensionCount", 0));
  result_.metrics.suspensions = static_cast<std::uint64_t>(fields.NumberOr("suspensions", 0));
  running_ns_ = static_cast<std::int64_t>(fields.NumberOr("runningNs", 0));
  cpu_ns_ = static_cast<std::int64_t>(fields.NumberOr("cpuNs", 0));
  // Time went on while the snapshot lay somewhere; only the wall clock knows how much.
  const double away_ms =
      std::max(0.0, static_cast<double>(sandbox_.UnixMs()) - fields.NumberOr("takenUnixMs", 0));
  const double age_ms = fields.NumberOr("ageMs", 0) + away_ms;
  started_ns_ = MonotonicNs() - static_cast<std::int64_t>(age_ms * 1e6);
  deadline_ns_ = limits_[Limit::kDeadline] == kNoLimit
                     ? INT64_MAX
                     : started_ns_ + static_cast<std::int64_t>(std::min<std::uint64_t>(
                                         limits_[Limit::kDeadline], kDeadlineMsMax)) *
                                         1'000'000;
  for (const Value& entry : *calls) {
    PendingCall call;
    call.number = static_cast<std::uint32_t>(entry.NumberOr("number", 0));
    call.slot = static_cast<std::uint32_t>(entry.NumberOr("slot", 0));
    call.idempotent = entry.BoolOr("idempotent", false);
    call.is_tool = entry.BoolOr("tool", false);
    call.suspension.suspension_id = result_.run_id + "." + std::to_string(call.number);
    call.suspension.extension_name = entry.StringOr("extension", "");
    call.suspension.method = entry.StringOr("method", "");
    if (const Value* args = entry.Find("args"); args != nullptr && args->As<ValueArray>()) {
      call.suspension.args = *args->As<ValueArray>();
    }
    for (const ExtensionBinding& binding : context_.extensions) {
      if (!call.is_tool && binding.extension->name() == call.suspension.extension_name) {
        call.extension = binding.extension;
      }
    }
    pending_.push_back(std::move(call));
  }
  return {};
}

Status RunImpl::RestoreFrom(std::string_view snapshot) {
  if (!snapshot.starts_with(kMagic) || snapshot.size() < kMagic.size() + kSignatureBytes) {
    return Corrupt("these bytes are none of this version");
  }
  const std::string_view signature = snapshot.substr(snapshot.size() - kSignatureBytes);
  snapshot.remove_suffix(kSignatureBytes);
  if (!ConstantTimeEqual(HmacSha256(sandbox_.signing_key(), snapshot), signature)) {
    return Corrupt("it is not signed by this installation, or was changed");
  }
  NEXUS_TRY(SnapshotParts parts, ParseSnapshotBody(snapshot));
  if (parts.guest_hash != sandbox_.engine().guest_hash() || parts.engine != Engine::Version()) {
    return Corrupt("it was made with another guest or engine (" + parts.engine +
                   "): restore it with the version that made it");
  }
  if (parts.program_key != program_->key()) return Corrupt("it belongs to another program");
  if (parts.memory_bytes > sandbox_.options().memory_bytes_max) {
    return nexus::Fail(Code::kResourceExhausted,
                       "snapshot: its run has more memory than this node gives (" +
                           FormatLimit(Limit::kMemory, sandbox_.options().memory_bytes_max) + ")");
  }
  if (parts.memory_bytes != image_->base().memory_bytes()) {
    auto image = sandbox_.ImageFor(*program_, parts.memory_bytes);
    if (!image) return Corrupt("no image with its memory size: " + image.error().message);
    image_ = *image;
    heap_bytes_ = std::clamp(limits_[Limit::kMemory], kGuestMemoryBytesMin,
                             std::uint64_t{image_->base().memory_bytes()});
  }
  if (parts.image_hash != image_->hash()) return Corrupt("its image differs from this program's");
  ParkedState state;
  state.pages.index = std::move(parts.pages);
  NEXUS_TRY_STATUS(ExpandPages(*image_, parts.compressed, state.pages));
  NEXUS_TRY_STATUS(RestoreFields(parts.fields));
  state.pages.stack_pointer = parts.stack_pointer;
  parked_ = std::move(state);
  recording_.Restart(std::move(context_.recording_so_far));
  if (recording_.bytes().empty()) context_.record = false;  // Half a recording replays nothing.
  result_.metrics.start_kind = StartKind::kRestored;
  phase_ = Phase::kSuspended;
  RefreshSuspensions();
  return {};
}

}  // namespace nexus::internal
