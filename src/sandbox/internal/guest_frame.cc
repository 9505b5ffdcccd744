#include "sandbox/internal/guest_frame.h"

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <array>
#include <cstring>
#include <mutex>

#include "base/check.h"
#include "sandbox/internal/sanitizers.h"

#ifdef NEXUS_TSAN
// ThreadSanitizer keeps a signal from another thread back until the thread next calls a function
// that it intercepts. Guest code calls none, so a run would never be killed: the handler is
// installed past it, by glibc's other name of the same function, and must not be instrumented,
// because it may interrupt ThreadSanitizer itself.
extern "C" int __sigaction(int, const struct sigaction*, struct sigaction*) noexcept;
#define NEXUS_SIGACTION_UNSEEN __sigaction
#define NEXUS_UNSEEN __attribute__((disable_sanitizer_instrumentation))
#else
#define NEXUS_SIGACTION_UNSEEN sigaction
#define NEXUS_UNSEEN
#endif

namespace nexus::internal {
namespace {

constexpr std::size_t kAlternateStackBytes = std::size_t{64} << 10;
constexpr int kKillSignal = SIGURG;  // Ignored by default and used by nothing else here.
constexpr std::array<int, 3> kFaultSignals = {SIGSEGV, SIGBUS, SIGFPE};
constexpr std::size_t kCodeRangesMax = 16;

thread_local GuestFrame* t_frame = nullptr;

struct FaultActions {
  struct sigaction before_engine{};
  struct sigaction engine{};
};
// Written before any guest runs on more than one thread, read by handlers: plain data.
std::array<FaultActions, kFaultSignals.size()> g_actions;
std::atomic<bool> g_remembered{false};
std::atomic<bool> g_taken_over{false};
std::array<AddressRange, kCodeRangesMax> g_code;
std::atomic<std::size_t> g_code_count{0};

NEXUS_UNSEEN FaultActions& ActionsOf(int signal) {
  for (std::size_t i = 0; i < kFaultSignals.size(); ++i) {
    if (kFaultSignals[i] == signal) return g_actions[i];
  }
  return g_actions[0];
}

NEXUS_UNSEEN std::uintptr_t ProgramCounter(void* context) {
  return static_cast<std::uintptr_t>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
}

// True when the fault is the guest's doing: host C++ is not on the stack above the engine's frame,
// and the address is one that guest code may reach.
bool IsGuestFault(const GuestFrame* frame, int signal, const siginfo_t* info) {
  if (frame == nullptr || !frame->in_guest.load(std::memory_order_relaxed)) return false;
  if (frame->in_host_call.load(std::memory_order_relaxed)) return false;
  if (signal == SIGFPE) return true;
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  return frame->memory.contains(address) || frame->stack_guard.contains(address);
}

void OnFault(int signal, siginfo_t* info, void* context) {
  FaultActions& actions = ActionsOf(signal);
  if (IsGuestFault(t_frame, signal, info)) {
    actions.engine.sa_sigaction(signal, info, context);  // Does not return: becomes a trap.
    return;
  }
  const struct sigaction& before = actions.before_engine;
  if ((before.sa_flags & SA_SIGINFO) != 0 && before.sa_sigaction != nullptr) {
    before.sa_sigaction(signal, info, context);
    return;
  }
  if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    before.sa_handler(signal);
    return;
  }
  // Back to the default action; returning repeats the fault and ends the process with a core.
  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  sigaction(signal, &standard, nullptr);
}

NEXUS_UNSEEN void OnKillSignal(int signal, siginfo_t* info, void* context) {
  GuestFrame* const frame = t_frame;
  if (frame == nullptr || !frame->in_guest.load(std::memory_order_relaxed)) return;
  if (frame->in_host_call.load(std::memory_order_relaxed)) return;
  if (!IsGuestCode(ProgramCounter(context))) return;
  if (!frame->kill.exchange(false, std::memory_order_relaxed)) return;
  // The engine's handler leaves by longjmp, which keeps the signal mask: unblock ourselves first.
  sigset_t own;
  sigemptyset(&own);
  sigaddset(&own, signal);
  pthread_sigmask(SIG_UNBLOCK, &own, nullptr);
  ActionsOf(SIGSEGV).engine.sa_sigaction(SIGSEGV, info, context);
}

// Frees the thread's alternate stack at its exit.
struct AlternateStack {
  void* block = nullptr;
  ~AlternateStack() {
    if (block == nullptr) return;
    stack_t off{};
    off.ss_flags = SS_DISABLE;
    sigaltstack(&off, nullptr);
    munmap(block, kAlternateStackBytes);
  }
};
thread_local AlternateStack t_alternate_stack;

}  // namespace

GuestFrame* CurrentGuestFrame() { return t_frame; }
void SetCurrentGuestFrame(GuestFrame* frame) { t_frame = frame; }

void EnsureAlternateSignalStack() {
  if (t_alternate_stack.block != nullptr) [[likely]]
    return;
  stack_t current{};
  sigaltstack(nullptr, &current);
  if ((current.ss_flags & SS_DISABLE) == 0 && current.ss_size >= kAlternateStackBytes / 2) return;
  void* const block = mmap(nullptr, kAlternateStackBytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  NEXUS_CHECK(block != MAP_FAILED, "no memory for a signal stack");
  stack_t stack{};
  stack.ss_sp = block;
  stack.ss_size = kAlternateStackBytes;
  NEXUS_CHECK(sigaltstack(&stack, nullptr) == 0);
  t_alternate_stack.block = block;
}

void RememberFaultActions() {
  if (g_remembered.exchange(true)) return;
  for (std::size_t i = 0; i < kFaultSignals.size(); ++i) {
    NEXUS_CHECK(sigaction(kFaultSignals[i], nullptr, &g_actions[i].before_engine) == 0);
  }
}

Status TakeOverFaultSignals() {
  if (g_taken_over.exchange(true)) return {};
  for (std::size_t i = 0; i < kFaultSignals.size(); ++i) {
    FaultActions& actions = g_actions[i];
    NEXUS_CHECK(sigaction(kFaultSignals[i], nullptr, &actions.engine) == 0);
    const bool changed = (actions.engine.sa_flags & SA_SIGINFO) != 0 &&
                         actions.engine.sa_sigaction != actions.before_engine.sa_sigaction;
    if (!changed) {
      g_taken_over = false;
      return Fail(Code::kUnavailable,
                  "engine: it installed no handler for signal " + std::to_string(kFaultSignals[i]) +
                      " while a guest runs: this engine version cannot be used");
    }
    struct sigaction ours{};
    ours.sa_sigaction = &OnFault;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    NEXUS_CHECK(sigaction(kFaultSignals[i], &ours, nullptr) == 0);
  }
  struct sigaction kill{};
  kill.sa_sigaction = &OnKillSignal;
  kill.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  NEXUS_CHECK(NEXUS_SIGACTION_UNSEEN(kKillSignal, &kill, nullptr) == 0);
  return {};
}

void AddGuestCode(AddressRange code) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  const std::size_t count = g_code_count.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < count; ++i) {
    if (g_code[i].low == code.low && g_code[i].high == code.high) return;
  }
  NEXUS_CHECK(count < kCodeRangesMax, "too many guests loaded in one process");
  g_code[count] = code;
  g_code_count.store(count + 1, std::memory_order_release);
}

NEXUS_UNSEEN bool IsGuestCode(std::uintptr_t pc) {
  const std::size_t count = g_code_count.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < count; ++i) {
    if (g_code[i].contains(pc)) return true;
  }
  return false;
}

void SendKillSignal(pthread_t thread) { pthread_kill(thread, kKillSignal); }

}  // namespace nexus::internal
