#pragma once
/// A database file of ours, told from others by its application id, so that a foreign one is
/// refused and not written to.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/sqlite.h"

namespace nexus::internal {

/// Opens `path` (empty: in memory) and runs `schema`, which sets the application id.
/// Errors: as SqliteFile::Open; kDataLoss when the file holds something else: "... than the data of
/// {what}".
Result<SqliteFile> OpenOwnedDatabase(const std::string& path, std::int64_t application_id,
                                     const char* schema, std::string_view what);

}  // namespace nexus::internal
