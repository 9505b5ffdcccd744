// Property: any bytes are a message that writes and reads to itself, or an error with a code and a
// reason; the same for everything the protocol defines.
#include <cstdlib>

#include "base/json.h"
#include "mcp/protocol/message.h"
#include "mcp/protocol/params.h"
#include "mcp/protocol/results.h"

namespace {

using namespace nexus;       // NOLINT: a program of one page
using namespace nexus::mcp;  // NOLINT

template <typename T>
void Check(const RpcResult<T>& read) {
  if (!read && (read.error().message.empty() || read.error().code == 0)) std::abort();
}

// What was read is written, and that reads to the same text.
template <typename T, typename Read>
void Same(const Value& value, Read read) {
  RpcResult<T> first = read(value);
  Check(first);
  if (!first) return;
  const Value written = ToValue(*first, kNewest);
  RpcResult<T> second = read(written);
  if (!second || ToJson(ToValue(*second, kNewest)) != ToJson(written)) std::abort();
}

template <typename T, typename Read>
void SameResult(const Value& value, Read read) {
  RpcResult<T> first = read(value);
  Check(first);
  if (!first) return;
  for (const Revision revision : {Revision::k20241105, kNewestLegacy, kNewest}) {
    const std::string written = WriteResult(*first, {.revision = revision, .server_info_json = {}});
    if (!ParseJson(written)) std::abort();
    if (revision != kNewest) continue;
    RpcResult<T> second = read(ParseJson(written).value());
    if (!second) std::abort();
  }
}

void CheckParams(const Value& value) {
  Check(ReadCallTool(value));
  Check(ReadReadResource(value));
  Check(ReadGetPrompt(value));
  Check(ReadComplete(value));
  Check(ReadInitialize(value));
  Check(ReadListen(value));
  Check(ReadCancelled(value));
  Check(ReadProgress(value));
  Check(ReadSetLevel(value));
  Check(ReadUri(value));
  Check(ReadCursor(value));
  for (const bool modern : {false, true}) {
    Value params = value;
    Check(TakeMeta(params, modern));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto message = ReadMessage(text);
  if (message) {
    const std::string written = WriteMessage(*message);
    const auto again = ReadMessage(written);
    if (!again || WriteMessage(*again) != written) std::abort();
  } else if (message.error().error.message.empty()) {
    std::abort();
  }
  const Result<Value> value = ParseJson(text, {.bytes_max = 1 << 20, .depth_max = 64});
  if (!value) return 0;
  CheckParams(*value);
  Same<Tool>(*value, &ReadTool);
  Same<Resource>(*value, &ReadResource);
  Same<ResourceTemplate>(*value, &ReadResourceTemplate);
  Same<Prompt>(*value, &ReadPrompt);
  Same<Implementation>(*value, &ReadImplementation);
  SameResult<CallToolResult>(*value, &ReadCallToolResult);
  SameResult<ReadResourceResult>(*value, &ReadReadResourceResult);
  SameResult<GetPromptResult>(*value, &ReadGetPromptResult);
  SameResult<CompleteResult>(*value, &ReadCompleteResult);
  return 0;
}
