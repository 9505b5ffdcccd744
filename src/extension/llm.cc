#include "extension/llm.h"

#include <fmt/format.h>

#include <utility>

#include "extension/internal/call_arguments.h"
#include "extension/internal/llm_service.h"

namespace nexus {
namespace {

constexpr std::string_view kAsked = R"({"prefixItems": [{"title": "request", "type": "object",
  "additionalProperties": false, "required": ["messages"], "properties": {
    "messages": {"type": "array", "minItems": 1, "maxItems": 1000, "items": {"type": "object",
      "required": ["role"], "additionalProperties": true, "properties": {
        "role": {"enum": ["system", "user", "assistant", "tool"]},
        "content": {"type": ["string", "null"]},
        "toolCalls": {"type": ["array", "null"], "items": {"type": "object", "properties": {
          "id": {"type": "string"}, "name": {"type": "string"}, "args": {}},
          "required": ["id", "name"]}},
        "toolCallId": {"type": ["string", "null"], "description": "of a tool: what it answers"}}}},
    "system": {"type": "string"},
    "model": {"type": "string", "description": "one the operator named; absent: the first"},
    "maxTokens": {"type": "integer", "minimum": 1},
    "temperature": {"type": "number", "minimum": 0, "maximum": 2},
    "stop": {"type": "array", "items": {"type": "string"}, "maxItems": 16},
    "tools": {"type": "array", "maxItems": 128, "items": {"type": "object", "required": ["name"],
      "properties": {"name": {"type": "string"}, "description": {"type": "string"},
        "parameters": {"type": ["object", "null"], "description": "JSON Schema"}}}}}}],
  "minItems": 1})";
constexpr std::string_view kAnswered = R"({"type": "object", "properties": {
  "text": {"type": "string"}, "model": {"type": "string"}, "provider": {"type": "string"},
  "stopReason": {"type": "string", "description": "end, length, tool, stop or filter"},
  "toolCalls": {"type": "array", "items": {"type": "object", "properties": {
    "id": {"type": "string"}, "name": {"type": "string"}, "args": {}}}},
  "usage": {"type": "object", "properties": {"inputTokens": {"type": "integer"},
    "outputTokens": {"type": "integer"},
    "estimated": {"type": "boolean", "description": "the provider did not count"}}},
  "costUsd": {"type": "number", "description": "when the operator named prices"}},
  "required": ["text", "model", "provider", "stopReason", "usage"]})";
constexpr std::string_view kStreamId =
    R"({"prefixItems": [{"title": "id", "type": "integer", "minimum": 1}], "minItems": 1})";

const MethodDescriptor kMethods[] = {
    {.name = "complete",
     .summary = "A model's answer to messages",
     .idempotent = true,
     .path_argument = {},
     .parameters = kAsked,
     .result = kAnswered},
    {.name = "stream",
     .summary = "The same, fetched with next while it is written",
     .idempotent = false,
     .path_argument = {},
     .parameters = kAsked,
     .result = R"({"type": "object", "properties": {"id": {"type": "integer"},
       "model": {"type": "string"}, "provider": {"type": "string"}},
       "required": ["id", "model", "provider"]})"},
    {.name = "next",
     .summary = "What has come of a streamed answer",
     .idempotent = false,
     .path_argument = {},
     .parameters = kStreamId,
     .result = R"({"type": "object", "properties": {"text": {"type": "string"},
       "done": {"type": "boolean"},
       "result": {"type": "object", "description": "when done: as complete gives it"}},
       "required": ["text", "done"]})"},
    {.name = "stop",
     .summary = "End a streamed answer early; was it open?",
     .idempotent = true,
     .path_argument = {},
     .parameters = kStreamId,
     .result = R"({"type": "boolean"})"},
};

}  // namespace

class LlmExtension::Service : public internal::LlmService {
 public:
  using internal::LlmService::LlmService;
};

LlmExtension::LlmExtension(std::unique_ptr<Service> service) : service_(std::move(service)) {}
LlmExtension::~LlmExtension() = default;

Result<std::shared_ptr<LlmExtension>> LlmExtension::Create(LlmOptions options) {
  NEXUS_TRY(internal::LlmParts parts, internal::LlmParts::Make(std::move(options)));
  return std::shared_ptr<LlmExtension>(
      new LlmExtension(std::make_unique<Service>(std::move(parts))));
}

std::span<const MethodDescriptor> LlmExtension::methods() const { return kMethods; }

void LlmExtension::Call(ExtensionCall call, AnswerFunction done) {
  if (call.method == "next") return service_->Next(call, std::move(done));
  if (call.method == "stop") return service_->Stop(call, std::move(done));
  service_->Ask(call, std::move(done));
}

void LlmExtension::Abandon(std::string_view run_id) { service_->Abandon(run_id); }

}  // namespace nexus
