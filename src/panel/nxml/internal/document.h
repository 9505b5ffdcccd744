#pragma once
/// An NXML file as a tree of elements that know where they stand, before it means anything.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "panel/nxml/nxml.h"
#include "source/position.h"

namespace nexus::internal {

struct Element;

/// Text between tags, entities decoded.
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
  std::vector<std::pair<std::string, std::string>> attributes;
  std::vector<Content> content;
  /// Of a Handler: what stands between its tags, CDATA marks blanked.
  std::string body;
  std::size_t body_offset = 0;
  bool has_body = false;
  bool body_has_cdata = false;

  const std::string* Find(std::string_view attribute) const;
};

struct Document {
  std::unique_ptr<Element> root;             ///< nullptr after an error of the XML itself.
  std::vector<std::string> comments_before;  ///< Those before the root element.
  std::size_t comment_inside = SIZE_MAX;     ///< Offset of the first one within it.
};

/// Positions in one file.
class Places {
 public:
  explicit Places(std::string_view source) : source_(source), lines_(source) {}
  SourcePosition At(std::size_t offset) const {
    const TextPosition at = lines_.At(offset);
    return {.line = at.line, .column = at.column};
  }
  /// Of the value of `attribute` (of its name when `of_name`); of the element when it has none.
  std::size_t AttributeOffset(const Element& element, std::string_view attribute,
                              bool of_name = false) const;
  std::string_view source() const { return source_; }

 private:
  std::string_view source_;
  LineIndex lines_;
};

/// Well-formedness, depth, size and encoding. Problems go to `problems`.
Document ReadDocument(std::string_view source, const Places& places, const NxmlLimits& limits,
                      std::vector<NxmlProblem>& problems);

}  // namespace nexus::internal
