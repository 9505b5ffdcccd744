#pragma once
/// The parts of a snapshot (docs/format/snapshot.md), apart from its signature.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/value.h"

namespace nexus::internal {

struct SnapshotParts {
  std::string guest_hash;
  std::string engine;
  std::string program_key;
  std::string image_hash;
  std::uint64_t memory_bytes = 0;
  Value fields;
  std::uint32_t stack_pointer = 0;
  std::vector<std::uint32_t> pages;  ///< Ascending, each within memory_bytes.
  std::string compressed;
};

/// Takes apart what stands before the signature. Checks every length and index; whether the parts
/// fit this installation is the caller's to judge. Errors: kDataLoss.
Result<SnapshotParts> ParseSnapshotBody(std::string_view body);

}  // namespace nexus::internal
