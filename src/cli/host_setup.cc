#include "cli/host_setup.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/json_argument.h"
#include "extension/code.h"
#include "extension/crypto.h"
#include "extension/files.h"
#include "extension/http.h"
#include "extension/kv.h"
#include "extension/llm.h"
#include "extension/test_extension.h"
#include "extension/timer.h"

namespace nexus {
namespace {

constexpr std::array<std::string_view, 8> kExtensions = {"http",  "code",   "files", "kv",
                                                         "timer", "crypto", "llm",   "test"};

using Made = Result<std::shared_ptr<Extension>>;

// What an extension is made with, and whether it is to be made at all or its settings only read.
struct Plan {
  const ExtensionSettings& settings;
  const ExtensionChoice& choice;
  bool only_read = false;
};

// Makes an extension of `options`; `option` is what stands in front of an error.
template <typename Type, typename Options>
Made Create(const Plan& plan, Options options, std::string_view option) {
  if (plan.only_read) return nullptr;
  Result<std::shared_ptr<Type>> made = Type::Create(std::move(options));
  if (!made) return std::unexpected(std::move(made).error().Context(option));
  return *std::move(made);
}

// An option of its own is named in errors when it is what was given.
std::string OptionOr(const Plan& plan, const std::string& given, std::string_view option) {
  return given.empty() ? plan.settings.PlaceOf("") : std::string(option);
}

Made MakeHttp(const Plan& plan) {
  static constexpr std::array<std::string_view, 8> kNames = {"allow",    "timeoutMs", "maxBytes",
                                                             "maxCalls", "userAgent", "secrets",
                                                             "retries",  "maxStreams"};
  const ExtensionSettings& settings = plan.settings;
  NEXUS_TRY_STATUS(settings.CheckNames(kNames));
  HttpOptions options;
  std::vector<std::string> hosts = plan.choice.allowed_hosts;
  double retries = options.retries;
  NEXUS_TRY_STATUS(settings.Read("allow", hosts));
  NEXUS_TRY_STATUS(settings.ReadNumber("timeoutMs", options.timeout_ms));
  NEXUS_TRY_STATUS(settings.ReadNumber("maxBytes", options.response_bytes_max));
  NEXUS_TRY_STATUS(settings.ReadNumber("maxCalls", options.calls_max));
  NEXUS_TRY_STATUS(settings.ReadNumber("maxStreams", options.streams_max));
  NEXUS_TRY_STATUS(settings.Read("retries", retries, 0, 5));
  NEXUS_TRY_STATUS(settings.Read("userAgent", options.user_agent));
  NEXUS_TRY_STATUS(settings.Read("secrets", options.secrets));
  options.retries = static_cast<std::uint32_t>(retries);
  Result<HttpPolicy> policy = HttpPolicy::Parse(hosts);
  if (!policy) {
    const std::string option =
        plan.choice.allowed_hosts.empty() ? settings.PlaceOf("allow") : "--allow-host";
    return std::unexpected(std::move(policy).error().Context(option));
  }
  options.policy = *std::move(policy);
  if (plan.only_read) return nullptr;
  return std::make_shared<HttpExtension>(std::move(options));
}

Made MakeCode(const Plan& plan) {
  static constexpr std::array<std::string_view, 5> kNames = {"root", "readOnly", "followLinks",
                                                             "maxReadBytes", "maxWriteBytes"};
  const ExtensionSettings& settings = plan.settings;
  NEXUS_TRY_STATUS(settings.CheckNames(kNames));
  CodeOptions options;
  options.root = plan.choice.workspace;
  if (options.root.ends_with(":ro")) {
    options.read_only = true;
    options.root.resize(options.root.size() - 3);
  }
  NEXUS_TRY_STATUS(settings.Read("root", options.root));
  NEXUS_TRY_STATUS(settings.Read("readOnly", options.read_only));
  NEXUS_TRY_STATUS(settings.Read("followLinks", options.follow_links));
  NEXUS_TRY_STATUS(settings.ReadNumber("maxReadBytes", options.read_bytes_max));
  NEXUS_TRY_STATUS(settings.ReadNumber("maxWriteBytes", options.write_bytes_max));
  if (options.root.empty()) {
    return Fail(Code::kInvalidArgument,
                "the extension 'code' needs a folder: add --workspace DIR (or DIR:ro)");
  }
  return Create<CodeExtension>(plan, std::move(options),
                               OptionOr(plan, plan.choice.workspace, "--workspace"));
}

Made MakeFiles(const Plan& plan) {
  static constexpr std::array<std::string_view, 4> kNames = {"roots", "maxReadBytes",
                                                             "maxWriteBytes", "maxWrittenBytes"};
  static constexpr std::array<std::string_view, 2> kRootNames = {"path", "readOnly"};
  const ExtensionSettings& settings = plan.settings;
  NEXUS_TRY_STATUS(settings.CheckNames(kNames));
  FilesOptions options;
  NEXUS_TRY_STATUS(settings.ReadNumber("maxReadBytes", options.read_bytes_max));
  NEXUS_TRY_STATUS(settings.ReadNumber("maxWriteBytes", options.write_bytes_max));
  NEXUS_TRY_STATUS(settings.ReadNumber("maxWrittenBytes", options.written_bytes_max));
  NEXUS_TRY(const ExtensionSettings roots, settings.Table("roots"));
  for (const auto& [name, value] : roots.values()) {
    FilesRoot root{.name = name, .path = {}};
    if (value.As<std::string>() != nullptr) {
      NEXUS_TRY_STATUS(roots.Read(name, root.path));
    } else {
      NEXUS_TRY(const ExtensionSettings described, roots.Table(name));
      NEXUS_TRY_STATUS(described.CheckNames(kRootNames));
      NEXUS_TRY_STATUS(described.Read("path", root.path));
      NEXUS_TRY_STATUS(described.Read("readOnly", root.read_only));
    }
    if (root.path.empty()) return roots.Wrong(name, "must be a folder");
    options.roots.push_back(std::move(root));
  }
  if (options.roots.empty()) {
    return settings.Wrong("roots",
                          "is missing: the folders by name, such as {\"in\": \"DIR\", \"out\": "
                          "{\"path\": \"DIR\", \"readOnly\": false}}");
  }
  return Create<FilesExtension>(plan, std::move(options), settings.PlaceOf("roots"));
}

Made MakeKv(const Plan& plan) {
  static constexpr std::array<std::string_view, 4> kNames = {"file", "namespace", "maxKeys",
                                                             "maxBytes"};
  const ExtensionSettings& settings = plan.settings;
  NEXUS_TRY_STATUS(settings.CheckNames(kNames));
  KvOptions options;
  options.file = plan.choice.kv_file;
  NEXUS_TRY_STATUS(settings.Read("file", options.file));
  NEXUS_TRY_STATUS(settings.Read("namespace", options.name_space));
  NEXUS_TRY_STATUS(settings.ReadNumber("maxKeys", options.keys_max));
  NEXUS_TRY_STATUS(settings.ReadNumber("maxBytes", options.bytes_max));
  return Create<KvExtension>(plan, std::move(options), OptionOr(plan, plan.choice.kv_file, "--kv"));
}

Made MakeTimer(const Plan& plan) {
  static constexpr std::array<std::string_view, 2> kNames = {"file", "maxWaits"};
  NEXUS_TRY_STATUS(plan.settings.CheckNames(kNames));
  TimerOptions options;
  NEXUS_TRY_STATUS(plan.settings.Read("file", options.file));
  NEXUS_TRY_STATUS(plan.settings.ReadNumber("maxWaits", options.waits_max));
  return Create<TimerExtension>(plan, std::move(options), plan.settings.PlaceOf("file"));
}

Made MakeCrypto(const Plan& plan) {
  static constexpr std::array<std::string_view, 1> kNames = {"secrets"};
  NEXUS_TRY_STATUS(plan.settings.CheckNames(kNames));
  CryptoOptions options;
  NEXUS_TRY_STATUS(plan.settings.Read("secrets", options.secrets));
  if (plan.only_read) return nullptr;
  return std::make_shared<CryptoExtension>(std::move(options));
}

Made MakeLlm(const Plan& plan) {
  NEXUS_TRY(LlmOptions options, ReadLlmOptions(plan.settings));
  return Create<LlmExtension>(plan, std::move(options), plan.settings.PlaceOf(""));
}

Made Make(std::string_view name, const Plan& plan) {
  if (name == "http") return MakeHttp(plan);
  if (name == "code") return MakeCode(plan);
  if (name == "files") return MakeFiles(plan);
  if (name == "kv") return MakeKv(plan);
  if (name == "timer") return MakeTimer(plan);
  if (name == "crypto") return MakeCrypto(plan);
  if (name == "llm") return MakeLlm(plan);
  NEXUS_TRY_STATUS(plan.settings.CheckNames({}));
  return std::make_shared<TestExtension>();
}

// Extensions that options other than --ext ask for. `*` asks for those that need no more to be
// said.
std::vector<std::string> ImpliedNames(const ExtensionChoice& choice) {
  std::vector<std::string> names;
  if (!choice.allowed_hosts.empty()) names.emplace_back("http");
  if (!choice.workspace.empty()) names.emplace_back("code");
  if (!choice.kv_file.empty()) names.emplace_back("kv");
  for (const std::string& capability : choice.capabilities) {
    if (!capability.starts_with("ext:")) continue;
    const std::string scope = capability.substr(4, capability.find_first_of(".?", 4) - 4);
    if (scope == "*") names.insert(names.end(), {"http", "kv", "timer", "crypto"});
    if (std::find(kExtensions.begin(), kExtensions.end(), scope) != kExtensions.end() &&
        scope != "test") {
      names.push_back(scope);
    }
  }
  return names;
}

// Calls `use` for every extension that is asked for, once each, in the order of who decides.
Status ForEachChosen(
    const ExtensionChoice& choice,
    const std::function<Status(const std::string& name, const ExtensionSettings& settings)>& use) {
  std::vector<std::string> done;
  const auto is_done = [&](const std::string& name) {
    return std::find(done.begin(), done.end(), name) != done.end();
  };
  const auto known = [](std::string_view place, const std::string& name) -> Status {
    if (std::find(kExtensions.begin(), kExtensions.end(), name) != kExtensions.end()) return {};
    return Fail(Code::kInvalidArgument,
                fmt::format("{}: there is no extension '{}'{}: the extensions are {}", place, name,
                            DidYouMean(name, kExtensions), fmt::join(kExtensions, ", ")));
  };
  const auto at = [](std::string place) { return [place](const std::string&) { return place; }; };
  // NAME, NAME=JSON or NAME=@FILE.
  const auto use_text = [&](const std::string& option, const std::string& text) -> Status {
    const std::size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    const std::string place = option + " " + name;
    NEXUS_TRY_STATUS(known(place, name));
    ValueObject values;
    if (equals != std::string::npos) {
      NEXUS_TRY(values, ReadJsonObject(place, text.substr(equals + 1)));
    }
    done.push_back(name);
    return use(name, ExtensionSettings(at(place), std::move(values)));
  };
  for (const std::string& text : choice.extensions) NEXUS_TRY_STATUS(use_text("--ext", text));
  for (const ConfiguredExtension& configured : choice.configured) {
    NEXUS_TRY_STATUS(known(configured.place(""), configured.name));
    if (is_done(configured.name)) continue;
    NEXUS_TRY_STATUS(
        use(configured.name, ExtensionSettings(configured.place, configured.settings)));
    done.push_back(configured.name);
  }
  for (const std::string& text : choice.offered) {
    if (is_done(text.substr(0, text.find('=')))) continue;
    NEXUS_TRY_STATUS(use_text("[extensions] offer:", text));
  }
  for (const std::string& name : ImpliedNames(choice)) {
    if (is_done(name)) continue;
    NEXUS_TRY_STATUS(use(name, ExtensionSettings(at("--ext " + name), {})));
    done.push_back(name);
  }
  return {};
}

}  // namespace

std::vector<std::string_view> KnownExtensions() { return {kExtensions.begin(), kExtensions.end()}; }

Status CheckExtensions(const ExtensionChoice& choice) {
  return ForEachChosen(choice, [&](const std::string& name, const ExtensionSettings& settings) {
    Made read = Make(name, {.settings = settings, .choice = choice, .only_read = true});
    return read ? Status() : Status(std::unexpected(std::move(read).error()));
  });
}

Result<Registry> BuildRegistry(const ExtensionChoice& choice) {
  Registry registry;
  NEXUS_TRY_STATUS(ForEachChosen(
      choice, [&](const std::string& name, const ExtensionSettings& settings) -> Status {
        NEXUS_TRY(std::shared_ptr<Extension> extension,
                  Make(name, {.settings = settings, .choice = choice}));
        return registry.Add(std::move(extension));
      }));
  return registry;
}

Result<Registry> BuildShownRegistry() {
  // Any folder that exists and any model will do.
  ExtensionChoice choice;
  choice.workspace = "/";
  choice.extensions = {R"(files={"roots": {"any": "/"}})",
                       R"(llm={"providers": [{"model": "any"}]})"};
  for (const std::string_view name : kExtensions) {
    if (name != "files" && name != "llm") choice.extensions.emplace_back(name);
  }
  return BuildRegistry(choice);
}

Result<std::unique_ptr<Sandbox>> OpenSandbox(const Places& places) {
  SandboxOptions options;
  if (!places.cache_dir.empty()) {
    options.cache_dir = places.cache_dir;
  } else if (Result<std::filesystem::path> cache = CacheDir()) {
    options.cache_dir = *cache;
  }
  return Sandbox::Create(std::move(options));
}

BundleOptions BundlingAt(const Places& places) {
  BundleOptions options;
  Result<std::filesystem::path> cache =
      places.cache_dir.empty() ? CacheDir() : Result<std::filesystem::path>(places.cache_dir);
  const Result<std::filesystem::path> state = StateDir();
  if (!cache || !state) return options;
  Result<std::string> key = LoadOrCreateKey(*state / "signing.key");
  if (!key) {
    Log(Severity::kWarn, "bundles are not kept", {{"why", key.error().message()}});
    return options;
  }
  options.cache_dir = *std::move(cache);
  options.signing_key = *std::move(key);
  return options;
}

}  // namespace nexus
