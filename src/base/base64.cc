#include "base/base64.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>

namespace nexus {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrlAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void Append(std::string& out, std::string_view bytes, std::string_view alphabet, bool padding) {
  const auto byte = [&](std::size_t i) {
    return i < bytes.size() ? static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) : 0;
  };
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::uint32_t group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t j = 0; j < 4; ++j) {
      if (j <= have) {
        out.push_back(alphabet[group >> (18 - 6 * j) & 63]);
      } else if (padding) {
        out.push_back('=');
      }
    }
  }
}

constexpr std::array<std::int8_t, 256> kDigits = [] {
  std::array<std::int8_t, 256> digits{};
  digits.fill(-1);
  for (std::size_t i = 0; i < 64; ++i) {
    digits[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
    digits[static_cast<unsigned char>(kUrlAlphabet[i])] = static_cast<std::int8_t>(i);
  }
  return digits;
}();

}  // namespace

void AppendBase64(std::string& out, std::string_view bytes) {
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
  Append(out, bytes, kAlphabet, true);
}

std::string ToBase64(std::string_view bytes) {
  std::string out;
  AppendBase64(out, bytes);
  return out;
}

std::string ToBase64Url(std::string_view bytes) {
  std::string out;
  Append(out, bytes, kUrlAlphabet, false);
  return out;
}

Result<std::string> FromBase64(std::string_view text) {
  std::string_view digits = text;
  if (digits.ends_with('=')) {
    if (text.size() % 4 != 0) {
      return Fail(
          Code::kInvalidArgument,
          fmt::format("base64: {} characters with padding: not a multiple of 4", text.size()));
    }
    digits.remove_suffix(digits.ends_with("==") ? 2 : 1);
  }
  if (digits.size() % 4 == 1) {
    return Fail(Code::kInvalidArgument, "base64: cut off inside the last group");
  }
  std::string out;
  out.reserve(digits.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int bit_count = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const std::int8_t digit = kDigits[static_cast<unsigned char>(digits[i])];
    if (digit < 0) {
      return Fail(Code::kInvalidArgument, fmt::format("base64: offset {}: not a digit", i));
    }
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    out.push_back(static_cast<char>(bits >> bit_count & 0xff));
  }
  if ((bits & ((1u << bit_count) - 1)) != 0) {
    return Fail(Code::kInvalidArgument, "base64: stray bits behind the last byte");
  }
  return out;
}

}  // namespace nexus
