#include "extension/internal/owned_database.h"

#include <fmt/format.h>

namespace nexus::internal {

Result<SqliteFile> OpenOwnedDatabase(const std::string& path, std::int64_t application_id,
                                     const char* schema, std::string_view what) {
  NEXUS_TRY(SqliteFile file, SqliteFile::Open(path));
  {
    NEXUS_TRY(SqliteStatement id, file.Prepare("PRAGMA application_id"));
    NEXUS_TRY(const bool has_id, id.Step(file));
    NEXUS_TRY(SqliteStatement tables, file.Prepare("SELECT count(*) FROM sqlite_schema"));
    NEXUS_TRY(const bool has_count, tables.Step(file));
    const bool ours = has_id && id.Integer(0) == application_id;
    const bool empty = has_count && tables.Integer(0) == 0;
    if (!ours && !empty) {
      return Fail(Code::kDataLoss,
                  fmt::format("database '{}': holds something else than the data of {}: name "
                              "another file",
                              path, what));
    }
  }
  NEXUS_TRY_STATUS(file.Execute(schema));
  return file;
}

}  // namespace nexus::internal
