#pragma once
/// The checksum in front of what the journal keeps, and where its records lie:
/// docs/format/journal.md.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "panel/host/internal/journal_record.h"

namespace nexus::internal {

inline constexpr std::size_t kSealBytes = 8;

/// Sealed without a copy: `bytes` begins with kSealBytes of room for the checksum.
void Seal(std::uint64_t panel, std::uint64_t number, std::string& bytes);
/// `bytes` behind a checksum over them and their place, so that a row that was moved or copied is
/// found out as one that was changed is. `number`: the revision, or what else tells rows apart.
std::string Sealed(std::uint64_t panel, std::uint64_t number, std::string_view bytes);
/// What Sealed was given, borrowed from `sealed`; nullopt when it does not match.
std::optional<std::string_view> Opened(std::uint64_t panel, std::uint64_t number,
                                       std::string_view sealed);
/// Errors: kDataLoss.
Result<JournalRecord> OpenRecord(std::uint32_t panel, std::uint64_t revision,
                                 std::string_view sealed);

/// Rows of a chunk, ascending, as differences.
std::string EncodeRows(const std::vector<std::int64_t>& rows);
/// Adds them to `rows`, up to where they are malformed.
void DecodeRows(std::string_view bytes, std::vector<std::int64_t>& rows);

}  // namespace nexus::internal
