#pragma once
/// Where something stands in an author's file.

#include <cstdint>

namespace nexus {

/// 1-based line and column, column in Unicode code points; line 0 means "not known".
struct SourcePosition {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  bool known() const { return line != 0; }
  friend bool operator==(const SourcePosition&, const SourcePosition&) = default;
};

}  // namespace nexus
