#include "sandbox/internal/host_stack.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/check.h"
#include "sandbox/internal/sanitizers.h"
#ifdef NEXUS_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

#if !defined(__x86_64__)
#error "The sandbox's stack switch is written for x86-64; see docs/ARCHITECTURE.md."
#endif

// nexus_call_on_stack(top, function, argument): the frame pointer keeps the caller's stack, and the
// CFI lines let debuggers walk through.
asm(R"(
.text
.p2align 4
.type nexus_call_on_stack, @function
nexus_call_on_stack:
  .cfi_startproc
  endbr64
  pushq %rbp
  .cfi_def_cfa_offset 16
  .cfi_offset %rbp, -16
  movq %rsp, %rbp
  .cfi_def_cfa_register %rbp
  movq %rdi, %rsp
  movq %rsi, %rax
  movq %rdx, %rdi
  callq *%rax
  movq %rbp, %rsp
  popq %rbp
  .cfi_def_cfa %rsp, 8
  ret
  .cfi_endproc
.size nexus_call_on_stack, .-nexus_call_on_stack
)");

extern "C" void nexus_call_on_stack(void* top, void (*function)(void*), void* argument);

namespace nexus::internal {
namespace {

// How deep an ordinary run goes stays above the mark; what lies below it is given back.
constexpr std::size_t kKeptBytes = std::size_t{512} << 10;
constexpr std::size_t kMarkBytes = 4096;
constexpr std::uint64_t kMark = 0x6b72614d786e3031;

}  // namespace

Result<std::unique_ptr<HostStack>> HostStack::Create(std::size_t bytes) {
  const std::size_t whole = bytes + kHostStackGuardBytes;
  void* const block = mmap(nullptr, whole, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (block == MAP_FAILED) {
    return Fail(Code::kUnavailable, std::string("reserve a guest stack: ") + std::strerror(errno) +
                                        ": raise the address space limit (ulimit -v)");
  }
  NEXUS_CHECK(mprotect(block, kHostStackGuardBytes, PROT_NONE) == 0);
  madvise(block, whole, MADV_NOHUGEPAGE);
  const auto low = reinterpret_cast<std::uintptr_t>(block) + kHostStackGuardBytes;
  return std::unique_ptr<HostStack>(new HostStack(low, low + bytes));
}

HostStack::HostStack(std::uintptr_t low, std::uintptr_t top) : low_(low), top_(top) {
  NEXUS_CHECK(top_ - low_ > 2 * kKeptBytes);
  PlaceMark();
}

HostStack::~HostStack() { munmap(reinterpret_cast<void*>(guard_low()), top_ - guard_low()); }

void HostStack::PlaceMark() {
  auto* const words = reinterpret_cast<std::uint64_t*>(top_ - kKeptBytes - kMarkBytes);
  for (std::size_t i = 0; i < kMarkBytes / sizeof(*words); ++i) words[i] = kMark;
}

bool HostStack::MarkUntouched() const {
  // A return address lands in every frame and frames are small: a probe in each cache line does not
  // miss a recursion that went through the page.
  const auto* const words = reinterpret_cast<const std::uint64_t*>(top_ - kKeptBytes - kMarkBytes);
  for (std::size_t i = 0; i < kMarkBytes / sizeof(*words); i += 8) {
    if (words[i] != kMark) return false;
  }
  return true;
}

void HostStack::TrimAfterRun() {
  if (MarkUntouched()) [[likely]]
    return;
  madvise(reinterpret_cast<void*>(low_), top_ - kKeptBytes - low_, MADV_DONTNEED);
  PlaceMark();
}

#ifdef NEXUS_ASAN
namespace {
struct Switch {
  void (*function)(void*);
  void* argument;
  const void* caller_low = nullptr;
  std::size_t caller_bytes = 0;
};
void OnOtherStack(void* raw) {
  auto* const s = static_cast<Switch*>(raw);
  __sanitizer_finish_switch_fiber(nullptr, &s->caller_low, &s->caller_bytes);
  s->function(s->argument);
  __sanitizer_start_switch_fiber(nullptr, s->caller_low, s->caller_bytes);
}
}  // namespace

void HostStack::Run(void (*function)(void*), void* argument) {
  Switch s{function, argument};
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, reinterpret_cast<void*>(low_), top_ - low_);
  nexus_call_on_stack(reinterpret_cast<void*>(top_), &OnOtherStack, &s);
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
}
#else
void HostStack::Run(void (*function)(void*), void* argument) {
  nexus_call_on_stack(reinterpret_cast<void*>(top_), function, argument);
}
#endif

}  // namespace nexus::internal
