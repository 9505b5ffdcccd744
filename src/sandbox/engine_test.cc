// Goal: each assumption about the engine's and the kernel's insides fails here, loudly, when a
// version breaks it. Method: one test an assumption.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>

#include <set>

#include "sandbox/internal/dirty_pages.h"
#include "sandbox/internal/host_stack.h"
#include "sandbox/internal/image.h"
#include "sandbox/testing/test_sandbox.h"

namespace nexus {
namespace {

using testing::MustLoad;
using testing::RunText;
using testing::SharedSandbox;
using testing::Shown;

TEST(EngineAssumption, TheVersionIsTheOneItWasMeasuredWith) {
  // Another version may be as good; run this file, `nexus bench sandbox` and ./test --long, then
  // change the number.
  EXPECT_EQ(SharedSandbox().Stats().engine_version, "WasmEdge 0.14.1");
}

TEST(EngineAssumption, OurFaultHandlersStayInstalled) {
  RunText("return 1");
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE}) {
    struct sigaction action{};
    ASSERT_EQ(sigaction(signal, nullptr, &action), 0);
    EXPECT_NE(action.sa_flags & SA_ONSTACK, 0) << signal;
    EXPECT_NE(action.sa_flags & SA_SIGINFO, 0) << signal;
  }
}

TEST(EngineAssumption, AFaultOfTheHostIsStillACrash) {
  RunText("return 1");
  EXPECT_DEATH(
      {
        volatile std::uintptr_t address = 16;  // Not known to the compiler.
        *reinterpret_cast<volatile int*>(address) = 1;
      },
      "");
}

TEST(EngineAssumption, GuestStackOverflowBecomesATrap) {
  // Deep recursion inside the engine's compiled code, in each way that reaches its own stack.
  for (const char* text :
       {"function f() { return f() + 1 } f()", "JSON.parse('['.repeat(1e6) + ']'.repeat(1e6))",
        "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; JSON.stringify(a)",
        "new RegExp('('.repeat(1e5) + ')'.repeat(1e5))",
        "let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); p.x",
        "const o = {}; o.toString = () => '' + o; '' + o"}) {
    const RunResult result = RunText(text);
    EXPECT_TRUE(result.error.has_value()) << text;
    EXPECT_EQ(RunText("return 7").return_value, Value(7)) << text;
  }
}

TEST(EngineAssumption, ANativeLoopIsKilledByTheSignal) {
  const std::uint64_t before = SharedSandbox().Stats().hard_stops;
  const RunResult result = RunText("Array.prototype.indexOf.call({length: 2**53-1}, 1)",
                                   {.limits = testing::LimitsOf({{"wall", "20ms"}})});
  EXPECT_EQ(testing::ErrorCodeOf(result), "TIMEOUT") << Shown(result);
  EXPECT_EQ(SharedSandbox().Stats().hard_stops, before + 1);
}

TEST(EngineAssumption, ImagesAreTheSameInEverySandbox) {
  const ProgramSpec spec{
      .name = "t.js",
      .text = "const t = Array.from({length: 100}, (_, i) => ({i})); return t.length"};
  std::set<std::string> hashes;
  for (int i = 0; i < 3; ++i) {
    const auto sandbox = testing::MakeSandbox();
    hashes.insert(MustLoad(*sandbox, spec)->image_hash());
  }
  EXPECT_EQ(hashes.size(), 1u);
}

TEST(DirtyPages, FindsExactlyWhatWasWritten) {
  for (const auto source :
       {internal::DirtyPageSource::kPagemapScan, internal::DirtyPageSource::kPagemapFile}) {
    const auto pages = internal::DirtyPages::Open(source);
    if (!pages) continue;  // This kernel lacks it; Open says so.
    constexpr std::size_t kPages = 3000;
    const int fd = memfd_create("test", 0);
    ASSERT_EQ(ftruncate(fd, kPages * internal::kPageBytes), 0);
    auto* const base = static_cast<std::uint8_t*>(
        mmap(nullptr, kPages * internal::kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    std::set<std::uint32_t> written;
    for (std::uint32_t i = 0; i < 900; ++i) written.insert((i * 7919) % kPages);
    for (const std::uint32_t page : written) base[page * internal::kPageBytes + page % 4096] = 1;
    std::vector<internal::PageRange> found;
    ASSERT_TRUE(pages->Find(base, kPages * internal::kPageBytes, found));
    std::set<std::uint32_t> seen;
    for (const auto& range : found) {
      for (std::uint32_t i = 0; i < range.count; ++i) seen.insert(range.first + i);
    }
    EXPECT_EQ(seen, written) << internal::DirtyPageSourceName(source);
    munmap(base, kPages * internal::kPageBytes);
    close(fd);
  }
}

TEST(HostStack, RunsOnItsOwnMemoryAndGivesItBack) {
  const auto stack = internal::HostStack::Create(std::size_t{8} << 20);
  ASSERT_TRUE(stack.has_value());
  struct Probe {
    std::uintptr_t address = 0;
    int depth = 0;
  } probe;
  (*stack)->Run(
      [](void* raw) {
        static_cast<Probe*>(raw)->address =
            reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
      },
      &probe);
  EXPECT_GE(probe.address, (*stack)->low());
  EXPECT_LT(probe.address, (*stack)->top());
  const auto resident = [&] {
    std::vector<unsigned char> pages(((*stack)->top() - (*stack)->low()) / 4096);
    mincore(reinterpret_cast<void*>((*stack)->low()), (*stack)->top() - (*stack)->low(),
            pages.data());
    return std::count_if(pages.begin(), pages.end(), [](unsigned char p) { return (p & 1) != 0; });
  };
  (*stack)->Run(
      [](void*) {
        volatile char deep[4 << 20];
        for (std::size_t i = 0; i < sizeof(deep); ++i) deep[i] = 1;
      },
      nullptr);
  EXPECT_GT(resident(), 900);
  (*stack)->TrimAfterRun();
  EXPECT_LT(resident(), 200);
}

}  // namespace
}  // namespace nexus
