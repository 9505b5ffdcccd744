#pragma once
/// Requests for rights and their decisions, in a table that outlives the host.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "extension/approval.h"
#include "store/sqlite.h"

namespace nexus::internal {

/// Not thread-safe: the owner serialises. Without a file it is a map, and forgets with the process.
class ApprovalStore {
 public:
  static Result<ApprovalStore> Open(const std::string& file);

  /// Inserts, or replaces what has the same id. `key` finds it again when a call is repeated.
  Status Put(const Approval& approval, const std::string& key);
  Result<std::optional<Approval>> Find(std::string_view id);
  /// Every request of `key`: more than one only when a program asks for something else the second
  /// time.
  Result<std::vector<Approval>> OfKey(const std::string& key);
  /// Newest first.
  Result<std::vector<Approval>> Newest(std::size_t limit);
  /// Forgets what was asked before `unix_ms`.
  Status ForgetBefore(std::int64_t unix_ms);

 private:
  struct Table {
    SqliteFile file;
    SqliteStatement put, find, of_key, newest, forget;
  };
  Result<std::vector<Approval>> Rows(SqliteStatement& statement);

  std::unique_ptr<Table> table_;  // nullptr: in memory.
  struct Kept {
    Approval approval;
    std::string key;
  };
  std::map<std::string, Kept, std::less<>> memory_;  // By id: ULIDs sort by time.
};

}  // namespace nexus::internal
