#include "panel/host/internal/journal_seal.h"

#include "base/codec.h"
#include "base/hash.h"

namespace nexus::internal {
namespace {

constexpr std::size_t kChecksumBytes = 8;

std::string Checksum(std::uint64_t panel, std::uint64_t number, std::string_view bytes) {
  Sha256 hash;
  std::string place;
  AppendVarint(place, panel);
  AppendWide(place, number);
  return hash.UpdatePart(place).UpdatePart(bytes).Finish().substr(0, kChecksumBytes);
}

}  // namespace

std::string Sealed(std::uint64_t panel, std::uint64_t number, std::string_view bytes) {
  std::string sealed = Checksum(panel, number, bytes);
  sealed.append(bytes);
  return sealed;
}

std::optional<std::string_view> Opened(std::uint64_t panel, std::uint64_t number,
                                       std::string_view sealed) {
  if (sealed.size() < kChecksumBytes) return std::nullopt;
  const std::string_view bytes = sealed.substr(kChecksumBytes);
  if (Checksum(panel, number, bytes) != sealed.substr(0, kChecksumBytes)) return std::nullopt;
  return bytes;
}

Result<JournalRecord> OpenRecord(std::uint32_t panel, std::uint64_t revision,
                                 std::string_view sealed) {
  const auto bytes = Opened(panel, revision, sealed);
  if (!bytes) return Fail(Code::kDataLoss, "journal record: its checksum does not match");
  NEXUS_TRY(JournalRecord record, DecodeRecord(*bytes));
  if (record.revision != revision) return Fail(Code::kDataLoss, "journal record: misplaced");
  return record;
}

}  // namespace nexus::internal
