#include "sandbox/internal/parked_thread.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "guest/abi.h"
#include "sandbox/internal/guest_frame.h"

namespace nexus::internal {
namespace {

constexpr std::size_t kParkedMemoryBytes = std::size_t{4} << 20;
constexpr auto kParkTimeout = std::chrono::seconds(10);

struct Parking {
  std::mutex mutex;
  std::condition_variable changed;
  bool inside = false;
  bool compiled = false;
  bool failed = false;
  std::string why;
};

std::uintptr_t TopOfThreadStack() {
  pthread_attr_t attributes;
  void* low = nullptr;
  std::size_t size = 0;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &low, &size);
  pthread_attr_destroy(&attributes);
  return reinterpret_cast<std::uintptr_t>(low) + size;
}

// Compiled guest code leaves its return addresses on the host stack; interpreted code does not.
__attribute__((no_sanitize("address"))) bool GuestCodeOnThisStack(const AddressRange& code) {
  const std::uintptr_t top = TopOfThreadStack();
  auto at = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  for (; at + sizeof(at) <= top; at += sizeof(at)) {
    if (code.contains(*reinterpret_cast<const std::uintptr_t*>(at))) return true;
  }
  return false;
}

class ParkingPort final : public HostPort {
 public:
  ParkingPort(Parking& parking, AddressRange code) : parking_(parking), code_(code) {}
  std::int64_t OnHostCall(std::int32_t, std::int32_t, std::uint8_t*, std::uint32_t) override {
    const bool compiled = GuestCodeOnThisStack(code_);
    {
      const std::lock_guard lock(parking_.mutex);
      parking_.inside = true;
      parking_.compiled = compiled;
    }
    parking_.changed.notify_all();
    for (;;) pause();
  }

 private:
  Parking& parking_;
  const AddressRange code_;
};

void Park(std::shared_ptr<const Engine> engine, Parking& parking) {
  // All of this lives on this thread's stack for ever.
  ParkingPort port(parking, engine->code());
  InstanceGroup group(*engine);
  std::string why = "the guest returned instead of parking";
  Result<std::unique_ptr<Instance>> instance = group.CreateInstance(kParkedMemoryBytes);
  if (instance) {
    group.set_port(&port, **instance);
    (*instance)->Initialize();
    const CallOutcome outcome = (*instance)->Call(Export::kInit, 0, NX_ROLE_PARK);
    if (outcome.trapped) why = outcome.trap_message;
  } else {
    why = instance.error().message();
  }
  const std::lock_guard lock(parking.mutex);
  parking.failed = true;
  parking.why = why;
  parking.changed.notify_all();
}

Status ParkOnce(std::shared_ptr<const Engine> engine) {
  RememberFaultActions();
  static Parking parking;
  std::thread([engine = std::move(engine)] { Park(engine, parking); }).detach();
  std::unique_lock lock(parking.mutex);
  const bool settled =
      parking.changed.wait_for(lock, kParkTimeout, [] { return parking.inside || parking.failed; });
  if (!settled || parking.failed) {
    return Fail(Code::kUnavailable, "engine: no thread could be parked in the guest: " +
                                        (settled ? parking.why : std::string("it took too long")));
  }
  if (!parking.compiled) {
    return Fail(Code::kUnavailable,
                "engine: the guest is being interpreted, not run as compiled code: build it again "
                "with ./run");
  }
  return TakeOverFaultSignals();
}

}  // namespace

Status ParkThread(std::shared_ptr<const Engine> engine) {
  static const Status parked = ParkOnce(std::move(engine));
  return parked;
}

}  // namespace nexus::internal
