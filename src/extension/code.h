#pragma once
/// The extension `code`: files below one workspace folder, and nothing else of the file system.
///
///   const text = await $ext.code.read('src/main.ts')
///   const files = await $ext.code.list('src', { recursive: true })
///
/// Methods:
///   read(path, {encoding: "auto"|"utf8"|"bytes", maxBytes})  -> string, or Uint8Array when not
///   text write(path, text or Uint8Array, {makeFolders})           -> {path, size}; atomic
///   list(path = ".", {recursive, max, exclude})              -> [{path, name, type, size,
///   mtimeMs}] stat(path) -> {path, type, size, mtimeMs};  exists(path) -> boolean search(pattern,
///   path = ".", {regex, ignoreCase, max, exclude}) -> [{path, line, column, text}] remove(path) ->
///   boolean; a file or an empty folder
/// Paths are relative, with '/'; ".." is an error. The kernel resolves each path below the root in
/// one step (openat2 with RESOLVE_BENEATH), so no link and no race of links leads out of it. Links
/// inside the root are refused as well unless `follow_links`, because a path-prefix grant judges
/// the path as it is written.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "sandbox/bindings.h"

namespace nexus {

struct CodeOptions {
  std::string root;  ///< An existing folder.
  bool read_only = false;
  bool follow_links =
      false;  ///< Links that stay below the root; path-prefix grants do not see them.
  std::size_t read_bytes_max = std::size_t{16} << 20;
  std::size_t write_bytes_max = std::size_t{16} << 20;
  std::uint64_t written_bytes_max = std::uint64_t{256} << 20;  ///< In the life of the extension.
  std::size_t entries_max = 100'000;                           ///< Of one list or search.
  std::uint64_t search_bytes_max = std::uint64_t{512} << 20;   ///< Read by one search.
  std::uint32_t walk_ms_max = 30'000;                          ///< One recursive list or search.
};

/// Quick calls are answered on the calling thread; walks run on a thread of their own that starts
/// with the first one. Thread-safe.
class CodeExtension final : public Extension {
 public:
  /// Errors: kNotFound or kInvalidArgument when `root` is no folder that can be opened,
  /// kUnavailable when the kernel has no openat2 (before Linux 5.6, or a filter forbids it).
  static Result<std::shared_ptr<CodeExtension>> Create(CodeOptions options);
  ~CodeExtension() override;

  std::string_view name() const override { return "code"; }
  std::span<const MethodDescriptor> methods() const override;
  void Call(ExtensionCall call, AnswerFunction done) override;
  void Abandon(std::string_view run_id) override;

 private:
  struct State;
  explicit CodeExtension(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace nexus
