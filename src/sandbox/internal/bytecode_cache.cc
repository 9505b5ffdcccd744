#include "sandbox/internal/bytecode_cache.h"

#include <algorithm>

#include "base/codec.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"

namespace nexus::internal {
namespace {

constexpr std::string_view kMagic = "NXBC0001";
constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kFileBytesMax = std::size_t{256} << 20;

Result<Bytecode> Corrupt(std::string_view what) {
  return Fail(Code::kDataLoss, "bytecode file: " + std::string(what));
}

}  // namespace

std::string EncodeBytecodeFile(const std::string& key, const Bytecode& bytecode,
                               std::string_view signing_key) {
  std::string body(kMagic);
  AppendText(body, key);
  body += static_cast<char>(bytecode.form);
  AppendVarint(body, bytecode.inferred.size());
  for (const CapabilityToken& token : bytecode.inferred) AppendText(body, token.ToString());
  AppendText(body, bytecode.code);
  body += Sha256Bytes(body);
  body += HmacSha256(signing_key, body);
  return body;
}

Result<Bytecode> DecodeBytecodeFile(std::string_view bytes, const std::string& key,
                                    std::string_view signing_key) {
  if (bytes.size() < kMagic.size() + 2 * kHashBytes) return Corrupt("cut off");
  if (!bytes.starts_with(kMagic)) return Corrupt("not a bytecode file of this version");
  const std::string_view signature = bytes.substr(bytes.size() - kHashBytes);
  bytes.remove_suffix(kHashBytes);
  if (!ConstantTimeEqual(HmacSha256(signing_key, bytes), signature)) {
    return Corrupt("not signed by this installation");
  }
  const std::string_view checksum = bytes.substr(bytes.size() - kHashBytes);
  bytes.remove_suffix(kHashBytes);
  if (Sha256Bytes(bytes) != checksum) return Corrupt("checksum does not fit");
  bytes.remove_prefix(kMagic.size());
  std::string_view text;
  if (!ReadText(bytes, text) || text != key) return Corrupt("it belongs to another key");
  if (bytes.empty()) return Corrupt("cut off");
  Bytecode bytecode;
  bytecode.form = static_cast<std::uint8_t>(bytes.front());
  bytes.remove_prefix(1);
  std::uint64_t count = 0;
  if (!ReadVarint(bytes, count) || count > bytes.size()) return Corrupt("bad capability count");
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!ReadText(bytes, text)) return Corrupt("bad capability");
    NEXUS_TRY(CapabilityToken token, CapabilityToken::Parse(text));
    bytecode.inferred.push_back(std::move(token));
  }
  if (!ReadText(bytes, text) || !bytes.empty()) return Corrupt("bad code length");
  bytecode.code = text;
  return bytecode;
}

BytecodeCache::BytecodeCache(std::filesystem::path folder, std::string signing_key,
                             std::size_t bytes_max)
    : folder_(std::move(folder)), signing_key_(std::move(signing_key)), bytes_max_(bytes_max) {}

std::filesystem::path BytecodeCache::PathOf(const std::string& key) const {
  return folder_ / (key + ".nxbc");
}

BytecodePtr BytecodeCache::Find(const std::string& key) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = index_.find(key); found != index_.end()) {
      order_.splice(order_.begin(), order_, found->second);
      ++stats_.memory_hits;
      return found->second->second;
    }
  }
  if (!folder_.empty()) {
    if (const Result<std::string> file = ReadFile(PathOf(key), kFileBytesMax)) {
      Result<Bytecode> decoded = DecodeBytecodeFile(*file, key, signing_key_);
      if (decoded) {
        auto bytecode = std::make_shared<const Bytecode>(*std::move(decoded));
        Keep(key, bytecode);
        const std::lock_guard lock(mutex_);
        ++stats_.disk_hits;
        return bytecode;
      }
      Log(Severity::kWarn, "bytecode cache: file discarded",
          {{"path", PathOf(key).string()}, {"why", decoded.error().message()}});
      std::error_code ignored;
      std::filesystem::remove(PathOf(key), ignored);
      const std::lock_guard lock(mutex_);
      ++stats_.discarded;
    }
  }
  const std::lock_guard lock(mutex_);
  ++stats_.misses;
  return nullptr;
}

void BytecodeCache::Store(const std::string& key, BytecodePtr bytecode) {
  if (!folder_.empty()) {
    const std::string file = EncodeBytecodeFile(key, *bytecode, signing_key_);
    if (const Status written = WriteFileAtomic(PathOf(key), file, {.sync = false}); !written) {
      Log(Severity::kWarn, "bytecode cache: file not written",
          {{"why", written.error().message()}});
      const std::lock_guard lock(mutex_);
      ++stats_.write_failures;
    }
    bool due = false;
    {
      const std::lock_guard lock(mutex_);
      due = ++files_written_ % 512 == 0;
    }
    if (due) PruneFolder();
  }
  Keep(key, std::move(bytecode));
}

void BytecodeCache::PruneFolder() {
  std::vector<std::pair<std::filesystem::file_time_type, std::filesystem::path>> files;
  std::error_code error;
  for (auto at = std::filesystem::directory_iterator(folder_, error);
       !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    if (at->path().extension() != ".nxbc") continue;
    files.emplace_back(at->last_write_time(error), at->path());
  }
  if (files.size() <= kFilesMax) return;
  std::sort(files.begin(), files.end());
  files.resize(files.size() - kFilesMax / 4 * 3);  // Room for a while.
  for (const auto& [time, path] : files) std::filesystem::remove(path, error);
}

void BytecodeCache::Keep(const std::string& key, BytecodePtr bytecode) {
  const std::lock_guard lock(mutex_);
  if (index_.contains(key)) return;
  bytes_ += bytecode->code.size();
  order_.emplace_front(key, std::move(bytecode));
  index_.emplace(key, order_.begin());
  while (bytes_ > bytes_max_ && order_.size() > 1) {
    bytes_ -= order_.back().second->code.size();
    index_.erase(order_.back().first);
    order_.pop_back();
  }
}

void BytecodeCache::DropMemory() {
  const std::lock_guard lock(mutex_);
  order_.clear();
  index_.clear();
  bytes_ = 0;
}

BytecodeCacheStats BytecodeCache::Stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace nexus::internal
