#pragma once
/// What one thread needs to run guests: instances, a host stack, a lane of the watchdog; and the
/// pool from which threads take them.

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.h"
#include "guest/abi.h"
#include "sandbox/internal/engine.h"
#include "sandbox/internal/host_stack.h"
#include "sandbox/internal/image.h"
#include "sandbox/internal/watchdog.h"

namespace nexus::internal {

struct WorkerStats {
  std::atomic<std::uint64_t> instances_created{0};
  std::atomic<std::uint64_t> instances_live{0};
  std::atomic<std::uint64_t> image_switches{0};
  std::atomic<std::uint64_t> remaps{0};
};

/// What workers share. They keep it alive: a thread that ends may be the last to let go of its
/// worker, after the sandbox.
struct WorkerConfig {
  std::shared_ptr<const Engine> engine;
  std::shared_ptr<const DirtyPages> dirty;
  std::shared_ptr<Watchdog> watchdog;
  std::size_t slots_max = 8;
  std::size_t host_stack_bytes = 0;
};

/// Thread-compatible; a thread uses it from checkout to return.
class Worker {
 public:
  static Result<std::unique_ptr<Worker>> Create(const WorkerConfig& config, WorkerStats& stats);
  ~Worker();

  /// A clean slot in `image`, marked busy: one already in it, else one of the same base (switched),
  /// else a new one, in the place of the least recently used when there are slots_max. `fresh` says
  /// whether an instance was made for it.
  /// Errors: kUnavailable when no instance can be had; kResourceExhausted when all are busy.
  Result<Slot*> Acquire(const std::shared_ptr<const Image>& image, bool* fresh);
  /// An instance outside of any image, for building a base; the worker does not keep it.
  Result<std::unique_ptr<Instance>> BareInstance(std::size_t memory_bytes);
  /// Undoes what was written and frees the slot. `trapped`: the instance was left in the middle.
  std::size_t Release(Slot* slot, bool trapped);
  void Trim();

  /// Runs `call` on the host stack as guest code of `instance`, host calls going to `port`.
  /// `alarm` null: without a watchdog (only for the guest's own set-up).
  CallOutcome Enter(Instance& instance, HostPort* port, WatchLane::Alarm* alarm,
                    std::int64_t now_ns, Export function, std::int32_t a = 0, std::int32_t b = 0,
                    std::int32_t c = 0, std::int32_t d = 0);
  CallOutcome EnterInitialize(Instance& instance, HostPort* port);

  /// For the duration of host C++ inside a host call: faults there are the host's own, and the
  /// watchdog's signal does nothing.
  class HostCallScope {
   public:
    explicit HostCallScope(Worker& worker) : frame_(worker.frame_) {
      frame_.in_host_call.store(true, std::memory_order_relaxed);
    }
    ~HostCallScope() { frame_.in_host_call.store(false, std::memory_order_relaxed); }
    HostCallScope(const HostCallScope&) = delete;
    HostCallScope& operator=(const HostCallScope&) = delete;

   private:
    GuestFrame& frame_;
  };
  /// False when too little host stack is left for host code.
  bool HostStackSuffices() const;

  /// CPU time of the calling thread, to a millisecond: reading the clock is a system call of most
  /// of a microsecond, so it is read at most once a millisecond and assumed to run on in between.
  /// `now_ns` is MonotonicNs().
  std::int64_t RoughCpuNs(std::int64_t now_ns);

  /// The next thread may have the handle of this one, but not its clock.
  void ForgetThread() { cpu_reading_ = {}; }

  WatchLane& lane() { return lane_; }
  const WorkerConfig& config() const { return config_; }

 private:
  struct Entry;
  Worker(const WorkerConfig& config, WorkerStats& stats, std::unique_ptr<HostStack> stack);
  CallOutcome EnterWith(Entry& entry, HostPort* port);

  const WorkerConfig config_;
  WorkerStats& stats_;
  std::unique_ptr<HostStack> stack_;
  InstanceGroup group_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::uint64_t uses_ = 0;
  GuestFrame frame_;
  WatchLane lane_;
  struct CpuReading {
    pthread_t thread{};
    std::int64_t at_ns = INT64_MIN;
    std::int64_t cpu_ns = 0;
  } cpu_reading_;
};

/// Where the guest counts down to its next poll; null when what it says of it is not sound.
std::atomic<std::uint32_t>* PollCountdown(const Slot& slot, const nx_mailbox& box);

/// Calls `function` on a thread that is not inside a guest: here, or on a thread of its own when
/// the caller is host code that a guest called. The engine keeps per-thread state that a second
/// guest on the same stack of calls would overwrite (worker_test.cc).
template <typename F>
void OutsideGuest(F&& function) {
  if (CurrentGuestFrame() == nullptr) [[likely]] {
    function();
  } else {
    std::thread(std::ref(function)).join();
  }
}

/// From now on a fork of this process cannot run guests; says so instead.
void RefuseAfterFork();

/// Hands workers to threads: the thread's last one where possible. Thread-safe.
class WorkerPool : public std::enable_shared_from_this<WorkerPool> {
 public:
  explicit WorkerPool(const WorkerConfig& config) : config_(config) {}
  ~WorkerPool();

  /// Gives its worker back at the end of its life.
  class Lease {
   public:
    Lease(WorkerPool* pool, Worker* worker, bool own) : pool_(pool), worker_(worker), own_(own) {}
    Lease(Lease&& other) noexcept
        : pool_(other.pool_), worker_(std::exchange(other.worker_, nullptr)), own_(other.own_) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (worker_ != nullptr) pool_->Return(worker_, own_);
    }
    Worker* operator->() const { return worker_; }
    Worker& operator*() const { return *worker_; }

   private:
    WorkerPool* pool_;
    Worker* worker_;
    bool own_;  ///< The thread's own worker, not a second one.
  };
  /// Not from within a guest: see OutsideGuest. A thread that has one already (a host function of
  /// one run starts another) gets a second.
  Result<Lease> Checkout();
  WorkerStats& stats() { return stats_; }
  const WorkerStats& stats() const { return stats_; }

 private:
  friend struct ThreadWorkers;
  void Return(Worker* worker, bool own);
  void GiveBack(Worker* worker);
  Result<Worker*> TakeOrCreate();

  const WorkerConfig config_;
  WorkerStats stats_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Worker*> free_;
};

}  // namespace nexus::internal
