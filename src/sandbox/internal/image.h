#pragma once
/// Images: the guest's linear memory at the moment from which runs start.
///
/// A base image is the guest just initialised, one a memory size; it lies in a memfd that every
/// instance maps privately, so instances share what they do not write. A program's image is its
/// base plus the pages that loading the program changed. Keeping only the difference makes an image
/// small, and lets an instance go from one program to another by copying a few pages instead of
/// mapping anew, which costs ten times as much.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/internal/dirty_pages.h"
#include "sandbox/internal/engine.h"

namespace nexus::internal {

/// The memfd in which base images lie, one behind the other: thousands of images take one file
/// descriptor. Thread-safe.
class ImageFile {
 public:
  static Result<std::shared_ptr<ImageFile>> Create();
  ~ImageFile();
  ImageFile(const ImageFile&) = delete;
  ImageFile& operator=(const ImageFile&) = delete;

  int fd() const { return fd_; }
  /// Room for `size` bytes (whole pages) behind what is there; where. They read as zeros and take
  /// no memory until written.
  std::uint64_t Reserve(std::size_t size) {
    return end_.fetch_add(size, std::memory_order_relaxed);
  }
  Status Write(std::uint64_t offset, const std::uint8_t* bytes, std::size_t size);
  /// Gives the memory of a range back.
  void Free(std::uint64_t offset, std::size_t size);

 private:
  explicit ImageFile(int fd) : fd_(fd) {}
  const int fd_;
  std::atomic<std::uint64_t> end_{0};
};

/// Immutable, thread-safe.
class BaseImage {
 public:
  /// Takes the memory of `instance` as it is; nothing lies at or above page `pages_max`.
  static Result<std::shared_ptr<const BaseImage>> Capture(std::shared_ptr<ImageFile> file,
                                                          const Instance& instance,
                                                          std::uint32_t mailbox,
                                                          std::uint32_t pages_max);
  /// The pages of `image`, in one piece.
  static Result<std::shared_ptr<const BaseImage>> Flatten(const class Image& image);
  ~BaseImage();
  BaseImage(const BaseImage&) = delete;
  BaseImage& operator=(const BaseImage&) = delete;

  const std::shared_ptr<ImageFile>& file() const { return file_; }
  std::uint64_t file_offset() const { return file_offset_; }
  std::size_t memory_bytes() const { return memory_bytes_; }
  std::uint32_t used_pages() const { return used_pages_; }  ///< Above these all is zero.
  /// What page `index` holds; null: zeros, which take no memory.
  const std::uint8_t* page(std::uint32_t index) const {
    return zero_[index] ? nullptr : pages_ + std::size_t{index} * kPageBytes;
  }
  std::uint32_t mailbox() const { return mailbox_; }
  std::uint32_t stack_pointer() const { return stack_pointer_; }

 private:
  BaseImage() = default;
  static Result<std::shared_ptr<const BaseImage>> Make(std::shared_ptr<ImageFile> file,
                                                       const std::uint8_t* bytes,
                                                       std::uint32_t pages);
  std::shared_ptr<ImageFile> file_;
  std::uint64_t file_offset_ = 0;
  const std::uint8_t* pages_ = nullptr;
  std::vector<bool> zero_;  ///< By page.
  std::size_t memory_bytes_ = 0;
  std::uint32_t used_pages_ = 0;
  std::uint32_t mailbox_ = 0;
  std::uint32_t stack_pointer_ = 0;
};

/// Immutable, thread-safe.
class Image {
 public:
  /// The base itself, with nothing changed.
  static std::shared_ptr<const Image> Of(std::shared_ptr<const BaseImage> base);
  /// The base with what the pages `dirty` of `instance` hold now; pages equal to the base's are
  /// left out.
  static std::shared_ptr<const Image> Capture(std::shared_ptr<const BaseImage> base,
                                              const Instance& instance,
                                              const std::vector<PageRange>& dirty);

  /// What page `index` holds; null: zeros.
  const std::uint8_t* page(std::uint32_t index) const {
    return index < sources_.size() ? sources_[index] : nullptr;
  }
  std::uint32_t page_count() const { return static_cast<std::uint32_t>(sources_.size()); }
  /// The pages in which this image differs from its base, ascending.
  const std::vector<std::uint32_t>& changed_pages() const { return changed_; }
  const BaseImage& base() const { return *base_; }
  const std::shared_ptr<const BaseImage>& base_ptr() const { return base_; }
  std::uint32_t stack_pointer() const { return stack_pointer_; }
  /// Hex SHA-256 over memory size, stack pointer and all pages that are not zero.
  const std::string& hash() const { return hash_; }
  std::size_t held_bytes() const { return content_.size(); }
  /// This image as one mapping, made when first asked for; null when it cannot be had. A program
  /// that runs often is mapped from it, so that the pages loading it changed are not copied back
  /// after every run.
  std::shared_ptr<const BaseImage> Flattened() const;

 private:
  explicit Image(std::shared_ptr<const BaseImage> base);
  void ComputeHash();

  std::shared_ptr<const BaseImage> base_;
  std::vector<std::uint32_t> changed_;
  std::vector<std::uint8_t> content_;
  std::vector<const std::uint8_t*> sources_;
  std::uint32_t stack_pointer_ = 0;
  std::string hash_;
  mutable std::mutex flattened_mutex_;
  mutable std::shared_ptr<const BaseImage> flattened_;
};

/// Pages of an instance that differ from its image: a suspended run.
struct PageDelta {
  std::vector<std::uint32_t> index;
  std::vector<std::uint8_t> content;  ///< index.size() pages.
  std::uint32_t stack_pointer = 0;
};

/// An instance together with the image it is in. Thread-compatible.
class Slot {
 public:
  /// Maps `image` into `instance`.
  static Result<std::unique_ptr<Slot>> Create(std::unique_ptr<Instance> instance,
                                              std::shared_ptr<const Image> image);

  Instance& instance() { return *instance_; }
  const Instance& instance() const { return *instance_; }
  const std::shared_ptr<const Image>& image() const { return image_; }
  std::uint8_t* memory() const { return instance_->memory(); }

  /// From a clean state of one image to that of another: by copying when they share a base, else by
  /// mapping anew.
  void SwitchTo(std::shared_ptr<const Image> image);
  /// Back to the image: every page written since is restored. Returns how many there were.
  std::size_t Undo(const DirtyPages& dirty);
  /// Back to the image by mapping anew: after a trap, or when much was written.
  void Remap();
  /// The pages written since the image that differ from it.
  PageDelta CaptureDelta(const DirtyPages& dirty);
  /// The memory as it is now, as a program's image: the difference to the base when that is at most
  /// `shared_pages_max` pages, else a base of its own. Null when it cannot be kept.
  std::shared_ptr<const Image> CaptureImage(const DirtyPages& dirty, std::size_t shared_pages_max);
  /// Puts a captured state back; the slot must be clean and in the same image.
  void ApplyDelta(const PageDelta& delta);
  /// Gives private pages back to the system; the slot stays usable.
  void Trim() { Remap(); }

  /// Told of each use in the same image: after a few in a row the slot is mapped from the flattened
  /// image.
  void NoteReuse();

  std::uint64_t last_used = 0;  ///< For the pool's choice.
  bool busy = false;

 private:
  Slot() = default;
  void RestorePage(std::uint32_t index);
  void RestoreChangedPages();

  std::unique_ptr<Instance> instance_;
  std::shared_ptr<const Image> image_;
  std::shared_ptr<const BaseImage> mapped_;  ///< What the memory is a private mapping of.
  std::uint32_t reuses_ = 0;
  std::vector<PageRange> found_;
};

}  // namespace nexus::internal
