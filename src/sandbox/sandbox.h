#pragma once
/// Runs agent code: each run in a fresh WebAssembly instance, with the rights it was given and no
/// others, under limits that hold.
///
///   auto sandbox = Sandbox::Create({});
///   auto program = (*sandbox)->Load({.name = "add.js", .text = "export default ({args}) => args.a
///   + args.b"}); RunResult result = (*sandbox)->Execute(*program, {.args = Value::Object({{"a",
///   1}, {"b", 2}})});
///
/// How it works, from the outside in: a Program is compiled once and turned into an image (the
/// guest's memory just after the program's top level ran). A run takes an instance of the calling
/// thread's pool, in the state of that image; afterwards the pages it wrote are copied back.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/value.h"
#include "capability/gate.h"
#include "capability/set.h"
#include "sandbox/bindings.h"
#include "sandbox/limits.h"
#include "sandbox/run_result.h"
#include "source/position.h"

namespace nexus {

class Sandbox;
class Run;
class SourceMap;

/// How pages a run wrote are found. kAuto takes the first that the kernel offers.
enum class DirtyPageMethod : std::uint8_t { kAuto, kPagemapScan, kPagemapFile, kRemap };

struct SandboxOptions {
  /// The compiled guest (nexus_guest.so). Empty: beside the executable, then NEXUS_GUEST, then the
  /// installation's lib folder.
  std::filesystem::path guest_path;
  /// Where bytecode is kept on disk; empty: memory only.
  std::filesystem::path cache_dir;
  /// Signs cache files and snapshots; empty: the installation's key, made on first use.
  std::string signing_key;
  /// Node level limits: what no run may exceed.
  Limits node_limits;
  std::uint64_t memory_bytes_max = std::uint64_t{1} << 30;
  /// Instances kept a thread; each holds up to idle_instance_bytes of memory.
  std::size_t instances_per_thread_max = 8;
  /// Program images kept; the least recently used go first. 0 is refused.
  std::size_t programs_max = 4096;
  DirtyPageMethod dirty_pages = DirtyPageMethod::kAuto;
  /// Refuse programs that do not declare their capabilities, instead of inferring them.
  bool strict = false;
  AuditSink* audit = nullptr;  ///< Borrowed; outlives the sandbox. null: an internal log.
  /// Milliseconds since the epoch; null: the system clock. Thread-safe.
  std::function<std::int64_t()> clock_unix_ms;
};

enum class ProgramForm : std::uint8_t { kAuto, kBody, kModule };

/// What Load compiles. Text is JavaScript; types are stripped and imports bundled before
/// (source/typescript.h, cli/bundle.h).
struct ProgramSpec {
  std::string name;  ///< File name as the author knows it; in errors and stacks.
  std::string text;
  ProgramForm form = ProgramForm::kAuto;
  std::shared_ptr<const SourceMap> source_map;  ///< null: `text` is what the author wrote.
  std::string author_text;  ///< For snippets when it is not `text` (TypeScript); may be empty.
  std::optional<std::vector<CapabilityToken>> declared;  ///< nullopt: inferred from the code.
  Limits limits;                                         ///< The handler's or agent's own.
};

struct LoadReport {
  bool cache_hit = false;            ///< Bytecode came from memory or disk.
  std::uint64_t compilation_us = 0;  ///< 0 on a hit.
  std::uint64_t image_us = 0;
  std::size_t bytecode_bytes = 0;
  std::size_t image_pages = 0;  ///< 4 KiB pages in which the image differs from the base.
  std::vector<LogEntry> logs;   ///< What the module's top level logged while the image was made.
};

/// A compiled program. Immutable, thread-safe, shared; keeps its image until the last holder goes
/// (the sandbox's own reference is dropped when programs_max is exceeded).
class Program {
 public:
  virtual ~Program() = default;
  virtual const ProgramSpec& spec() const = 0;
  virtual const std::vector<CapabilityToken>& requested_capabilities() const = 0;
  virtual bool capabilities_inferred() const = 0;
  virtual const std::string& key() const = 0;         ///< Hex SHA-256; the cache key of contract 8.
  virtual const std::string& image_hash() const = 0;  ///< Hex SHA-256.
  virtual const LoadReport& load_report() const = 0;
};
using ProgramPtr = std::shared_ptr<const Program>;

/// Everything one run is given (the seed's execution context).
struct ExecutionContext {
  Value args;                     ///< Object; becomes `$args`, deep-frozen.
  Value scope;                    ///< Object or undefined; becomes `$scope`.
  CapabilitySet capabilities;     ///< What is granted; already attenuated by the caller.
  Limits limits;                  ///< The run's own.
  StateBinding* state = nullptr;  ///< Borrowed for the run; null: an empty MemoryState.
  std::vector<ExtensionBinding> extensions;
  ToolBinding* tools = nullptr;              ///< Borrowed.
  EffectObserver* observer = nullptr;        ///< Borrowed.
  std::string run_id;                        ///< Empty: a new ULID.
  std::string panel_id, handler_name, step;  ///< For errors and records.
  std::optional<std::uint64_t> seed;         ///< Of Math.random; empty: a random one, recorded.
  bool record = true;                        ///< Keep a recording for replay.
  std::string recording_so_far;  ///< For Restore: what was recorded before the snapshot.
};

/// One execution. Created by Sandbox::NewRun. Thread-compatible: one thread at a time, any thread
/// each time; Cancel may be called from any thread at any time.
class Run {
 public:
  virtual ~Run() = default;  ///< Of an unfinished run: cancels it and gives its instance back.
  virtual const std::string& id() const = 0;

  /// Runs on the calling thread until the program ends or waits. The result's effect lists hold
  /// what happened in this slice. Starting twice: an error result SUSPENSION_NOT_FOUND.
  virtual RunResult Start() = 0;
  /// Delivers one answer and runs on. An unknown or already answered id is an error
  /// (kNotFound) and changes nothing.
  virtual Result<RunResult> Resume(std::string_view suspension_id, Answer answer) = 0;
  /// Starts, answers `$ext` and `$tools` calls through the context's bindings and blocks until the
  /// end. The result holds the effects of the whole run.
  virtual RunResult RunToEnd() = 0;
  /// Of a suspended run (started here or restored): goes on as RunToEnd does; the outstanding calls
  /// are made again where their method is idempotent, else fail with "outcome unknown"
  /// (contract 7.3).
  virtual RunResult ContinueToEnd() = 0;
  /// Stops at the next interrupt poll, hard after that; the result is kCancelled.
  virtual void Cancel() = 0;
  /// Of a suspended run: the rights it goes on with. Uses of counted grants stay counted.
  virtual void ReplaceCapabilities(CapabilitySet granted) = 0;

  /// The suspended run as bytes (docs/format/snapshot.md); the run can go on afterwards.
  /// Errors: kInvalidArgument when not suspended, kResourceExhausted above the snapshot limit.
  virtual Result<std::string> Snapshot() = 0;
  /// Bytes this suspended run holds in memory now; it holds no thread and no instance.
  virtual std::size_t held_bytes() const = 0;
  /// Compresses what a suspended run holds; done after an idle time by whoever keeps the run.
  virtual Status Compact() = 0;

  virtual const std::vector<Suspension>& suspensions() const = 0;
  /// Recording so far (docs/format/recording.md); empty when recording is off.
  virtual std::string Recording() const = 0;
};

struct SandboxStats {
  std::uint64_t runs = 0, errors = 0, soft_stops = 0, hard_stops = 0, denials = 0;
  std::uint64_t instances_created = 0, image_switches = 0, remaps = 0;
  std::uint64_t cache_memory_hits = 0, cache_disk_hits = 0, cache_misses = 0, cache_discarded = 0;
  std::size_t instances_live = 0, programs_live = 0;
  std::string dirty_page_method;
  std::string engine_version;  ///< "WasmEdge 0.14.1"
  std::string guest_hash;
};

class Sandbox {
 public:
  /// Errors: kUnavailable when the engine or guest cannot be used (not ahead-of-time compiled,
  /// wrong version, missing file), each with the remedy. One sandbox a process is usual; several
  /// work.
  static Result<std::unique_ptr<Sandbox>> Create(SandboxOptions options);
  virtual ~Sandbox() = default;

  /// Compiles (or finds in the cache) and builds the image. Errors come as a RunError inside
  /// LoadError: COMPILATION_ERROR, INVALID_HANDLER, or a limit met by the top level.
  struct LoadError {
    RunError error;
    std::vector<LogEntry> logs;  ///< What the top level logged.
  };
  virtual std::expected<ProgramPtr, LoadError> Load(const ProgramSpec& spec) = 0;
  /// Compiles to the disk cache without building an image.
  virtual std::expected<LoadReport, LoadError> Precompile(const ProgramSpec& spec) = 0;

  virtual std::unique_ptr<Run> NewRun(ProgramPtr program, ExecutionContext context) = 0;
  /// NewRun + RunToEnd, on the fast path. Thread-safe; runs on the calling thread.
  virtual RunResult Execute(const ProgramPtr& program, ExecutionContext context) = 0;

  /// Errors: kDataLoss for bytes that are corrupt, not signed by this installation, or made with
  /// another guest, engine or program; nothing is changed. `context` gives the bindings and the
  /// capabilities valid now.
  virtual Result<std::unique_ptr<Run>> Restore(ProgramPtr program, std::string_view snapshot,
                                               ExecutionContext context) = 0;
  /// Runs a recording again, answering every host call from it. The result is that of the recorded
  /// run; a program that asks something else: INTERNAL_ERROR "replay diverged at call N: ...".
  virtual Result<RunResult> Replay(ProgramPtr program, std::string_view recording) = 0;

  /// The recording of a run that Execute made, while it is among the newest kept (256, 8 MiB); else
  /// empty.
  virtual std::string RecordingOf(std::string_view run_id) const = 0;

  virtual SandboxStats Stats() const = 0;
  virtual AuditSink& audit() = 0;
  /// Gives the memory of idle instances of this thread's pool back to the system.
  virtual void TrimIdle() = 0;
  /// Drops compiled programs and images from memory; those in use stay until their runs end.
  virtual void DropCaches() = 0;
};

}  // namespace nexus
