#pragma once
/// The sandbox: engine, images, caches and pool put together.

#include <atomic>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "sandbox/internal/bytecode_cache.h"
#include "sandbox/internal/program_impl.h"
#include "sandbox/internal/run_impl.h"
#include "sandbox/internal/worker.h"
#include "sandbox/sandbox.h"

namespace nexus::internal {

class SandboxImpl final : public Sandbox {
 public:
  static Result<std::unique_ptr<Sandbox>> Create(SandboxOptions options);
  ~SandboxImpl() override;

  std::expected<ProgramPtr, LoadError> Load(const ProgramSpec& spec) override;
  std::expected<LoadReport, LoadError> Precompile(const ProgramSpec& spec) override;
  std::unique_ptr<Run> NewRun(ProgramPtr program, ExecutionContext context) override;
  RunResult Execute(const ProgramPtr& program, ExecutionContext context) override;
  Result<std::unique_ptr<Run>> Restore(ProgramPtr program, std::string_view snapshot,
                                       ExecutionContext context) override;
  Result<RunResult> Replay(ProgramPtr program, std::string_view recording) override;
  std::string RecordingOf(std::string_view run_id) const override;
  SandboxStats Stats() const override;
  AuditSink& audit() override { return *audit_; }
  void TrimIdle() override;
  void DropCaches() override;

  // For runs.
  const SandboxOptions& options() const { return options_; }
  const Engine& engine() const { return *engine_; }
  const std::string& signing_key() const { return signing_key_; }
  Watchdog& watchdog() { return *watchdog_; }
  WorkerPool& pool() { return *pool_; }
  std::int64_t UnixMs() const;
  void CountRun(bool failed, std::uint32_t denials);
  void KeepRecording(const std::string& run_id, std::string recording);
  /// The program's image with that much memory; made when first asked for.
  std::expected<std::shared_ptr<const Image>, RunError> ImageFor(const ProgramImpl& program,
                                                                 std::size_t memory_bytes);

 private:
  SandboxImpl(SandboxOptions options, std::shared_ptr<const Engine> engine,
              std::shared_ptr<const DirtyPages> dirty, std::shared_ptr<ImageFile> image_file,
              std::string signing_key);
  Result<std::shared_ptr<const Image>> BaseFor(std::size_t memory_bytes, nx_role role);
  Result<std::shared_ptr<const Image>> BuildBase(std::size_t memory_bytes, nx_role role);
  std::expected<ProgramPtr, LoadError> LoadHere(const ProgramSpec& spec);
  std::expected<BytecodePtr, LoadError> Compile(const ProgramSpec& spec, const std::string& key,
                                                LoadReport& report);
  struct Loaded {
    std::shared_ptr<const Image> image;
    std::vector<LogEntry> logs;
  };
  std::expected<Loaded, LoadError> BuildImage(const ProgramSpec& spec, const Bytecode& bytecode,
                                              std::size_t memory_bytes);
  std::string KeyOf(const ProgramSpec& spec) const;
  std::size_t MemoryOf(const Limits& limits) const;

  const SandboxOptions options_;
  const std::shared_ptr<const Engine> engine_;
  const std::shared_ptr<const DirtyPages> dirty_;
  const std::shared_ptr<ImageFile> image_file_;
  const std::string signing_key_;
  AuditLog own_audit_;
  AuditSink* audit_;
  const std::shared_ptr<Watchdog> watchdog_;
  BytecodeCache bytecode_;
  std::shared_ptr<WorkerPool> pool_;

  std::mutex bases_mutex_;
  std::map<std::pair<std::size_t, int>, std::shared_ptr<const Image>> bases_;

  mutable std::mutex programs_mutex_;
  using ProgramOrder = std::list<std::pair<std::string, std::shared_ptr<const ProgramImpl>>>;
  ProgramOrder programs_;  ///< Most recently used first.
  std::unordered_map<std::string, ProgramOrder::iterator> program_index_;

  mutable std::mutex recordings_mutex_;
  std::list<std::pair<std::string, std::string>> recordings_;  ///< Newest first.
  std::size_t recordings_bytes_ = 0;

  std::atomic<std::uint64_t> runs_{0}, errors_{0}, denials_{0};
};

}  // namespace nexus::internal
