#pragma once
/// The little of SQLite that a few tables need: an open file, prepared statements, errors as
/// Result.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace nexus {

class SqliteStatement;

/// One connection. Not thread-safe: the owner serialises.
class SqliteFile {
 public:
  /// Empty `path`: in memory. Waits up to two seconds for other processes.
  static Result<SqliteFile> Open(const std::string& path);
  SqliteFile(SqliteFile&&) noexcept = default;
  SqliteFile& operator=(SqliteFile&&) noexcept = default;
  ~SqliteFile() = default;

  Status Execute(const char* sql);
  Result<SqliteStatement> Prepare(const char* sql);
  std::uint64_t changes() const;
  /// The last failure, with what to do about it.
  Error LastError() const;

 private:
  struct Closer {
    void operator()(sqlite3* handle) const;
  };
  SqliteFile(std::unique_ptr<sqlite3, Closer> handle, std::string path)
      : handle_(std::move(handle)), path_(std::move(path)) {}
  std::unique_ptr<sqlite3, Closer> handle_;
  std::string path_;
};

/// A prepared statement; Reset before every use. Outlived by its file.
class SqliteStatement {
 public:
  SqliteStatement& Reset();
  SqliteStatement& Bind(int index, std::string_view text);
  SqliteStatement& BindBlob(int index, std::string_view bytes);
  SqliteStatement& Bind(int index, std::int64_t number);
  SqliteStatement& BindNull(int index);
  /// True: a row is there. False: done.
  Result<bool> Step(const SqliteFile& file);
  std::string Text(int column) const;
  std::int64_t Integer(int column) const;

 private:
  friend class SqliteFile;
  struct Finalizer {
    void operator()(sqlite3_stmt* handle) const;
  };
  explicit SqliteStatement(sqlite3_stmt* handle) : handle_(handle) {}
  std::unique_ptr<sqlite3_stmt, Finalizer> handle_;
};

}  // namespace nexus
