#include "cli/run_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/codec.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/ulid.h"
#include "cli/bundle_cache.h"

namespace nexus {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "NXRUN1\n";
constexpr std::size_t kRunsMax = 200;
constexpr std::size_t kResultBytesMax = std::size_t{4} << 20;
constexpr std::string_view kExtension = ".nxr";

std::string_view FormName(ProgramForm form) {
  switch (form) {
    case ProgramForm::kAuto:
      return "auto";
    case ProgramForm::kBody:
      return "body";
    case ProgramForm::kModule:
      return "module";
  }
  return "auto";
}

}  // namespace

std::string EncodeSavedRun(const SavedRun& run) {
  const Value value = Value::Object({{"runId", run.run_id},
                                     {"programKey", run.program_key},
                                     {"name", run.spec.name},
                                     {"text", run.spec.text},
                                     {"form", std::string(FormName(run.spec.form))},
                                     {"sourceMap", run.source_map},
                                     {"authorText", run.spec.author_text},
                                     {"recording", Bytes{run.recording}},
                                     {"result", run.result_json}});
  std::string body;
  const Status encoded = EncodeValue(value, body);
  (void)encoded;  // Two levels deep: there is nothing that could fail.
  return std::string(kMagic) + Sha256Bytes(body) + body;
}

Result<SavedRun> DecodeSavedRun(std::string_view bytes) {
  if (!bytes.starts_with(kMagic) || bytes.size() < kMagic.size() + kSha256Bytes) {
    return Fail(Code::kDataLoss, "is no saved run of this version");
  }
  bytes.remove_prefix(kMagic.size());
  const std::string_view checksum = bytes.substr(0, kSha256Bytes);
  bytes.remove_prefix(kSha256Bytes);
  if (Sha256Bytes(bytes) != checksum)
    return Fail(Code::kDataLoss, "the saved run is damaged: its checksum is wrong");
  NEXUS_TRY(const Value value, DecodeValue(bytes));
  const auto text = [&](std::string_view key) { return std::string(value.StringOr(key, "")); };
  const Value* recording = value.Find("recording");
  const Bytes* recorded = recording == nullptr ? nullptr : recording->As<Bytes>();
  if (recorded == nullptr) return Fail(Code::kDataLoss, "the saved run holds no recording");
  const std::string form = text("form");
  SavedRun run;
  run.run_id = text("runId");
  run.program_key = text("programKey");
  run.source_map = text("sourceMap");
  run.recording = recorded->data;
  run.result_json = text("result");
  NEXUS_TRY(run.spec, SpecFromParts(text("name"), text("text"),
                                    form == "body"     ? ProgramForm::kBody
                                    : form == "module" ? ProgramForm::kModule
                                                       : ProgramForm::kAuto,
                                    run.source_map, text("authorText")));
  return run;
}

std::string ComparableResult(const RunResult& result) {
  Value value = result.ToValue();
  ValueObject& object = *value.As<ValueObject>();
  object.Erase("metrics");
  if (Value* logs = object.Find("logs")) {
    if (ValueArray* entries = logs->As<ValueArray>()) {
      for (Value& entry : *entries) entry.As<ValueObject>()->Erase("unixMs");
    }
  }
  std::string json = ToJson(value);
  return json.size() <= kResultBytesMax ? json : std::string();
}

Result<RunArchive> RunArchive::Open() {
  NEXUS_TRY(const fs::path state, StateDir());
  return RunArchive(state / "runs");
}

Status RunArchive::Save(const SavedRun& run) const {
  NEXUS_TRY_STATUS(MakeDirs(folder_));
  NEXUS_TRY_STATUS(WriteFileAtomic(folder_ / (run.run_id + std::string(kExtension)),
                                   EncodeSavedRun(run), {.mode = 0600}));
  KeepNewest(folder_, kExtension, kRunsMax);
  return {};
}

std::vector<std::string> RunArchive::List() const {
  std::vector<std::string> ids;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, error)) {
    const std::string id = entry.path().stem().string();
    if (entry.path().extension() == kExtension && IsUlid(id)) ids.push_back(id);
  }
  std::sort(ids.rbegin(), ids.rend());
  return ids;
}

Result<SavedRun> RunArchive::Load(const std::string& name) const {
  fs::path file = name;
  std::error_code error;
  if (!fs::is_regular_file(file, error)) {
    std::vector<std::string> ids = List();
    if (name == "last" && !ids.empty()) {
      ids.resize(1);
    } else {
      std::string wanted = name;
      for (char& c : wanted) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
      std::erase_if(ids, [&](const std::string& id) { return !id.starts_with(wanted); });
    }
    if (ids.size() > 1) {
      return Fail(
          Code::kInvalidArgument,
          fmt::format("run '{}': {} runs begin so: write more of the id", name, ids.size()));
    }
    if (ids.empty()) {
      return Fail(Code::kNotFound,
                  fmt::format("run '{}': there is no such file and no saved run of that id: nexus "
                              "replay --list shows them",
                              name));
    }
    file = folder_ / (ids.front() + std::string(kExtension));
  }
  NEXUS_TRY(const std::string bytes, ReadFile(file));
  Result<SavedRun> run = DecodeSavedRun(bytes);
  if (!run)
    return Fail(Code::kDataLoss, fmt::format("{}: {}", file.string(), run.error().message()));
  return run;
}

}  // namespace nexus
