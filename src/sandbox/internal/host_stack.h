#pragma once
/// The host stack guest code runs on.
///
/// Ahead-of-time compiled WebAssembly uses the host's own stack, about 16 bytes for each byte of
/// guest stack. A thread's usual 8 MiB would not hold a guest recursion of 1 MiB, so guests run on
/// a stack of their own with a guard below; any thread of the embedding program can call in.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/result.h"

namespace nexus::internal {

/// Host stack reserved for one byte of guest stack; the worst program seen used 16.4.
inline constexpr std::size_t kHostBytesPerGuestStackByte = 24;
inline constexpr std::size_t kHostStackGuardBytes = std::size_t{1} << 20;
/// A host call needs this much below it, else the run ends as a stack overflow.
inline constexpr std::size_t kHostCallStackBytes = std::size_t{256} << 10;

/// Thread-compatible: used by one thread at a time.
class HostStack {
 public:
  /// Reserves address space; memory is used only where the stack was touched.
  static Result<std::unique_ptr<HostStack>> Create(std::size_t bytes);
  ~HostStack();
  HostStack(const HostStack&) = delete;
  HostStack& operator=(const HostStack&) = delete;

  /// Calls `function(argument)` on this stack and returns when it has. It must not throw.
  void Run(void (*function)(void*), void* argument);
  /// Gives back what a deep recursion touched. Cheap when there was none: looks at a mark.
  void TrimAfterRun();

  std::uintptr_t low() const { return low_; }  ///< Lowest usable address.
  std::uintptr_t guard_low() const { return low_ - kHostStackGuardBytes; }
  std::uintptr_t top() const { return top_; }

 private:
  HostStack(std::uintptr_t low, std::uintptr_t top);
  void PlaceMark();
  bool MarkUntouched() const;

  const std::uintptr_t low_;
  const std::uintptr_t top_;
};

}  // namespace nexus::internal
