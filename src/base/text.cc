#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/utf8.h"

namespace nexus {
namespace {

constexpr std::size_t kWordBytesMax = 256;
constexpr std::size_t kSnippetWidthMax = 120;
constexpr std::size_t kBlockBytes = 1024;

/// Bytes that begin a code point.
std::size_t CountStarts(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

char LowerAscii(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string LowerAscii(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return LowerAscii(c); });
  return lower;
}

/// Offsets of the code points of `line`, and its end.
std::vector<std::size_t> CodePointOffsets(std::string_view line) {
  std::vector<std::size_t> offsets;
  offsets.reserve(line.size() + 1);
  for (std::size_t i = 0; i < line.size(); ++i) {
    if ((static_cast<unsigned char>(line[i]) & 0xc0) != 0x80) offsets.push_back(i);
  }
  offsets.push_back(line.size());
  return offsets;
}

/// What a line looks like in a snippet: tabs and other controls as single spaces, always UTF-8.
std::string Printable(std::string_view line) {
  std::string out = ToValidUtf8(line);
  std::replace_if(
      out.begin(), out.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return out;
}

}  // namespace

std::size_t EditDistance(std::string_view a, std::string_view b, std::size_t max) {
  const std::size_t gap = a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
  if (gap > max || a.size() > kWordBytesMax || b.size() > kWordBytesMax) return max + 1;
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return std::min(last[b.size()], max + 1);
}

std::optional<std::string_view> NearestName(std::string_view word,
                                            std::span<const std::string_view> candidates) {
  const std::size_t allowed = std::max<std::size_t>(1, word.size() / 3);
  const std::string lower = LowerAscii(word);
  std::optional<std::string_view> nearest;
  std::size_t nearest_distance = 2 * allowed + 1;
  for (const std::string_view candidate : candidates) {
    // A difference in case alone is half an edit, so the sum of both distances orders candidates.
    const std::size_t folded = EditDistance(lower, LowerAscii(candidate), allowed);
    if (folded > allowed || folded >= std::max(word.size(), candidate.size())) continue;
    const std::size_t distance = folded + EditDistance(word, candidate, allowed);
    if (distance >= nearest_distance) continue;
    nearest = candidate;
    nearest_distance = distance;
  }
  if (nearest == word) return std::nullopt;
  return nearest;
}

std::string DidYouMean(std::string_view word, std::span<const std::string_view> candidates) {
  const std::optional<std::string_view> nearest = NearestName(word, candidates);
  return nearest ? fmt::format(" (did you mean '{}'?)", *nearest) : std::string();
}

TextPosition PositionOf(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto lines = std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return {static_cast<std::uint32_t>(lines + 1),
          static_cast<std::uint32_t>(CodePointCount(before.substr(line_start)) + 1)};
}

LineIndex::LineIndex(std::string_view text) : text_(text), starts_{0} {
  for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at)) {
    starts_.push_back(++at);
  }
  std::size_t total = 0;
  for (std::size_t begin = 0; begin <= text.size(); begin += kBlockBytes) {
    blocks_.push_back(total);
    total += CountStarts(text.substr(begin, kBlockBytes));
  }
}

std::size_t LineIndex::CodePointsBefore(std::size_t offset) const {
  const std::size_t block = offset / kBlockBytes;
  const std::size_t begin = block * kBlockBytes;
  return blocks_[block] + CountStarts(text_.substr(begin, offset - begin));
}

TextPosition LineIndex::At(std::size_t offset) const {
  offset = std::min(offset, text_.size());
  const auto next = std::upper_bound(starts_.begin(), starts_.end(), offset);
  const std::size_t column = CodePointsBefore(offset) - CodePointsBefore(*std::prev(next));
  return {static_cast<std::uint32_t>(next - starts_.begin()),
          static_cast<std::uint32_t>(column + 1)};
}

std::string_view LineIndex::Line(std::uint32_t line) const {
  if (line == 0 || line > starts_.size()) return {};
  const std::size_t start = starts_[line - 1];
  const std::size_t end = line < starts_.size() ? starts_[line] - 1 : text_.size();
  std::string_view found = text_.substr(start, end - start);
  if (found.ends_with('\r')) found.remove_suffix(1);
  return found;
}

std::string RenderSnippet(std::string_view text, TextPosition position) {
  const LineIndex index(text);
  if (position.line == 0 || position.line > index.line_count()) return {};
  const std::string shown = Printable(index.Line(position.line));
  const std::vector<std::size_t> offsets = CodePointOffsets(shown);
  const std::size_t length = offsets.size() - 1;
  const std::size_t column = std::clamp<std::size_t>(position.column, 1, length + 1) - 1;

  // One window for all lines, so that what stands under each other in the file does here as well.
  std::size_t from = 0;
  if (length > kSnippetWidthMax && column > kSnippetWidthMax / 2) {
    from = std::min(column - kSnippetWidthMax / 2, length - kSnippetWidthMax);
  }
  const std::string_view head = from > 0 ? "..." : "";
  const int width = static_cast<int>(fmt::formatted_size("{}", position.line));
  std::string out;
  const auto put_line = [&](std::uint32_t number, const std::string& line) {
    const std::vector<std::size_t> at = CodePointOffsets(line);
    const std::size_t begin = std::min(from, at.size() - 1);
    const std::size_t end = std::min(from + kSnippetWidthMax, at.size() - 1);
    const std::string_view tail = end < at.size() - 1 ? "..." : "";
    const std::string_view cut = std::string_view(line).substr(at[begin], at[end] - at[begin]);
    fmt::format_to(std::back_inserter(out), "{:>{}} | {}{}{}", number, width, head, cut, tail);
    while (out.ends_with(' ')) out.pop_back();
    out.push_back('\n');
  };
  for (std::uint32_t line = position.line > 2 ? position.line - 2 : 1; line < position.line;
       ++line) {
    put_line(line, Printable(index.Line(line)));
  }
  put_line(position.line, shown);
  fmt::format_to(std::back_inserter(out), "{:>{}} | {:>{}}\n", "", width, "^",
                 head.size() + column - from + 1);
  return out;
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

}  // namespace nexus
