#include "base/random.h"

#include <sys/random.h>

#include <bit>
#include <cerrno>

#include "base/check.h"

namespace nexus {
namespace {

void FillFromKernel(void* to, std::size_t count) {
  auto* at = static_cast<char*>(to);
  while (count > 0) {
    const ssize_t got = getrandom(at, count, 0);
    if (got < 0 && errno == EINTR) continue;
    // There is no fallback on purpose: a weak key is worse than no service.
    NEXUS_CHECK(got > 0, "the kernel gives no random bytes");
    at += got;
    count -= static_cast<std::size_t>(got);
  }
}

}  // namespace

std::uint64_t Rng::Below(std::uint64_t bound) {
  NEXUS_CHECK(bound > 0);
  // Values of the last, incomplete round of `bound` would make small results likelier.
  const std::uint64_t skip = (0 - bound) % bound;
  while (true) {
    const std::uint64_t drawn = Next();
    if (drawn >= skip) return drawn % bound;
  }
}

FastRng::FastRng(std::uint64_t seed) {
  // splitmix64, as the authors of xoshiro advise: no seed gives the forbidden all-zero state.
  for (std::uint64_t& word : state_) {
    seed += 0x9e3779b97f4a7c15;
    std::uint64_t mixed = seed;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    word = mixed ^ (mixed >> 31);
  }
}

std::uint64_t FastRng::Next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t SystemEntropy64() {
  std::uint64_t bits = 0;
  FillFromKernel(&bits, sizeof bits);
  return bits;
}

std::string SystemEntropy(std::size_t count) {
  std::string bytes(count, '\0');
  FillFromKernel(bytes.data(), bytes.size());
  return bytes;
}

}  // namespace nexus
