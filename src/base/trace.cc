#include "base/trace.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>

#include "base/random.h"

namespace nexus {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

template <std::size_t N>
std::string Hex(const std::array<std::uint8_t, N>& bytes) {
  std::string text;
  text.reserve(2 * N);
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

// Lower-case digits only, as the standard has it.
int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

template <std::size_t N>
bool ReadHex(std::string_view text, std::array<std::uint8_t, N>& bytes) {
  for (std::size_t i = 0; i < N; ++i) {
    const int high = DigitOf(text[2 * i]);
    const int low = DigitOf(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return true;
}

template <std::size_t N>
bool IsZero(const std::array<std::uint8_t, N>& bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

// Ids need to be different, not secret: a generator of this thread's own, seeded by the kernel.
template <std::size_t N>
void Fill(std::array<std::uint8_t, N>& bytes) {
  thread_local std::mt19937_64 generator = [] {
    std::uint64_t seed = 0;
    const std::string entropy = SystemEntropy(sizeof seed);
    std::memcpy(&seed, entropy.data(), sizeof seed);
    return std::mt19937_64(seed);
  }();
  static_assert(N % 8 == 0);
  for (std::size_t i = 0; i < N; i += 8) {
    const std::uint64_t word = generator();
    std::memcpy(bytes.data() + i, &word, 8);
  }
  if (IsZero(bytes)) bytes[0] = 1;
}

}  // namespace

std::string TraceContext::TraceIdHex() const { return Hex(trace_id); }
std::string TraceContext::SpanIdHex() const { return Hex(span_id); }

std::string TraceContext::ToTraceparent() const {
  return "00-" + Hex(trace_id) + "-" + Hex(span_id) + (sampled ? "-01" : "-00");
}

std::optional<TraceContext> ParseTraceparent(std::string_view header) {
  // Version 00 is exactly this long; a later one may go on behind a dash.
  constexpr std::size_t kLength = 55;
  if (header.size() < kLength || header[2] != '-' || header[35] != '-' || header[52] != '-') {
    return std::nullopt;
  }
  std::array<std::uint8_t, 1> version{}, flags{};
  TraceContext context;
  if (!ReadHex(header.substr(0, 2), version) || !ReadHex(header.substr(3, 32), context.trace_id) ||
      !ReadHex(header.substr(36, 16), context.span_id) || !ReadHex(header.substr(53, 2), flags)) {
    return std::nullopt;
  }
  const bool longer = header.size() > kLength;
  if (version[0] == 0xff || (longer && (version[0] == 0 || header[kLength] != '-'))) {
    return std::nullopt;
  }
  if (IsZero(context.trace_id) || IsZero(context.span_id)) return std::nullopt;
  context.sampled = (flags[0] & 1) != 0;
  return context;
}

TraceContext NewTrace(bool sampled) {
  TraceContext context;
  Fill(context.trace_id);
  Fill(context.span_id);
  context.sampled = sampled;
  return context;
}

TraceContext ChildOf(const TraceContext& parent) {
  TraceContext context = parent;
  Fill(context.span_id);
  return context;
}

std::int64_t UnixNowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace nexus
