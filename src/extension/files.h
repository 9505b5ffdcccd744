#pragma once
/// The extension `files`: named folders of the host, each with its own rights.
///
///   const text = await $ext.files.read('inbox/letter.txt')
///   await $ext.files.write('out/report.txt', text, { makeFolders: true })
///
/// Methods:
///   read(path, {encoding: "auto"|"utf8"|"bytes", maxBytes})  -> string, or Uint8Array when not
///   text write(path, text or Uint8Array, {makeFolders})           -> {path, size}; atomic
///   list(path, {recursive, max, exclude})  -> [{path, name, type, size, mtimeMs}]; without a path
///                                             the folders there are
///   stat(path) -> {path, type, size, mtimeMs}      exists(path) -> boolean
///   remove(path) -> boolean; a file or an empty folder
/// The first part of a path is a folder's name, the rest is below it. Everything else is as in
/// `code`: the kernel resolves each path below its folder, links are refused, ".." is an error, and
/// a path-prefix grant ("ext:files.read?path=inbox/") judges the path as it is written.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sandbox/bindings.h"

namespace nexus {

struct FilesRoot {
  std::string name;  ///< 1 to 64 of [A-Za-z0-9_-].
  std::string path;  ///< An existing folder.
  bool read_only = true;
};

struct FilesOptions {
  std::vector<FilesRoot> roots;
  std::size_t read_bytes_max = std::size_t{16} << 20;
  std::size_t write_bytes_max = std::size_t{16} << 20;
  std::uint64_t written_bytes_max = std::uint64_t{256} << 20;  ///< A folder's, in its life.
};

/// Quick calls are answered on the calling thread; recursive lists run on a thread of their own.
/// Thread-safe.
class FilesExtension final : public Extension {
 public:
  /// Errors: kInvalidArgument for names that are none or taken; as CodeExtension::Create for each
  /// folder.
  static Result<std::shared_ptr<FilesExtension>> Create(FilesOptions options);
  ~FilesExtension() override;

  std::string_view name() const override { return "files"; }
  std::span<const MethodDescriptor> methods() const override;
  void Call(ExtensionCall call, AnswerFunction done) override;
  void Abandon(std::string_view run_id) override;

 private:
  struct State;
  explicit FilesExtension(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace nexus
