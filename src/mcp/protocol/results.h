#pragma once
/// What requests are answered with: written by servers, read by clients.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mcp/protocol/params.h"
#include "mcp/protocol/types.h"

namespace nexus::mcp {

/// How long, and by whom, a modern result may be kept.
struct CacheHints {
  std::int64_t ttl_ms = 0;
  bool shared = false;  ///< cacheScope "public": the same for every caller.
};

struct CallToolResult {
  ValueArray content;  ///< Content blocks.
  Value structured;    ///< undefined: none.
  bool is_error = false;
  ValueObject meta, extra;
};
/// A tool's failure as the model should see it: one text.
CallToolResult ToolFailure(std::string message);

struct ReadResourceResult {
  std::vector<ResourceContents> contents;
  CacheHints cache;
  ValueObject meta, extra;
};
struct PromptMessage {
  std::string role = "user";
  Value content;
};
struct GetPromptResult {
  std::string description;
  std::vector<PromptMessage> messages;
  ValueObject meta, extra;
};
struct CompleteResult {
  std::vector<std::string> values;  ///< At most 100 are sent.
  std::optional<double> total;
  bool has_more = false;
};
/// The answer to a request that needs something of the client first.
struct InputRequired {
  ValueObject requests;  ///< By a key of the server's choice: {method, params}.
  std::optional<std::string> request_state;
};
Value InputRequest(std::string_view method, Value params);

/// One page of a list.
template <typename T>
struct Page {
  std::vector<T> items;
  std::string next_cursor;  ///< "" on the last page.
};

struct ServerCapabilities {
  bool tools = true, resources = true, prompts = true, completions = true, logging = true;
  bool list_changed = true, subscribe = true;
  ValueObject extensions;  ///< By their identifiers; modern only.
};
Value ToValue(const ServerCapabilities& capabilities, Revision revision);

/// What stands in every result besides its own members.
struct ResultFrame {
  Revision revision = kNewest;
  std::string_view server_info_json;  ///< Modern: for `_meta`; "" leaves it out.
};

/// Puts a result together. Legacy results have no resultType and no server information.
class ResultText {
 public:
  ResultText(const ResultFrame& frame, std::string_view type, const ValueObject& meta = {});
  ResultText& Member(std::string_view name, const Value& value);
  ResultText& Json(std::string_view name, std::string_view json);
  ResultText& Members(const ValueObject& members);
  /// Modern results only.
  ResultText& Cache(const CacheHints& hints);
  std::string Finish() &&;

 private:
  void Name(std::string_view name);
  std::string text_ = "{";
  bool modern_;
};

std::string WriteResult(const CallToolResult& result, const ResultFrame& frame);
std::string WriteResult(const ReadResourceResult& result, const ResultFrame& frame);
std::string WriteResult(const GetPromptResult& result, const ResultFrame& frame);
std::string WriteResult(const CompleteResult& result, const ResultFrame& frame);
/// Modern only.
std::string WriteResult(const InputRequired& result, const ResultFrame& frame);

// For clients. Errors: kInvalidParams naming the member.
RpcResult<CallToolResult> ReadCallToolResult(Value value);
RpcResult<ReadResourceResult> ReadReadResourceResult(Value value);
RpcResult<GetPromptResult> ReadGetPromptResult(Value value);
RpcResult<CompleteResult> ReadCompleteResult(Value value);
RpcResult<InputRequired> ReadInputRequired(Value value);
RpcResult<Page<Tool>> ReadToolPage(Value value);
RpcResult<Page<Resource>> ReadResourcePage(Value value);
RpcResult<Page<ResourceTemplate>> ReadTemplatePage(Value value);
RpcResult<Page<Prompt>> ReadPromptPage(Value value);
/// "complete" when there is none, as older servers have it.
std::string_view ResultTypeOf(const Value& result);

}  // namespace nexus::mcp
