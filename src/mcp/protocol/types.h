#pragma once
/// The things of the protocol, typed: one model for both eras. Each keeps in `extra` the members it
/// does not know, and writes them again.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/value.h"
#include "mcp/protocol/message.h"
#include "mcp/protocol/revision.h"

namespace nexus::mcp {

/// A client or a server, as it calls itself. Nothing may depend on it.
struct Implementation {
  std::string name, version, title;
  ValueObject extra;
};

enum class LogLevel : std::uint8_t {
  kDebug,
  kInfo,
  kNotice,
  kWarning,
  kError,
  kCritical,
  kAlert,
  kEmergency
};
std::string_view LogLevelWord(LogLevel level);
std::optional<LogLevel> LogLevelFromWord(std::string_view word);

/// What a client can do for a server.
struct ClientCapabilities {
  bool roots = false, sampling = false, sampling_tools = false;
  bool elicitation_form = false, elicitation_url = false;
  ValueObject raw;  ///< As declared: extensions, experimental, and what is above.

  /// True when the client can answer a request with `method`.
  bool CanAnswer(std::string_view method) const;
  /// The capability that `method` needs, as `requiredCapabilities` names it.
  static Value NeededFor(std::string_view method);
};

struct ToolAnnotations {
  std::string title;
  std::optional<bool> read_only, destructive, idempotent, open_world;
  bool empty() const {
    return title.empty() && !read_only && !destructive && !idempotent && !open_world;
  }
};

struct Tool {
  std::string name, title, description;
  Value input_schema = Value::Object({{"type", "object"}});
  Value output_schema;  ///< undefined: none.
  ToolAnnotations annotations;
  ValueArray icons;
  ValueObject meta, extra;
};

struct Resource {
  std::string uri, name, title, description, mime_type;
  std::optional<double> size;  ///< Bytes.
  Value annotations;           ///< undefined: none.
  ValueArray icons;
  ValueObject meta, extra;
};

struct ResourceTemplate {
  std::string uri_template, name, title, description, mime_type;
  Value annotations;
  ValueArray icons;
  ValueObject meta, extra;
};

struct PromptArgument {
  std::string name, title, description;
  bool required = false;
};

struct Prompt {
  std::string name, title, description;
  std::vector<PromptArgument> arguments;
  ValueArray icons;
  ValueObject meta, extra;
};

/// One of `contents`: text, or bytes as base64.
struct ResourceContents {
  std::string uri, mime_type;
  std::optional<std::string> text, blob_base64;
  ValueObject meta, extra;
};

/// A content block is a Value, because peers may send kinds that are not known here: these make
/// those that are.
Value TextContent(std::string text);
Value ImageContent(std::string data_base64, std::string mime_type);
Value AudioContent(std::string data_base64, std::string mime_type);
Value EmbeddedResource(const ResourceContents& contents);
Value ResourceLink(const Resource& resource);
/// nullopt, or what is wrong with it. Unknown types pass: they may be of a later revision.
std::optional<RpcError> CheckContent(const Value& block);

// Reading and writing. Errors: kInvalidParams naming the member. Members with which an older
// revision cannot deal are left out when writing for it.
RpcResult<Implementation> ReadImplementation(Value value);
Value ToValue(const Implementation& implementation, Revision revision);
RpcResult<ClientCapabilities> ReadClientCapabilities(Value value);
RpcResult<Tool> ReadTool(Value value);
Value ToValue(const Tool& tool, Revision revision);
RpcResult<Resource> ReadResource(Value value);
Value ToValue(const Resource& resource, Revision revision);
RpcResult<ResourceTemplate> ReadResourceTemplate(Value value);
Value ToValue(const ResourceTemplate& item, Revision revision);
RpcResult<Prompt> ReadPrompt(Value value);
Value ToValue(const Prompt& prompt, Revision revision);
RpcResult<ResourceContents> ReadResourceContents(Value value);
Value ToValue(const ResourceContents& contents);

}  // namespace nexus::mcp
