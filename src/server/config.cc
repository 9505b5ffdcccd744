#include "server/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <utility>

#include "base/json.h"
#include "base/text.h"

namespace nexus {
namespace {

// One setting: where it is kept, what it may be, and what it is for.
struct Setting {
  std::string path;
  std::string help;
  std::string form;  // "a whole number from 0 to 65535": completes "must be".
  std::function<bool(const Value&)> set;
  std::function<Value()> get;
};

template <typename Number>
Setting Whole(std::string path, Number& to, double lowest, double highest, std::string help) {
  return {.path = std::move(path),
          .help = std::move(help),
          .form = fmt::format("a whole number from {:.0f} to {:.0f}", lowest, highest),
          .set =
              [&to, lowest, highest](const Value& value) {
                const double* number = value.As<double>();
                if (number == nullptr || *number != std::floor(*number)) return false;
                if (*number < lowest || *number > highest) return false;
                to = static_cast<Number>(*number);
                return true;
              },
          .get = [&to] { return Value(static_cast<double>(to)); }};
}

Setting Text(std::string path, std::string& to, std::string help) {
  return {.path = std::move(path),
          .help = std::move(help),
          .form = "a string",
          .set =
              [&to](const Value& value) {
                const auto* text = value.As<std::string>();
                if (text != nullptr) to = *text;
                return text != nullptr;
              },
          .get = [&to] { return Value(to); }};
}

Setting OneOf(std::string path, std::string& to, std::vector<std::string> words, std::string help) {
  Setting setting = Text(std::move(path), to, std::move(help));
  setting.form = fmt::format("one of");
  for (const std::string& word : words) setting.form += " \"" + word + "\"";
  setting.set = [&to, words = std::move(words)](const Value& value) {
    const auto* text = value.As<std::string>();
    if (text == nullptr || std::find(words.begin(), words.end(), *text) == words.end()) {
      return false;
    }
    to = *text;
    return true;
  };
  return setting;
}

Setting Flag(std::string path, bool& to, std::string help) {
  return {.path = std::move(path),
          .help = std::move(help),
          .form = "true or false",
          .set =
              [&to](const Value& value) {
                const bool* flag = value.As<bool>();
                if (flag != nullptr) to = *flag;
                return flag != nullptr;
              },
          .get = [&to] { return Value(to); }};
}

Setting Texts(std::string path, std::vector<std::string>& to, std::string help) {
  return {.path = std::move(path),
          .help = std::move(help),
          .form = "a list of strings",
          .set =
              [&to](const Value& value) {
                const auto* items = value.As<ValueArray>();
                if (items == nullptr) return false;
                std::vector<std::string> texts;
                for (const Value& item : *items) {
                  const auto* text = item.As<std::string>();
                  if (text == nullptr) return false;
                  texts.push_back(*text);
                }
                to = std::move(texts);
                return true;
              },
          .get =
              [&to] {
                ValueArray items;
                for (const std::string& text : to) items.emplace_back(text);
                return Value(std::move(items));
              }};
}

// A rate: a number above 0, or "none".
Setting Rate(std::string path, double& to, std::string help) {
  return {.path = std::move(path),
          .help = std::move(help),
          .form = "a number above 0, or \"none\"",
          .set =
              [&to](const Value& value) {
                const auto* word = value.As<std::string>();
                const double* number = value.As<double>();
                if (word != nullptr && *word == "none") {
                  to = 0;
                  return true;
                }
                if (number == nullptr || !(*number > 0) || *number > 1e9) return false;
                to = *number;
                return true;
              },
          .get = [&to] { return to == 0 ? Value("none") : Value(to); }};
}

Setting Share(std::string path, double& to, std::string help) {
  return {.path = std::move(path),
          .help = std::move(help),
          .form = "a number from 0 to 1",
          .set =
              [&to](const Value& value) {
                const double* number = value.As<double>();
                if (number == nullptr || !(*number >= 0 && *number <= 1)) return false;
                to = *number;
                return true;
              },
          .get = [&to] { return Value(to); }};
}

std::vector<Setting> SettingsOf(ServerConfig& c) {
  constexpr double kBytes = 1024.0 * 1024 * 1024;
  constexpr double kDay = 86'400'000;
  ListenerOptions& l = c.listener;
  std::vector<Setting> all;
  all.push_back(Text("server.address", l.address,
                     "The address to listen on; anything but loopback requires [auth]."));
  all.push_back(Whole("server.port", l.port, 0, 65'535, "The port; 0 takes any free one."));
  all.push_back(Texts("server.allowed_hosts", c.api.allowed_hosts,
                      "Names by which browsers may call this server; IP addresses and localhost "
                      "always pass."));
  all.push_back(Texts("server.cors_origins", c.api.cors_origins,
                      "Origins of other sites whose pages may call it: \"https://app.example\"."));
  all.push_back(Whole("server.connections_max", l.connections_max, 1, 1e6,
                      "Connections above are closed at once."));
  all.push_back(Whole("server.header_bytes_max", l.header_bytes_max, 1024, 1 << 20,
                      "Larger headers are answered with 431."));
  all.push_back(Whole("server.body_bytes_max", l.body_bytes_max, 1024, kBytes,
                      "Larger bodies are answered with 413."));
  all.push_back(Whole("server.header_timeout_ms", l.header_timeout_ms, 100, kDay,
                      "Time for a request's headers."));
  all.push_back(
      Whole("server.body_timeout_ms", l.body_timeout_ms, 100, kDay, "Time for a request's body."));
  all.push_back(Whole("server.idle_timeout_ms", l.idle_timeout_ms, 100, kDay,
                      "How long a connection may wait between requests."));
  all.push_back(Whole("server.write_timeout_ms", l.write_timeout_ms, 100, kDay,
                      "How long a client may take no bytes."));
  all.push_back(Whole("server.ping_interval_ms", l.ping_interval_ms, 1'000, kDay,
                      "How often a WebSocket is asked whether it lives."));
  all.push_back(Whole("server.message_bytes_max", l.message_bytes_max, 1024, kBytes,
                      "Largest WebSocket message of a client."));
  all.push_back(Whole("server.socket_queue_bytes_max", c.api.socket_queue_bytes_max, 64 << 10,
                      kBytes, "What may wait for a slow WebSocket before it is closed (1013)."));
  all.push_back(Text("server.metrics_address", c.metrics_address,
                     "Where the listener of metrics_port listens."));
  all.push_back(Whole("server.metrics_port", c.metrics_port, 0, 65'535,
                      "A port for /metrics, /healthz and /readyz alone; 0: the main port."));
  all.push_back(Whole("server.drain_ms", c.drain_ms, 0, kDay,
                      "How long running calls may go on at shutdown."));
  all.push_back(Text("tls.certificate", l.tls_certificate_file, "PEM file: the chain."));
  all.push_back(Text("tls.key", l.tls_key_file, "PEM file: the private key."));
  all.push_back(Rate("rate.requests_per_second", c.api.rate.per_second,
                     "Requests a principal (without auth: a peer) may make; \"none\": any."));
  all.push_back(Rate("rate.burst", c.api.rate.burst, "How many of them at once."));
  all.push_back(Text("auth.jwt.jwks_file", c.auth.jwt.jwks_file, "A JWK set to trust."));
  all.push_back(Text("auth.jwt.jwks_url", c.auth.jwt.jwks_url,
                     "Where the JWK set is fetched; again when a token's key is not known."));
  all.push_back(Text("auth.jwt.jwks_ca_file", c.auth.jwt.jwks_ca_file,
                     "PEM: whom to believe that it is jwks_url; empty: the system's."));
  all.push_back(Text("auth.jwt.secret_file", c.auth.jwt.secret_file,
                     "A shared secret of at least 32 bytes, for HS256."));
  all.push_back(Text("auth.jwt.issuer", c.auth.jwt.issuer, "Required `iss`; empty: any."));
  all.push_back(Text("auth.jwt.audience", c.auth.jwt.audience, "Required `aud`; empty: any."));
  all.push_back(
      Texts("auth.jwt.algorithms", c.auth.jwt.algorithms, "Allowed: HS256, RS256, ES256, EdDSA."));
  all.push_back(Whole("auth.jwt.leeway_s", c.auth.jwt.leeway_s, 0, 600, "Clock difference."));
  all.push_back(Text("panels.data_dir", c.data_dir,
                     "Where panels are journaled; empty: the user's state folder."));
  all.push_back(
      Whole("panels.workers", c.workers, 0, 1024, "Threads for handlers; 0: one a core."));
  all.push_back(Whole("panels.queued_calls_max", c.queued_calls_max, 1, 1e7,
                      "Calls above are refused with OVERLOADED."));
  all.push_back(
      Whole("panels.state_bytes_max", c.state_bytes_max, 1024, 64 * kBytes, "A panel's state."));
  all.push_back(Whole("panels.revisions_kept", c.revisions_kept, 1, 1e9,
                      "Older revisions are compacted away."));
  all.push_back(Flag("panels.strict", c.strict, "Refuse handlers that declare no capabilities."));
  all.push_back(Flag("panels.synced", c.synced,
                     "Answer when it is on disk; false may lose the last moments in a crash."));
  all.push_back(
      Texts("panels.ceiling", c.ceiling, "Capabilities no panel may exceed; empty: no ceiling."));
  all.push_back(Texts("extensions.offer", c.extensions,
                      "Extensions panels may use, as nexus run --ext takes them."));
  all.push_back(
      Texts("extensions.allowed_hosts", c.allowed_hosts, "Hosts $ext.http may speak to."));
  all.push_back(Text("extensions.workspace", c.workspace, "The folder of $ext.code."));
  all.push_back(Text("extensions.kv_file", c.kv_file, "The file of $ext.kv."));
  all.push_back(Texts("approvals.allowed", c.approvals_allowed,
                      "Rights that $ext.approval.request gets at once, without a person."));
  all.push_back(Texts("approvals.denied", c.approvals_denied,
                      "Rights it never gets; they win over allowed."));
  all.push_back(Whole("approvals.for_ms_max", c.approvals_for_ms_max, 1'000, kDay,
                      "The longest time a right is granted for."));
  all.push_back(Whole("approvals.wait_ms_max", c.approvals_wait_ms_max, 1'000, 366 * kDay,
                      "After this nobody has answered, and the run is refused."));
  all.push_back(Whole("approvals.waiting_max", c.approvals_waiting_max, 1, 1e6,
                      "Requests that may wait at once."));
  all.push_back(OneOf("log.level", c.log_level, {"debug", "info", "warn", "error", "off"},
                      "What is logged on stderr."));
  all.push_back(OneOf("log.form", c.log_form, {"text", "json"}, "How."));
  all.push_back(Flag("log.requests", c.api.log_requests,
                     "A line for every request, at info; probes at debug."));
  all.push_back(Text("trace.endpoint", c.trace.endpoint,
                     "An OTLP/HTTP collector, \"http://127.0.0.1:4318\"; empty: no traces."));
  all.push_back(Text("trace.headers_file", c.trace_headers_file,
                     "Headers for the collector, \"Name: value\" a line: its credentials."));
  all.push_back(Text("trace.service_name", c.trace.service_name, "service.name of the spans."));
  all.push_back(Share("trace.sample", c.trace.sample,
                      "Share of the traces that begin here; others follow their traceparent."));
  all.push_back(Whole("trace.queue_max", c.trace.queue_max, 1, 1e6,
                      "Spans that may wait for the collector; above they are dropped."));
  all.push_back(Text("trace.ca_file", c.trace.ca_file,
                     "PEM: whom to believe that it is the collector; empty: the system's."));
  return all;
}

std::string VariableOf(const std::string& path) {
  std::string name = "NEXUS_";
  for (const char c : path) {
    name += c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  }
  return name;
}

// What an environment variable says, in the type of the setting it is for.
Value FromVariable(const Setting& setting, const std::string& text) {
  const Value now = setting.get();
  if (now.As<ValueArray>() != nullptr) {
    ValueArray items;
    for (const std::string_view part : Split(text, ',')) {
      if (!Trim(part).empty()) items.emplace_back(Trim(part));
    }
    return Value(std::move(items));
  }
  if (now.As<bool>() != nullptr) {
    if (text == "true" || text == "1") return Value(true);
    if (text == "false" || text == "0") return Value(false);
    return Value(text);
  }
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  const bool wants_text = now.As<std::string>() != nullptr && setting.form == "a string";
  if (is_number && !wants_text) return Value(number);
  return Value(text);
}

class Loader {
 public:
  Loader(ServerConfig& config, std::string_view file)
      : config_(config), file_(file), settings_(SettingsOf(config)) {}

  void Take(const TomlEntry& entry) {
    place_ = fmt::format("{}:{}:{}", file_, entry.line, entry.column);
    if (entry.path.starts_with("auth.keys")) return TakeKey(entry);
    if (entry.path.starts_with("extension.")) return;  // ReadExtensionTables takes them.
    if (entry.path.starts_with("limits.")) return TakeLimit(entry.path.substr(7), entry.value);
    // An empty table says nothing.
    if (entry.value.As<ValueObject>() != nullptr) return;
    Setting* setting = Find(entry.path);
    if (setting == nullptr) {
      std::vector<std::string_view> names;
      for (const Setting& each : settings_) names.push_back(each.path);
      return Problem(fmt::format("there is no setting '{}'{}: nexus config print shows all",
                                 entry.path, DidYouMean(entry.path, names)));
    }
    if (!setting->set(entry.value)) Problem(entry.path + " must be " + setting->form);
  }

  void TakeEnvironment(const Environment& environment) {
    for (Setting& setting : settings_) {
      const std::string name = VariableOf(setting.path);
      const std::optional<std::string> text = environment(name);
      if (!text) continue;
      place_ = name;
      if (!setting.set(FromVariable(setting, *text))) Problem("must be " + setting.form);
    }
    for (int i = 0; i < kLimitCount; ++i) {
      const std::string limit(LimitName(static_cast<Limit>(i)));
      std::string name = "NEXUS_LIMITS_";
      for (const char c : limit) name += static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
      if (const auto text = environment(name)) {
        place_ = name;
        TakeLimit(limit, Value(*text));
      }
    }
  }

  void CheckTogether() {
    place_ = file_;
    const ListenerOptions& l = config_.listener;
    if (l.tls_certificate_file.empty() != l.tls_key_file.empty()) {
      Problem("[tls] needs both certificate and key");
    }
    if (config_.api.rate.per_second > 0 && config_.api.rate.burst < 1) {
      config_.api.rate.burst = std::max(1.0, config_.api.rate.per_second);
    }
    const bool loopback = l.address == "::1" || l.address.starts_with("127.");
    if (!loopback && !config_.auth.required()) {
      Problem(
          fmt::format("server.address = \"{}\" is open to others, so callers must say who they "
                      "are: add [[auth.keys]] (nexus config key) or [auth.jwt]",
                      l.address));
    }
    if (auto made = Authenticator::Create(config_.auth); !made) Problem(made.error().message());
    if (const std::string& to = config_.trace.endpoint;
        !to.empty() && !to.starts_with("http://") && !to.starts_with("https://")) {
      Problem("trace.endpoint must be an http or https address, http://127.0.0.1:4318");
    }
    CheckTokens("panels.ceiling", config_.ceiling);
    CheckTokens("approvals.allowed", config_.approvals_allowed);
    CheckTokens("approvals.denied", config_.approvals_denied);
  }

  Status Outcome() const {
    if (problems_.empty()) return {};
    return Fail(Code::kInvalidArgument, problems_);
  }

 private:
  Setting* Find(std::string_view path) {
    const auto found = std::find_if(settings_.begin(), settings_.end(),
                                    [&](const Setting& each) { return each.path == path; });
    return found == settings_.end() ? nullptr : &*found;
  }
  void Problem(const std::string& what) {
    if (!problems_.empty()) problems_ += '\n';
    problems_ += place_ + ": " + what;
  }
  void CheckTokens(const std::string& path, const std::vector<std::string>& tokens) {
    if (auto set = CapabilitySet::Parse(tokens); !set) {
      Problem(path + ": " + set.error().message());
    }
  }
  void TakeLimit(const std::string& name, const Value& value) {
    std::string text;
    if (const auto* word = value.As<std::string>()) text = *word;
    if (const auto* number = value.As<double>()) text = fmt::format("{:.0f}", *number);
    const Status set = config_.limits.Set(name, text);
    if (!set) Problem("limits." + name + ": " + set.error().message());
  }
  void TakeKey(const TomlEntry& entry) {
    const std::size_t open = entry.path.find('[');
    const std::size_t dot = entry.path.find("].");
    if (open == std::string::npos || dot == std::string::npos) {
      if (entry.value.As<ValueArray>() == nullptr) Problem("auth.keys: write [[auth.keys]] tables");
      return;
    }
    std::size_t index = 0;
    std::from_chars(entry.path.data() + open + 1, entry.path.data() + dot, index);
    auto& keys = config_.auth.keys;
    if (keys.size() <= index) keys.resize(index + 1);
    ApiKeyConfig& key = keys[index];
    const std::string member = entry.path.substr(dot + 2);
    Setting settings[] = {Text("name", key.name, ""), Text("sha256", key.sha256, ""),
                          Texts("permissions", key.permissions, ""),
                          Texts("capabilities", key.capabilities, "")};
    for (Setting& setting : settings) {
      if (setting.path != member) continue;
      if (!setting.set(entry.value)) Problem("auth.keys." + member + " must be " + setting.form);
      return;
    }
    static constexpr std::string_view kMembers[] = {"name", "sha256", "permissions",
                                                    "capabilities"};
    Problem(fmt::format("auth.keys has no setting '{}'{}", member, DidYouMean(member, kMembers)));
  }

  ServerConfig& config_;
  const std::string file_;
  std::vector<Setting> settings_;
  std::string place_, problems_;
};

std::string TomlText(const Value& value) {
  if (const double* number = value.As<double>()) return fmt::format("{}", *number);
  return ToJson(value);  // Strings, flags and lists read the same in both.
}

}  // namespace

Result<ServerConfig> LoadConfig(std::string_view text, std::string_view file,
                                const Environment& environment) {
  ServerConfig config;
  config.listener.port = 3000;
  config.api.log_requests = true;
  NEXUS_TRY(const std::vector<TomlEntry> entries, ReadToml(text, file));
  NEXUS_TRY(config.extension_tables, ReadExtensionTables(text, file));
  Loader loader(config, file);
  for (const TomlEntry& entry : entries) loader.Take(entry);
  loader.TakeEnvironment(environment);
  loader.CheckTogether();
  NEXUS_TRY_STATUS(loader.Outcome());
  return config;
}

std::string PrintConfig(const ServerConfig& config) {
  ServerConfig copy = config;
  std::string out;
  std::string table;
  for (const Setting& setting : SettingsOf(copy)) {
    const std::size_t dot = setting.path.find_last_of('.');
    if (setting.path.substr(0, dot) != table) {
      table = setting.path.substr(0, dot);
      out += fmt::format("{}[{}]\n", out.empty() ? "" : "\n", table);
    }
    out += fmt::format("# {} {}\n{} = {}\n", setting.help, VariableOf(setting.path),
                       setting.path.substr(dot + 1), TomlText(setting.get()));
  }
  out += "\n# Limits of runs; a limit that is not named has its default.\n[limits]\n";
  for (int i = 0; i < kLimitCount; ++i) {
    const auto limit = static_cast<Limit>(i);
    const std::optional<std::uint64_t> named = copy.limits.Get(limit);
    const std::uint64_t value = ResolvedLimits(copy.limits)[limit];
    const std::string unit(LimitUnit(limit) == "bytes" ? "B" : LimitUnit(limit));
    const std::string text = value == kNoLimit ? "none" : std::to_string(value) + unit;
    out += fmt::format("{}{} = \"{}\"\n", named ? "" : "# ", LimitName(limit), text);
  }
  // They may hold secrets, so what stands in them is not shown.
  for (const ExtensionTable& given : copy.extension_tables) {
    out += fmt::format("\n# [extension.{}] is set with {} settings.\n", given.name,
                       given.settings.size());
  }
  for (const ApiKeyConfig& key : copy.auth.keys) {
    out += fmt::format(
        "\n[[auth.keys]]\nname = {}\nsha256 = {}\npermissions = {}\n"
        "capabilities = {}\n",
        TomlText(Value(key.name)), TomlText(Value(key.sha256)),
        TomlText(Texts("", const_cast<ApiKeyConfig&>(key).permissions, "").get()),
        TomlText(Texts("", const_cast<ApiKeyConfig&>(key).capabilities, "").get()));
  }
  return out;
}

}  // namespace nexus
