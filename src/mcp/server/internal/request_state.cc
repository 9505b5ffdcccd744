#include "mcp/server/internal/request_state.h"

#include "base/base64.h"
#include "base/hash.h"

namespace nexus::mcp::internal {
namespace {

constexpr char kVersion = 1;
constexpr std::size_t kHeadBytes = 1 + 8;

std::string Signature(std::string_view key, std::string_view head, std::string_view state,
                      const StateBinding& binding) {
  Sha256 hash;
  hash.UpdatePart(head).UpdatePart(state).UpdatePart(binding.principal).UpdatePart(binding.request);
  return HmacSha256(key, hash.Finish());
}

}  // namespace

std::string SealState(std::string_view key, std::string_view state, const StateBinding& binding,
                      std::int64_t expires_unix_ms) {
  std::string text(1, kVersion);
  for (int shift = 0; shift < 64; shift += 8) {
    text += static_cast<char>(static_cast<std::uint64_t>(expires_unix_ms) >> shift);
  }
  text += Signature(key, text, state, binding);
  text += state;
  return ToBase64Url(text);
}

RpcResult<std::string> OpenState(std::string_view key, std::string_view sealed,
                                 const StateBinding& binding, std::int64_t now_unix_ms) {
  const auto refused = [] {
    return Refuse(code::kInvalidParams,
                  "requestState: it was not made for this request, or is too old: begin anew");
  };
  const Result<std::string> text = FromBase64(sealed);
  if (!text || text->size() < kHeadBytes + kSha256Bytes || text->front() != kVersion) {
    return refused();
  }
  const std::string_view all = *text;
  const std::string_view head = all.substr(0, kHeadBytes);
  const std::string_view state = all.substr(kHeadBytes + kSha256Bytes);
  if (!ConstantTimeEqual(all.substr(kHeadBytes, kSha256Bytes),
                         Signature(key, head, state, binding))) {
    return refused();
  }
  std::uint64_t expires = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    expires |= std::uint64_t{static_cast<unsigned char>(head[1 + i])} << (8 * i);
  }
  if (static_cast<std::int64_t>(expires) <= now_unix_ms) return refused();
  return std::string(state);
}

}  // namespace nexus::mcp::internal
