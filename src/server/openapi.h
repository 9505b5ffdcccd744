#pragma once
/// The interface as OpenAPI 3.1, for /openapi.json and for generators of clients.

#include <string>

namespace nexus {

/// JSON, the same for every server of this version.
const std::string& OpenApiDocument();

}  // namespace nexus
