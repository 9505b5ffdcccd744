// Property: any bytes either decode or give an error; what decodes encodes and decodes to the same.
#include <cstdlib>

#include "base/codec.h"
#include "base/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const nexus::Result<nexus::Value> value = nexus::DecodeValue(bytes);
  if (!value) {
    if (value.error().message().empty()) std::abort();
    return 0;
  }
  std::string again;
  if (!nexus::EncodeValue(*value, again)) std::abort();
  const nexus::Result<nexus::Value> back = nexus::DecodeValue(again);
  std::string third;
  // Compared as bytes: NaN is not equal to itself.
  if (!back || !nexus::EncodeValue(*back, third) || third != again) std::abort();
  // Whatever came from a guest can be written as JSON, and that is valid.
  if (!nexus::ParseJson(nexus::ToJson(*value), {.depth_max = 2000})) std::abort();
  return 0;
}
