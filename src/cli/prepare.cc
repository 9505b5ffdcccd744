#include "cli/prepare.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <iostream>
#include <iterator>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "base/utf8.h"
#include "cli/exit_codes.h"
#include "source/source_map.h"

namespace nexus {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSourceBytesMax = std::size_t{8} << 20;

PrepareFailure Failure(RunErrorCode code, std::string file, std::string message, int exit_code) {
  PrepareFailure failure;
  failure.error.code = code;
  failure.error.message = std::move(message);
  failure.error.file = std::move(file);
  failure.exit_code = exit_code;
  return failure;
}

// "3:7: reason" as a place and a reason, in the author's file.
PrepareFailure ParseFailure(const std::string& file, const std::string& text, const Error& error) {
  PrepareFailure failure =
      Failure(RunErrorCode::kCompilationError, file, error.message(), kExitFailed);
  const char* const begin = error.message().data();
  const char* const end = begin + error.message().size();
  SourcePosition at;
  const auto line = std::from_chars(begin, end, at.line);
  if (line.ec != std::errc() || line.ptr == end || *line.ptr != ':') return failure;
  const auto column = std::from_chars(line.ptr + 1, end, at.column);
  if (column.ec != std::errc() || column.ptr == end || *column.ptr != ':') return failure;
  failure.error.message = std::string(Trim(std::string_view(column.ptr + 1, end)));
  failure.error.location = at;
  failure.error.snippet = RenderSnippet(text, {.line = at.line, .column = at.column});
  return failure;
}

PrepareFailure PlacedFailure(RunErrorCode code, const std::string& file, const std::string& text,
                             SourcePosition at, std::string message) {
  PrepareFailure failure = Failure(code, file, std::move(message), kExitFailed);
  failure.error.location = at;
  failure.error.snippet = RenderSnippet(text, {.line = at.line, .column = at.column});
  return failure;
}

std::expected<std::string, PrepareFailure> ReadSource(const std::string& file) {
  if (file == "-") {
    std::string text{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
    if (text.size() <= kSourceBytesMax) return text;
    return std::unexpected(
        Failure(RunErrorCode::kCompilationError, "-", "more than 8 MiB of source", kExitFailed));
  }
  Result<std::string> text = ReadFile(file, kSourceBytesMax);
  if (text) {
    const std::size_t invalid = FindInvalidUtf8(*text);
    if (invalid == kValid) return *std::move(text);
    const TextPosition at = PositionOf(*text, invalid);
    return std::unexpected(Failure(
        RunErrorCode::kCompilationError, file,
        fmt::format("{}:{}:{}: is not UTF-8: save the file as UTF-8", file, at.line, at.column),
        kExitFailed));
  }
  const bool missing = text.error().code() == Code::kNotFound;
  const std::string message = missing
                                  ? fmt::format("{}: there is no such file: check the path", file)
                                  : text.error().message();
  return std::unexpected(
      Failure(missing ? RunErrorCode::kExecutionError : RunErrorCode::kCompilationError, file,
              message, missing ? kExitNotFound : kExitFailed));
}

// The language by the file's name. JSX is for the browser and no agent's business.
std::expected<Language, PrepareFailure> LanguageOf(const std::string& file) {
  const std::string extension = fs::path(file).extension().string();
  if (file == "-" || extension == ".js" || extension == ".mjs" || extension == ".cjs")
    return Language::kJavaScript;
  if (extension == ".ts" || extension == ".mts" || extension == ".cts")
    return Language::kTypeScript;
  return std::unexpected(Failure(
      RunErrorCode::kInvalidHandler, file,
      fmt::format("{}: a program is a .js, .mjs, .ts or .mts file: rename it", file), kExitUsage));
}

std::expected<void, PrepareFailure> BundleInto(PreparedProgram& program, const std::string& file,
                                               const BundleOptions& options) {
  std::expected<Bundle, RunError> bundle = BundleFile(file, options);
  if (!bundle) {
    PrepareFailure failure{.error = std::move(bundle).error()};
    failure.exit_code = ExitCodeOf(failure.error.code);
    if (failure.error.file.empty()) failure.error.file = file;
    return std::unexpected(std::move(failure));
  }
  Result<SourceMap> map = SourceMap::Parse(bundle->source_map);
  if (!map) {
    return std::unexpected(Failure(RunErrorCode::kInternalError, file,
                                   "the bundler's source map: " + map.error().message(),
                                   kExitInternal));
  }
  program.spec.text = std::move(bundle->javascript);
  program.spec.source_map = std::make_shared<const SourceMap>(*std::move(map));
  program.source_map = std::move(bundle->source_map);
  program.inputs = std::move(bundle->inputs);
  program.bundled = true;
  program.bundle_cache_hit = bundle->cache_hit;
  return {};
}

std::expected<void, PrepareFailure> Prepare(PreparedProgram& program, const std::string& file,
                                            Language language, const BundleOptions& options) {
  const std::string& source = program.source;
  Result<ModuleShape> shape = ReadModuleShape(source, language);
  if (!shape) return std::unexpected(ParseFailure(file, source, shape.error()));
  program.is_module = shape->has_default_export || shape->has_other_exports;
  bool wants_bundler = false;
  for (const ImportFound& import : shape->imports) {
    if (!import.type_only) wants_bundler = true;
    if (!import.type_only && !import.dynamic) program.is_module = true;
  }
  program.imports = std::move(shape->imports);
  program.spec.form = program.is_module ? ProgramForm::kModule : ProgramForm::kBody;
  if (language == Language::kTypeScript && !wants_bundler) {
    Result<StrippedSource> stripped = StripTypes(source);
    if (!stripped) return std::unexpected(ParseFailure(file, source, stripped.error()));
    if (stripped->needs_bundler && !program.is_module) {
      return std::unexpected(PlacedFailure(
          RunErrorCode::kCompilationError, file, source, stripped->first_unerasable,
          fmt::format(
              "'{}' cannot be used in a handler body: make the file a module with `export default`",
              stripped->unerasable_what)));
    }
    wants_bundler = stripped->needs_bundler;
    if (!wants_bundler) {
      program.spec.text = std::move(stripped->javascript);
      program.spec.author_text = source;
    }
  }
  if (!wants_bundler) {
    if (language == Language::kJavaScript) program.spec.text = source;
    return {};
  }
  if (!program.is_module) {
    const ImportFound& first = program.imports.front();
    return std::unexpected(PlacedFailure(RunErrorCode::kCompilationError, file, source, first.at,
                                         fmt::format("\"{}\" cannot be imported in a handler body: "
                                                     "make the file a module with `export default`",
                                                     first.specifier)));
  }
  if (file == "-") {
    return std::unexpected(
        PlacedFailure(RunErrorCode::kCompilationError, file, source, program.imports.front().at,
                      "a program from standard input cannot import: save it in a file"));
  }
  return BundleInto(program, file, options);
}

}  // namespace

std::expected<PreparedProgram, PrepareFailure> PrepareFile(const std::string& file,
                                                           const BundleOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  PreparedProgram program;
  std::expected<Language, PrepareFailure> language = LanguageOf(file);
  if (!language) return std::unexpected(std::move(language).error());
  std::expected<std::string, PrepareFailure> source = ReadSource(file);
  if (!source) return std::unexpected(std::move(source).error());
  program.source = *std::move(source);
  program.spec.name = file == "-" ? "stdin.js" : DisplayPath(file);
  std::error_code error;
  if (file != "-") program.inputs.push_back(fs::absolute(file, error).lexically_normal());
  const std::string shown = program.spec.name;
  std::expected<void, PrepareFailure> prepared = Prepare(program, file, *language, options);
  if (!prepared) {
    if (prepared.error().error.file == file) prepared.error().error.file = shown;
    return std::unexpected(std::move(prepared).error());
  }
  program.took = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - start);
  return program;
}

Result<ProgramSpec> SpecFromParts(std::string name, std::string text, ProgramForm form,
                                  const std::string& source_map, std::string author_text) {
  ProgramSpec spec;
  spec.name = std::move(name);
  spec.text = std::move(text);
  spec.form = form;
  spec.author_text = std::move(author_text);
  if (!source_map.empty()) {
    NEXUS_TRY(SourceMap map, SourceMap::Parse(source_map));
    spec.source_map = std::make_shared<const SourceMap>(std::move(map));
  }
  return spec;
}

}  // namespace nexus
