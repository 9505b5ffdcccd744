#pragma once
/// nexus.toml: one file for the whole node. docs/CONFIG.md explains every setting; `nexus config
/// print` shows them with their values.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/value.h"
#include "sandbox/limits.h"
#include "server/api.h"
#include "server/auth.h"
#include "server/listener.h"

namespace nexus {

/// [extension.NAME]: what `--ext NAME=JSON` says, in TOML. Who makes the extension reads it.
struct ExtensionTable {
  std::string name;
  ValueObject settings;
  /// "file:line:column" of each setting by its path below NAME ("providers[0].url"); "" stands for
  /// the table itself.
  std::map<std::string, std::string> places;
};

struct ServerConfig {
  ListenerOptions listener;
  ApiOptions api;
  AuthConfig auth;
  std::string metrics_address = "127.0.0.1";
  std::uint64_t metrics_port = 0;  ///< 0: /metrics is served on the main port.
  std::int64_t drain_ms = 10'000;
  // [panels]
  std::string data_dir;  ///< Empty: the installation's state folder.
  std::uint64_t workers = 0;
  std::uint64_t queued_calls_max = 10'000;
  std::uint64_t state_bytes_max = std::uint64_t{64} << 20;
  std::uint64_t revisions_kept = 100'000;
  bool strict = false;
  bool synced = true;
  std::vector<std::string> ceiling;  ///< What no panel may exceed; empty: no ceiling.
  // [extensions]
  std::vector<std::string> extensions, allowed_hosts;
  std::string workspace, kv_file;
  // [approvals]
  std::vector<std::string> approvals_allowed, approvals_denied;
  std::int64_t approvals_for_ms_max = 3'600'000;
  std::int64_t approvals_wait_ms_max = std::int64_t{24} * 3'600'000;
  std::uint64_t approvals_waiting_max = 1'000;
  std::vector<ExtensionTable> extension_tables;
  // [log]
  std::string log_level = "info";
  std::string log_form = "text";
  // [trace]
  OtlpOptions trace;  ///< endpoint empty: no traces.
  std::string trace_headers_file;
  // [limits]
  Limits limits;
};

/// One value of a TOML file, by its dotted path; lists of tables as "auth.keys[0].name".
struct TomlEntry {
  std::string path;
  Value value;  ///< Boolean, number, string or list of these.
  std::uint32_t line = 0, column = 0;
};
/// Errors: kInvalidArgument "file:line:column: reason".
Result<std::vector<TomlEntry>> ReadToml(std::string_view text, std::string_view file);

/// The tables below [extension]. Errors: as ReadToml; kInvalidArgument for what is no table.
Result<std::vector<ExtensionTable>> ReadExtensionTables(std::string_view text,
                                                        std::string_view file);

/// `environment` gives a variable's value, or nullopt. [server] port is overridden by
/// NEXUS_SERVER_PORT, and so on; lists are separated by commas there.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// Everything wrong with the file, one problem a line. `text` may be empty: all defaults.
/// Errors: kInvalidArgument "file:line:column: problem: what to do".
Result<ServerConfig> LoadConfig(std::string_view text, std::string_view file,
                                const Environment& environment);
/// The configuration as TOML with an explanation above each setting. Secrets are not in it.
std::string PrintConfig(const ServerConfig& config);

}  // namespace nexus
