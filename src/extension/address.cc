#include "extension/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace nexus {
namespace {

struct Range4 {
  std::uint32_t base;
  int prefix;
  AddressKind kind;
};

constexpr std::uint32_t V4(unsigned a, unsigned b, unsigned c, unsigned d) {
  return a << 24 | b << 16 | c << 8 | d;
}

// The special-purpose registry of IANA for IPv4 (RFC 6890 and its updates), first match wins.
constexpr Range4 kRanges4[] = {
    {V4(127, 0, 0, 0), 8, AddressKind::kLoopback},
    {V4(10, 0, 0, 0), 8, AddressKind::kPrivate},
    {V4(172, 16, 0, 0), 12, AddressKind::kPrivate},
    {V4(192, 168, 0, 0), 16, AddressKind::kPrivate},
    {V4(100, 64, 0, 0), 10, AddressKind::kPrivate},
    {V4(169, 254, 0, 0), 16, AddressKind::kLinkLocal},
    // Two clouds serve metadata at a public-looking address.
    {V4(168, 63, 129, 16), 32, AddressKind::kLinkLocal},
    {V4(100, 100, 100, 200), 32, AddressKind::kLinkLocal},
    {V4(0, 0, 0, 0), 8, AddressKind::kReserved},
    {V4(192, 0, 0, 0), 24, AddressKind::kReserved},
    {V4(192, 0, 2, 0), 24, AddressKind::kReserved},
    {V4(192, 88, 99, 0), 24, AddressKind::kReserved},
    {V4(198, 18, 0, 0), 15, AddressKind::kReserved},
    {V4(198, 51, 100, 0), 24, AddressKind::kReserved},
    {V4(203, 0, 113, 0), 24, AddressKind::kReserved},
    {V4(224, 0, 0, 0), 3, AddressKind::kReserved},
};

AddressKind Kind4(std::uint32_t address) {
  for (const Range4& range : kRanges4) {
    const std::uint32_t mask = ~std::uint32_t{0} << (32 - range.prefix);
    if ((address & mask) == range.base) return range.kind;
  }
  return AddressKind::kPublic;
}

std::uint32_t Read4(const std::uint8_t* bytes) {
  return V4(bytes[0], bytes[1], bytes[2], bytes[3]);
}

bool HasPrefix(const std::array<std::uint8_t, 16>& bytes,
               std::initializer_list<std::uint8_t> head) {
  return std::equal(head.begin(), head.end(), bytes.begin());
}

// The kind of an IPv6 address that carries no IPv4 address.
AddressKind Kind6(const std::array<std::uint8_t, 16>& bytes) {
  if ((bytes[0] & 0xfe) == 0xfc) return AddressKind::kPrivate;
  if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) return AddressKind::kLinkLocal;
  if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0xc0) return AddressKind::kPrivate;
  if (HasPrefix(bytes, {0x20, 0x01, 0x0d, 0xb8})) return AddressKind::kReserved;
  // Only 2000::/3 is assigned as global unicast.
  return (bytes[0] & 0xe0) == 0x20 ? AddressKind::kPublic : AddressKind::kReserved;
}

}  // namespace

std::string_view AddressKindName(AddressKind kind) {
  switch (kind) {
    case AddressKind::kPublic:
      return "public";
    case AddressKind::kLoopback:
      return "loopback";
    case AddressKind::kPrivate:
      return "private";
    case AddressKind::kLinkLocal:
      return "link-local";
    case AddressKind::kReserved:
      return "reserved";
  }
  return "unknown";
}

std::optional<Address> Address::Parse(std::string_view text) {
  const std::string terminated(text);
  Address address;
  if (inet_pton(AF_INET, terminated.c_str(), &address.bytes_[12]) == 1) {
    address.bytes_[10] = address.bytes_[11] = 0xff;
    address.v4_ = true;
    return address;
  }
  if (inet_pton(AF_INET6, terminated.c_str(), address.bytes_.data()) == 1) return address;
  return std::nullopt;
}

std::optional<Address> Address::FromSockaddr(const sockaddr& generic) {
  Address address;
  if (generic.sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &generic, sizeof(in));
    std::memcpy(&address.bytes_[12], &in.sin_addr, 4);
    address.bytes_[10] = address.bytes_[11] = 0xff;
    address.v4_ = true;
    return address;
  }
  if (generic.sa_family == AF_INET6) {
    sockaddr_in6 in6;
    std::memcpy(&in6, &generic, sizeof(in6));
    std::memcpy(address.bytes_.data(), &in6.sin6_addr, 16);
    return address;
  }
  return std::nullopt;
}

AddressKind Address::Kind() const {
  if (v4_) return Kind4(Read4(&bytes_[12]));
  const bool zero_head =
      std::all_of(bytes_.begin(), bytes_.begin() + 10, [](auto b) { return b == 0; });
  if (zero_head) {
    const std::uint32_t tail = Read4(&bytes_[12]);
    const bool mapped = bytes_[10] == 0xff && bytes_[11] == 0xff;
    if (mapped) return Kind4(tail);
    if (bytes_[10] == 0 && bytes_[11] == 0) {
      if (tail == 1) return AddressKind::kLoopback;
      // IPv4-compatible addresses are deprecated: never public, and as bad as what they carry.
      const AddressKind inner = Kind4(tail);
      return inner == AddressKind::kPublic ? AddressKind::kReserved : inner;
    }
    return AddressKind::kReserved;
  }
  if (HasPrefix(bytes_, {0x00, 0x64, 0xff, 0x9b})) {
    // NAT64: the well-known prefix reaches public addresses, 64:ff9b:1::/48 is a site's own.
    if (bytes_[4] != 0 || bytes_[5] != 0) return AddressKind::kPrivate;
    return Kind4(Read4(&bytes_[12]));
  }
  if (HasPrefix(bytes_, {0x20, 0x02})) return Kind4(Read4(&bytes_[2]));  // 6to4
  if (HasPrefix(bytes_, {0x20, 0x01, 0x00, 0x00})) {                     // Teredo: inverted
    const AddressKind inner = Kind4(~Read4(&bytes_[12]));
    return inner == AddressKind::kPublic ? AddressKind::kReserved : inner;
  }
  return Kind6(bytes_);
}

std::string Address::ToString() const {
  char text[INET6_ADDRSTRLEN] = {};
  if (v4_) {
    inet_ntop(AF_INET, &bytes_[12], text, sizeof(text));
  } else {
    inet_ntop(AF_INET6, bytes_.data(), text, sizeof(text));
  }
  return text;
}

}  // namespace nexus
