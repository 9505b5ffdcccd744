#include "sandbox/internal/dirty_pages.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "base/check.h"

namespace nexus::internal {
namespace {

// Linux uapi <linux/fs.h>, since 6.7; spelled out because older headers lack it.
struct PageRegion {
  std::uint64_t start, end, categories;
};
struct PmScanArg {
  std::uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  std::uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
constexpr unsigned long kPagemapScan = _IOWR('f', 16, PmScanArg);
constexpr std::uint64_t kPageIsFile = 1 << 2;
constexpr std::uint64_t kPageIsPresent = 1 << 3;
constexpr std::uint64_t kPageIsSwapped = 1 << 4;

// /proc/PID/pagemap words, Documentation/admin-guide/mm/pagemap.rst.
constexpr std::uint64_t kEntryPresent = std::uint64_t{1} << 63;
constexpr std::uint64_t kEntrySwapped = std::uint64_t{1} << 62;
constexpr std::uint64_t kEntryFile = std::uint64_t{1} << 61;

void AppendRange(std::vector<PageRange>& out, std::uint32_t first, std::uint32_t count) {
  if (!out.empty() && out.back().first + out.back().count == first) {
    out.back().count += count;
  } else {
    out.push_back({first, count});
  }
}

}  // namespace

std::string_view DirtyPageSourceName(DirtyPageSource source) {
  switch (source) {
    case DirtyPageSource::kPagemapScan:
      return "PAGEMAP_SCAN";
    case DirtyPageSource::kPagemapFile:
      return "/proc/self/pagemap";
    case DirtyPageSource::kNone:
      return "re-mapping";
  }
  NEXUS_CHECK(false, "unknown dirty page source");
}

Result<DirtyPages> DirtyPages::Open(std::optional<DirtyPageSource> wanted) {
  constexpr std::array kByCost = {DirtyPageSource::kPagemapScan, DirtyPageSource::kPagemapFile,
                                  DirtyPageSource::kNone};
  for (const DirtyPageSource source : kByCost) {
    if (wanted && *wanted != source) continue;
    const int fd =
        source == DirtyPageSource::kNone ? -1 : open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    DirtyPages pages(source, fd);
    if (source == DirtyPageSource::kNone || (fd >= 0 && pages.Works())) return pages;
  }
  return Fail(Code::kUnavailable, "dirty pages by " + std::string(DirtyPageSourceName(*wanted)) +
                                      ": this kernel does not offer it: choose auto");
}

DirtyPages::DirtyPages(DirtyPages&& other) noexcept
    : source_(other.source_), fd_(std::exchange(other.fd_, -1)) {}

DirtyPages::~DirtyPages() {
  if (fd_ >= 0) close(fd_);
}

// Writes one page of a fresh private file mapping and of anonymous memory and looks whether exactly
// these are found: a kernel that hides pagemap from containers answers zeros.
bool DirtyPages::Works() const {
  constexpr std::size_t kPages = 8;
  const int fd = memfd_create("nexus-probe", MFD_CLOEXEC);
  if (fd < 0) return false;
  bool works = false;
  if (ftruncate(fd, kPages * kPageBytes) == 0) {
    void* const block =
        mmap(nullptr, kPages * kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (block != MAP_FAILED) {
      auto* const bytes = static_cast<volatile std::uint8_t*>(block);
      (void)bytes[1 * kPageBytes];  // Read only: still the file's.
      bytes[5 * kPageBytes] = 1;
      std::vector<PageRange> found;
      works = Find(static_cast<std::uint8_t*>(block), kPages * kPageBytes, found) &&
              found.size() == 1 && found[0].first == 5 && found[0].count == 1;
      munmap(block, kPages * kPageBytes);
    }
  }
  close(fd);
  return works;
}

bool DirtyPages::Find(const std::uint8_t* base, std::size_t bytes,
                      std::vector<PageRange>& out) const {
  out.clear();
  switch (source_) {
    case DirtyPageSource::kPagemapScan:
      return FindByScan(base, bytes, out);
    case DirtyPageSource::kPagemapFile:
      return FindByFile(base, bytes, out);
    case DirtyPageSource::kNone:
      break;
  }
  return false;
}

bool DirtyPages::FindByScan(const std::uint8_t* base, std::size_t bytes,
                            std::vector<PageRange>& out) const {
  const auto start = reinterpret_cast<std::uint64_t>(base);
  const std::uint64_t end = start + bytes;
  std::array<PageRegion, 128> regions;
  for (std::uint64_t from = start; from < end;) {
    PmScanArg arg{};
    arg.size = sizeof(arg);
    arg.start = from;
    arg.end = end;
    arg.vec = reinterpret_cast<std::uint64_t>(regions.data());
    arg.vec_len = regions.size();
    arg.category_inverted = kPageIsFile;
    arg.category_mask = kPageIsFile;
    arg.category_anyof_mask = kPageIsPresent | kPageIsSwapped;
    arg.return_mask = kPageIsPresent;
    const int found = ioctl(fd_, kPagemapScan, &arg);
    if (found < 0 || arg.walk_end <= from) return false;
    for (int i = 0; i < found; ++i) {
      const PageRegion& region = regions[static_cast<std::size_t>(i)];
      AppendRange(out, static_cast<std::uint32_t>((region.start - start) / kPageBytes),
                  static_cast<std::uint32_t>((region.end - region.start) / kPageBytes));
    }
    from = arg.walk_end;
  }
  return true;
}

bool DirtyPages::FindByFile(const std::uint8_t* base, std::size_t bytes,
                            std::vector<PageRange>& out) const {
  std::array<std::uint64_t, 1024> entries;
  const std::size_t pages = bytes / kPageBytes;
  const auto first_page = reinterpret_cast<std::uint64_t>(base) / kPageBytes;
  for (std::size_t page = 0; page < pages;) {
    const std::size_t wanted = std::min(entries.size(), pages - page);
    const ssize_t got = pread(fd_, entries.data(), wanted * sizeof(entries[0]),
                              static_cast<off_t>((first_page + page) * sizeof(entries[0])));
    if (got != static_cast<ssize_t>(wanted * sizeof(entries[0]))) return false;
    for (std::size_t i = 0; i < wanted; ++i) {
      const std::uint64_t entry = entries[i];
      const bool there = (entry & (kEntryPresent | kEntrySwapped)) != 0;
      if (there && (entry & kEntryFile) == 0) {
        AppendRange(out, static_cast<std::uint32_t>(page + i), 1);
      }
    }
    page += wanted;
  }
  return true;
}

}  // namespace nexus::internal
