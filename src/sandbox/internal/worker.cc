#include "sandbox/internal/worker.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace nexus::internal {

Result<std::unique_ptr<Worker>> Worker::Create(const WorkerConfig& config, WorkerStats& stats) {
  NEXUS_TRY(std::unique_ptr<HostStack> stack, HostStack::Create(config.host_stack_bytes));
  return std::unique_ptr<Worker>(new Worker(config, stats, std::move(stack)));
}

Worker::Worker(const WorkerConfig& config, WorkerStats& stats, std::unique_ptr<HostStack> stack)
    : config_(config), stats_(stats), stack_(std::move(stack)), group_(*config.engine) {
  frame_.stack_guard = {stack_->guard_low(), stack_->low()};
  config_.watchdog->Add(&lane_);
}

Worker::~Worker() {
  config_.watchdog->Remove(&lane_);
  stats_.instances_live.fetch_sub(slots_.size(), std::memory_order_relaxed);
}

Result<std::unique_ptr<Instance>> Worker::BareInstance(std::size_t memory_bytes) {
  return group_.CreateInstance(memory_bytes);
}

Result<Slot*> Worker::Acquire(const std::shared_ptr<const Image>& image, bool* fresh) {
  *fresh = false;
  Slot* same_base = nullptr;  // Least recently used of each kind.
  Slot* same_size = nullptr;
  Slot* oldest = nullptr;
  for (const auto& slot : slots_) {
    if (slot->busy) continue;
    if (slot->image() == image) {
      slot->NoteReuse();
      slot->busy = true;
      slot->last_used = ++uses_;
      return slot.get();
    }
    const auto consider = [&slot](Slot*& best) {
      if (best == nullptr || slot->last_used < best->last_used) best = slot.get();
    };
    if (slot->image()->base_ptr() == image->base_ptr()) consider(same_base);
    if (slot->image()->base().memory_bytes() == image->base().memory_bytes()) consider(same_size);
    consider(oldest);
  }
  const bool full = slots_.size() >= config_.slots_max;
  if (Slot* const reused = same_base != nullptr ? same_base : same_size;
      full && reused != nullptr) {
    reused->SwitchTo(image);
    stats_.image_switches.fetch_add(1, std::memory_order_relaxed);
    reused->busy = true;
    reused->last_used = ++uses_;
    return reused;
  }
  if (full) {
    if (oldest == nullptr) {
      return Fail(Code::kResourceExhausted,
                  "instances: all " + std::to_string(slots_.size()) + " of this thread are busy");
    }
    std::erase_if(slots_, [oldest](const auto& slot) { return slot.get() == oldest; });
    stats_.instances_live.fetch_sub(1, std::memory_order_relaxed);
  }
  NEXUS_TRY(std::unique_ptr<Instance> instance, BareInstance(image->base().memory_bytes()));
  NEXUS_TRY(std::unique_ptr<Slot> slot, Slot::Create(std::move(instance), image));
  stats_.instances_created.fetch_add(1, std::memory_order_relaxed);
  stats_.instances_live.fetch_add(1, std::memory_order_relaxed);
  *fresh = true;
  slot->busy = true;
  slot->last_used = ++uses_;
  slots_.push_back(std::move(slot));
  return slots_.back().get();
}

std::size_t Worker::Release(Slot* slot, bool trapped) {
  std::size_t pages = 0;
  if (trapped) {
    slot->Remap();
    stats_.remaps.fetch_add(1, std::memory_order_relaxed);
  } else {
    pages = slot->Undo(*config_.dirty);
  }
  stack_->TrimAfterRun();
  slot->busy = false;
  return pages;
}

void Worker::Trim() {
  for (const auto& slot : slots_) {
    if (!slot->busy) slot->Trim();
  }
}

struct Worker::Entry {
  Instance* instance;
  Export function;
  std::array<std::int32_t, 4> arguments;
  bool initialize;
  CallOutcome outcome;
};

CallOutcome Worker::EnterWith(Entry& entry, HostPort* port) {
  EnsureAlternateSignalStack();
  const auto base = reinterpret_cast<std::uintptr_t>(entry.instance->memory());
  frame_.memory = {base - kReservedBelow, base + kReservedAbove};
  GuestFrame* const outer = CurrentGuestFrame();
  SetCurrentGuestFrame(&frame_);
  group_.set_port(port, *entry.instance);
  frame_.in_guest.store(true, std::memory_order_relaxed);
  stack_->Run(
      [](void* raw) {
        auto* const e = static_cast<Entry*>(raw);
        e->outcome = e->initialize
                         ? e->instance->Initialize()
                         : e->instance->Call(e->function, e->arguments[0], e->arguments[1],
                                             e->arguments[2], e->arguments[3]);
      },
      &entry);
  frame_.in_guest.store(false, std::memory_order_relaxed);
  frame_.in_host_call.store(false, std::memory_order_relaxed);
  group_.set_port(nullptr, *entry.instance);
  SetCurrentGuestFrame(outer);
  return entry.outcome;
}

CallOutcome Worker::Enter(Instance& instance, HostPort* port, WatchLane::Alarm* alarm,
                          std::int64_t now_ns, Export function, std::int32_t a, std::int32_t b,
                          std::int32_t c, std::int32_t d) {
  Entry entry{&instance, function, {a, b, c, d}, false, {}};
  if (alarm == nullptr) return EnterWith(entry, port);
  alarm->frame = &frame_;
  config_.watchdog->Arm(lane_, *alarm, now_ns);
  const CallOutcome outcome = EnterWith(entry, port);
  config_.watchdog->Disarm(lane_);
  return outcome;
}

CallOutcome Worker::EnterInitialize(Instance& instance, HostPort* port) {
  Entry entry{&instance, Export::kInit, {}, true, {}};
  return EnterWith(entry, port);
}

std::int64_t Worker::RoughCpuNs(std::int64_t now_ns) {
  constexpr std::int64_t kReadingNsMax = 1'000'000;
  CpuReading& last = cpu_reading_;
  const bool fresh =
      last.at_ns > now_ns - kReadingNsMax && pthread_equal(last.thread, pthread_self());
  if (!fresh) last = {pthread_self(), now_ns, ThreadCpuNs()};
  return last.cpu_ns + (now_ns - last.at_ns);
}

bool Worker::HostStackSuffices() const {
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  return here > stack_->low() + kHostCallStackBytes;
}

/// The workers this thread used last, one a pool; given back when the thread ends.
struct ThreadWorkers {
  struct Held {
    std::weak_ptr<WorkerPool> pool;
    const WorkerPool* key = nullptr;
    Worker* worker = nullptr;
    bool busy = false;
  };
  std::vector<Held> held;

  Held* Find(const WorkerPool* pool) {
    for (Held& h : held) {
      if (h.key == pool) return &h;
    }
    return nullptr;
  }
  ~ThreadWorkers() {
    for (const Held& h : held) {
      if (const auto pool = h.pool.lock()) pool->GiveBack(h.worker);
    }
  }
};
namespace {
thread_local ThreadWorkers t_workers;
}

WorkerPool::~WorkerPool() {
  NEXUS_CHECK(std::none_of(workers_.begin(), workers_.end(), [](const auto& w) { return !w; }));
}

Result<Worker*> WorkerPool::TakeOrCreate() {
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      Worker* const worker = free_.back();
      free_.pop_back();
      return worker;
    }
  }
  NEXUS_TRY(std::unique_ptr<Worker> worker, Worker::Create(config_, stats_));
  const std::lock_guard lock(mutex_);
  workers_.push_back(std::move(worker));
  return workers_.back().get();
}

std::atomic<std::uint32_t>* PollCountdown(const Slot& slot, const nx_mailbox& box) {
  const std::uint32_t at = box.interrupt_counter;
  const bool sound = at != 0 && at % alignof(std::uint32_t) == 0 &&
                     std::uint64_t{at} + sizeof(at) <= slot.instance().memory_bytes();
  return sound ? reinterpret_cast<std::atomic<std::uint32_t>*>(slot.memory() + at) : nullptr;
}

namespace {
// A forked child has no watchdog, no parked thread, and the parent's page tables behind its file
// descriptor: nothing would be stopped or undone.
std::atomic<bool> g_forked{false};
}  // namespace

void RefuseAfterFork() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { g_forked = true; });
  NEXUS_CHECK(registered == 0);
}

Result<WorkerPool::Lease> WorkerPool::Checkout() {
  if (g_forked.load(std::memory_order_relaxed)) [[unlikely]] {
    return Fail(Code::kUnavailable,
                "sandbox: this process was forked from one that has a sandbox: start a new process "
                "(exec), or fork before the sandbox is made");
  }
  NEXUS_CHECK(CurrentGuestFrame() == nullptr, "a run within a guest's host call: see OutsideGuest");
  ThreadWorkers::Held* held = t_workers.Find(this);
  if (held != nullptr && held->pool.expired()) {
    // Another pool once lived at this address; its workers went with it.
    std::erase_if(t_workers.held, [](const auto& h) { return h.pool.expired(); });
    held = nullptr;
  }
  if (held != nullptr && !held->busy) [[likely]] {
    held->busy = true;
    return Lease(this, held->worker, true);
  }
  NEXUS_TRY(Worker * worker, TakeOrCreate());
  if (held != nullptr) return Lease(this, worker, false);
  t_workers.held.push_back({.pool = weak_from_this(), .key = this, .worker = worker, .busy = true});
  return Lease(this, worker, true);
}

void WorkerPool::Return(Worker* worker, bool own) {
  if (!own) return GiveBack(worker);
  ThreadWorkers::Held* const held = t_workers.Find(this);
  NEXUS_CHECK(held != nullptr && held->worker == worker, "a lease ended on another thread");
  held->busy = false;
}

void WorkerPool::GiveBack(Worker* worker) {
  worker->ForgetThread();
  const std::lock_guard lock(mutex_);
  free_.push_back(worker);
}

}  // namespace nexus::internal
