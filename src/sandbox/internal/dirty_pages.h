#pragma once
/// Finds the pages of a private mapping that were written since it was made.
///
/// A private mapping of a memfd copies a page when it is first written; such pages are anonymous,
/// untouched ones still belong to the file. Linux 6.7 lists them with one ioctl (PAGEMAP_SCAN);
/// before, /proc/self/pagemap gives a word a page. Where neither is to be had, the caller maps
/// anew.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace nexus::internal {

inline constexpr std::size_t kPageBytes = 4096;

struct PageRange {
  std::uint32_t first = 0;  ///< Page number within the memory asked about.
  std::uint32_t count = 0;
};

enum class DirtyPageSource : std::uint8_t { kPagemapScan, kPagemapFile, kNone };
std::string_view DirtyPageSourceName(DirtyPageSource source);

/// Immutable after creation; thread-safe.
class DirtyPages {
 public:
  /// The first source of the kernel that works, tried on a mapping of its own; or `wanted`, and
  /// kUnavailable when this kernel does not have it.
  static Result<DirtyPages> Open(std::optional<DirtyPageSource> wanted);
  ~DirtyPages();
  DirtyPages(DirtyPages&& other) noexcept;
  DirtyPages& operator=(DirtyPages&&) = delete;

  /// Fills `out` with the written pages of [base, base + bytes), ascending. False: cannot tell, map
  /// anew. Swapped-out pages count. Cost: about 1 us (scan) or 5 ns a page of memory (file).
  bool Find(const std::uint8_t* base, std::size_t bytes, std::vector<PageRange>& out) const;
  DirtyPageSource source() const { return source_; }

 private:
  DirtyPages(DirtyPageSource source, int fd) : source_(source), fd_(fd) {}
  bool FindByScan(const std::uint8_t* base, std::size_t bytes, std::vector<PageRange>& out) const;
  bool FindByFile(const std::uint8_t* base, std::size_t bytes, std::vector<PageRange>& out) const;
  bool Works() const;

  DirtyPageSource source_;
  int fd_;
};

}  // namespace nexus::internal
