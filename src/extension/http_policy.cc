#include "extension/http_policy.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <utility>

namespace nexus {
namespace {

struct UrlHandleDeleter {
  void operator()(CURLU* handle) const { curl_url_cleanup(handle); }
};
using UrlHandle = std::unique_ptr<CURLU, UrlHandleDeleter>;

std::optional<std::string> Part(CURLU* handle, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(handle, part, &text, flags) != CURLUE_OK) return std::nullopt;
  std::string result(text);
  curl_free(text);
  return result;
}

// For messages: never the whole of a hostile text, never its control characters.
std::string Shown(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, 200)) {
    shown += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
  if (text.size() > 200) shown += "...";
  return shown;
}

std::unexpected<Error> BadUrl(std::string_view text, std::string_view why) {
  return Fail(Code::kInvalidArgument, fmt::format("url '{}': {}", Shown(text), why));
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return lower;
}

bool IsHostText(std::string_view host) {
  return !host.empty() && host.size() <= 255 && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == ':';
  });
}

}  // namespace

Result<HttpUrl> HttpUrl::Parse(std::string_view text) {
  if (text.size() > 16384) return BadUrl(text, "longer than 16384 bytes");
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f) {
      return BadUrl(text,
                    "holds a space or a control character: encode it with encodeURIComponent");
    }
    if (c == '\\') return BadUrl(text, "holds a backslash: write '/'");
  }
  if (text.find(":///") != std::string_view::npos) return BadUrl(text, "the host is missing");
  const UrlHandle handle(curl_url());
  if (handle == nullptr) return Fail(Code::kResourceExhausted, "url: no memory left");
  const std::string terminated(text);
  const CURLUcode parsed =
      curl_url_set(handle.get(), CURLUPART_URL, terminated.c_str(), CURLU_NON_SUPPORT_SCHEME);
  if (parsed != CURLUE_OK) {
    return BadUrl(text, fmt::format("not an absolute URL ({}): write https://host/path",
                                    curl_url_strerror(parsed)));
  }
  HttpUrl url;
  url.scheme = Part(handle.get(), CURLUPART_SCHEME).value_or("");
  if (url.scheme != "http" && url.scheme != "https") {
    return BadUrl(text,
                  fmt::format("scheme '{}' is not offered: use http or https", Shown(url.scheme)));
  }
  if (Part(handle.get(), CURLUPART_USER) || Part(handle.get(), CURLUPART_PASSWORD)) {
    return BadUrl(text,
                  "user name and password do not belong in a URL: send an authorization "
                  "header");
  }
  if (Part(handle.get(), CURLUPART_ZONEID)) return BadUrl(text, "IPv6 zones are not allowed");
  url.host = LowerCase(Part(handle.get(), CURLUPART_HOST).value_or(""));
  if (url.host.size() > 2 && url.host.front() == '[') {
    url.host = url.host.substr(1, url.host.size() - 2);
  }
  if (url.host.size() > 1 && url.host.back() == '.') url.host.pop_back();
  if (!IsHostText(url.host)) {
    return BadUrl(text,
                  "the host may hold letters, digits, '-' and '.' only (write other "
                  "alphabets in their xn-- form)");
  }
  // A last label of digits only would be an address in an unusual form; the parser has already
  // turned the usual ones (0x7f.1, 2130706433, 0177.0.0.1) into four octets.
  const std::string_view last = std::string_view(url.host).substr(url.host.rfind('.') + 1);
  const bool numeric = !last.empty() && last[0] >= '0' && last[0] <= '9';
  if (numeric && !Address::Parse(url.host)) {
    return BadUrl(text, "the host looks like an address but is none");
  }
  const std::string port = Part(handle.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT).value_or("0");
  std::from_chars(port.data(), port.data() + port.size(), url.port);
  if (url.port == 0) return BadUrl(text, "the port must be 1 to 65535");
  curl_url_set(handle.get(), CURLUPART_FRAGMENT, nullptr, 0);
  const bool v6 = url.host.find(':') != std::string::npos;
  const std::string host = v6 ? "[" + url.host + "]" : url.host;
  curl_url_set(handle.get(), CURLUPART_HOST, host.c_str(), 0);
  url.normalized = Part(handle.get(), CURLUPART_URL).value_or("");
  if (url.normalized.empty()) return BadUrl(text, "cannot be normalized");
  return url;
}

std::string HttpUrl::Origin() const {
  const bool v6 = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", scheme, v6 ? "[" : "", host, v6 ? "]" : "", port);
}

Result<HostRule> HostRule::Parse(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return Fail(
        Code::kInvalidArgument,
        fmt::format("allowed host '{}': {}: write HOST, HOST:PORT, *.DOMAIN or [IPv6]:PORT, "
                    "with '+private' behind a name that resolves to a private address",
                    Shown(text), why));
  };
  HostRule rule;
  std::string rest = LowerCase(text);
  constexpr std::string_view kPrivateSuffix = "+private";
  if (rest.ends_with(kPrivateSuffix)) {
    rule.allow_private = true;
    rest.resize(rest.size() - kPrivateSuffix.size());
  }
  if (rest.find("://") != std::string::npos) return bad("is a URL, not a host");
  std::string port;
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    if (end == std::string::npos) return bad("']' is missing");
    const std::string tail = rest.substr(end + 1);
    if (!tail.empty() && tail[0] != ':') return bad("only ':PORT' may follow ']'");
    if (!tail.empty()) port = tail.substr(1);
    if (!tail.empty() && port.empty()) return bad("the port is missing");
    rule.host = rest.substr(1, end - 1);
  } else if (std::count(rest.begin(), rest.end(), ':') > 1) {
    rule.host = rest;
  } else {
    const std::size_t colon = rest.find(':');
    rule.host = rest.substr(0, colon);
    if (colon != std::string::npos) port = rest.substr(colon + 1);
    if (colon != std::string::npos && port.empty()) return bad("the port is missing");
  }
  if (!port.empty()) {
    const char* end = port.data() + port.size();
    const auto [stop, error] = std::from_chars(port.data(), end, rule.port);
    if (error != std::errc() || stop != end || rule.port == 0) {
      return bad("the port must be 1 to 65535");
    }
  }
  if (rule.host.size() > 1 && rule.host.back() == '.') rule.host.pop_back();
  const std::optional<Address> address = Address::Parse(rule.host);
  if (address) rule.host = address->ToString();
  rule.literal = address.has_value();
  const bool wildcard = rule.host == "*" || rule.host.starts_with("*.");
  const std::string_view plain = rule.host == "*" ? "a"
                                 : rule.host.starts_with("*.")
                                     ? std::string_view(rule.host).substr(2)
                                     : std::string_view(rule.host);
  if (!IsHostText(plain)) return bad("not a host name");
  if (!rule.literal && plain.find(':') != std::string_view::npos) return bad("not an address");
  if (wildcard && rule.allow_private) return bad("a wildcard cannot allow private addresses");
  if (rule.host == "localhost") rule.allow_private = true;
  return rule;
}

bool HostRule::Matches(const HttpUrl& url) const {
  if (port != 0 && port != url.port) return false;
  if (host == "*") return true;
  if (host.starts_with("*.")) {
    const std::string_view suffix = std::string_view(host).substr(1);
    return url.host.size() > suffix.size() && url.host.ends_with(suffix);
  }
  if (!literal) return host == url.host;
  const std::optional<Address> address = Address::Parse(url.host);
  return address && address->ToString() == host;
}

std::string HostRule::ToString() const {
  const bool v6 = host.find(':') != std::string::npos;
  std::string text = v6 ? "[" + host + "]" : host;
  if (port != 0) text += fmt::format(":{}", port);
  if (allow_private && host != "localhost") text += "+private";
  return text;
}

Result<HttpPolicy> HttpPolicy::Parse(const std::vector<std::string>& hosts) {
  HttpPolicy policy;
  for (const std::string& host : hosts) {
    NEXUS_TRY(HostRule rule, HostRule::Parse(host));
    policy.Allow(std::move(rule));
  }
  return policy;
}

Status HttpPolicy::CheckUrl(const HttpUrl& url) const {
  for (const HostRule& rule : rules_) {
    if (rule.Matches(url)) {
      const std::optional<Address> literal = Address::Parse(url.host);
      return literal ? CheckAddress(url, *literal) : Status();
    }
  }
  const bool v6 = url.host.find(':') != std::string::npos;
  const std::string shown = v6 ? "[" + url.host + "]" : url.host;
  return Fail(Code::kPermissionDenied,
              fmt::format("host '{}' (port {}) is not on the allow-list of http: the operator can "
                          "add it with --allow-host {}",
                          shown, url.port, shown));
}

Status HttpPolicy::CheckAddress(const HttpUrl& url, const Address& address) const {
  const AddressKind kind = address.Kind();
  for (const HostRule& rule : rules_) {
    if (!rule.Matches(url)) continue;
    if (kind == AddressKind::kPublic || (rule.literal && rule.host == address.ToString()))
      return {};
    const bool inner = kind == AddressKind::kLoopback || kind == AddressKind::kPrivate;
    if (inner && rule.allow_private) return {};
  }
  const bool inner = kind == AddressKind::kLoopback || kind == AddressKind::kPrivate;
  const bool is_literal = Address::Parse(url.host).has_value();
  const std::string remedy =
      inner && !is_literal
          ? fmt::format("--allow-host {}+private", url.host)
          : fmt::format("an --allow-host that names the address {}", address.ToString());
  return Fail(Code::kPermissionDenied,
              fmt::format("host '{}' leads to {}, a {} address, which is refused: if that is "
                          "intended, the operator can allow it with {}",
                          url.host, address.ToString(), AddressKindName(kind), remedy));
}

}  // namespace nexus
