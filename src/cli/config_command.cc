// nexus config: checks and explains nexus.toml, and makes API keys.
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/hash.h"
#include "cli/exit_codes.h"
#include "cli/internal/command.h"
#include "cli/server_config.h"
#include "server/auth.h"

namespace nexus {

Result<ServerConfig> ReadServerConfig(const std::string& file, const std::string& address) {
  std::string text;
  std::string name = file;
  std::error_code error;
  if (name.empty() && std::filesystem::exists("nexus.toml", error)) name = "nexus.toml";
  if (!name.empty()) {
    NEXUS_TRY(text, ReadFile(name, std::size_t{1} << 20));
  }
  const auto environment = [&address](const std::string& variable) -> std::optional<std::string> {
    if (variable == "NEXUS_SERVER_ADDRESS" && !address.empty()) return address;
    const char* value = std::getenv(variable.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  return LoadConfig(text, name.empty() ? "(defaults)" : name, environment);
}

std::vector<ConfiguredExtension> ConfiguredExtensions(const ServerConfig& config) {
  std::vector<ConfiguredExtension> configured;
  for (const ExtensionTable& table : config.extension_tables) {
    // A setting that is missing has no place: what it belongs to has one.
    const auto place = [places = table.places](std::string path) {
      for (;;) {
        const auto found = places.find(path);
        if (found != places.end() || path.empty())
          return found == places.end() ? "" : found->second;
        const std::size_t end = path.find_last_of(".[");
        path.resize(end == std::string::npos ? 0 : end);
      }
    };
    configured.push_back({.name = table.name, .settings = table.settings, .place = place});
  }
  return configured;
}

namespace internal {
namespace {

// The file, and what its extensions make of their settings.
Result<ServerConfig> ReadAll(const std::string& file) {
  NEXUS_TRY(ServerConfig config, ReadServerConfig(file));
  ExtensionChoice choice;
  choice.offered = config.extensions;
  choice.allowed_hosts = config.allowed_hosts;
  choice.workspace = config.workspace;
  choice.kv_file = config.kv_file;
  choice.configured = ConfiguredExtensions(config);
  NEXUS_TRY_STATUS(CheckExtensions(choice));
  return config;
}

constexpr const char* kFooter = R"(Examples:
  nexus config print > nexus.toml     every setting with its default, explained
  nexus config check nexus.toml
  nexus config key                    a new API key, and the hash that goes into [[auth.keys]])";

class ConfigCommand final : public Command {
 public:
  CLI::App* Declare(CLI::App& root) override {
    app_ = root.add_subcommand("config", "Check, print and explain the configuration");
    app_->require_subcommand(1);
    check_ = app_->add_subcommand("check", "Say what is wrong with a file");
    check_->add_option("FILE", file_, "Default: nexus.toml")->type_name("FILE");
    AddJsonFlag(*check_, json_);
    print_ = app_->add_subcommand("print", "Every setting, as it would hold, explained");
    print_->add_option("FILE", file_, "Default: nexus.toml, when there is one")->type_name("FILE");
    key_ = app_->add_subcommand("key", "Make an API key");
    AddJsonFlag(*key_, json_);
    app_->footer(kFooter);
    return app_;
  }

  int Run() override {
    const Terminal out(stdout);
    if (app_->got_subcommand(key_)) return MakeKey(out);
    const bool checks = app_->got_subcommand(check_);
    const Result<ServerConfig> config = checks ? ReadAll(file_) : ReadServerConfig(file_);
    if (checks && json_) {
      ValueObject report{{"ok", config.has_value()}};
      if (!config) report.Append("error", config.error().message());
      PrintJson(Value(std::move(report)));
      return config ? kExitSuccess : kExitFailed;
    }
    if (!config) {
      Terminal(stderr).Line(config.error().message());
      return config.error().code() == Code::kNotFound ? kExitNotFound : kExitFailed;
    }
    out.Line(app_->got_subcommand(print_) ? PrintConfig(*config) : "The configuration is good.");
    return kExitSuccess;
  }

 private:
  int MakeKey(const Terminal& out) const {
    const std::string key = NewApiKey();
    const std::string hash = Sha256Hex(key);
    if (json_) {
      PrintJson(Value::Object({{"key", key}, {"sha256", hash}}));
      return kExitSuccess;
    }
    out.Line("The key, shown this once: " + key);
    out.Line("For nexus.toml:\n[[auth.keys]]\nname = \"NAME\"\nsha256 = \"" + hash + "\"");
    out.Line("permissions = [\"panel:read\", \"panel:execute\"]");
    out.Line("capabilities = [\"state:read:*\", \"tools:call:*\"]");
    return kExitSuccess;
  }

  CLI::App* app_ = nullptr;
  CLI::App* check_ = nullptr;
  CLI::App* print_ = nullptr;
  CLI::App* key_ = nullptr;
  std::string file_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeConfigCommand() { return std::make_unique<ConfigCommand>(); }

}  // namespace internal
}  // namespace nexus
