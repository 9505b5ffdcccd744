// The parser. It is our own and not a library's, for two things JavaScript needs: "\ud800" alone is
// a valid string (kept as WTF-8), and errors have line and column. The writer is in
// json_writer.cc.
#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <numeric>

#include "base/utf8.h"

namespace nexus {
namespace {

// Below this many keys comparing each pair is cheaper than sorting.
constexpr std::size_t kPairwiseKeysMax = 8;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// Of duplicate keys the last value stays, at the place of the first: JavaScript's rule.
void KeepLastOfDuplicates(std::vector<ValueObject::Entry>& entries) {
  if (entries.size() <= kPairwiseKeysMax) {
    for (std::size_t i = 1; i < entries.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (entries[i].first != entries[j].first) continue;
        entries[j].second = std::move(entries[i].second);
        entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(i));
        --i;
        break;
      }
    }
    return;
  }
  std::vector<std::uint32_t> order(entries.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    const int way = entries[a].first.compare(entries[b].first);
    return way < 0 || (way == 0 && a < b);
  });
  std::vector<bool> dropped(entries.size());
  bool any = false;
  for (std::size_t i = 0; i < order.size();) {
    std::size_t last = i;
    while (last + 1 < order.size() && entries[order[last + 1]].first == entries[order[i]].first) {
      dropped[order[++last]] = any = true;
    }
    if (last != i) entries[order[i]].second = std::move(entries[order[last]].second);
    i = last + 1;
  }
  if (!any) return;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (dropped[i]) continue;
    if (kept != i) entries[kept] = std::move(entries[i]);
    ++kept;
  }
  entries.resize(kept);
}

class Parser {
 public:
  Parser(std::string_view text, std::size_t depth_max) : text_(text), depth_max_(depth_max) {}

  Result<Value> Parse() {
    Value value;
    SkipSpace();
    if (!ParseValue(value, 0)) return std::unexpected(TakeError());
    SkipSpace();
    if (at_ != text_.size()) {
      Refuse("something stands behind the end of the document");
      return std::unexpected(TakeError());
    }
    return value;
  }

 private:
  bool AtEnd() const { return at_ == text_.size(); }
  char Peek() const { return AtEnd() ? '\0' : text_[at_]; }
  bool Refuse(std::string why) {
    why_ = std::move(why);
    return false;
  }
  bool Expected(std::string_view what) {
    if (AtEnd()) return Refuse(fmt::format("the text ends where {} is expected", what));
    const auto c = static_cast<unsigned char>(Peek());
    if (c > 0x20 && c < 0x7f) {
      return Refuse(fmt::format("'{}' where {} is expected", static_cast<char>(c), what));
    }
    return Refuse(fmt::format("{} expected", what));
  }
  Error TakeError() const {
    const std::string_view before = text_.substr(0, at_);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
    return Error(
        Code::kInvalidArgument,
        fmt::format("{}:{}: {}", line, CodePointCount(before.substr(line_start)) + 1, why_));
  }

  void SkipSpace() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return;
      ++at_;
    }
  }

  bool ParseValue(Value& out, std::size_t depth) {
    switch (Peek()) {
      case '{':
        return ParseObject(out.variant().emplace<ValueObject>(), depth);
      case '[':
        return ParseArray(out.variant().emplace<ValueArray>(), depth);
      case '"':
        return ParseString(out.variant().emplace<std::string>());
      case 't':
        return ParseWord("true", out, Value(true));
      case 'f':
        return ParseWord("false", out, Value(false));
      case 'n':
        return ParseWord("null", out, Value(nullptr));
      default:
        if (Peek() == '-' || IsDigit(Peek())) {
          return ParseNumber(out.variant().emplace<double>());
        }
        return Expected("a value");
    }
  }

  bool ParseWord(std::string_view word, Value& out, Value value) {
    if (!text_.substr(at_).starts_with(word)) return Expected("a value");
    at_ += word.size();
    out = std::move(value);
    return true;
  }

  bool Open(std::size_t depth) {
    if (depth >= depth_max_) return Refuse(fmt::format("nested deeper than {}", depth_max_));
    ++at_;
    SkipSpace();
    return true;
  }

  bool ParseArray(ValueArray& items, std::size_t depth) {
    if (!Open(depth)) return false;
    if (Peek() == ']') return ++at_, true;
    while (true) {
      if (!ParseValue(items.emplace_back(), depth + 1)) return false;
      SkipSpace();
      const char c = Peek();
      if (c != ',' && c != ']') return Expected("',' or ']'");
      ++at_;
      if (c == ']') return true;
      SkipSpace();
    }
  }

  bool ParseObject(ValueObject& object, std::size_t depth) {
    if (!Open(depth)) return false;
    if (Peek() == '}') return ++at_, true;
    while (true) {
      ValueObject::Entry& entry = object.entries().emplace_back();
      if (Peek() != '"') return Expected("a key in double quotes");
      if (!ParseString(entry.first)) return false;
      SkipSpace();
      if (Peek() != ':') return Expected("':'");
      ++at_;
      SkipSpace();
      if (!ParseValue(entry.second, depth + 1)) return false;
      SkipSpace();
      const char c = Peek();
      if (c != ',' && c != '}') return Expected("',' or '}'");
      ++at_;
      if (c == '}') break;
      SkipSpace();
    }
    KeepLastOfDuplicates(object.entries());
    return true;
  }

  bool ParseNumber(double& out) {
    const std::size_t start = at_;
    if (Peek() == '-') ++at_;
    if (Peek() == '0') {
      ++at_;
      if (IsDigit(Peek())) return Refuse("a number must not start with 0");
    } else if (!SkipDigits()) {
      return false;
    }
    const std::size_t integer_end = at_;
    if (Peek() == '.') {
      ++at_;
      if (!SkipDigits()) return false;
    }
    const std::size_t fraction_end = at_;
    if (Peek() == 'e' || Peek() == 'E') {
      ++at_;
      if (Peek() == '+' || Peek() == '-') ++at_;
      if (!SkipDigits()) return false;
    }
    const std::string_view number = text_.substr(start, at_ - start);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), out);
    if (error == std::errc::result_out_of_range) {
      out = OutOfRange(number, integer_end - start, fraction_end - start);
    }
    return true;
  }

  bool SkipDigits() {
    if (!IsDigit(Peek())) return Expected("a digit");
    while (IsDigit(Peek())) ++at_;
    return true;
  }

  /// Infinity or zero, as JavaScript reads a number no double can hold: decided by the power of
  /// ten of the first digit that is not 0.
  static double OutOfRange(std::string_view number, std::size_t integer_end,
                           std::size_t fraction_end) {
    const bool negative = number.starts_with('-');
    std::int64_t exponent = 0;
    if (fraction_end < number.size()) {
      std::string_view digits = number.substr(fraction_end + 1);
      if (digits.starts_with('+')) digits.remove_prefix(1);
      const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
      if (parsed.ec == std::errc::result_out_of_range) {
        exponent = digits.starts_with('-') ? std::numeric_limits<std::int64_t>::min() / 2
                                           : std::numeric_limits<std::int64_t>::max() / 2;
      }
    }
    const std::size_t first = number.substr(0, fraction_end).find_first_of("123456789");
    if (first == std::string_view::npos) return negative ? -0.0 : 0.0;
    exponent += static_cast<std::int64_t>(integer_end) - static_cast<std::int64_t>(first);
    const double size = exponent > 0 ? std::numeric_limits<double>::infinity() : 0.0;
    return negative ? -size : size;
  }

  bool ParseString(std::string& out) {
    ++at_;
    while (true) {
      const std::size_t start = at_;
      while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
             static_cast<unsigned char>(text_[at_]) >= 0x20) {
        ++at_;
      }
      const std::string_view plain = text_.substr(start, at_ - start);
      if (const std::size_t bad = FindInvalidUtf8(plain); bad != kValid) {
        at_ = start + bad;
        return Refuse("the text is not valid UTF-8");
      }
      out.append(plain);
      if (AtEnd()) return Refuse("the text ends inside a string");
      if (text_[at_] == '"') return ++at_, true;
      if (text_[at_] != '\\') return Refuse("a control character in a string must be escaped");
      ++at_;
      if (!ParseEscape(out)) return false;
    }
  }

  bool ParseEscape(std::string& out) {
    const char c = Peek();
    if (c == 'u') return ParseUnicodeEscape(out);
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    const std::size_t which = AtEnd() ? std::string_view::npos : kNames.find(c);
    if (which == std::string_view::npos) return Expected("an escape (one of \"\\/bfnrtu)");
    ++at_;
    out.push_back(kMeanings[which]);
    return true;
  }

  bool ReadHex4(std::uint32_t& unit) {
    unit = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = Peek();
      const int digit = IsDigit(c)             ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return Expected("a hexadecimal digit");
      unit = unit * 16 + static_cast<std::uint32_t>(digit);
    }
    return true;
  }

  /// A pair joins to one code point, also when its halves are two escapes; a half alone stays.
  bool ParseUnicodeEscape(std::string& out) {
    ++at_;
    std::uint32_t unit = 0;
    if (!ReadHex4(unit)) return false;
    if (unit >= 0xd800 && unit < 0xdc00 && text_.substr(at_).starts_with("\\u")) {
      const std::size_t second = at_;
      at_ += 2;
      std::uint32_t low = 0;
      if (!ReadHex4(low)) return false;
      if (low >= 0xdc00 && low < 0xe000) {
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
      } else {
        at_ = second;  // An escape of its own: the next round reads it.
      }
    }
    AppendUtf8(out, unit);
    return true;
  }

  std::string_view text_;
  std::size_t depth_max_;
  std::size_t at_ = 0;
  std::string why_;
};

}  // namespace

Result<Value> ParseJson(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return Fail(Code::kInvalidArgument, fmt::format("1:1: {} bytes of JSON: the limit is {}",
                                                    text.size(), limits.bytes_max));
  }
  return Parser(text, limits.depth_max).Parse();
}

}  // namespace nexus
