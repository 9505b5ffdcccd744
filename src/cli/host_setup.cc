#include "cli/host_setup.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <span>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/json_argument.h"
#include "extension/code.h"
#include "extension/crypto.h"
#include "extension/http.h"
#include "extension/kv.h"
#include "extension/secrets.h"
#include "extension/test_extension.h"
#include "extension/timer.h"

namespace nexus {
namespace {

constexpr std::array<std::string_view, 6> kExtensions = {"http",  "code",   "kv",
                                                         "timer", "crypto", "test"};

// The members of a configuration object, each of which must be known.
class Settings {
 public:
  Settings(std::string name, ValueObject values)
      : name_(std::move(name)), values_(std::move(values)) {}

  Status CheckNames(std::span<const std::string_view> known) const {
    for (const auto& [key, value] : values_) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      return Fail(Code::kInvalidArgument, fmt::format("--ext {}: unknown setting '{}'{}", name_,
                                                      key, DidYouMean(key, known)));
    }
    return {};
  }
  const Value* Find(std::string_view key) const { return values_.Find(key); }
  Status Read(std::string_view key, std::string& out) const {
    const Value* value = values_.Find(key);
    if (value == nullptr) return {};
    if (const std::string* text = value->As<std::string>()) out = *text;
    return value->As<std::string>() != nullptr ? Status() : Wrong(key, "a string");
  }
  Status Read(std::string_view key, bool& out) const {
    const Value* value = values_.Find(key);
    if (value == nullptr) return {};
    if (const bool* flag = value->As<bool>()) out = *flag;
    return value->As<bool>() != nullptr ? Status() : Wrong(key, "true or false");
  }
  template <typename Number>
  Status ReadNumber(std::string_view key, Number& out) const {
    const Value* value = values_.Find(key);
    if (value == nullptr) return {};
    const double* number = value->As<double>();
    if (number == nullptr || *number < 1 || *number > 1e12)
      return Wrong(key, "a number from 1 to 1e12");
    out = static_cast<Number>(*number);
    return {};
  }
  Status Read(std::string_view key, std::vector<std::string>& out) const {
    const Value* value = values_.Find(key);
    const ValueArray* items = value == nullptr ? nullptr : value->As<ValueArray>();
    if (value == nullptr) return {};
    if (items == nullptr) return Wrong(key, "a list of strings");
    for (const Value& item : *items) {
      const std::string* text = item.As<std::string>();
      if (text == nullptr) return Wrong(key, "a list of strings");
      out.push_back(*text);
    }
    return {};
  }

 private:
  Status Wrong(std::string_view key, std::string_view form) const {
    return Fail(Code::kInvalidArgument,
                fmt::format("--ext {}: setting '{}' must be {}", name_, key, form));
  }
  std::string name_;
  ValueObject values_;
};

Result<std::shared_ptr<Extension>> MakeHttp(const Settings& settings,
                                            const ExtensionChoice& choice) {
  static constexpr std::array<std::string_view, 5> kNames = {"allow", "timeoutMs", "maxBytes",
                                                             "maxCalls", "userAgent"};
  NEXUS_TRY_STATUS(settings.CheckNames(kNames));
  HttpOptions options;
  std::vector<std::string> hosts = choice.allowed_hosts;
  NEXUS_TRY_STATUS(settings.Read("allow", hosts));
  NEXUS_TRY_STATUS(settings.ReadNumber("timeoutMs", options.timeout_ms));
  NEXUS_TRY_STATUS(settings.ReadNumber("maxBytes", options.response_bytes_max));
  NEXUS_TRY_STATUS(settings.ReadNumber("maxCalls", options.calls_max));
  NEXUS_TRY_STATUS(settings.Read("userAgent", options.user_agent));
  Result<HttpPolicy> policy = HttpPolicy::Parse(hosts);
  if (!policy) return std::unexpected(std::move(policy).error().Context("--allow-host"));
  options.policy = *std::move(policy);
  return std::make_shared<HttpExtension>(std::move(options));
}

Result<std::shared_ptr<Extension>> MakeCode(const Settings& settings,
                                            const ExtensionChoice& choice) {
  static constexpr std::array<std::string_view, 5> kNames = {"root", "readOnly", "followLinks",
                                                             "maxReadBytes", "maxWriteBytes"};
  NEXUS_TRY_STATUS(settings.CheckNames(kNames));
  CodeOptions options;
  options.root = choice.workspace;
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
  Result<std::shared_ptr<CodeExtension>> code = CodeExtension::Create(std::move(options));
  if (!code) return std::unexpected(std::move(code).error().Context("--workspace"));
  return *std::move(code);
}

Result<std::shared_ptr<Extension>> MakeKv(const Settings& settings, const ExtensionChoice& choice) {
  static constexpr std::array<std::string_view, 4> kNames = {"file", "namespace", "maxKeys",
                                                             "maxBytes"};
  NEXUS_TRY_STATUS(settings.CheckNames(kNames));
  KvOptions options;
  options.file = choice.kv_file;
  NEXUS_TRY_STATUS(settings.Read("file", options.file));
  NEXUS_TRY_STATUS(settings.Read("namespace", options.name_space));
  NEXUS_TRY_STATUS(settings.ReadNumber("maxKeys", options.keys_max));
  NEXUS_TRY_STATUS(settings.ReadNumber("maxBytes", options.bytes_max));
  Result<std::shared_ptr<KvExtension>> kv = KvExtension::Create(std::move(options));
  if (!kv) return std::unexpected(std::move(kv).error().Context("--kv"));
  return *std::move(kv);
}

Result<std::shared_ptr<Extension>> MakeTimer(const Settings& settings) {
  static constexpr std::array<std::string_view, 2> kNames = {"file", "maxWaits"};
  NEXUS_TRY_STATUS(settings.CheckNames(kNames));
  TimerOptions options;
  NEXUS_TRY_STATUS(settings.Read("file", options.file));
  NEXUS_TRY_STATUS(settings.ReadNumber("maxWaits", options.waits_max));
  Result<std::shared_ptr<TimerExtension>> timer = TimerExtension::Create(std::move(options));
  if (!timer) return std::unexpected(std::move(timer).error().Context("--ext timer"));
  return *std::move(timer);
}

Result<std::shared_ptr<Extension>> MakeCrypto(const Settings& settings) {
  static constexpr std::array<std::string_view, 1> kNames = {"secrets"};
  NEXUS_TRY_STATUS(settings.CheckNames(kNames));
  CryptoOptions options;
  if (const Value* secrets = settings.Find("secrets")) {
    Result<Secrets> parsed = Secrets::Parse(*secrets);
    if (!parsed) return std::unexpected(std::move(parsed).error().Context("--ext crypto"));
    options.secrets = *std::move(parsed);
  }
  return std::make_shared<CryptoExtension>(std::move(options));
}

Result<std::shared_ptr<Extension>> Make(std::string_view name, const Settings& settings,
                                        const ExtensionChoice& choice) {
  if (name == "http") return MakeHttp(settings, choice);
  if (name == "code") return MakeCode(settings, choice);
  if (name == "kv") return MakeKv(settings, choice);
  if (name == "timer") return MakeTimer(settings);
  if (name == "crypto") return MakeCrypto(settings);
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

}  // namespace

std::vector<std::string_view> KnownExtensions() { return {kExtensions.begin(), kExtensions.end()}; }

Result<Registry> BuildRegistry(const ExtensionChoice& choice) {
  Registry registry;
  for (const std::string& text : choice.extensions) {
    const std::size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    if (std::find(kExtensions.begin(), kExtensions.end(), name) == kExtensions.end()) {
      return Fail(Code::kInvalidArgument,
                  fmt::format("--ext {}: there is no such extension{}: the extensions are {}", name,
                              DidYouMean(name, kExtensions), fmt::join(kExtensions, ", ")));
    }
    ValueObject values;
    if (equals != std::string::npos) {
      NEXUS_TRY(values, ReadJsonObject("--ext " + name, text.substr(equals + 1)));
    }
    NEXUS_TRY(std::shared_ptr<Extension> extension,
              Make(name, Settings(name, std::move(values)), choice));
    NEXUS_TRY_STATUS(registry.Add(std::move(extension)));
  }
  for (const std::string& name : ImpliedNames(choice)) {
    if (registry.Find(name) != nullptr) continue;
    NEXUS_TRY(std::shared_ptr<Extension> extension, Make(name, Settings(name, {}), choice));
    NEXUS_TRY_STATUS(registry.Add(std::move(extension)));
  }
  return registry;
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
