#pragma once
/// Network addresses as a policy sees them: which ones lie inside somebody's network and are
/// therefore not for agent code to reach unless the operator says so.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct sockaddr;

namespace nexus {

enum class AddressKind : std::uint8_t {
  kPublic,
  kLoopback,   ///< 127/8, ::1
  kPrivate,    ///< 10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7, fec0::/10
  kLinkLocal,  ///< 169.254/16 and fe80::/10: where clouds serve instance metadata
  kReserved,   ///< "this network", multicast, broadcast, documentation, benchmarking and the rest
};
std::string_view AddressKindName(AddressKind kind);  // "loopback", ...

/// An IPv4 or IPv6 address.
class Address {
 public:
  /// Strict forms only: four decimal octets, or RFC 4291 text without brackets and zone.
  static std::optional<Address> Parse(std::string_view text);
  /// nullopt for another family.
  static std::optional<Address> FromSockaddr(const sockaddr& address);

  /// An IPv6 address that carries an IPv4 one (mapped, compatible, NAT64, 6to4, Teredo) is judged
  /// by the worse of both.
  AddressKind Kind() const;
  std::string ToString() const;
  friend bool operator==(const Address&, const Address&) = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};  // IPv4 in its mapped form
  bool v4_ = false;
};

}  // namespace nexus
