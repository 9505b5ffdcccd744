#include "extension/files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/text.h"
#include "extension/internal/call_arguments.h"
#include "extension/internal/file_schemas.h"
#include "extension/internal/walk_thread.h"
#include "extension/internal/workspace.h"

namespace nexus {
namespace {

using internal::Workspace;

const MethodDescriptor kMethods[] = {
    internal::ReadFileMethod(),
    internal::WriteFileMethod(),
    internal::ListFilesMethod("Entries of a folder, or the folders there are"),
    internal::StatMethod(),
    internal::ExistsMethod(),
    internal::RemoveFileMethod(),
};

bool IsRootName(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

// Paths in an answer begin with the folder's name, as programs write them.
void PutRootInFront(const std::string& root, Value& value) {
  if (ValueArray* list = value.As<ValueArray>()) {
    for (Value& item : *list) PutRootInFront(root, item);
    return;
  }
  ValueObject* object = value.As<ValueObject>();
  Value* path = object == nullptr ? nullptr : object->Find("path");
  std::string* text = path == nullptr ? nullptr : path->As<std::string>();
  if (text != nullptr) *text = *text == "." || text->empty() ? root : root + "/" + *text;
}

}  // namespace

struct FilesExtension::State {
  struct Target {
    std::string root;  // "": the folders themselves.
    Workspace* workspace = nullptr;
  };

  Result<Target> Find(ExtensionCall& call);
  Result<Value> Work(const Target& target, const ExtensionCall& call,
                     const Workspace::Wanted& wanted) const;
  Value Roots() const;

  std::map<std::string, std::unique_ptr<Workspace>, std::less<>> roots;
  internal::WalkThread walks;  // Goes first: its work uses the folders.
};

// Takes the folder's name off the path of `call`.
Result<FilesExtension::State::Target> FilesExtension::State::Find(ExtensionCall& call) {
  const internal::CallArguments arguments(call);
  NEXUS_TRY(const std::string path, call.method == "list" ? arguments.StringOr(0, "path", ".")
                                                          : arguments.String(0, "path"));
  auto split = internal::SplitPath(path);
  if (!split) return std::unexpected(std::move(split).error().Context(arguments.Place()));
  if (split->empty() && call.method == "list") return Target{};
  const std::string root = split->empty() ? "" : split->front();
  const auto found = roots.find(root);
  if (found == roots.end()) {
    std::vector<std::string_view> names;
    for (const auto& [name, workspace] : roots) names.push_back(name);
    return Fail(Code::kNotFound,
                fmt::format("{}: '{}': there is no folder '{}'{}: a path begins with one of {}",
                            arguments.Place(), path, root, DidYouMean(root, names),
                            fmt::join(names, ", ")));
  }
  std::string rest;
  for (std::size_t i = 1; i < split->size(); ++i) rest += (i == 1 ? "" : "/") + (*split)[i];
  if (call.args.empty()) call.args.emplace_back();
  call.args[0] = rest.empty() ? std::string(".") : rest;
  return Target{.root = root, .workspace = found->second.get()};
}

Value FilesExtension::State::Roots() const {
  ValueArray list;
  for (const auto& [name, workspace] : roots) {
    list.push_back(Value::Object({{"path", name}, {"name", name}, {"type", "folder"}}));
  }
  return list;
}

Result<Value> FilesExtension::State::Work(const Target& target, const ExtensionCall& call,
                                          const Workspace::Wanted& wanted) const {
  Result<Value> result = target.workspace->Call(call, wanted);
  if (result) {
    PutRootInFront(target.root, *result);
    return result;
  }
  // "files.read: 'a.txt': ..." is said of the path below the folder: name the folder too.
  std::string message = result.error().message();
  const std::string place = internal::CallArguments(call).Place() + ": ";
  if (message.starts_with(place)) message.insert(place.size(), "folder '" + target.root + "': ");
  return Fail(result.error().code(), std::move(message));
}

FilesExtension::FilesExtension(std::unique_ptr<State> state) : state_(std::move(state)) {}
FilesExtension::~FilesExtension() = default;

Result<std::shared_ptr<FilesExtension>> FilesExtension::Create(FilesOptions options) {
  auto state = std::make_unique<State>();
  if (options.roots.empty()) {
    return Fail(Code::kInvalidArgument, "no folder is named: add one to 'roots'");
  }
  for (FilesRoot& root : options.roots) {
    if (!IsRootName(root.name)) {
      return Fail(Code::kInvalidArgument,
                  fmt::format("folder '{}': a name is 1 to 64 letters, digits, '_' or '-'",
                              root.name.substr(0, 80)));
    }
    Result<internal::Beneath> folder = internal::Beneath::Open(root.path, /*follow_links=*/false);
    if (!folder) {
      return std::unexpected(std::move(folder).error().Context("folder '" + root.name + "'"));
    }
    CodeOptions of_root{.root = root.path,
                        .read_only = root.read_only,
                        .read_bytes_max = options.read_bytes_max,
                        .write_bytes_max = options.write_bytes_max,
                        .written_bytes_max = options.written_bytes_max};
    auto workspace = std::make_unique<Workspace>(
        std::move(of_root), *std::move(folder),
        fmt::format("the operator can allow it with \"readOnly\": false of the root '{}'",
                    root.name));
    if (!state->roots.try_emplace(root.name, std::move(workspace)).second) {
      return Fail(Code::kInvalidArgument, fmt::format("folder '{}': the name is taken", root.name));
    }
  }
  return std::shared_ptr<FilesExtension>(new FilesExtension(std::move(state)));
}

std::span<const MethodDescriptor> FilesExtension::methods() const { return kMethods; }

void FilesExtension::Call(ExtensionCall call, AnswerFunction done) {
  const Result<State::Target> target = state_->Find(call);
  if (!target) return done(internal::ToAnswer(target.error()));
  if (target->workspace == nullptr) return done(Answer::Ok(state_->Roots()));
  if (Workspace::IsWalk(call)) {
    std::string place = internal::CallArguments(call).Place();
    std::string run_id = call.run_id;
    return state_->walks.Submit(
        std::move(place), std::move(run_id),
        [this, target = *target,
         call = std::move(call)](const internal::WalkThread::Wanted& wanted) {
          return state_->Work(target, call, wanted);
        },
        std::move(done));
  }
  Result<Value> result = state_->Work(*target, call, [] { return true; });
  done(result ? Answer::Ok(*std::move(result)) : internal::ToAnswer(result.error()));
}

void FilesExtension::Abandon(std::string_view run_id) { state_->walks.Abandon(run_id); }

}  // namespace nexus
