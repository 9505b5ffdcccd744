// Property: any text either is a schema or an error that says why; a schema's own value is that
// schema again; checking any value gives the same answer twice and an error that names the place.
#include <cstdlib>
#include <string_view>

#include "base/json.h"
#include "extension/schema.h"

namespace {

void Expect(bool good) {
  if (!good) std::abort();
}

}  // namespace

// The schema, a line end, the value.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = text.find('\n');
  const nexus::Result<nexus::Schema> schema = nexus::Schema::Parse(text.substr(0, end));
  if (!schema) {
    Expect(schema.error().message().starts_with("schema: "));
    return 0;
  }
  Expect(nexus::Schema::Parse(nexus::ToJson(schema->ToValue())).has_value());
  if (end == std::string_view::npos) return 0;
  const nexus::Result<nexus::Value> value = nexus::ParseJson(text.substr(end + 1));
  if (!value) return 0;
  const nexus::Status checked = schema->Check(*value, "it");
  Expect(checked || checked.error().message().starts_with("it"));
  Expect(schema->Check(*value, "it").has_value() == checked.has_value());
  const nexus::ValueArray* args = value->As<nexus::ValueArray>();
  if (args == nullptr) return 0;
  const nexus::Status called = schema->CheckArguments(*args, "m");
  Expect(called || called.error().message().starts_with("m: "));
  return 0;
}
