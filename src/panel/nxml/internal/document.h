#pragma once
/// An NXML file as a tree of elements that know where they stand, before it means anything.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "panel/nxml/nxml.h"
#include "source/position.h"

namespace nexus::internal {

struct Element;

struct Attribute {
  std::string name;
  std::string value;             ///< Entities decoded, white space as blanks.
  std::size_t name_offset = 0;   ///< In the file.
  std::size_t value_offset = 0;  ///< Of the character behind the quote.
};

/// Text between tags, entities decoded. Never blank: white space between tags means nothing.
struct TextPiece {
  std::string text;
  std::size_t offset = 0;  ///< Of its first byte in the file.
};

struct Content {
  std::unique_ptr<Element> element;  ///< nullptr: text.
  TextPiece text;
};

struct Element {
  std::string name;
  std::size_t offset = 0;  ///< Of its `<` in the file.
  std::vector<Attribute> attributes;
  std::vector<Content> content;
  /// Of a Handler: what stands between its tags, CDATA marks blanked.
  std::string body;
  std::size_t body_offset = 0;
  bool has_body = false;
  bool body_has_cdata = false;

  const Attribute* FindAttribute(std::string_view attribute) const;
  const std::string* Find(std::string_view attribute) const;
  /// Of the value of `attribute`; of the element when it has none.
  std::size_t OffsetOf(std::string_view attribute) const;
};

struct Document {
  std::unique_ptr<Element> root;  ///< nullptr: nothing could be read.
  /// Where reading had to stop; SIZE_MAX: at the end. What stands behind it is not in the tree.
  std::size_t broken_at = SIZE_MAX;
  std::vector<std::string> comments_before;  ///< Those before the root element.
  std::size_t comment_inside = SIZE_MAX;     ///< Offset of the first one within it.
};

/// Positions in one file. One thread.
class Places {
 public:
  explicit Places(std::string_view source) : source_(source), lines_(source) {}
  /// Cheapest for offsets that grow.
  SourcePosition At(std::size_t offset) const;
  /// The offset in the file of the `decoded`-th byte of a value (or text) that begins at `begin`
  /// there: `&lt;` is one byte of a value.
  std::size_t Within(std::size_t begin, std::size_t decoded) const;
  std::string_view source() const { return source_; }

 private:
  std::string_view source_;
  LineIndex lines_;
  mutable std::size_t last_offset_ = 0;
  mutable SourcePosition last_{.line = 1, .column = 1};
  /// The newest answer of Within.
  struct Reached {
    std::size_t begin = SIZE_MAX, decoded = 0, at = 0;
  };
  mutable Reached within_;
};

/// Well-formedness, depth, size and encoding. Problems go to `problems`; after one that has an
/// obvious remedy (a bare `&`, an attribute given twice) reading goes on as if it were remedied.
Document ReadDocument(std::string_view source, const Places& places, const NxmlLimits& limits,
                      std::vector<NxmlProblem>& problems);

}  // namespace nexus::internal
