#pragma once
/// Search patterns whose cost is known: matching is linear in the text times the pattern, whatever
/// either holds, because both are chosen by code nobody has read.

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace nexus::internal {

struct PatternOptions {
  bool regex = false;        ///< Else the pattern is literal text.
  bool ignore_case = false;  ///< ASCII letters only.
};

/// Regular expressions of one line: literals, `.`, `[a-z]`, `[^...]`, `\d \D \w \W \s \S \b \B`,
/// `^ $`, `( )`, `(?: )`, `|`, `* + ?`, `{m}`, `{m,}`, `{m,n}`. No captures, no look-around and no
/// back references. Works on bytes: `.` takes one byte of a character beyond ASCII.
/// Immutable; thread-safe.
class Pattern {
 public:
  /// Errors: kInvalidArgument with the offset of what is wrong.
  static Result<Pattern> Compile(std::string_view text, PatternOptions options);

  /// Offset of the leftmost match in `line`, or nullopt.
  std::optional<std::size_t> Find(std::string_view line) const;

 private:
  enum class Op : std::uint8_t {
    kSet,
    kSplit,
    kJump,
    kBegin,
    kEnd,
    kWordEdge,
    kNotWordEdge,
    kMatch
  };
  struct Instruction {
    Op op;
    std::int32_t x = 0;  // relative targets of kSplit and kJump
    std::int32_t y = 0;
    std::uint32_t set = 0;  // of kSet
  };
  using Code = std::vector<Instruction>;
  using ByteSet = std::bitset<256>;
  class Parser;
  class Matcher;

  Code code_;
  std::vector<ByteSet> sets_;
};

}  // namespace nexus::internal
