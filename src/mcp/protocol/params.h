#pragma once
/// What requests and notifications carry, checked. Each keeps unknown members in `extra`.

#include <optional>
#include <string>
#include <vector>

#include "mcp/protocol/types.h"

namespace nexus::mcp {

/// Names of `_meta` members that the specification reserves.
namespace meta {
inline constexpr std::string_view kProtocolVersion = "io.modelcontextprotocol/protocolVersion";
inline constexpr std::string_view kClientInfo = "io.modelcontextprotocol/clientInfo";
inline constexpr std::string_view kClientCapabilities =
    "io.modelcontextprotocol/clientCapabilities";
inline constexpr std::string_view kLogLevel = "io.modelcontextprotocol/logLevel";
inline constexpr std::string_view kSubscriptionId = "io.modelcontextprotocol/subscriptionId";
inline constexpr std::string_view kServerInfo = "io.modelcontextprotocol/serverInfo";
inline constexpr std::string_view kProgressToken = "progressToken";
inline constexpr std::string_view kTraceParent = "traceparent";
}  // namespace meta

/// A request's `_meta`.
struct RequestMeta {
  Value progress_token;  ///< String or number; undefined: no progress is asked for.
  std::string traceparent;
  // Modern requests only.
  std::string protocol_version;
  std::optional<Implementation> client_info;
  ClientCapabilities client;
  std::optional<LogLevel> log_level;
  ValueObject extra;
};

/// True when `params` carry a modern request's version: what tells the eras apart on stdio.
bool HasModernMeta(const Value& params);
/// The `_meta` of `params`, taken out of it. `modern`: the required members must be there.
RpcResult<RequestMeta> TakeMeta(Value& params, bool modern);

/// What a client answers to what an input-required result asked for.
struct InputAnswers {
  ValueObject responses;  ///< By the keys of the requests; each an object.
  std::optional<std::string> request_state;
  bool empty() const { return responses.empty() && !request_state; }
};

struct CallToolParams {
  std::string name;
  Value arguments;  ///< Object, or undefined.
  InputAnswers input;
  ValueObject extra;
};
struct ReadResourceParams {
  std::string uri;
  InputAnswers input;
  ValueObject extra;
};
struct GetPromptParams {
  std::string name;
  ValueObject arguments;  ///< Strings.
  InputAnswers input;
  ValueObject extra;
};
struct CompleteParams {
  bool is_prompt = true;  ///< Else a resource template.
  std::string ref;        ///< The prompt's name, or the template.
  std::string argument, value;
  ValueObject context;  ///< Arguments that are decided already: strings.
};
struct InitializeParams {
  std::string protocol_version;
  ClientCapabilities client;
  Implementation client_info;
  ValueObject extra;
};
/// What `subscriptions/listen` asks for.
struct ListenFilter {
  bool tools = false, prompts = false, resources = false;
  std::vector<std::string> uris;
};
struct CancelledParams {
  RequestId request_id;
  std::string reason;
};
struct ProgressParams {
  Value token;
  double progress = 0;
  std::optional<double> total;
  std::string message;
};

// Errors: kInvalidParams naming the member.
RpcResult<CallToolParams> ReadCallTool(Value params);
RpcResult<ReadResourceParams> ReadReadResource(Value params);
RpcResult<GetPromptParams> ReadGetPrompt(Value params);
RpcResult<CompleteParams> ReadComplete(Value params);
RpcResult<InitializeParams> ReadInitialize(Value params);
RpcResult<ListenFilter> ReadListen(Value params);
RpcResult<CancelledParams> ReadCancelled(Value params);
RpcResult<ProgressParams> ReadProgress(Value params);
RpcResult<LogLevel> ReadSetLevel(Value params);
/// `resources/subscribe` and `resources/unsubscribe`.
RpcResult<std::string> ReadUri(Value params);
/// A list request's cursor; "" for the first page.
RpcResult<std::string> ReadCursor(Value params);

/// For who asks: the `_meta` of a modern request.
Value ModernMeta(const Implementation& client, const ValueObject& capabilities,
                 Revision revision = kNewest);
/// Undefined members are left out.
Value ToValue(const ProgressParams& params);
Value ToValue(const ListenFilter& filter);

}  // namespace nexus::mcp
