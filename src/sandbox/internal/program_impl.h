#pragma once
/// A compiled program with its images, one a memory size.

#include <memory>
#include <mutex>
#include <vector>

#include "sandbox/internal/bytecode_cache.h"
#include "sandbox/internal/image.h"
#include "sandbox/sandbox.h"

namespace nexus::internal {

class ProgramImpl final : public Program {
 public:
  ProgramImpl(ProgramSpec spec, std::string key, BytecodePtr bytecode)
      : spec_(std::move(spec)), key_(std::move(key)), bytecode_(std::move(bytecode)) {
    inferred_ = !spec_.declared.has_value();
  }

  const ProgramSpec& spec() const override { return spec_; }
  const std::vector<CapabilityToken>& requested_capabilities() const override {
    return inferred_ ? bytecode_->inferred : *spec_.declared;
  }
  bool capabilities_inferred() const override { return inferred_; }
  const std::string& key() const override { return key_; }
  const std::string& image_hash() const override { return image_->hash(); }
  const LoadReport& load_report() const override { return report_; }

  const Bytecode& bytecode() const { return *bytecode_; }
  /// The image of the program's own memory limit.
  const std::shared_ptr<const Image>& image() const { return image_; }
  /// The image for more memory, when one was made.
  std::shared_ptr<const Image> FindLarger(std::size_t memory_bytes) const {
    const std::lock_guard lock(mutex_);
    for (const auto& image : larger_) {
      if (image->base().memory_bytes() == memory_bytes) return image;
    }
    return nullptr;
  }
  void KeepLarger(std::shared_ptr<const Image> image) const {
    const std::lock_guard lock(mutex_);
    larger_.push_back(std::move(image));
  }
  /// While loading, before anyone else sees the program.
  void Finish(std::shared_ptr<const Image> image, LoadReport report) {
    image_ = std::move(image);
    report_ = std::move(report);
  }

 private:
  ProgramSpec spec_;
  std::string key_;
  BytecodePtr bytecode_;
  bool inferred_ = false;
  LoadReport report_;
  std::shared_ptr<const Image> image_;
  mutable std::mutex mutex_;
  mutable std::vector<std::shared_ptr<const Image>> larger_;
};

}  // namespace nexus::internal
