#include "panel/host/internal/journal_seal.h"

#include <bit>
#include <cstring>

#include "base/codec.h"
#include "base/hash.h"

namespace nexus::internal {
namespace {

std::uint64_t Checksum(std::uint64_t panel, std::uint64_t number, std::string_view bytes) {
  // Two words apart from each other by more than a rotation, so that no panel's row fits another's.
  return Checksum64(bytes, std::rotl(panel, 40) ^ number);
}

// What rows of the first version of the format begin with.
std::string FirstChecksum(std::uint64_t panel, std::uint64_t number, std::string_view bytes) {
  std::string place;
  AppendVarint(place, panel);
  AppendWide(place, number);
  return Sha256().UpdatePart(place).UpdatePart(bytes).Finish().substr(0, kSealBytes);
}

}  // namespace

void Seal(std::uint64_t panel, std::uint64_t number, std::string& bytes) {
  const std::uint64_t sum = Checksum(panel, number, std::string_view(bytes).substr(kSealBytes));
  std::memcpy(bytes.data(), &sum, kSealBytes);
}

std::string Sealed(std::uint64_t panel, std::uint64_t number, std::string_view bytes) {
  std::string sealed(kSealBytes, '\0');
  sealed.append(bytes);
  Seal(panel, number, sealed);
  return sealed;
}

std::optional<std::string_view> Opened(std::uint64_t panel, std::uint64_t number,
                                       std::string_view sealed) {
  if (sealed.size() < kSealBytes) return std::nullopt;
  const std::string_view bytes = sealed.substr(kSealBytes);
  std::uint64_t sum = 0;
  std::memcpy(&sum, sealed.data(), kSealBytes);
  if (Checksum(panel, number, bytes) == sum) return bytes;
  if (FirstChecksum(panel, number, bytes) == sealed.substr(0, kSealBytes)) return bytes;
  return std::nullopt;
}

Result<JournalRecord> OpenRecord(std::uint32_t panel, std::uint64_t revision,
                                 std::string_view sealed) {
  const auto bytes = Opened(panel, revision, sealed);
  if (!bytes) return Fail(Code::kDataLoss, "journal record: its checksum does not match");
  NEXUS_TRY(JournalRecord record, DecodeRecord(*bytes));
  if (record.revision != revision) return Fail(Code::kDataLoss, "journal record: misplaced");
  return record;
}

std::string EncodeRows(const std::vector<std::int64_t>& rows) {
  std::string out;
  std::int64_t last = 0;
  for (const std::int64_t row : rows) {
    AppendWide(out, static_cast<std::uint64_t>(row - last));
    last = row;
  }
  return out;
}

void DecodeRows(std::string_view bytes, std::vector<std::int64_t>& rows) {
  FieldReader fields{bytes};
  std::uint64_t row = 0;
  while (!fields.rest.empty()) {
    row += fields.Wide();
    if (!fields.ok) return;
    rows.push_back(static_cast<std::int64_t>(row));
  }
}

}  // namespace nexus::internal
