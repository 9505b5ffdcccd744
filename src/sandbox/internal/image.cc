#include "sandbox/internal/image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/hash.h"

namespace nexus::internal {
namespace {

/// Above this, mapping anew is cheaper than copying back.
constexpr std::size_t kCopyBackPagesMax = 128;

/// Runs of one program in a row on one instance before it is mapped from the flattened image:
/// mapping and the faults after it cost what a good fifty runs save.
constexpr std::uint32_t kFlattenAfterReuses = 64;

alignas(64) constexpr std::uint8_t kZeroPage[kPageBytes] = {};

bool IsZeroPage(const std::uint8_t* page) { return std::memcmp(page, kZeroPage, kPageBytes) == 0; }

const std::uint8_t* OrZeros(const std::uint8_t* page) { return page == nullptr ? kZeroPage : page; }

}  // namespace

Result<std::shared_ptr<ImageFile>> ImageFile::Create() {
  const int fd = memfd_create("nexus-images", MFD_CLOEXEC);
  if (fd < 0) {
    return Fail(Code::kUnavailable, std::string("keep images in memory: ") + std::strerror(errno));
  }
  return std::shared_ptr<ImageFile>(new ImageFile(fd));
}

ImageFile::~ImageFile() { close(fd_); }

Status ImageFile::Write(std::uint64_t offset, const std::uint8_t* bytes, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t wrote = pwrite(fd_, bytes + done, size - done, static_cast<off_t>(offset + done));
    if (wrote <= 0) {
      return Fail(Code::kUnavailable,
                  std::string("keep an image in memory: ") + std::strerror(errno));
    }
    done += static_cast<std::size_t>(wrote);
  }
  return {};
}

void ImageFile::Free(std::uint64_t offset, std::size_t size) {
  fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
            static_cast<off_t>(size));
}

Result<std::shared_ptr<const BaseImage>> BaseImage::Capture(std::shared_ptr<ImageFile> file,
                                                            const Instance& instance,
                                                            std::uint32_t mailbox,
                                                            std::uint32_t pages_max) {
  std::uint32_t pages = pages_max;
  while (pages > 0 && IsZeroPage(instance.memory() + std::size_t{pages - 1} * kPageBytes)) --pages;
  NEXUS_TRY(std::shared_ptr<const BaseImage> made, Make(std::move(file), instance.memory(), pages));
  auto image = std::const_pointer_cast<BaseImage>(std::move(made));
  image->memory_bytes_ = instance.memory_bytes();
  image->mailbox_ = mailbox;
  image->stack_pointer_ = instance.stack_pointer();
  return image;
}

Result<std::shared_ptr<const BaseImage>> BaseImage::Make(std::shared_ptr<ImageFile> file,
                                                         const std::uint8_t* memory,
                                                         std::uint32_t pages) {
  NEXUS_CHECK(pages > 0, "an empty image");
  const std::size_t bytes = std::size_t{pages} * kPageBytes;
  std::shared_ptr<BaseImage> image(new BaseImage);
  image->file_offset_ = file->Reserve(bytes);
  image->file_ = std::move(file);
  image->used_pages_ = pages;
  image->zero_.resize(pages);
  // Most of the guest's stack was never touched: such pages stay holes of the file.
  for (std::uint32_t i = 0; i < pages; ++i) {
    image->zero_[i] = IsZeroPage(memory + std::size_t{i} * kPageBytes);
  }
  for (std::uint32_t first = 0; first < pages;) {
    std::uint32_t end = first;
    while (end < pages && !image->zero_[end]) ++end;
    const std::size_t at = std::size_t{first} * kPageBytes;
    NEXUS_TRY_STATUS(image->file_->Write(image->file_offset_ + at, memory + at,
                                         std::size_t{end - first} * kPageBytes));
    first = end + 1;
  }
  void* const mapped = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, image->file_->fd(),
                            static_cast<off_t>(image->file_offset_));
  if (mapped == MAP_FAILED) {
    return Fail(Code::kUnavailable, std::string("map an image: ") + std::strerror(errno));
  }
  image->pages_ = static_cast<const std::uint8_t*>(mapped);
  return image;
}

Result<std::shared_ptr<const BaseImage>> BaseImage::Flatten(const Image& image) {
  const std::uint32_t pages = image.page_count();
  std::vector<std::uint8_t> memory(std::size_t{pages} * kPageBytes);
  for (std::uint32_t i = 0; i < pages; ++i) {
    std::memcpy(memory.data() + std::size_t{i} * kPageBytes, OrZeros(image.page(i)), kPageBytes);
  }
  NEXUS_TRY(std::shared_ptr<const BaseImage> made, Make(image.base().file(), memory.data(), pages));
  auto flat = std::const_pointer_cast<BaseImage>(std::move(made));
  flat->memory_bytes_ = image.base().memory_bytes();
  flat->mailbox_ = image.base().mailbox();
  flat->stack_pointer_ = image.stack_pointer();
  return flat;
}

BaseImage::~BaseImage() {
  const std::size_t bytes = std::size_t{used_pages_} * kPageBytes;
  if (pages_ != nullptr) munmap(const_cast<std::uint8_t*>(pages_), bytes);
  // Mappings of instances still in this image keep their own reference to it, so none is left.
  if (file_ != nullptr) file_->Free(file_offset_, bytes);
}

Image::Image(std::shared_ptr<const BaseImage> base)
    : base_(std::move(base)), stack_pointer_(base_->stack_pointer()) {
  sources_.reserve(base_->used_pages());
  for (std::uint32_t i = 0; i < base_->used_pages(); ++i) sources_.push_back(base_->page(i));
}

std::shared_ptr<const Image> Image::Of(std::shared_ptr<const BaseImage> base) {
  std::shared_ptr<Image> image(new Image(std::move(base)));
  image->ComputeHash();
  return image;
}

std::shared_ptr<const Image> Image::Capture(std::shared_ptr<const BaseImage> base,
                                            const Instance& instance,
                                            const std::vector<PageRange>& dirty) {
  std::shared_ptr<Image> image(new Image(std::move(base)));
  for (const PageRange& range : dirty) {
    for (std::uint32_t i = range.first; i < range.first + range.count; ++i) {
      const std::uint8_t* const now = instance.memory() + std::size_t{i} * kPageBytes;
      if (std::memcmp(now, OrZeros(image->page(i)), kPageBytes) == 0) continue;
      image->changed_.push_back(i);
      image->content_.insert(image->content_.end(), now, now + kPageBytes);
    }
  }
  if (!image->changed_.empty() && image->changed_.back() >= image->sources_.size()) {
    image->sources_.resize(std::size_t{image->changed_.back()} + 1, nullptr);
  }
  for (std::size_t i = 0; i < image->changed_.size(); ++i) {
    image->sources_[image->changed_[i]] = image->content_.data() + i * kPageBytes;
  }
  image->stack_pointer_ = instance.stack_pointer();
  image->ComputeHash();
  return image;
}

std::shared_ptr<const BaseImage> Image::Flattened() const {
  if (changed_.empty()) return base_;
  const std::lock_guard lock(flattened_mutex_);
  if (flattened_ == nullptr) {
    if (auto flat = BaseImage::Flatten(*this)) flattened_ = *std::move(flat);
  }
  return flattened_;
}

void Image::ComputeHash() {
  // The base's pages are the same for every image of it: hash only what a base is identified by and
  // the changed pages. Two processes with the same guest have the same base (image_test.cc).
  Sha256 hash;
  const auto add = [&hash](std::uint64_t n) {
    hash.Update(std::string_view(reinterpret_cast<const char*>(&n), sizeof(n)));
  };
  add(base_->memory_bytes());
  add(base_->used_pages());
  add(stack_pointer_);
  for (std::uint32_t i = 0; changed_.empty() && i < base_->used_pages(); ++i) {
    const std::uint8_t* const page = base_->page(i);
    if (page == nullptr) continue;
    add(i);
    hash.Update({reinterpret_cast<const char*>(page), kPageBytes});
  }
  for (const std::uint32_t index : changed_) add(index);
  hash.Update({reinterpret_cast<const char*>(content_.data()), content_.size()});
  hash_ = hash.FinishHex();
}

Result<std::unique_ptr<Slot>> Slot::Create(std::unique_ptr<Instance> instance,
                                           std::shared_ptr<const Image> image) {
  NEXUS_CHECK(instance->memory_bytes() == image->base().memory_bytes());
  auto slot = std::unique_ptr<Slot>(new Slot);
  slot->instance_ = std::move(instance);
  slot->image_ = std::move(image);
  slot->Remap();
  return slot;
}

void Slot::RestorePage(std::uint32_t index) {
  std::uint8_t* const page = memory() + std::size_t{index} * kPageBytes;
  if (const std::uint8_t* const source = image_->page(index)) {
    std::memcpy(page, source, kPageBytes);
  } else {
    std::memset(page, 0, kPageBytes);
  }
}

void Slot::RestoreChangedPages() {
  for (const std::uint32_t index : image_->changed_pages()) RestorePage(index);
  instance_->set_stack_pointer(image_->stack_pointer());
}

void Slot::SwitchTo(std::shared_ptr<const Image> image) {
  if (image == image_) return;
  NEXUS_CHECK(image->base().memory_bytes() == instance_->memory_bytes());
  const std::shared_ptr<const Image> before = std::exchange(image_, std::move(image));
  reuses_ = 0;
  if (mapped_ != image_->base_ptr()) return Remap();
  for (const std::uint32_t index : before->changed_pages()) RestorePage(index);
  RestoreChangedPages();
}

void Slot::NoteReuse() {
  if (++reuses_ != kFlattenAfterReuses || mapped_ != image_->base_ptr()) return;
  if (image_->changed_pages().empty() || image_->Flattened() == nullptr) return;
  Remap();
}

void Slot::Remap() {
  const bool flat = reuses_ >= kFlattenAfterReuses && image_->Flattened() != nullptr;
  // The one before is let go of only when nothing maps it any more.
  const auto before = std::exchange(mapped_, flat ? image_->Flattened() : image_->base_ptr());
  const std::size_t image_bytes = std::size_t{mapped_->used_pages()} * kPageBytes;
  std::uint8_t* const base = memory();
  const std::size_t bytes = instance_->memory_bytes();
  void* mapped = mmap(base, image_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
                      mapped_->file()->fd(), static_cast<off_t>(mapped_->file_offset()));
  NEXUS_CHECK(mapped == base, "map an image into an instance");
  mapped = mmap(base + image_bytes, bytes - image_bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  NEXUS_CHECK(mapped == base + image_bytes, "map an instance's memory");
  // One touched byte must not become 2 MiB of dirty memory.
  madvise(base + image_bytes, bytes - image_bytes, MADV_NOHUGEPAGE);
  // Pages mapped around a fault would have to be looked at after every run.
  if (flat) madvise(base, image_bytes, MADV_RANDOM);
  if (flat) {
    instance_->set_stack_pointer(image_->stack_pointer());
  } else {
    RestoreChangedPages();
  }
}

std::size_t Slot::Undo(const DirtyPages& dirty) {
  if (!dirty.Find(memory(), instance_->memory_bytes(), found_)) {
    Remap();
    return 0;
  }
  std::size_t pages = 0;
  for (const PageRange& range : found_) pages += range.count;
  if (pages > kCopyBackPagesMax) {
    Remap();
    return pages;
  }
  for (const PageRange& range : found_) {
    for (std::uint32_t i = 0; i < range.count; ++i) RestorePage(range.first + i);
  }
  instance_->set_stack_pointer(image_->stack_pointer());
  return pages;
}

PageDelta Slot::CaptureDelta(const DirtyPages& dirty) {
  PageDelta delta;
  delta.stack_pointer = instance_->stack_pointer();
  if (!dirty.Find(memory(), instance_->memory_bytes(), found_)) {
    found_.assign(1, {0, static_cast<std::uint32_t>(instance_->memory_bytes() / kPageBytes)});
  }
  for (const PageRange& range : found_) {
    for (std::uint32_t i = range.first; i < range.first + range.count; ++i) {
      const std::uint8_t* const page = memory() + std::size_t{i} * kPageBytes;
      if (std::memcmp(page, OrZeros(image_->page(i)), kPageBytes) == 0) continue;
      delta.index.push_back(i);
      delta.content.insert(delta.content.end(), page, page + kPageBytes);
    }
  }
  return delta;
}

std::shared_ptr<const Image> Slot::CaptureImage(const DirtyPages& dirty,
                                                std::size_t shared_pages_max) {
  if (!dirty.Find(memory(), instance_->memory_bytes(), found_)) {
    found_.assign(1, {0, static_cast<std::uint32_t>(instance_->memory_bytes() / kPageBytes)});
  }
  auto image = Image::Capture(image_->base_ptr(), *instance_, found_);
  if (image->changed_pages().size() <= shared_pages_max) return image;
  std::uint32_t pages = image_->base().used_pages();
  if (!found_.empty()) pages = std::max(pages, found_.back().first + found_.back().count);
  auto own_base =
      BaseImage::Capture(image_->base().file(), *instance_, image_->base().mailbox(), pages);
  if (!own_base) return nullptr;
  return Image::Of(*std::move(own_base));
}

void Slot::ApplyDelta(const PageDelta& delta) {
  NEXUS_CHECK(delta.content.size() == delta.index.size() * kPageBytes);
  for (std::size_t i = 0; i < delta.index.size(); ++i) {
    NEXUS_CHECK((std::size_t{delta.index[i]} + 1) * kPageBytes <= instance_->memory_bytes());
    std::memcpy(memory() + std::size_t{delta.index[i]} * kPageBytes,
                delta.content.data() + i * kPageBytes, kPageBytes);
  }
  instance_->set_stack_pointer(delta.stack_pointer);
}

}  // namespace nexus::internal
