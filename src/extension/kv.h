#pragma once
/// The extension `kv`: small values that outlive the run, in one SQLite file or in memory.
///
///   await $ext.kv.set('visits', 1);  await $ext.kv.increment('visits')   // 2
///
/// Methods:
///   get(key) -> the value, or undefined            set(key, value, {ttlMs}) -> true
///   delete(key) -> boolean: was it there?          increment(key, by = 1) -> the new number
///   list({prefix, after, max, values}) -> [key], or [{key, value}] with values: true; sorted
/// Values keep their type (Date, Map, Uint8Array, bigint). Every call is one transaction; a call
/// that was answered survives a crash of the process (write-ahead log).

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "sandbox/bindings.h"

namespace nexus {

struct KvOptions {
  std::string file;                 ///< Empty: in memory, gone with the extension.
  std::string name_space = "main";  ///< Keys of one name space are invisible to the others.
  std::size_t key_bytes_max = 512;
  std::size_t value_bytes_max = std::size_t{1} << 20;
  std::uint64_t keys_max = 100'000;                    ///< Of the name space.
  std::uint64_t bytes_max = std::uint64_t{256} << 20;  ///< Of the name space's values.
  std::function<std::int64_t()> clock_unix_ms;         ///< null: the system clock.
};

/// Answers on the calling thread. Thread-safe; several processes may share the file.
class KvExtension final : public Extension {
 public:
  /// Errors: kNotFound when the file cannot be opened, kUnavailable when it cannot be written,
  /// kDataLoss when it is no database of ours, each with the remedy.
  static Result<std::shared_ptr<KvExtension>> Create(KvOptions options);
  ~KvExtension() override;

  std::string_view name() const override { return "kv"; }
  std::span<const MethodDescriptor> methods() const override;
  void Call(ExtensionCall call, AnswerFunction done) override;

 private:
  class Store;
  explicit KvExtension(std::unique_ptr<Store> store);
  std::unique_ptr<Store> store_;
};

}  // namespace nexus
