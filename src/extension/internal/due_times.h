#pragma once
/// Which moment a sleep ends at, by idempotency key, so that a repeated call does not sleep anew.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/sqlite.h"

namespace nexus::internal {

/// Not thread-safe: the owner serialises.
class DueTimes {
 public:
  /// Empty `file`: in memory. Errors: as SqliteFile::Open; kDataLoss for a foreign database.
  static Result<DueTimes> Open(const std::string& file);

  /// The due time kept for `key`; keeps `due_ms` when there is none. Times before `forget_ms` may
  /// be forgotten.
  Result<std::int64_t> KeepFirst(std::string_view key, std::int64_t due_ms, std::int64_t forget_ms);

 private:
  struct Table {
    SqliteFile file;
    SqliteStatement insert, select, purge;
  };
  std::optional<Table> table_;
  std::map<std::string, std::int64_t, std::less<>> memory_;
  std::uint32_t calls_ = 0;
};

}  // namespace nexus::internal
