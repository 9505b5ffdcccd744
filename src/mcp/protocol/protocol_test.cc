// Goal: what the specification calls a message is read, and nothing else; what is written for a
// revision holds what that revision knows; what is not known survives. Method: golden cases of both
// eras, and laws over them.
#include <gtest/gtest.h>

#include "base/json.h"
#include "base/testing/golden.h"
#include "mcp/protocol/message.h"
#include "mcp/protocol/params.h"
#include "mcp/protocol/results.h"
#include "mcp/protocol/types.h"

namespace nexus::mcp {
namespace {

std::string Shown(const RpcError& error) {
  std::string text = "error " + std::to_string(error.code) + " " + error.message;
  if (!error.data.is_undefined()) text += " " + ToJson(error.data);
  return text;
}

std::string ShowMessage(std::string_view line) {
  const auto message = ReadMessage(line);
  if (!message) {
    const RequestId& id = message.error().id;
    return Shown(message.error().error) + (id.empty() ? "" : " id " + id.json);
  }
  constexpr std::array<std::string_view, 4> kKinds = {"request", "notification", "result", "error"};
  return std::string(kKinds[static_cast<std::size_t>(message->kind)]) + " " +
         WriteMessage(*message);
}

TEST(Message, Golden) {
  RunGoldenFile("src/mcp/protocol/testdata/message.golden", 20, [](const std::string& input) {
    std::string shown;
    for (const std::string_view line : Split(Trim(input), '\n')) shown += ShowMessage(line) + "\n";
    return shown;
  });
}

// "KIND REVISION JSON" of a thing, read and written again.
template <typename T, typename Read>
std::string ReadAndWrite(Value value, Revision revision, Read read) {
  RpcResult<T> thing = read(std::move(value));
  if (!thing) return Shown(thing.error());
  return ToJson(ToValue(*thing, revision));
}

template <typename T, typename Read>
std::string ReadAndWriteResult(Value value, Revision revision, Read read) {
  RpcResult<T> result = read(std::move(value));
  if (!result) return Shown(result.error());
  return WriteResult(*result, {.revision = revision, .server_info_json = R"({"name":"n"})"});
}

std::string ShowThing(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t second = line.find(' ', first + 1);
  const std::string_view kind = line.substr(0, first);
  const Revision revision = RevisionFromName(line.substr(first + 1, second - first - 1)).value();
  Value value = ParseJson(line.substr(second + 1)).value();
  if (kind == "tool") return ReadAndWrite<Tool>(std::move(value), revision, &ReadTool);
  if (kind == "resource") return ReadAndWrite<Resource>(std::move(value), revision, &ReadResource);
  if (kind == "template") {
    return ReadAndWrite<ResourceTemplate>(std::move(value), revision, &ReadResourceTemplate);
  }
  if (kind == "prompt") return ReadAndWrite<Prompt>(std::move(value), revision, &ReadPrompt);
  if (kind == "implementation") {
    return ReadAndWrite<Implementation>(std::move(value), revision, &ReadImplementation);
  }
  if (kind == "call-result") {
    return ReadAndWriteResult<CallToolResult>(std::move(value), revision, &ReadCallToolResult);
  }
  if (kind == "read-result") {
    return ReadAndWriteResult<ReadResourceResult>(std::move(value), revision,
                                                  &ReadReadResourceResult);
  }
  if (kind == "prompt-result") {
    return ReadAndWriteResult<GetPromptResult>(std::move(value), revision, &ReadGetPromptResult);
  }
  if (kind == "complete-result") {
    return ReadAndWriteResult<CompleteResult>(std::move(value), revision, &ReadCompleteResult);
  }
  if (kind == "input-required") {
    return ReadAndWriteResult<InputRequired>(std::move(value), revision, &ReadInputRequired);
  }
  return "?";
}

TEST(Things, Golden) {
  RunGoldenFile("src/mcp/protocol/testdata/things.golden", 14, [](const std::string& input) {
    std::string shown;
    for (const std::string_view line : Split(Trim(input), '\n')) shown += ShowThing(line) + "\n";
    return shown;
  });
}

template <typename T>
std::string OkOr(const RpcResult<T>& read) {
  return read ? std::string("ok") : Shown(read.error());
}

std::string ShowParams(std::string_view line) {
  const std::size_t space = line.find(' ');
  const std::string_view method = line.substr(0, space);
  Value params = ParseJson(line.substr(space + 1)).value();
  if (method == "tools/call") return OkOr(ReadCallTool(std::move(params)));
  if (method == "resources/read") return OkOr(ReadReadResource(std::move(params)));
  if (method == "prompts/get") return OkOr(ReadGetPrompt(std::move(params)));
  if (method == "completion/complete") return OkOr(ReadComplete(std::move(params)));
  if (method == "initialize") return OkOr(ReadInitialize(std::move(params)));
  if (method == "subscriptions/listen") return OkOr(ReadListen(std::move(params)));
  if (method == "logging/setLevel") return OkOr(ReadSetLevel(std::move(params)));
  if (method == "cancelled") return OkOr(ReadCancelled(std::move(params)));
  if (method == "progress") return OkOr(ReadProgress(std::move(params)));
  if (method == "list") return OkOr(ReadCursor(std::move(params)));
  if (method == "subscribe") return OkOr(ReadUri(std::move(params)));
  if (method == "modern-meta") return OkOr(TakeMeta(params, true));
  return OkOr(TakeMeta(params, false));
}

TEST(Params, Golden) {
  RunGoldenFile("src/mcp/protocol/testdata/params.golden", 12, [](const std::string& input) {
    std::string shown;
    for (const std::string_view line : Split(Trim(input), '\n')) shown += ShowParams(line) + "\n";
    return shown;
  });
}

TEST(Revision, IsOrderedAndNamed) {
  for (const std::string_view name : RevisionNames()) {
    EXPECT_EQ(RevisionName(RevisionFromName(name).value()), name);
  }
  EXPECT_LT(Revision::k20241105, kNewestLegacy);
  EXPECT_FALSE(IsModern(kNewestLegacy));
  EXPECT_TRUE(IsModern(kNewest));
  EXPECT_FALSE(RevisionFromName("2026-07-29").has_value());
}

TEST(RequestId, IsEchoedAsItCame) {
  EXPECT_EQ(RequestId::From(Value(7))->json, "7");
  EXPECT_EQ(RequestId::From(Value("7"))->json, "\"7\"");
  EXPECT_NE(*RequestId::From(Value(7)), *RequestId::From(Value("7")));
  EXPECT_FALSE(RequestId::From(Value(1.5)).has_value());
  EXPECT_FALSE(RequestId::From(Value(1e300)).has_value());
  EXPECT_FALSE(RequestId::From(Value(nullptr)).has_value());
  EXPECT_EQ(RequestId::From(Value("a\"b"))->ToValue(), Value("a\"b"));
}

TEST(Message, DepthAndSizeAreLimited) {
  const std::string deep = R"({"jsonrpc":"2.0","id":1,"method":"m","params":{"a":)" +
                           std::string(200, '[') + std::string(200, ']') + "}}";
  EXPECT_EQ(ReadMessage(deep).error().error.code, code::kParseError);
  const std::string large = R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(100, 'm') + "\"}";
  EXPECT_EQ(ReadMessage(large, {.bytes_max = 50}).error().error.code, code::kParseError);
  EXPECT_TRUE(ReadMessage(large).has_value());
}

TEST(ClientCapabilities, AnEmptyElicitationMeansForms) {
  const auto of = [](const char* json) {
    return ReadClientCapabilities(ParseJson(json).value()).value();
  };
  EXPECT_TRUE(of(R"({"elicitation":{}})").elicitation_form);
  EXPECT_FALSE(of(R"({"elicitation":{"url":{}}})").elicitation_form);
  EXPECT_TRUE(of(R"({"elicitation":{"url":{}}})").CanAnswer("elicitation/create"));
  EXPECT_FALSE(of("{}").CanAnswer("roots/list"));
  EXPECT_TRUE(of(R"({"sampling":{"tools":{}}})").sampling_tools);
  EXPECT_FALSE(ReadClientCapabilities(ParseJson(R"({"roots":true})").value()).has_value());
}

TEST(HttpStatus, IsThatOfTheSpecification) {
  EXPECT_EQ(HttpStatusOf({.code = code::kHeaderMismatch}), 400);
  EXPECT_EQ(HttpStatusOf({.code = code::kUnsupportedVersion}), 400);
  EXPECT_EQ(HttpStatusOf({.code = code::kMissingClientCapability}), 400);
  EXPECT_EQ(HttpStatusOf({.code = code::kInvalidParams}), 400);
  EXPECT_EQ(HttpStatusOf({.code = code::kMethodNotFound}), 404);
  EXPECT_EQ(HttpStatusOf({.code = code::kInternalError}), 200);
}

}  // namespace
}  // namespace nexus::mcp
