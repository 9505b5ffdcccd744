#pragma once
/// Compiled programs by key, in memory and on disk. Format of the files: docs/format/bytecode.md.
///
/// A cache file is code that will run, so a file counts only when its HMAC under the installation's
/// key fits; a corrupt or planted one is discarded, counted and compiled again. Guests cannot
/// supply bytecode: nothing but this folder and the compiler is read.

#include <cstdint>
#include <filesystem>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "capability/token.h"

namespace nexus::internal {

/// What compiling gives. Immutable.
struct Bytecode {
  std::uint8_t form = 0;  ///< NX_FORM_*
  std::string code;
  std::vector<CapabilityToken> inferred;
};
using BytecodePtr = std::shared_ptr<const Bytecode>;

struct BytecodeCacheStats {
  std::uint64_t memory_hits = 0, disk_hits = 0, misses = 0, discarded = 0, write_failures = 0;
};

/// Thread-safe.
class BytecodeCache {
 public:
  static constexpr std::size_t kFilesMax = 8192;

  /// `folder` empty: memory only. `bytes_max` bounds what is kept in memory.
  BytecodeCache(std::filesystem::path folder, std::string signing_key,
                std::size_t bytes_max = std::size_t{64} << 20);

  /// Null when neither memory nor disk has a sound entry for `key` (64 hex digits).
  BytecodePtr Find(const std::string& key);
  /// Once in a while the oldest files beyond kFilesMax are removed. A full disk costs the file, not
  /// the program: the failure is counted and logged.
  void Store(const std::string& key, BytecodePtr bytecode);
  void DropMemory();
  BytecodeCacheStats Stats() const;

 private:
  void Keep(const std::string& key, BytecodePtr bytecode);
  void PruneFolder();
  std::filesystem::path PathOf(const std::string& key) const;

  const std::filesystem::path folder_;
  const std::string signing_key_;
  const std::size_t bytes_max_;
  mutable std::mutex mutex_;
  using Order = std::list<std::pair<std::string, BytecodePtr>>;
  Order order_;  ///< Most recently used first.
  std::unordered_map<std::string, Order::iterator> index_;
  std::size_t bytes_ = 0;
  BytecodeCacheStats stats_;
  std::uint64_t files_written_ = 0;
};

/// The file's bytes. Exposed for tests and the fuzzer.
std::string EncodeBytecodeFile(const std::string& key, const Bytecode& bytecode,
                               std::string_view signing_key);
/// Errors: kDataLoss saying which check failed.
Result<Bytecode> DecodeBytecodeFile(std::string_view bytes, const std::string& key,
                                    std::string_view signing_key);

}  // namespace nexus::internal
