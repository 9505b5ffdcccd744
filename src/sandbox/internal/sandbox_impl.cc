#include "sandbox/internal/sandbox_impl.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdlib>

#include "base/check.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "capability/inference.h"
#include "sandbox/internal/host_stack.h"
#include "sandbox/internal/loader.h"
#include "sandbox/internal/parked_thread.h"
#include "source/typescript.h"

namespace nexus::internal {
namespace {

/// Compiling a large bundle takes more than a run's memory; only what is touched is used.
constexpr std::size_t kCompilerMemoryBytes = std::size_t{256} << 20;
constexpr std::uint64_t kCompileTimeMs = 20'000;
/// For the guest's own set-up, a few milliseconds of work.
constexpr std::int64_t kGuestStartNs = 10'000'000'000;
/// A program whose image differs in more pages gets a base of its own, so that these are not copied
/// back after every run.
constexpr std::size_t kSharedBasePagesMax = 64;
constexpr std::size_t kRecordingsMax = 256;
constexpr std::size_t kRecordingsBytesMax = std::size_t{8} << 20;
constexpr std::string_view kGuestFile = "nexus_guest.so";

std::uint64_t MicrosecondsSince(std::int64_t start_ns) {
  return static_cast<std::uint64_t>((MonotonicNs() - start_ns) / 1000);
}

RunError ToRunError(const Error& error, RunErrorCode code) {
  RunError run_error;
  run_error.code = code;
  run_error.message = error.message();
  return run_error;
}

// Linear memories come in powers of two, so that there are few bases; the heap limit inside is
// exact.
std::size_t LinearMemoryFor(std::uint64_t bytes) {
  return static_cast<std::size_t>(std::bit_ceil(std::max(bytes, kGuestMemoryBytesMin)));
}

Result<std::filesystem::path> FindGuest(const std::filesystem::path& wanted) {
  if (!wanted.empty()) return wanted;
  if (const char* const named = std::getenv("NEXUS_GUEST"); named != nullptr && *named != 0) {
    return std::filesystem::path(named);
  }
  std::error_code error;
  const auto folder = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (const auto& place : {folder / kGuestFile, folder / "../lib/nexus" / kGuestFile}) {
    if (std::filesystem::exists(place, error)) return place;
  }
  return Fail(Code::kUnavailable, "guest " + (folder / kGuestFile).string() +
                                      ": not found: run ./run to build it, or set NEXUS_GUEST");
}

Result<std::string> SigningKey(const SandboxOptions& options) {
  if (!options.signing_key.empty()) return options.signing_key;
  NEXUS_TRY(const std::filesystem::path folder, StateDir());
  return LoadOrCreateKey(folder / "signing.key");
}

std::optional<DirtyPageSource> ToSource(DirtyPageMethod method) {
  switch (method) {
    case DirtyPageMethod::kAuto:
      return std::nullopt;
    case DirtyPageMethod::kPagemapScan:
      return DirtyPageSource::kPagemapScan;
    case DirtyPageMethod::kPagemapFile:
      return DirtyPageSource::kPagemapFile;
    case DirtyPageMethod::kRemap:
      return DirtyPageSource::kNone;
  }
  NEXUS_CHECK(false, "unknown dirty page method");
}

}  // namespace

Result<std::unique_ptr<Sandbox>> SandboxImpl::Create(SandboxOptions options) {
  if (options.programs_max == 0 || options.instances_per_thread_max == 0) {
    return Fail(Code::kInvalidArgument,
                "sandbox options: programs_max and instances_per_thread_max must be at least 1");
  }
  NEXUS_TRY(const std::filesystem::path guest, FindGuest(options.guest_path));
  RememberFaultActions();
  NEXUS_TRY(std::shared_ptr<const Engine> engine, Engine::Load(guest));
  NEXUS_TRY_STATUS(ParkThread(engine));
  RefuseAfterFork();
  NEXUS_TRY(DirtyPages dirty, DirtyPages::Open(ToSource(options.dirty_pages)));
  NEXUS_TRY(std::string key, SigningKey(options));
  if (!options.cache_dir.empty()) {
    if (const Status made = MakeDirs(options.cache_dir); !made) {
      // A cache that cannot be written costs time, not the program.
      Log(Severity::kWarn, "bytecode cache: kept in memory only",
          {{"why", made.error().message()}});
      options.cache_dir.clear();
    }
  }
  NEXUS_TRY(std::shared_ptr<ImageFile> image_file, ImageFile::Create());
  return std::unique_ptr<Sandbox>(new SandboxImpl(
      std::move(options), std::move(engine), std::make_shared<const DirtyPages>(std::move(dirty)),
      std::move(image_file), std::move(key)));
}

SandboxImpl::SandboxImpl(SandboxOptions options, std::shared_ptr<const Engine> engine,
                         std::shared_ptr<const DirtyPages> dirty,
                         std::shared_ptr<ImageFile> image_file, std::string signing_key)
    : options_(std::move(options)),
      engine_(std::move(engine)),
      dirty_(std::move(dirty)),
      image_file_(std::move(image_file)),
      signing_key_(std::move(signing_key)),
      audit_(options_.audit != nullptr ? options_.audit : &own_audit_),
      watchdog_(std::make_shared<Watchdog>()),
      bytecode_(options_.cache_dir, signing_key_) {
  pool_ = std::make_shared<WorkerPool>(
      WorkerConfig{.engine = engine_,
                   .dirty = dirty_,
                   .watchdog = watchdog_,
                   .slots_max = options_.instances_per_thread_max,
                   .host_stack_bytes = kGuestStackBytesMax * kHostBytesPerGuestStackByte});
}

SandboxImpl::~SandboxImpl() = default;

std::int64_t SandboxImpl::UnixMs() const {
  if (options_.clock_unix_ms) return options_.clock_unix_ms();
  timespec t{};
  clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec * 1000LL + t.tv_nsec / 1'000'000;
}

std::string SandboxImpl::KeyOf(const ProgramSpec& spec) const {
  Sha256 hash;
  hash.UpdatePart(spec.text);
  hash.UpdatePart(spec.form == ProgramForm::kAuto     ? "auto"
                  : spec.form == ProgramForm::kModule ? "module"
                                                      : "body");
  hash.UpdatePart(engine_->guest_hash());
  hash.UpdatePart(Engine::Version());
  return hash.FinishHex();
}

std::size_t SandboxImpl::MemoryOf(const Limits& limits) const {
  const ResolvedLimits resolved(limits.LowestWith(options_.node_limits));
  const std::uint64_t wanted =
      std::clamp(resolved[Limit::kMemory], kGuestMemoryBytesMin,
                 std::max(options_.memory_bytes_max, kGuestMemoryBytesMin));
  return LinearMemoryFor(wanted);
}

Result<std::shared_ptr<const Image>> SandboxImpl::BaseFor(std::size_t memory_bytes, nx_role role) {
  const std::lock_guard lock(bases_mutex_);
  auto& base = bases_[{memory_bytes, static_cast<int>(role)}];
  if (base == nullptr) {
    NEXUS_TRY(base, BuildBase(memory_bytes, role));
  }
  return base;
}

Result<std::shared_ptr<const Image>> SandboxImpl::BuildBase(std::size_t memory_bytes,
                                                            nx_role role) {
  NEXUS_TRY(WorkerPool::Lease worker, pool_->Checkout());
  NEXUS_TRY(const std::unique_ptr<Instance> instance, worker->BareInstance(memory_bytes));
  // A guest that does not come up is stopped like any other; its interrupt word is not known yet.
  std::atomic<std::uint32_t> no_word{0};
  const auto call = [&](Export function, std::int32_t a, std::int32_t b) {
    const std::int64_t now = MonotonicNs();
    WatchLane::Alarm alarm;
    alarm.wall_ns = now + kGuestStartNs;
    alarm.interrupt_word = &no_word;
    return worker->Enter(*instance, nullptr, &alarm, now, function, a, b);
  };
  CallOutcome outcome = worker->EnterInitialize(*instance, nullptr);
  if (!outcome.trapped) {
    outcome = call(Export::kInit, static_cast<std::int32_t>(kGuestStackBytesMax),
                   static_cast<std::int32_t>(role));
  }
  const bool initialised = !outcome.trapped && outcome.value == 0;
  if (initialised && role == NX_ROLE_RUN) outcome = call(Export::kCollect, 0, 0);
  const CallOutcome mailbox = call(Export::kMailbox, 0, 0);
  const auto address = static_cast<std::uint32_t>(mailbox.value);
  if (!initialised || outcome.trapped || mailbox.trapped ||
      std::uint64_t{address} + sizeof(nx_mailbox) > memory_bytes) {
    return nexus::Fail(Code::kUnavailable,
                       "guest: it does not start: " + std::string(outcome.trap_message) +
                           ": build it again with ./run");
  }
  const auto& box = *reinterpret_cast<const nx_mailbox*>(instance->memory() + address);
  if (box.magic != NX_MAILBOX_MAGIC || box.abi_version != NX_ABI_VERSION) {
    return nexus::Fail(Code::kUnavailable, "guest: another ABI version: build it again with ./run");
  }
  // Everything the guest touched; an instance is all anonymous memory.
  std::vector<PageRange> touched;
  std::uint32_t pages = static_cast<std::uint32_t>(memory_bytes / kPageBytes);
  if (dirty_->Find(instance->memory(), memory_bytes, touched) && !touched.empty()) {
    pages = touched.back().first + touched.back().count;
  }
  NEXUS_TRY(std::shared_ptr<const BaseImage> base,
            BaseImage::Capture(image_file_, *instance, address, pages));
  return Image::Of(std::move(base));
}

std::expected<BytecodePtr, Sandbox::LoadError> SandboxImpl::Compile(const ProgramSpec& spec,
                                                                    const std::string& key,
                                                                    LoadReport& report) {
  if (BytecodePtr cached = bytecode_.Find(key)) {
    report.cache_hit = true;
    report.bytecode_bytes = cached->code.size();
    return cached;
  }
  const std::int64_t start = MonotonicNs();
  const auto fail = [&](RunError error) {
    if (error.file.empty()) error.file = spec.name;
    return std::unexpected(LoadError{std::move(error), {}});
  };
  auto bytecode = std::make_shared<Bytecode>();
  bool module = spec.form == ProgramForm::kModule;
  if (spec.form == ProgramForm::kAuto) {
    const Result<ModuleShape> shape = ReadModuleShape(spec.text, Language::kJavaScript);
    // What tree-sitter does not parse, QuickJS reports better.
    module = shape ? shape->is_module() : spec.text.find("export ") != std::string::npos;
  }
  bytecode->form = module ? NX_FORM_MODULE : NX_FORM_BODY;
  const Result<std::shared_ptr<const Image>> base = BaseFor(kCompilerMemoryBytes, NX_ROLE_COMPILER);
  if (!base) return fail(ToRunError(base.error(), RunErrorCode::kUnavailable));
  Result<WorkerPool::Lease> worker = pool_->Checkout();
  if (!worker) return fail(ToRunError(worker.error(), RunErrorCode::kUnavailable));
  bool fresh = false;
  const Result<Slot*> slot = (*worker)->Acquire(*base, &fresh);
  if (!slot) return fail(ToRunError(slot.error(), RunErrorCode::kOverloaded));
  bool trapped = false;
  auto output = RunLoader(
      **worker, **slot, Export::kCompile, spec.text, bytecode->form,
      {.wall_ms = kCompileTimeMs, .cpu_ms = kCompileTimeMs, .memory_bytes = kCompilerMemoryBytes},
      spec, &trapped);
  (*worker)->Release(*slot, trapped);
  if (!output) return std::unexpected(std::move(output).error());
  bytecode->code = std::move(output->bytes);
  if (Result<Inference> inferred = InferCapabilities(spec.text)) {
    bytecode->inferred = inferred->Tokens();
  }
  report.compilation_us = std::max<std::uint64_t>(MicrosecondsSince(start), 1);
  report.bytecode_bytes = bytecode->code.size();
  bytecode_.Store(key, bytecode);
  return bytecode;
}

std::expected<SandboxImpl::Loaded, Sandbox::LoadError> SandboxImpl::BuildImage(
    const ProgramSpec& spec, const Bytecode& bytecode, std::size_t memory_bytes) {
  const auto fail = [&](const Error& error, RunErrorCode code) {
    return std::unexpected(LoadError{ToRunError(error, code), {}});
  };
  const Result<std::shared_ptr<const Image>> base = BaseFor(memory_bytes, NX_ROLE_RUN);
  if (!base) return fail(base.error(), RunErrorCode::kUnavailable);
  Result<WorkerPool::Lease> worker = pool_->Checkout();
  if (!worker) return fail(worker.error(), RunErrorCode::kUnavailable);
  bool fresh = false;
  const Result<Slot*> slot = (*worker)->Acquire(*base, &fresh);
  if (!slot) return fail(slot.error(), RunErrorCode::kOverloaded);
  const ResolvedLimits limits(spec.limits.LowestWith(options_.node_limits));
  bool trapped = false;
  auto output =
      RunLoader(**worker, **slot, Export::kLoad, bytecode.code, 0,
                {.wall_ms = std::min<std::uint64_t>(limits[Limit::kWall], kCompileTimeMs),
                 .cpu_ms = std::min<std::uint64_t>(limits[Limit::kCpu], kCompileTimeMs),
                 .stack_bytes = std::min<std::uint64_t>(limits[Limit::kStack], kGuestStackBytesMax),
                 .log_bytes = limits[Limit::kLog],
                 .memory_bytes = memory_bytes},
                spec, &trapped);
  if (!output) {
    (*worker)->Release(*slot, trapped);
    return std::unexpected(std::move(output).error());
  }
  const CallOutcome collected =
      (*worker)->Enter((*slot)->instance(), nullptr, nullptr, 0, Export::kCollect);
  Loaded loaded;
  loaded.logs = std::move(output->logs);
  if (!collected.trapped) loaded.image = (*slot)->CaptureImage(*dirty_, kSharedBasePagesMax);
  (*worker)->Release(*slot, collected.trapped);
  if (loaded.image == nullptr) {
    return fail(Error(Code::kUnavailable, "the program's image could not be taken"),
                RunErrorCode::kUnavailable);
  }
  return loaded;
}

std::expected<ProgramPtr, Sandbox::LoadError> SandboxImpl::Load(const ProgramSpec& spec) {
  std::expected<ProgramPtr, LoadError> program;
  OutsideGuest([&] { program = LoadHere(spec); });
  return program;
}

std::expected<ProgramPtr, Sandbox::LoadError> SandboxImpl::LoadHere(const ProgramSpec& spec) {
  if (options_.strict && !spec.declared) {
    RunError error;
    error.code = RunErrorCode::kInvalidHandler;
    error.file = spec.name;
    error.message = spec.name +
                    ": it declares no capabilities, and this node is strict: declare "
                    "what it needs (an empty list if nothing)";
    return std::unexpected(LoadError{std::move(error), {}});
  }
  const std::string key = KeyOf(spec);
  Sha256 identity_hash;
  identity_hash.UpdatePart(key).UpdatePart(spec.name).UpdatePart(spec.author_text);
  for (int i = 0; i < kLimitCount; ++i) {
    const auto limit = spec.limits.Get(static_cast<Limit>(i));
    identity_hash.UpdatePart(limit ? std::to_string(*limit) : "");
  }
  if (spec.declared) {
    for (const CapabilityToken& token : *spec.declared) identity_hash.UpdatePart(token.ToString());
  } else {
    identity_hash.UpdatePart("inferred");
  }
  const std::string identity = identity_hash.FinishHex();
  {
    const std::lock_guard lock(programs_mutex_);
    if (const auto found = program_index_.find(identity); found != program_index_.end()) {
      programs_.splice(programs_.begin(), programs_, found->second);
      return found->second->second;
    }
  }
  LoadReport report;
  auto bytecode = Compile(spec, key, report);
  if (!bytecode) return std::unexpected(std::move(bytecode).error());
  const std::int64_t start = MonotonicNs();
  auto loaded = BuildImage(spec, **bytecode, MemoryOf(spec.limits));
  if (!loaded) return std::unexpected(std::move(loaded).error());
  report.logs = std::move(loaded->logs);
  report.image_us = MicrosecondsSince(start);
  report.image_pages = loaded->image->changed_pages().size();
  auto program = std::make_shared<ProgramImpl>(spec, key, *bytecode);
  program->Finish(loaded->image, report);

  const std::lock_guard lock(programs_mutex_);
  if (const auto found = program_index_.find(identity); found != program_index_.end()) {
    return found->second->second;  // Another thread was first.
  }
  programs_.emplace_front(identity, program);
  program_index_.emplace(identity, programs_.begin());
  while (programs_.size() > options_.programs_max) {
    program_index_.erase(programs_.back().first);
    programs_.pop_back();
  }
  return program;
}

std::expected<LoadReport, Sandbox::LoadError> SandboxImpl::Precompile(const ProgramSpec& spec) {
  LoadReport report;
  std::expected<BytecodePtr, LoadError> bytecode;
  OutsideGuest([&] { bytecode = Compile(spec, KeyOf(spec), report); });
  if (!bytecode) return std::unexpected(std::move(bytecode).error());
  return report;
}

std::expected<std::shared_ptr<const Image>, RunError> SandboxImpl::ImageFor(
    const ProgramImpl& program, std::size_t memory_bytes) {
  memory_bytes = LinearMemoryFor(memory_bytes);
  if (memory_bytes == program.image()->base().memory_bytes()) return program.image();
  if (auto image = program.FindLarger(memory_bytes)) return image;
  auto loaded = BuildImage(program.spec(), program.bytecode(), memory_bytes);
  if (!loaded) return std::unexpected(std::move(loaded).error().error);
  program.KeepLarger(loaded->image);
  return loaded->image;
}

std::unique_ptr<Run> SandboxImpl::NewRun(ProgramPtr program, ExecutionContext context) {
  auto own = std::dynamic_pointer_cast<const ProgramImpl>(std::move(program));
  NEXUS_CHECK(own != nullptr, "a program of another sandbox implementation");
  return std::make_unique<RunImpl>(*this, std::move(own), std::move(context));
}

RunResult SandboxImpl::Execute(const ProgramPtr& program, ExecutionContext context) {
  RunImpl run(*this, std::static_pointer_cast<const ProgramImpl>(program), std::move(context));
  RunResult result = run.RunToEnd();
  KeepRecording(result.run_id, run.TakeRecording());
  return result;
}

Result<std::unique_ptr<Run>> SandboxImpl::Restore(ProgramPtr program, std::string_view snapshot,
                                                  ExecutionContext context) {
  auto own = std::static_pointer_cast<const ProgramImpl>(std::move(program));
  auto run = std::make_unique<RunImpl>(*this, std::move(own), std::move(context));
  NEXUS_TRY_STATUS(run->RestoreFrom(snapshot));
  return std::unique_ptr<Run>(std::move(run));
}

Result<RunResult> SandboxImpl::Replay(ProgramPtr program, std::string_view recording) {
  auto own = std::static_pointer_cast<const ProgramImpl>(std::move(program));
  NEXUS_TRY(RecordingReader reader, RecordingReader::Open(recording));
  const RecordingHeader& header = reader.header();
  if (header.program_key != own->key()) {
    return nexus::Fail(Code::kInvalidArgument,
                       "replay: the recording is of another program, or of another version of it");
  }
  ExecutionContext context;
  context.run_id = header.run_id;
  context.panel_id = header.panel_id;
  context.handler_name = header.handler_name;
  context.limits.Set(Limit::kMemory, header.memory_bytes);
  context.limits.Set(Limit::kStack, header.stack_bytes);
  context.limits.Set(Limit::kResult, header.result_bytes);
  context.limits.Set(Limit::kSuspensions, header.suspensions_max);
  context.limits.Set(Limit::kWall, header.wall_ms);
  context.limits.Set(Limit::kCpu, header.cpu_ms);
  context.limits.Set(Limit::kDeadline, header.deadline_ms);
  RunImpl run(*this, std::move(own), std::move(context));
  Result<RunResult> result = RunResult();
  OutsideGuest([&] { result = run.ReplayFrom(reader); });
  return result;
}

void SandboxImpl::CountRun(bool failed, std::uint32_t denials) {
  runs_.fetch_add(1, std::memory_order_relaxed);
  if (failed) errors_.fetch_add(1, std::memory_order_relaxed);
  if (denials != 0) denials_.fetch_add(denials, std::memory_order_relaxed);
}

void SandboxImpl::KeepRecording(const std::string& run_id, std::string recording) {
  if (recording.empty()) return;
  const std::lock_guard lock(recordings_mutex_);
  recordings_bytes_ += recording.size();
  recordings_.emplace_front(run_id, std::move(recording));
  while (recordings_.size() > kRecordingsMax || recordings_bytes_ > kRecordingsBytesMax) {
    recordings_bytes_ -= recordings_.back().second.size();
    recordings_.pop_back();
  }
}

std::string SandboxImpl::RecordingOf(std::string_view run_id) const {
  const std::lock_guard lock(recordings_mutex_);
  for (const auto& [id, recording] : recordings_) {
    if (id == run_id) return recording;
  }
  return {};
}

SandboxStats SandboxImpl::Stats() const {
  const BytecodeCacheStats cache = bytecode_.Stats();
  const WorkerStats& workers = pool_->stats();
  SandboxStats stats;
  stats.runs = runs_.load();
  stats.errors = errors_.load();
  stats.denials = denials_.load();
  stats.soft_stops = watchdog_->soft_stops();
  stats.hard_stops = watchdog_->hard_stops();
  stats.instances_created = workers.instances_created.load();
  stats.instances_live = workers.instances_live.load();
  stats.image_switches = workers.image_switches.load();
  stats.remaps = workers.remaps.load();
  stats.cache_memory_hits = cache.memory_hits;
  stats.cache_disk_hits = cache.disk_hits;
  stats.cache_misses = cache.misses;
  stats.cache_discarded = cache.discarded;
  {
    const std::lock_guard lock(programs_mutex_);
    stats.programs_live = programs_.size();
  }
  stats.dirty_page_method = DirtyPageSourceName(dirty_->source());
  stats.engine_version = Engine::Version();
  stats.guest_hash = engine_->guest_hash();
  return stats;
}

void SandboxImpl::TrimIdle() {
  if (CurrentGuestFrame() != nullptr) return;  // This thread's pool is at work.
  if (Result<WorkerPool::Lease> worker = pool_->Checkout()) (*worker)->Trim();
}

void SandboxImpl::DropCaches() {
  {
    const std::lock_guard lock(programs_mutex_);
    program_index_.clear();
    programs_.clear();
  }
  bytecode_.DropMemory();
}

}  // namespace nexus::internal

namespace nexus {

Result<std::unique_ptr<Sandbox>> Sandbox::Create(SandboxOptions options) {
  return internal::SandboxImpl::Create(std::move(options));
}

}  // namespace nexus
