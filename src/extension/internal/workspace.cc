#include "extension/internal/workspace.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "extension/internal/call_arguments.h"
#include "extension/internal/pattern.h"

namespace nexus::internal {
namespace {

constexpr int kDepthMax = 100;
constexpr std::size_t kLineShownMax = 400;
const std::vector<std::string> kUsuallyExcluded = {".git", "node_modules"};

Value InfoToValue(const FileInfo& info) {
  const std::size_t slash = info.path.rfind('/');
  return Value::Object(
      {{"path", info.path},
       {"name", slash == std::string::npos ? info.path : info.path.substr(slash + 1)},
       {"type", std::string(FileTypeName(info.type))},
       {"size", static_cast<double>(info.size)},
       {"mtimeMs", info.mtime_ms}});
}

// Text that a line of a result can hold: valid UTF-8, cut around the match.
std::string ShownLine(std::string_view line, std::size_t column) {
  std::size_t from = column > kLineShownMax / 2 ? column - kLineShownMax / 2 : 0;
  if (line.size() <= kLineShownMax) from = 0;
  return ToValidUtf8(line.substr(from, kLineShownMax));
}

}  // namespace

// One run over a tree: its bounds, and whether to go on.
struct Workspace::Walk {
  std::string place;
  std::string path;
  bool recursive = true;
  std::vector<std::string> exclude;
  const Wanted& wanted;
  std::chrono::steady_clock::time_point deadline;
};

bool Workspace::IsWalk(const ExtensionCall& call) {
  if (call.method == "search") return true;
  return call.method == "list" && call.args.size() > 1 && call.args[1].BoolOr("recursive", false);
}

Result<Value> Workspace::Call(const ExtensionCall& call, const Wanted& wanted) {
  Result<Value> result = Fail(Code::kInternal, "no such method");
  if (call.method == "read") result = Read(call);
  if (call.method == "write") result = Write(call);
  if (call.method == "list") result = List(call, wanted);
  if (call.method == "stat") result = Stat(call);
  if (call.method == "exists") result = Exists(call);
  if (call.method == "search") result = Search(call, wanted);
  if (call.method == "remove") result = Remove(call);
  const std::string place = CallArguments(call).Place();
  if (result || result.error().message().starts_with(place)) return result;
  return std::unexpected(std::move(result).error().Context(place));
}

Result<Value> Workspace::Read(const ExtensionCall& call) const {
  const CallArguments arguments(call);
  NEXUS_TRY(const std::string path, arguments.String(0, "path"));
  NEXUS_TRY(const ValueObject* options, arguments.Options(1, {"encoding", "maxBytes"}));
  const OptionReader reader(arguments.Place(), options);
  NEXUS_TRY(const std::string encoding, reader.String("encoding", "auto"));
  NEXUS_TRY(const std::uint64_t bytes_max,
            reader.Integer("maxBytes", options_.read_bytes_max, 0, options_.read_bytes_max));
  if (encoding != "auto" && encoding != "utf8" && encoding != "bytes") {
    return Fail(Code::kInvalidArgument,
                "option 'encoding' must be \"auto\", \"utf8\" or \"bytes\"");
  }
  NEXUS_TRY(std::string data, folder_.Read(path, bytes_max));
  if (encoding == "bytes") return Value(Bytes{std::move(data)});
  const std::size_t invalid = FindInvalidUtf8(data);
  const bool binary = data.find('\0') != std::string::npos;
  if (invalid == kValid && (encoding == "utf8" || !binary)) return Value(std::move(data));
  if (encoding == "auto") return Value(Bytes{std::move(data)});
  return Fail(
      Code::kDataLoss,
      fmt::format("'{}': is not UTF-8 at byte {}: read it with encoding \"bytes\"", path, invalid));
}

Status Workspace::CheckWritable(const ExtensionCall& call) const {
  if (!options_.read_only) return {};
  return Fail(Code::kPermissionDenied, fmt::format("{}: the folder is read-only: {}",
                                                   CallArguments(call).Place(), read_only_remedy_));
}

Result<Value> Workspace::Write(const ExtensionCall& call) {
  const CallArguments arguments(call);
  NEXUS_TRY_STATUS(CheckWritable(call));
  NEXUS_TRY(const std::string path, arguments.String(0, "path"));
  NEXUS_TRY(const ValueObject* options, arguments.Options(2, {"makeFolders"}));
  const OptionReader reader(arguments.Place(), options);
  NEXUS_TRY(const bool make_folders, reader.Bool("makeFolders", false));
  const std::string* text = arguments.At(1).As<std::string>();
  const Bytes* bytes = arguments.At(1).As<Bytes>();
  if (text == nullptr && bytes == nullptr) {
    return Fail(Code::kInvalidArgument,
                fmt::format("argument 2 (text) must be a string or a Uint8Array, not {}",
                            arguments.At(1).TypeName()));
  }
  // A lone surrogate cannot be stored as UTF-8; it becomes U+FFFD, as TextEncoder does it.
  const std::string clean =
      text != nullptr && FindInvalidUtf8(*text) != kValid ? ToValidUtf8(*text) : "";
  const std::string& data = bytes != nullptr ? bytes->data : clean.empty() ? *text : clean;
  if (data.size() > options_.write_bytes_max) {
    return Fail(Code::kResourceExhausted,
                fmt::format("'{}': {} bytes, {} are allowed in one file: write less", path,
                            data.size(), options_.write_bytes_max));
  }
  if (written_.fetch_add(data.size()) + data.size() > options_.written_bytes_max) {
    written_.fetch_sub(data.size());
    return Fail(Code::kResourceExhausted,
                fmt::format("'{}': more than {} bytes written in all: write less", path,
                            options_.written_bytes_max));
  }
  NEXUS_TRY_STATUS(folder_.Write(path, data, make_folders));
  return Value::Object({{"path", path}, {"size", static_cast<double>(data.size())}});
}

// Visits folder by folder, files of a folder before its subfolders' files, in the order of names.
Status Workspace::ForEach(const Walk& walk,
                          const std::function<Result<bool>(const FileInfo&)>& visit) const {
  std::vector<std::pair<std::string, int>> pending = {{walk.path, 0}};
  while (!pending.empty()) {
    const auto [folder, depth] = std::move(pending.back());
    pending.pop_back();
    if (!walk.wanted()) return Fail(Code::kUnavailable, "the run is gone");
    if (std::chrono::steady_clock::now() > walk.deadline) {
      return Fail(Code::kDeadlineExceeded,
                  fmt::format("took more than {} ms: walk a smaller folder", options_.walk_ms_max));
    }
    auto entries = folder_.List(folder, options_.entries_max);
    if (!entries) {
      // A folder that vanished or is closed to us does not spoil the walk; the first one does.
      if (depth > 0) continue;
      return std::unexpected(std::move(entries).error());
    }
    std::vector<std::pair<std::string, int>> folders;
    for (const FileInfo& info : *entries) {
      const std::string name = info.path.substr(info.path.rfind('/') + 1);
      const bool excluded =
          std::find(walk.exclude.begin(), walk.exclude.end(), name) != walk.exclude.end();
      if (walk.recursive && excluded) continue;
      NEXUS_TRY(const bool go_on, visit(info));
      if (!go_on) return {};
      const bool enter = walk.recursive && info.type == FileType::kFolder && depth < kDepthMax;
      if (enter) folders.emplace_back(info.path, depth + 1);
    }
    pending.insert(pending.end(), folders.rbegin(), folders.rend());
  }
  return {};
}

Result<Value> Workspace::List(const ExtensionCall& call, const Wanted& wanted) const {
  const CallArguments arguments(call);
  NEXUS_TRY(const std::string path, arguments.StringOr(0, "path", "."));
  NEXUS_TRY(const ValueObject* options, arguments.Options(1, {"recursive", "max", "exclude"}));
  const OptionReader reader(arguments.Place(), options);
  NEXUS_TRY(const bool recursive, reader.Bool("recursive", false));
  NEXUS_TRY(const std::uint64_t max,
            reader.Integer("max", std::min<std::size_t>(10'000, options_.entries_max), 1,
                           options_.entries_max));
  NEXUS_TRY(std::optional<std::vector<std::string>> exclude, reader.Strings("exclude"));
  const Walk walk{.place = arguments.Place(),
                  .path = path,
                  .recursive = recursive,
                  .exclude = exclude ? *std::move(exclude) : kUsuallyExcluded,
                  .wanted = wanted,
                  .deadline = std::chrono::steady_clock::now() +
                              std::chrono::milliseconds(options_.walk_ms_max)};
  ValueArray found;
  NEXUS_TRY_STATUS(ForEach(walk, [&](const FileInfo& info) -> Result<bool> {
    if (found.size() == max) {
      return Fail(
          Code::kResourceExhausted,
          fmt::format("'{}': more than {} entries: list a smaller folder or raise max", path, max));
    }
    found.push_back(InfoToValue(info));
    return true;
  }));
  return Value(std::move(found));
}

Result<Value> Workspace::Stat(const ExtensionCall& call) const {
  NEXUS_TRY(const std::string path, CallArguments(call).String(0, "path"));
  NEXUS_TRY(const FileInfo info, folder_.Stat(path));
  return InfoToValue(info);
}

Result<Value> Workspace::Exists(const ExtensionCall& call) const {
  NEXUS_TRY(const std::string path, CallArguments(call).String(0, "path"));
  const Result<FileInfo> info = folder_.Stat(path);
  if (info) return Value(true);
  if (info.error().code() == Code::kNotFound) return Value(false);
  return std::unexpected(info.error());
}

Result<Value> Workspace::Search(const ExtensionCall& call, const Wanted& wanted) const {
  const CallArguments arguments(call);
  NEXUS_TRY(const std::string text, arguments.String(0, "pattern"));
  NEXUS_TRY(const std::string path, arguments.StringOr(1, "path", "."));
  NEXUS_TRY(const ValueObject* options,
            arguments.Options(2, {"regex", "ignoreCase", "max", "exclude"}));
  const OptionReader reader(arguments.Place(), options);
  NEXUS_TRY(const bool regex, reader.Bool("regex", false));
  NEXUS_TRY(const bool ignore_case, reader.Bool("ignoreCase", false));
  NEXUS_TRY(const std::uint64_t max, reader.Integer("max", 1000, 1, options_.entries_max));
  NEXUS_TRY(std::optional<std::vector<std::string>> exclude, reader.Strings("exclude"));
  NEXUS_TRY(const Pattern pattern,
            Pattern::Compile(text, {.regex = regex, .ignore_case = ignore_case}));
  const bool plain = !regex && !ignore_case;
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(options_.walk_ms_max);
  const Walk walk{.place = arguments.Place(),
                  .path = path,
                  .recursive = true,
                  .exclude = exclude ? *std::move(exclude) : kUsuallyExcluded,
                  .wanted = wanted,
                  .deadline = deadline};
  ValueArray found;
  std::uint64_t bytes = 0;
  NEXUS_TRY_STATUS(ForEach(walk, [&](const FileInfo& info) -> Result<bool> {
    if (info.type != FileType::kFile || info.size > options_.read_bytes_max) return true;
    const Result<std::string> data = folder_.Read(info.path, options_.read_bytes_max);
    if (!data || data->find('\0') != std::string::npos) return true;  // Gone, closed or binary.
    bytes += data->size();
    if (bytes > options_.search_bytes_max || std::chrono::steady_clock::now() > deadline) {
      return Fail(Code::kResourceExhausted,
                  fmt::format("more than {} bytes or {} ms: search a smaller folder",
                              options_.search_bytes_max, options_.walk_ms_max));
    }
    if (plain && data->find(text) == std::string::npos) return true;
    std::uint32_t number = 0;
    for (std::size_t start = 0; start < data->size() && found.size() < max;) {
      const std::size_t end = std::min(data->find('\n', start), data->size());
      const std::string_view line = std::string_view(*data).substr(start, end - start);
      ++number;
      start = end + 1;
      const std::size_t at =
          plain ? line.find(text) : pattern.Find(line).value_or(std::string_view::npos);
      if (at == std::string_view::npos) continue;
      found.push_back(
          Value::Object({{"path", info.path},
                         {"line", number},
                         {"column", static_cast<double>(CodePointCount(line.substr(0, at)) + 1)},
                         {"text", ShownLine(line, at)}}));
    }
    return found.size() < max;
  }));
  return Value(std::move(found));
}

Result<Value> Workspace::Remove(const ExtensionCall& call) const {
  NEXUS_TRY_STATUS(CheckWritable(call));
  NEXUS_TRY(const std::string path, CallArguments(call).String(0, "path"));
  NEXUS_TRY(const bool removed, folder_.Remove(path));
  return Value(removed);
}

}  // namespace nexus::internal
