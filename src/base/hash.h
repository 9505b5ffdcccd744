#pragma once
/// SHA-256 and what is built on it: keys of caches, signatures of files. And a checksum that finds
/// accidents, not attacks.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace nexus {

inline constexpr std::size_t kSha256Bytes = 32;

/// Incremental SHA-256. Thread-compatible.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  Sha256& Update(std::string_view bytes);
  /// Length and content, for keys of several parts: "ab" + "c" and "a" + "bc" hash differently.
  Sha256& UpdatePart(std::string_view bytes);
  /// 32 raw bytes. Ends this hash: Update afterwards is a bug.
  std::string Finish();
  std::string FinishHex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// 32 raw bytes.
std::string Sha256Bytes(std::string_view bytes);
/// 64 lower-case hexadecimal digits.
std::string Sha256Hex(std::string_view bytes);
/// 32 raw bytes (RFC 2104).
std::string HmacSha256(std::string_view key, std::string_view bytes);
/// Takes the same time wherever the first difference is. Different lengths are told at once.
bool ConstantTimeEqual(std::string_view a, std::string_view b);

/// XXH3, 64 bits: finds what a disk or a bug damaged, in nanoseconds. Anybody can make bytes that
/// fit a given checksum. `seed` binds it to a place.
std::uint64_t Checksum64(std::string_view bytes, std::uint64_t seed = 0);

std::string ToHex(std::string_view bytes);
/// False when `hex` is not an even number of hexadecimal digits.
bool FromHex(std::string_view hex, std::string& bytes);

}  // namespace nexus
