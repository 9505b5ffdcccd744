// Property: bytes that this installation did not sign are never accepted; signed ones either decode
// or give an error; never a crash.
#include <cstdlib>

#include "base/hash.h"
#include "sandbox/internal/bytecode_cache.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string key(64, 'a');
  if (nexus::internal::DecodeBytecodeFile(bytes, key, "another key")) std::abort();
  // Past the signature and the checksum, so that the fields are reached.
  std::string file(bytes);
  file += nexus::Sha256Bytes(file);
  file += nexus::HmacSha256("key", file);
  const auto decoded = nexus::internal::DecodeBytecodeFile(file, key, "key");
  if (!decoded && decoded.error().message().empty()) std::abort();
  return 0;
}
