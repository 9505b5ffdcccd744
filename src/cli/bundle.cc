#include "cli/bundle.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "base/utf8.h"
#include "cli/bundle_cache.h"
#include "cli/child_process.h"

namespace nexus {
namespace {

namespace fs = std::filesystem;

// Node's builtin modules: what a library needs them for, the sandbox offers otherwise or not at
// all.
constexpr std::array<std::string_view, 41> kNodeBuiltins = {"assert",
                                                            "async_hooks",
                                                            "buffer",
                                                            "child_process",
                                                            "cluster",
                                                            "console",
                                                            "constants",
                                                            "crypto",
                                                            "dgram",
                                                            "dns",
                                                            "domain",
                                                            "events",
                                                            "fs",
                                                            "http",
                                                            "http2",
                                                            "https",
                                                            "inspector",
                                                            "module",
                                                            "net",
                                                            "os",
                                                            "path",
                                                            "perf_hooks",
                                                            "process",
                                                            "punycode",
                                                            "querystring",
                                                            "readline",
                                                            "repl",
                                                            "stream",
                                                            "string_decoder",
                                                            "sys",
                                                            "timers",
                                                            "tls",
                                                            "tty",
                                                            "url",
                                                            "util",
                                                            "v8",
                                                            "vm",
                                                            "wasi",
                                                            "worker_threads",
                                                            "zlib",
                                                            "diagnostics_channel"};

bool IsNodeBuiltin(std::string_view specifier) {
  if (specifier.starts_with("node:")) return true;
  const std::string_view package = specifier.substr(0, specifier.find('/'));
  return std::find(kNodeBuiltins.begin(), kNodeBuiltins.end(), package) != kNodeBuiltins.end();
}

RunError CompilationError(std::string message) {
  RunError error;
  error.code = RunErrorCode::kCompilationError;
  error.message = std::move(message);
  return error;
}

RunError InternalError(std::string message) {
  RunError error = CompilationError(std::move(message));
  error.code = RunErrorCode::kInternalError;
  return error;
}

// A folder of our own that is gone with this object, whatever happens.
class PrivateFolder {
 public:
  PrivateFolder() {
    std::error_code error;
    const fs::path base = fs::temp_directory_path(error);
    std::string name = ((error ? fs::path("/tmp") : base) / "nexus-bundle-XXXXXX").string();
    if (mkdtemp(name.data()) != nullptr) path_ = name;
  }
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;
  ~PrivateFolder() {
    std::error_code error;
    if (!path_.empty()) fs::remove_all(path_, error);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::vector<std::string> Arguments(const fs::path& entry, const fs::path& folder) {
  return {entry.string(),
          "--bundle",
          "--format=esm",
          "--platform=neutral",
          "--main-fields=module,main",
          "--conditions=import,module,default",
          "--target=es2023",
          "--charset=utf8",
          "--legal-comments=none",
          "--sourcemap=external",
          "--sources-content=true",
          "--define:global=globalThis",
          "--define:self=globalThis",
          "--color=false",
          "--log-level=error",
          "--log-limit=5",
          "--outfile=" + (folder / "bundle.js").string(),
          "--metafile=" + (folder / "meta.json").string()};
}

// The map's files as a person here would write them; esbuild writes them relative to its output.
std::string RenameSources(const std::string& json, const fs::path& folder) {
  Result<Value> map = ParseJson(json);
  ValueObject* object = map ? map->As<ValueObject>() : nullptr;
  Value* sources = object == nullptr ? nullptr : object->Find("sources");
  ValueArray* names = sources == nullptr ? nullptr : sources->As<ValueArray>();
  if (names == nullptr) return json;
  for (Value& name : *names) {
    const std::string* text = name.As<std::string>();
    if (text != nullptr) name = DisplayPath((folder / *text).lexically_normal());
  }
  return ToJson(*map);
}

std::vector<fs::path> ReadInputs(const std::string& metafile, const fs::path& folder) {
  std::vector<fs::path> inputs;
  const Result<Value> meta = ParseJson(metafile);
  const Value* listed = meta ? meta->Find("inputs") : nullptr;
  const ValueObject* object = listed == nullptr ? nullptr : listed->As<ValueObject>();
  if (object == nullptr) return inputs;
  for (const auto& [name, details] : *object) {
    // Names with a scheme ("(disabled):x") are no files.
    if (name.find(':') == std::string::npos) inputs.push_back((folder / name).lexically_normal());
  }
  return inputs;
}

std::optional<std::uint32_t> ReadNumber(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Fills in file, line, column and snippet from "    src/a.ts:1:7:". esbuild counts columns from 0,
// in bytes of UTF-8.
void ReadPlace(std::string_view line, const fs::path& folder, RunError& error) {
  line = Trim(line);
  if (!line.ends_with(':')) return;
  line.remove_suffix(1);
  const std::size_t second = line.rfind(':');
  if (second == std::string_view::npos || second == 0) return;
  const std::size_t first = line.rfind(':', second - 1);
  if (first == std::string_view::npos) return;
  const auto line_number = ReadNumber(line.substr(first + 1, second - first - 1));
  const auto byte_column = ReadNumber(line.substr(second + 1));
  if (!line_number || !byte_column) return;
  const fs::path file = (folder / std::string(line.substr(0, first))).lexically_normal();
  error.file = DisplayPath(file);
  error.location = {.line = *line_number, .column = *byte_column + 1};
  const Result<std::string> text = ReadFile(file);
  if (!text) return;
  const std::string_view source_line = LineIndex(*text).Line(*line_number);
  error.location.column =
      static_cast<std::uint32_t>(CodePointCount(source_line.substr(0, *byte_column))) + 1;
  error.snippet =
      RenderSnippet(*text, {.line = error.location.line, .column = error.location.column});
}

std::string ExplainMessage(std::string message) {
  constexpr std::string_view kUnresolved = "Could not resolve \"";
  if (!message.starts_with(kUnresolved)) return message;
  const std::string specifier =
      message.substr(kUnresolved.size(), message.size() - kUnresolved.size() - 1);
  if (IsNodeBuiltin(specifier)) {
    return fmt::format(
        "import \"{}\": Node's builtin modules do not exist in the sandbox: use $ext (http, code, "
        "kv) or a library made for browsers",
        specifier);
  }
  const bool relative = specifier.starts_with('.') || specifier.starts_with('/');
  return fmt::format(
      "import \"{}\": not found: {}", specifier,
      relative ? "check the path" : fmt::format("install it with npm install {}", specifier));
}

}  // namespace

std::string DisplayPath(const fs::path& file) {
  std::error_code error;
  const fs::path here = fs::current_path(error);
  const fs::path absolute = fs::absolute(file, error).lexically_normal();
  if (error) return file.string();
  const fs::path relative = absolute.lexically_relative(here);
  if (relative.empty() || *relative.begin() == "..") return absolute.string();
  return relative.string();
}

Result<fs::path> FindEsbuild() {
  std::error_code error;
  if (const char* named = std::getenv("NEXUS_ESBUILD"); named != nullptr && *named != '\0') {
    if (fs::exists(named, error)) return fs::absolute(named);
    return Fail(Code::kNotFound,
                fmt::format("NEXUS_ESBUILD={}: there is no such file: correct or unset it", named));
  }
  const fs::path here = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const fs::path& candidate : {here / "esbuild", here.parent_path() / "lib/nexus/esbuild"}) {
    if (!error && fs::exists(candidate, error)) return candidate;
  }
  return Fail(
      Code::kNotFound,
      "the bundler esbuild is missing: run ./run once to set it up, or name it in NEXUS_ESBUILD");
}

RunError ParseBundlerError(const std::string& errors, const fs::path& folder) {
  constexpr std::string_view kMark = "[ERROR] ";
  std::string_view first;
  RunError error = CompilationError("the bundler failed without saying why");
  for (const std::string_view line : Split(errors, '\n')) {
    const std::size_t mark = line.find(kMark);
    if (first.empty() && mark != std::string_view::npos) {
      first = Trim(line.substr(mark + kMark.size()));
      error.message = ExplainMessage(std::string(first));
    } else if (!first.empty() && mark != std::string_view::npos) {
      break;
    } else if (!first.empty() && error.location.line == 0) {
      ReadPlace(line, folder, error);
    }
  }
  if (first.empty() && !Trim(errors).empty())
    error.message = "the bundler failed: " + std::string(Trim(errors));
  return error;
}

std::expected<Bundle, RunError> BundleFile(const fs::path& entry, const BundleOptions& options) {
  fs::path esbuild = options.esbuild;
  if (esbuild.empty()) {
    Result<fs::path> found = FindEsbuild();
    if (!found) return std::unexpected(InternalError(found.error().message()));
    esbuild = *std::move(found);
  }
  std::error_code error;
  const fs::path absolute = fs::canonical(entry, error);
  const std::string key = BundleKey(absolute, esbuild);
  if (std::optional<Bundle> kept = LoadBundle(options, key)) return *std::move(kept);
  const PrivateFolder folder;
  if (folder.path().empty()) {
    return std::unexpected(
        InternalError("no temporary folder can be made: free space in /tmp or set TMPDIR"));
  }
  const fs::path source_folder = absolute.parent_path();
  const Result<ChildOutcome> outcome = RunChild({.program = esbuild,
                                                 .arguments = Arguments(absolute, folder.path()),
                                                 .folder = source_folder});
  if (!outcome) return std::unexpected(InternalError(outcome.error().message()));
  if (outcome->exit_code != 0)
    return std::unexpected(ParseBundlerError(outcome->errors, source_folder));
  const Result<std::string> javascript = ReadFile(folder.path() / "bundle.js");
  const Result<std::string> source_map = ReadFile(folder.path() / "bundle.js.map");
  const Result<std::string> metafile = ReadFile(folder.path() / "meta.json");
  if (!javascript || !source_map || !metafile) {
    return std::unexpected(
        InternalError("the bundler wrote no output: check the space in the temporary folder"));
  }
  Bundle bundle;
  bundle.javascript = *javascript;
  bundle.source_map = RenameSources(*source_map, folder.path());
  bundle.inputs = ReadInputs(*metafile, source_folder);
  StoreBundle(options, key, bundle);
  return bundle;
}

}  // namespace nexus
