#pragma once
/// Base64 (RFC 4648 section 4) with padding, and its URL-safe alphabet without (section 5).

#include <string>
#include <string_view>

#include "base/result.h"

namespace nexus {

void AppendBase64(std::string& out, std::string_view bytes);
std::string ToBase64(std::string_view bytes);
std::string ToBase64Url(std::string_view bytes);
/// Accepts either alphabet, padding present or absent; nothing else, and no stray bits at the end.
/// Errors: kInvalidArgument with the offset.
Result<std::string> FromBase64(std::string_view text);

}  // namespace nexus
