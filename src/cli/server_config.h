#pragma once
/// nexus.toml as commands read it: the file, then NEXUS_* of the environment, then options.

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/host_setup.h"
#include "server/config.h"

namespace nexus {

/// `file` empty: nexus.toml here when there is one, else the defaults. `address` not empty: as an
/// option named it. Errors: as ReadFile and LoadConfig.
Result<ServerConfig> ReadServerConfig(const std::string& file, const std::string& address = {});

/// The tables of `config`, as extensions are made from them.
std::vector<ConfiguredExtension> ConfiguredExtensions(const ServerConfig& config);

}  // namespace nexus
