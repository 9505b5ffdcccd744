#pragma once
/// How JavaScript prints numbers, dates and bigints.

#include <cstddef>
#include <string>
#include <string_view>

namespace nexus {

/// Number::toString of a finite number (ECMA-262, 6.1.6.1.20): shortest digits that read back,
/// exponents from 1e21 up and from 1e-7 down; -0 is "0".
void AppendJsNumber(std::string& out, double number);

/// Date.prototype.toISOString. False, and nothing appended, for an invalid date.
bool AppendIsoDate(std::string& out, double unix_ms);

/// Converting costs the square of the length, and a guest chooses the length: longer ones stay
/// hexadecimal. At this bound (19,700 decimal digits) a conversion takes about 3 ms.
inline constexpr std::size_t kBigIntDecimalHexMax = 16 * 1024;

/// Decimal text of a hexadecimal bigint; beyond kBigIntDecimalHexMax digits "0x..." or "-0x...".
std::string BigIntToText(std::string_view hex);

}  // namespace nexus
