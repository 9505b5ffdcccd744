#pragma once
/// Randomness comes in through an interface, so that a seed repeats a whole simulation.

#include <array>
#include <cstdint>
#include <string>

namespace nexus {

/// Thread-compatible.
class Rng {
 public:
  virtual ~Rng() = default;
  /// 64 uniform bits.
  virtual std::uint64_t Next() = 0;
  /// Uniform in [0, bound); `bound` is not 0.
  std::uint64_t Below(std::uint64_t bound);
  /// Uniform in [0, 1).
  double NextDouble() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
};

/// xoshiro256**: fast and of good quality, and for no secret: its output tells its state.
class FastRng final : public Rng {
 public:
  explicit FastRng(std::uint64_t seed);
  std::uint64_t Next() override;

 private:
  std::array<std::uint64_t, 4> state_;
};

/// Bits of the kernel's generator, fit for keys and seeds. Cost: a system call.
std::uint64_t SystemEntropy64();
/// `count` bytes of the same.
std::string SystemEntropy(std::size_t count);

}  // namespace nexus
