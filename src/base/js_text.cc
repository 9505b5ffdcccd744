#include "base/js_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <vector>

namespace nexus {
namespace {

/// Days since 1970-01-01 -> year, month, day in the proleptic Gregorian calendar, by eras of 400
/// years that begin on 1 March, so that the leap day is the last of its year.
struct CivilDate {
  std::int64_t year;
  unsigned month;
  unsigned day;
};
CivilDate CivilFromDays(std::int64_t days) {
  days += 719468;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const std::int64_t day_of_era = days - era * 146097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted_month = (5 * day_of_year + 2) / 153;
  const auto day = static_cast<unsigned>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  const auto month =
      static_cast<unsigned>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

}  // namespace

void AppendJsNumber(std::string& out, double number) {
  std::array<char, 32> buffer;
  char* const begin = buffer.data();
  char* const end = begin + buffer.size();
  if (std::abs(number) < 9007199254740992.0 && number == std::trunc(number)) {
    const auto integer = static_cast<std::int64_t>(number);
    out.append(begin, std::to_chars(begin, end, integer).ptr);
    return;
  }
  if (std::signbit(number)) out.push_back('-');
  const auto written = std::to_chars(begin, end, std::abs(number), std::chars_format::scientific);
  // "d.ddde[+-]xx" -> the digits s, their count k and n with value s * 10^(n-k), the names of the
  // specification.
  const std::string_view text(begin, static_cast<std::size_t>(written.ptr - begin));
  const std::size_t e = text.find('e');
  std::string digits(1, text[0]);
  if (e > 2) digits.append(text.substr(2, e - 2));
  int exponent = 0;
  std::from_chars(text.data() + e + (text[e + 1] == '+' ? 2 : 1), written.ptr, exponent);
  const int k = static_cast<int>(digits.size());
  const int n = exponent + 1;
  if (k <= n && n <= 21) {
    out.append(digits).append(static_cast<std::size_t>(n - k), '0');
  } else if (0 < n && n <= 21) {
    out.append(digits, 0, static_cast<std::size_t>(n)).push_back('.');
    out.append(digits, static_cast<std::size_t>(n));
  } else if (-6 < n && n <= 0) {
    out.append("0.").append(static_cast<std::size_t>(-n), '0').append(digits);
  } else {
    out.push_back(digits[0]);
    if (k > 1) out.append(1, '.').append(digits, 1);
    fmt::format_to(std::back_inserter(out), "e{:+}", n - 1);
  }
}

bool AppendIsoDate(std::string& out, double unix_ms) {
  if (!(std::abs(unix_ms) <= 8.64e15)) return false;
  const auto ms = static_cast<std::int64_t>(unix_ms);
  constexpr std::int64_t kDayMs = 86'400'000;
  std::int64_t days = ms / kDayMs;
  std::int64_t in_day = ms % kDayMs;
  if (in_day < 0) {
    in_day += kDayMs;
    --days;
  }
  const CivilDate date = CivilFromDays(days);
  auto to = std::back_inserter(out);
  if (date.year >= 0 && date.year <= 9999) {
    fmt::format_to(to, "{:04}", date.year);
  } else {
    fmt::format_to(to, "{}{:06}", date.year < 0 ? '-' : '+', std::abs(date.year));
  }
  fmt::format_to(to, "-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", date.month, date.day,
                 in_day / 3'600'000, in_day / 60'000 % 60, in_day / 1000 % 60, in_day % 1000);
  return true;
}

std::string BigIntToText(std::string_view hex) {
  const bool negative = hex.starts_with('-');
  if (negative) hex.remove_prefix(1);
  const char* const sign = negative ? "-" : "";
  if (hex.size() > kBigIntDecimalHexMax) return fmt::format("{}0x{}", sign, hex);
  // Limbs of base 10^9, least significant first; each step multiplies by 2^28 and adds, which
  // stays within 64 bits.
  constexpr std::uint64_t kBase = 1'000'000'000;
  constexpr std::size_t kStepDigits = 7;
  std::vector<std::uint32_t> limbs{0};
  while (!hex.empty()) {
    const std::size_t odd = hex.size() % kStepDigits;
    const std::size_t take = odd == 0 ? kStepDigits : odd;
    std::uint64_t carry = 0;
    std::from_chars(hex.data(), hex.data() + take, carry, 16);
    hex.remove_prefix(take);
    for (std::uint32_t& limb : limbs) {
      const std::uint64_t sum = (static_cast<std::uint64_t>(limb) << (4 * take)) + carry;
      limb = static_cast<std::uint32_t>(sum % kBase);
      carry = sum / kBase;
    }
    if (carry != 0) limbs.push_back(static_cast<std::uint32_t>(carry));
  }
  std::string out = fmt::format("{}{}", sign, limbs.back());
  for (auto limb = std::next(limbs.rbegin()); limb != limbs.rend(); ++limb) {
    fmt::format_to(std::back_inserter(out), "{:09}", *limb);
  }
  return out;
}

}  // namespace nexus
