#pragma once
/// What the signal handlers and the watchdog know about a thread that runs guest code.

#include <pthread.h>

#include <atomic>
#include <cstdint>

#include "base/result.h"

namespace nexus::internal {

/// Address range [low, high).
struct AddressRange {
  std::uintptr_t low = 0;
  std::uintptr_t high = 0;
  bool contains(std::uintptr_t address) const { return address >= low && address < high; }
};

/// One a thread and pool. The fields are written by the owning thread and read by its own signal
/// handlers, so relaxed order is enough; `kill` is written by the watchdog.
struct GuestFrame {
  std::atomic<bool> in_guest{false};      ///< Between entering and leaving the engine.
  std::atomic<bool> in_host_call{false};  ///< Host C++ runs on behalf of the guest: never unwound.
  std::atomic<bool> kill{false};          ///< The next signal inside guest code ends the run.
  AddressRange memory;                    ///< The engine's reservation around the linear memory.
  AddressRange stack_guard;
};

/// The frame of the calling thread while it is in a guest, else nullptr.
GuestFrame* CurrentGuestFrame();
void SetCurrentGuestFrame(GuestFrame* frame);

/// Gives the calling thread an alternate signal stack, once; freed at thread exit. Without it a
/// guest's stack overflow would kill the process.
void EnsureAlternateSignalStack();

/// Takes the fault signals (SIGSEGV, SIGBUS, SIGFPE) over from the engine, whose handlers must be
/// installed: a fault of guest code goes to the engine's handler, on the alternate stack; any other
/// fault goes to the action from before the engine, so real crashes stay crashes. Call
/// RememberFaultActions before the engine first runs. Idempotent.
void RememberFaultActions();
Status TakeOverFaultSignals();
/// Guest code lies in `code`: the only place where the kill signal acts. Ranges add up.
void AddGuestCode(AddressRange code);
bool IsGuestCode(std::uintptr_t pc);

/// Asks the thread to leave guest code: acts at once if it is there, else does nothing; send it
/// again until the run has ended.
void SendKillSignal(pthread_t thread);

}  // namespace nexus::internal
