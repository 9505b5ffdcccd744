#include "store/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

namespace nexus {
namespace {

constexpr int kBusyTimeoutMs = 2000;

}  // namespace

void SqliteFile::Closer::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
void SqliteStatement::Finalizer::operator()(sqlite3_stmt* handle) const {
  sqlite3_finalize(handle);
}

Result<SqliteFile> SqliteFile::Open(const std::string& path) {
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const char* name = path.empty() ? ":memory:" : path.c_str();
  const int code = sqlite3_open_v2(name, &handle, flags, nullptr);
  SqliteFile file(std::unique_ptr<sqlite3, Closer>(handle), path);
  if (handle == nullptr) return Fail(Code::kResourceExhausted, "database: no memory left");
  if (code != SQLITE_OK) return std::unexpected(file.LastError());
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  return file;
}

Status SqliteFile::Execute(const char* sql) {
  if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return std::unexpected(LastError());
}

Result<SqliteStatement> SqliteFile::Prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(handle_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) !=
      SQLITE_OK) {
    return std::unexpected(LastError());
  }
  return SqliteStatement(statement);
}

std::uint64_t SqliteFile::changes() const {
  return static_cast<std::uint64_t>(sqlite3_changes(handle_.get()));
}

Error SqliteFile::LastError() const {
  const int code = sqlite3_errcode(handle_.get());
  const std::string what = fmt::format("database '{}': {}", path_.empty() ? "in memory" : path_,
                                       sqlite3_errmsg(handle_.get()));
  switch (code & 0xff) {
    case SQLITE_FULL:
      return {Code::kResourceExhausted, what + ": free some space and try again"};
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return {Code::kDataLoss, what + ": restore it from a backup, or move it away to begin anew"};
    case SQLITE_CANTOPEN:
      return {Code::kNotFound, what + ": check that its folder exists and can be written"};
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return {Code::kUnavailable, what + ": check the file's permissions"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Code::kUnavailable, what + ": another process holds it: try again"};
    default:
      return {Code::kUnavailable, what + ": try again"};
  }
}

SqliteStatement& SqliteStatement::Reset() {
  sqlite3_reset(handle_.get());
  sqlite3_clear_bindings(handle_.get());
  return *this;
}
SqliteStatement& SqliteStatement::Bind(int index, std::string_view text) {
  sqlite3_bind_text64(handle_.get(), index, text.data(), text.size(), SQLITE_TRANSIENT,
                      SQLITE_UTF8);
  return *this;
}
SqliteStatement& SqliteStatement::BindBlob(int index, std::string_view bytes) {
  sqlite3_bind_blob64(handle_.get(), index, bytes.data(), bytes.size(), SQLITE_TRANSIENT);
  return *this;
}
SqliteStatement& SqliteStatement::Bind(int index, std::int64_t number) {
  sqlite3_bind_int64(handle_.get(), index, number);
  return *this;
}
SqliteStatement& SqliteStatement::BindNull(int index) {
  sqlite3_bind_null(handle_.get(), index);
  return *this;
}

Result<bool> SqliteStatement::Step(const SqliteFile& file) {
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return std::unexpected(file.LastError());
}

std::string SqliteStatement::Text(int column) const {
  const void* data = sqlite3_column_blob(handle_.get(), column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column));
  return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), size);
}

std::int64_t SqliteStatement::Integer(int column) const {
  return sqlite3_column_int64(handle_.get(), column);
}

}  // namespace nexus
