#include "base/utf8.h"

#include <cstring>

#include "base/check.h"

namespace nexus {
namespace {

bool IsContinuation(unsigned char c) { return (c & 0xc0) == 0x80; }

/// Length of the well-formed sequence at `p` (RFC 3629, table of section 4), 0 when there is none.
/// Surrogates count as well formed when `surrogates`.
std::size_t SequenceLength(const unsigned char* p, std::size_t left, bool surrogates) {
  const unsigned char c = p[0];
  if (c < 0x80) return 1;
  if (c < 0xc2) return 0;
  if (c < 0xe0) return left >= 2 && IsContinuation(p[1]) ? 2 : 0;
  if (c < 0xf0) {
    if (left < 3 || !IsContinuation(p[1]) || !IsContinuation(p[2])) return 0;
    if (c == 0xe0 && p[1] < 0xa0) return 0;
    if (c == 0xed && p[1] > 0x9f && !surrogates) return 0;
    return 3;
  }
  if (c > 0xf4 || left < 4) return 0;
  if (!IsContinuation(p[1]) || !IsContinuation(p[2]) || !IsContinuation(p[3])) return 0;
  if (c == 0xf0 && p[1] < 0x90) return 0;
  if (c == 0xf4 && p[1] > 0x8f) return 0;
  return 4;
}

bool IsHighSurrogate(const unsigned char* p) { return p[0] == 0xed && (p[1] & 0xf0) == 0xa0; }
bool IsLowSurrogate(const unsigned char* p) { return p[0] == 0xed && (p[1] & 0xf0) == 0xb0; }

std::size_t SkipAscii(const unsigned char* p, std::size_t i, std::size_t size) {
  while (size - i >= 8) {
    std::uint64_t word;
    std::memcpy(&word, p + i, 8);
    if ((word & 0x8080808080808080u) != 0) break;
    i += 8;
  }
  while (i < size && p[i] < 0x80) ++i;
  return i;
}

std::size_t FindInvalid(std::string_view text, bool surrogates) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  bool after_high = false;
  std::size_t i = 0;
  while (true) {
    const std::size_t start = i;
    i = SkipAscii(p, i, text.size());
    if (i == text.size()) return kValid;
    if (i != start) after_high = false;
    const std::size_t length = SequenceLength(p + i, text.size() - i, surrogates);
    if (length == 0) return i;
    if (after_high && length == 3 && IsLowSurrogate(p + i)) return i;
    after_high = length == 3 && IsHighSurrogate(p + i);
    i += length;
  }
}

}  // namespace

std::size_t FindInvalidUtf8(std::string_view text) { return FindInvalid(text, false); }
std::size_t FindInvalidWtf8(std::string_view text) { return FindInvalid(text, true); }

void AppendUtf8(std::string& out, std::uint32_t code_point) {
  NEXUS_CHECK(code_point < 0x110000);
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xc0 | code_point >> 6);
    put(0x80 | (code_point & 0x3f));
  } else if (code_point < 0x10000) {
    put(0xe0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  } else {
    put(0xf0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3f));
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  }
}

std::string ToValidUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (true) {
    const std::size_t bad = FindInvalidUtf8(text);
    if (bad == kValid) return out.append(text);
    out.append(text.substr(0, bad)).append("\xef\xbf\xbd");
    text.remove_prefix(bad + 1);
  }
}

std::size_t CodePointCount(std::string_view text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++count) {
    const std::size_t length = SequenceLength(p + i, text.size() - i, true);
    i += length == 0 ? 1 : length;
  }
  return count;
}

std::size_t Utf16Length(std::string_view text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = SequenceLength(p + i, text.size() - i, true);
    i += length == 0 ? 1 : length;
    count += length == 4 ? 2 : 1;
  }
  return count;
}

}  // namespace nexus
