#pragma once
/// Which hosts agent code may speak to. The operator writes it; no call can widen it.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "extension/address.h"

namespace nexus {

/// A URL taken apart by the same parser that connects (libcurl), so that the policy and the
/// transport can never read one text in two ways.
struct HttpUrl {
  std::string scheme;      ///< "http" or "https"
  std::string host;        ///< Lower case, no trailing dot, IPv6 without brackets.
  std::uint16_t port = 0;  ///< Always set.
  std::string normalized;  ///< What is requested: no fragment, canonical host.

  /// Errors: kInvalidArgument for anything but an absolute http or https URL without user name,
  /// password, zone or control characters.
  static Result<HttpUrl> Parse(std::string_view text);
  /// "https://example.com:8443": what redirects compare.
  std::string Origin() const;
};

/// One line of an allow-list.
struct HostRule {
  std::string host;            ///< "api.example.com", "*.example.com", "*", "127.0.0.1", "::1"
  std::uint16_t port = 0;      ///< 0: any.
  bool literal = false;        ///< `host` is an address, so the operator named the address itself.
  bool allow_private = false;  ///< The name may resolve to loopback and private addresses.

  /// `text` is HOST or HOST:PORT with an optional "+private": "api.example.com",
  /// "*.example.com:443", "[::1]:8080", "127.0.0.1:8080", "localhost", "intranet.example+private".
  /// An address, or "localhost", needs no "+private": naming it is permission enough. Wildcards
  /// cannot carry it. Errors: kInvalidArgument.
  static Result<HostRule> Parse(std::string_view text);
  bool Matches(const HttpUrl& url) const;
  std::string ToString() const;
};

/// Immutable once calls use it. Empty: every call is refused.
class HttpPolicy {
 public:
  static Result<HttpPolicy> Parse(const std::vector<std::string>& hosts);
  void Allow(HostRule rule) { rules_.push_back(std::move(rule)); }
  bool empty() const { return rules_.empty(); }

  /// May `url` be asked for at all? Errors: kPermissionDenied, naming the rule to add.
  Status CheckUrl(const HttpUrl& url) const;
  /// May the connection for `url` go to `address`? Asked for the address that is really connected
  /// to, so a name that resolves to something else the second time gains nothing. Link-local and
  /// reserved addresses are reached only by rules that name the address.
  Status CheckAddress(const HttpUrl& url, const Address& address) const;

 private:
  std::vector<HostRule> rules_;
};

}  // namespace nexus
