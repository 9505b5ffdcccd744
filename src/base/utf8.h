#pragma once
/// UTF-8 and its superset WTF-8, in which a lone surrogate of JavaScript has its three bytes.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace nexus {

inline constexpr std::size_t kValid = static_cast<std::size_t>(-1);

/// Offset of the first byte that is not UTF-8, or kValid. Cost: eight ASCII bytes a step.
std::size_t FindInvalidUtf8(std::string_view text);

/// As FindInvalidUtf8, but lone surrogates are valid. A surrogate pair in six bytes is not: each
/// JavaScript string has exactly one form, so that two spellings of one key cannot pass a check
/// that compares bytes.
std::size_t FindInvalidWtf8(std::string_view text);

/// Appends `code_point` (below 0x110000; surrogates as WTF-8).
void AppendUtf8(std::string& out, std::uint32_t code_point);

/// `text` with every invalid byte replaced by U+FFFD. Lone surrogates count as invalid.
std::string ToValidUtf8(std::string_view text);

/// Code points in `text`; an invalid byte counts as one.
std::size_t CodePointCount(std::string_view text);

/// UTF-16 code units `text` has in JavaScript.
std::size_t Utf16Length(std::string_view text);

}  // namespace nexus
