#pragma once
/// Maps places in the code that runs back to places in the files the author wrote.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/value.h"
#include "source/position.h"

namespace nexus {

struct OriginalPosition {
  std::string file;  ///< As the map names it; empty when the map has none.
  SourcePosition at;
  std::string name;  ///< Original identifier, when the map knows.
};

/// Source map revision 3 (ECMA-426), without index maps. Immutable. Thread-safe.
class SourceMap {
 public:
  static constexpr std::size_t kSegmentsMax = std::size_t{16} << 20;

  /// Errors: kInvalidArgument with what is wrong, kResourceExhausted for more than kSegmentsMax
  /// mappings or lines. `mappings` is decoded once, here.
  static Result<SourceMap> Parse(std::string_view json);

  /// The mapping at or before `generated` on its line; line 0 when there is none. The generated
  /// column counts UTF-16 units, as engines report them; the original one code points where the
  /// map carries the source, else UTF-16 units. Cost: a binary search, and a pass over the source.
  OriginalPosition Find(SourcePosition generated) const;
  /// The text of source file `file` when the map carries it, else nullptr.
  const std::string* SourceText(std::string_view file) const;
  /// With `sourceRoot` in front.
  const std::vector<std::string>& sources() const { return sources_; }

 private:
  struct Segment {
    std::uint32_t column = 0;  // 0-based, UTF-16 units as the format has them
    std::int32_t source = -1;
    std::uint32_t source_line = 0;
    std::uint32_t source_column = 0;
    std::int32_t name = -1;
  };
  Status ReadSources(const Value& map);
  Status ReadMappings(std::string_view mappings);

  std::vector<Segment> segments_;
  std::vector<std::uint32_t> line_starts_;  // Index of each line's first segment, and the end.
  std::vector<std::string> sources_;
  std::vector<std::optional<std::string>> contents_;
  std::vector<std::string> names_;
};

}  // namespace nexus
