#pragma once
/// Text for people: positions, snippets of source, and "did you mean".

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nexus {

/// Edits (insert, delete, replace, swap neighbours) from `a` to `b` in bytes, at most `max` + 1.
/// Cost: a.size() * b.size(); words longer than 256 bytes count as too far.
std::size_t EditDistance(std::string_view a, std::string_view b, std::size_t max);

/// The candidate most like `word`, when one is near enough to be a slip of the finger (a third of
/// its length, at least one edit); case counts half. nullopt when none is.
std::optional<std::string_view> NearestName(std::string_view word,
                                            std::span<const std::string_view> candidates);

/// " (did you mean 'x'?)" or "".
std::string DidYouMean(std::string_view word, std::span<const std::string_view> candidates);

/// 1-based line and column of a byte offset; the column counts code points. Lines end at "\n".
struct TextPosition {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};
TextPosition PositionOf(std::string_view text, std::size_t offset);

/// Many look-ups in one text: built in one pass, a look-up costs a binary search and at most 2 KiB
/// of counting, however long the line (bundles are one line). Borrows the text.
class LineIndex {
 public:
  explicit LineIndex(std::string_view text);
  TextPosition At(std::size_t offset) const;
  std::size_t line_count() const { return starts_.size(); }
  /// Without its line end; empty when there is no such line.
  std::string_view Line(std::uint32_t line) const;

 private:
  std::size_t CodePointsBefore(std::size_t offset) const;

  std::string_view text_;
  std::vector<std::size_t> starts_;
  std::vector<std::size_t> blocks_;  // Code points before each KiB.
};

/// The line at `position`, up to two lines before it, and a caret under the column:
///
///     1 | const a = 1;
///     2 | const b = a.c.d;
///       |               ^
///
/// Tabs become single spaces so that the caret stands right; a long line is cut around the column
/// with "..." at the cut. Empty when the text has no such line.
std::string RenderSnippet(std::string_view text, TextPosition position);

/// `text` without white space (space, tab, CR, LF) at its ends.
std::string_view Trim(std::string_view text);
/// The parts between `separator`s; one empty part for an empty text.
std::vector<std::string_view> Split(std::string_view text, char separator);

}  // namespace nexus
