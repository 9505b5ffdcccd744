#pragma once
/// The WebAssembly engine: the guest loaded once a process, and instances of it.
///
/// Everything that leans on how WasmEdge works inside is in this folder, and each such assumption
/// has a test in engine_test.cc that fails when a version breaks it.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"
#include "sandbox/internal/guest_frame.h"

namespace nexus::internal {

inline constexpr std::size_t kWasmPageBytes = 65536;

/// The guest's one import lands here. Called on the guest's stack.
class HostPort {
 public:
  virtual ~HostPort() = default;
  /// `bytes` is guest memory [p, p + n), checked; null when n is 0. Returns the guest's i32, or
  /// kTrap to end the run.
  virtual std::int64_t OnHostCall(std::int32_t op, std::int32_t a, std::uint8_t* bytes,
                                  std::uint32_t n) = 0;
  static constexpr std::int64_t kTrap = INT64_MIN;
};

/// The exports of guest/abi.h.
enum class Export : std::uint8_t {
  kMailbox,
  kInit,
  kAlloc,
  kCompile,
  kLoad,
  kRun,
  kResume,
  kCollect,
};
inline constexpr int kExportCount = 8;

/// The loaded guest. Thread-safe.
class Engine {
 public:
  /// Errors: kUnavailable with the remedy: file missing, not compiled ahead of time, another engine
  /// version, exports or imports that are not those of the ABI.
  static Result<std::unique_ptr<Engine>> Load(const std::filesystem::path& guest_so);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const std::string& guest_hash() const { return guest_hash_; }  ///< Hex SHA-256 of the file.
  static std::string Version();                                  ///< "WasmEdge 0.14.1"
  const AddressRange& code() const { return code_; }

 private:
  friend class InstanceGroup;
  struct Loaded;
  explicit Engine(std::unique_ptr<Loaded> loaded);
  std::unique_ptr<Loaded> loaded_;
  std::string guest_hash_;
  AddressRange code_;
};

/// How a call into the guest ended.
struct CallOutcome {
  bool trapped = false;
  std::int32_t value = 0;  ///< When not trapped.
  std::uint32_t trap_code = 0;
  std::string_view trap_message;  ///< Static text of the engine.
};

/// What instances share: an executor and the import. Thread-compatible; one a thread.
class InstanceGroup {
 public:
  class Instance;
  explicit InstanceGroup(const Engine& engine);
  ~InstanceGroup();
  InstanceGroup(const InstanceGroup&) = delete;
  InstanceGroup& operator=(const InstanceGroup&) = delete;

  /// Host calls of this group's instances go to `port` (borrowed); null: every call traps. They see
  /// the memory of `instance`, the one about to be called (asking the engine costs more).
  void set_port(HostPort* port, const Instance& instance);

  /// One guest with its own linear memory of `memory_bytes` (a multiple of 64 KiB).
  class Instance {
   public:
    ~Instance();
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;

    /// Calls an export on the calling thread's current stack. Cost: about 0.2 us.
    CallOutcome Call(Export function, std::int32_t a = 0, std::int32_t b = 0, std::int32_t c = 0,
                     std::int32_t d = 0);
    /// The module's start function, if it has one; once, before any other call.
    CallOutcome Initialize();
    std::uint8_t* memory() const { return memory_; }
    std::size_t memory_bytes() const { return memory_bytes_; }
    std::uint32_t stack_pointer() const;
    void set_stack_pointer(std::uint32_t value);

   private:
    friend class InstanceGroup;
    Instance() = default;
    struct Handles;
    std::unique_ptr<Handles> handles_;
    std::uint8_t* memory_ = nullptr;
    std::size_t memory_bytes_ = 0;
  };
  Result<std::unique_ptr<Instance>> CreateInstance(std::size_t memory_bytes);

 private:
  struct Handles;
  friend struct HostCallThunk;
  std::unique_ptr<Handles> handles_;
  HostPort* port_ = nullptr;
  std::uint8_t* memory_ = nullptr;
  std::size_t memory_bytes_ = 0;
};
using Instance = InstanceGroup::Instance;

inline void InstanceGroup::set_port(HostPort* port, const Instance& instance) {
  port_ = port;
  memory_ = instance.memory();
  memory_bytes_ = instance.memory_bytes();
}

/// The engine reserves this around each linear memory, so that no 32-bit address plus offset leaves
/// it: 4 GiB before, 8 GiB from the base on.
inline constexpr std::size_t kReservedBelow = std::size_t{4} << 30;
inline constexpr std::size_t kReservedAbove = std::size_t{8} << 30;

}  // namespace nexus::internal
