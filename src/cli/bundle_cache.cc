#include "cli/bundle_cache.h"

#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

#include "base/codec.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/value.h"

namespace nexus {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "NXBUNDLE1\n";
constexpr std::size_t kBundlesMax = 200;

fs::path PathOf(const BundleOptions& options, const std::string& key) {
  return options.cache_dir / "bundles" / (key + ".nxb");
}

// Size and hash of an input; nullopt when it cannot be read.
std::optional<std::string> HashOf(const fs::path& file) {
  const Result<std::string> text = ReadFile(file);
  if (!text) return std::nullopt;
  return Sha256Hex(*text);
}

}  // namespace

std::string BundleKey(const fs::path& entry, const fs::path& esbuild) {
  Sha256 hash;
  hash.UpdatePart("bundle 1").UpdatePart(entry.string());
  std::error_code error;
  // The bundler is identified by its file, not by asking it: a child process costs milliseconds.
  hash.UpdatePart(fs::canonical(esbuild, error).string());
  hash.UpdatePart(std::to_string(fs::file_size(esbuild, error)));
  for (fs::path folder = entry.parent_path();; folder = folder.parent_path()) {
    for (const char* name : {"package.json", "tsconfig.json", "package-lock.json",
                             "node_modules/.package-lock.json"}) {
      const Result<std::string> text = ReadFile(folder / name);
      if (text) hash.UpdatePart((folder / name).string()).UpdatePart(*text);
    }
    if (folder == folder.parent_path()) break;
  }
  return hash.FinishHex();
}

std::optional<Bundle> LoadBundle(const BundleOptions& options, const std::string& key) {
  if (options.cache_dir.empty()) return std::nullopt;
  const fs::path path = PathOf(options, key);
  const Result<std::string> bytes = ReadFile(path);
  if (!bytes) return std::nullopt;
  const auto discard = [&](std::string_view why) {
    Log(Severity::kInfo, "kept bundle discarded", {{"file", path.string()}, {"why", Value(why)}});
    std::error_code error;
    fs::remove(path, error);
    return std::nullopt;
  };
  std::string_view rest = *bytes;
  if (!rest.starts_with(kMagic) || rest.size() < kMagic.size() + kSha256Bytes)
    return discard("not a bundle");
  rest.remove_prefix(kMagic.size());
  const std::string_view signature = rest.substr(0, kSha256Bytes);
  rest.remove_prefix(kSha256Bytes);
  if (!ConstantTimeEqual(signature, HmacSha256(options.signing_key, key + std::string(rest)))) {
    return discard("damaged, or signed by another installation");
  }
  const Result<Value> value = DecodeValue(rest);
  const ValueArray* inputs =
      value && value->Find("inputs") != nullptr ? value->Find("inputs")->As<ValueArray>() : nullptr;
  if (inputs == nullptr) return discard("not a bundle");
  Bundle bundle;
  for (const Value& input : *inputs) {
    const fs::path file(std::string(input.StringOr("path", "")));
    if (HashOf(file) != std::string(input.StringOr("sha256", ""))) return std::nullopt;
    bundle.inputs.push_back(file);
  }
  bundle.javascript = value->StringOr("javascript", "");
  bundle.source_map = value->StringOr("sourceMap", "");
  bundle.cache_hit = true;
  return bundle;
}

void StoreBundle(const BundleOptions& options, const std::string& key, const Bundle& bundle) {
  if (options.cache_dir.empty()) return;
  ValueArray inputs;
  for (const fs::path& file : bundle.inputs) {
    const std::optional<std::string> hash = HashOf(file);
    if (!hash) return;  // Changed while we bundled: the next start bundles anew.
    inputs.push_back(Value::Object({{"path", file.string()}, {"sha256", *hash}}));
  }
  const Value value = Value::Object({{"inputs", std::move(inputs)},
                                     {"javascript", bundle.javascript},
                                     {"sourceMap", bundle.source_map}});
  std::string encoded;
  if (!EncodeValue(value, encoded)) return;
  const fs::path path = PathOf(options, key);
  const std::string bytes =
      std::string(kMagic) + HmacSha256(options.signing_key, key + encoded) + encoded;
  Status stored = MakeDirs(path.parent_path());
  if (stored) stored = WriteFileAtomic(path, bytes, {.mode = 0600});
  if (!stored) Log(Severity::kWarn, "bundle not kept", {{"why", stored.error().message()}});
  KeepNewest(path.parent_path(), ".nxb", kBundlesMax);
}

void KeepNewest(const fs::path& folder, std::string_view extension, std::size_t count_max) {
  std::error_code error;
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == extension)
      files.emplace_back(entry.last_write_time(error), entry.path());
  }
  if (files.size() <= count_max) return;
  std::sort(files.begin(), files.end());
  files.resize(files.size() - count_max);
  for (const auto& [time, path] : files) fs::remove(path, error);
}

}  // namespace nexus
