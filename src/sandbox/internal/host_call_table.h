#pragma once
/// The table of guest/host_calls.def as the host sees it: one entry for each way out of the
/// sandbox.

#include <array>
#include <cstdint>
#include <string_view>

namespace nexus::internal {

enum class GateKind : std::uint8_t {
  kOpen,     ///< Always allowed, counted.
  kRight,    ///< Needs a capability; the gate is asked before anything else happens.
  kControl,  ///< The engine's own protocol; carries no authority and is not counted.
};

enum class HostOp : std::int32_t {
#define NEXUS_HOST_CALL(name, number, gate) k##name = number,
#include "guest/host_calls.def"
#undef NEXUS_HOST_CALL
};

struct HostCallInfo {
  HostOp op;
  std::string_view name;
  GateKind gate;
};

inline constexpr auto kHostCallTable = std::to_array<HostCallInfo>({
#define NEXUS_HOST_CALL(name, number, gate) {HostOp::k##name, #name, GateKind::gate},
#include "guest/host_calls.def"
#undef NEXUS_HOST_CALL
});

/// Null for a number that is not in the table.
constexpr const HostCallInfo* FindHostCall(std::int32_t op) {
  for (const HostCallInfo& info : kHostCallTable) {
    if (static_cast<std::int32_t>(info.op) == op) return &info;
  }
  return nullptr;
}

inline constexpr std::size_t kHostOpMax = 32;
static_assert(kHostCallTable.size() < kHostOpMax);

}  // namespace nexus::internal
