#pragma once
/// What everything in a server shares and nothing changes: calls that end late hold it.

#include <memory>
#include <string>

#include "base/clock.h"
#include "mcp/server/server.h"

namespace nexus::mcp::internal {

struct Settings {
  ServerOptions options;
  std::string server_info_json;
  SystemClock clock;

  ResultFrame Frame(Revision revision) const {
    return {.revision = revision, .server_info_json = server_info_json};
  }
};
using SettingsPtr = std::shared_ptr<const Settings>;

}  // namespace nexus::mcp::internal
