#include "server/internal/target.h"

#include <arpa/inet.h>
#include <strings.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace nexus::internal {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') return (c | 0x20) - 'a' + 10;
  return -1;
}

std::optional<std::string> Decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = HexDigit(text[i + 1]);
      const int low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (c == '\0') return std::nullopt;
    out += c;
  }
  return out;
}

bool SameName(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view WithoutPort(std::string_view host) {
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    return end == std::string_view::npos ? std::string_view() : host.substr(1, end - 1);
  }
  return host.substr(0, host.find(':'));
}

bool IsAddress(const std::string& text) {
  in6_addr buffer;
  return inet_pton(AF_INET, text.c_str(), &buffer) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &buffer) == 1;
}

}  // namespace

std::optional<Target> ParseTarget(std::string_view target) {
  if (!target.starts_with('/')) return std::nullopt;
  Target parsed;
  const std::size_t mark = target.find('?');
  if (mark != std::string_view::npos) parsed.query = target.substr(mark + 1);
  const std::string_view path = target.substr(1, mark == std::string_view::npos ? mark : mark - 1);
  if (path.empty()) return parsed;
  for (const std::string_view part : Split(path, '/')) {
    std::optional<std::string> segment = Decode(part);
    if (!segment) return std::nullopt;
    parsed.segments.push_back(*std::move(segment));
  }
  return parsed;
}

std::optional<std::string> QueryValue(std::string_view query, std::string_view name) {
  for (const std::string_view part : Split(query, '&')) {
    const std::size_t equals = part.find('=');
    if (part.substr(0, equals) != name) continue;
    if (equals == std::string_view::npos) return std::string();
    return Decode(part.substr(equals + 1)).value_or(std::string(part.substr(equals + 1)));
  }
  return std::nullopt;
}

std::optional<std::uint64_t> WholeNumber(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  if (number > (std::uint64_t{1} << 53)) return std::nullopt;
  return number;
}

bool HostIsAllowed(std::string_view host, const std::vector<std::string>& allowed) {
  const std::string name(WithoutPort(host));
  if (SameName(name, "localhost") || IsAddress(name)) return true;
  return std::any_of(allowed.begin(), allowed.end(), [&](const std::string& other) {
    return SameName(name, other) || SameName(host, other);
  });
}

bool OriginIsAllowed(std::string_view origin, std::string_view host,
                     const std::vector<std::string>& allowed) {
  if (origin.empty()) return true;
  if (std::any_of(allowed.begin(), allowed.end(),
                  [&](const std::string& other) { return SameName(origin, other); })) {
    return true;
  }
  const std::size_t scheme = origin.find("://");
  return scheme != std::string_view::npos && SameName(origin.substr(scheme + 3), host);
}

}  // namespace nexus::internal
