#include "mcp/server/internal/core.h"

#include <algorithm>
#include <utility>

#include "base/base64.h"
#include "base/json.h"
#include "base/random.h"

namespace nexus::mcp::internal {
namespace {

constexpr std::size_t kStateKeyBytes = 32;

SettingsPtr MakeSettings(ServerOptions options) {
  auto settings = std::make_shared<Settings>();
  if (options.state_key.empty()) options.state_key = SystemEntropy(kStateKeyBytes);
  settings->server_info_json = ToJson(ToValue(options.info, kNewest));
  settings->options = std::move(options);
  return settings;
}

RpcError UnsupportedVersion(const std::string& requested) {
  ValueArray supported;
  for (const std::string_view name : RevisionNames()) {
    if (IsModern(*RevisionFromName(name))) supported.emplace_back(name);
  }
  return {.code = code::kUnsupportedVersion,
          .message = "protocol version '" + requested.substr(0, 64) + "' is not spoken here",
          .data = Value::Object({{"supported", std::move(supported)}, {"requested", requested}})};
}

RpcError MethodNotFound(std::string_view method) {
  return {.code = code::kMethodNotFound,
          .message = "there is no method '" + std::string(method.substr(0, 128)) + "'",
          .data = {}};
}

// What seals a requestState to its request.
std::string BindingOf(std::string_view method, std::string_view name, const Value& arguments) {
  std::string text(method);
  text += '\n';
  text += name;
  text += '\n';
  AppendJson(text, arguments);
  return text;
}
std::string BindingOf(const CallToolParams& p) {
  return BindingOf("tools/call", p.name, p.arguments);
}
std::string BindingOf(const ReadResourceParams& p) {
  return BindingOf("resources/read", p.uri, {});
}
std::string BindingOf(const GetPromptParams& p) {
  return BindingOf("prompts/get", p.name, Value(p.arguments));
}

}  // namespace

Core::Core(ServerOptions options, Provider& provider)
    : settings_(MakeSettings(std::move(options))), provider_(provider), subscriptions_(provider) {}

void Core::Refuse(const ReplySinkPtr& sink, const RequestId& id, const RpcError& error,
                  bool modern) {
  CountError();
  const bool unread = error.code == code::kParseError;
  sink->Finish(WriteError(id, error), modern || unread ? HttpStatusOf(error) : 200);
}

std::shared_ptr<CallImpl> Core::HandleModern(Message request, const CallerPtr& caller,
                                             const ReplySinkPtr& sink,
                                             std::shared_ptr<InFlight> in_flight,
                                             const Check& check) {
  CountRequest();
  RpcResult<RequestMeta> meta = TakeMeta(request.params, true);
  if (!meta) {
    Refuse(sink, request.id, meta.error(), true);
    return nullptr;
  }
  if (check) {
    if (const RpcResult<void> checked = check(request, *meta); !checked) {
      Refuse(sink, request.id, checked.error(), true);
      return nullptr;
    }
  }
  const std::optional<Revision> revision = RevisionFromName(meta->protocol_version);
  if (!revision || !IsModern(*revision)) {
    Refuse(sink, request.id, UnsupportedVersion(meta->protocol_version), true);
    return nullptr;
  }
  CallStart start;
  start.settings = settings_;
  start.id = request.id;
  start.method = request.method;
  start.caller = caller;
  start.revision = *revision;
  start.client = std::make_shared<const ClientCapabilities>(std::move(meta->client));
  start.meta = *std::move(meta);
  start.sink = sink;
  start.in_flight = in_flight;
  auto call = std::make_shared<CallImpl>(std::move(start));
  if (in_flight != nullptr) {
    if (const auto added = in_flight->Add(request.id, call); !added) {
      Refuse(sink, request.id, added.error(), true);
      return nullptr;
    }
  }
  if (auto done = Dispatch(call, request.method, std::move(request.params)); !done) {
    CountError();
    call->Fail(std::move(done).error());
  }
  return call;
}

std::shared_ptr<CallImpl> Core::HandleLegacy(Message request, const SessionPtr& session,
                                             const ReplySinkPtr& sink) {
  CountRequest();
  RpcResult<RequestMeta> meta = TakeMeta(request.params, false);
  if (!meta) {
    Refuse(sink, request.id, meta.error(), false);
    return nullptr;
  }
  CallStart start;
  start.settings = settings_;
  start.id = request.id;
  start.method = request.method;
  start.caller = session->caller;
  start.revision = session->revision;
  start.client = session->client;
  start.meta = *std::move(meta);
  start.sink = sink;
  start.in_flight = session->in_flight;
  start.session = session;
  auto call = std::make_shared<CallImpl>(std::move(start));
  if (const auto added = session->in_flight->Add(request.id, call); !added) {
    Refuse(sink, request.id, added.error(), false);
    return nullptr;
  }
  bool known = false;
  RpcResult<void> done = DispatchLegacyOnly(call, request.method, request.params, known);
  if (!known) done = Dispatch(call, request.method, std::move(request.params));
  if (!done) {
    CountError();
    call->Fail(std::move(done).error());
  }
  return call;
}

template <typename Params>
void Core::Provide(const std::shared_ptr<CallImpl>& call, Params params,
                   void (Provider::*serve)(CallPtr, Params)) {
  call->SetRequestBinding(BindingOf(params));
  if (call->session() != nullptr && call->session()->CanAskClient()) {
    call->SetRetry(
        [this, serve, again = params](std::shared_ptr<CallImpl> same, InputAnswers answers) {
          Params repeated = again;
          repeated.input = std::move(answers);
          (provider_.*serve)(std::move(same), std::move(repeated));
        });
  }
  (provider_.*serve)(call, std::move(params));
}

RpcResult<void> Core::Dispatch(const std::shared_ptr<CallImpl>& call, std::string_view method,
                               Value params) {
  const ServerCapabilities& offers = options().capabilities;
  if (method == "tools/call" && offers.tools) {
    NEXUS_TRY(CallToolParams read, ReadCallTool(std::move(params)));
    // Binding text costs a rendering of the arguments, so it is made when somebody may need it.
    if (call->modern() && !read.input.request_state &&
        !(call->client().sampling || call->client().roots || call->client().elicitation_form ||
          call->client().elicitation_url)) {
      provider_.CallTool(call, std::move(read));
      return {};
    }
    call->SetRequestBinding(BindingOf(read));
    if (call->modern()) NEXUS_TRY_STATUS(call->OpenRequestState(read.input));
    Provide(call, std::move(read), &Provider::CallTool);
    return {};
  }
  if (method == "resources/read" && offers.resources) {
    NEXUS_TRY(ReadResourceParams read, ReadReadResource(std::move(params)));
    call->SetRequestBinding(BindingOf(read));
    if (call->modern()) NEXUS_TRY_STATUS(call->OpenRequestState(read.input));
    Provide(call, std::move(read), &Provider::ReadResource);
    return {};
  }
  if (method == "prompts/get" && offers.prompts) {
    NEXUS_TRY(GetPromptParams read, ReadGetPrompt(std::move(params)));
    call->SetRequestBinding(BindingOf(read));
    if (call->modern()) NEXUS_TRY_STATUS(call->OpenRequestState(read.input));
    Provide(call, std::move(read), &Provider::GetPrompt);
    return {};
  }
  if (method == "completion/complete" && offers.completions) {
    NEXUS_TRY(CompleteParams read, ReadComplete(std::move(params)));
    provider_.Complete(call, std::move(read));
    return {};
  }
  const Caller& caller = call->caller();
  if (method == "tools/list" && offers.tools) {
    return List(*call, std::move(params), "tools", provider_.ListTools(caller), &Tool::name);
  }
  if (method == "resources/list" && offers.resources) {
    return List(*call, std::move(params), "resources", provider_.ListResources(caller),
                &Resource::uri);
  }
  if (method == "resources/templates/list" && offers.resources) {
    return List(*call, std::move(params), "resourceTemplates", provider_.ListTemplates(caller),
                &ResourceTemplate::uri_template);
  }
  if (method == "prompts/list" && offers.prompts) {
    return List(*call, std::move(params), "prompts", provider_.ListPrompts(caller), &Prompt::name);
  }
  if (call->modern() && method == "server/discover") {
    call->FinishWith(Discover());
    return {};
  }
  if (call->modern() && method == "subscriptions/listen") return Listen(call, std::move(params));
  return std::unexpected(MethodNotFound(method));
}

RpcResult<void> Core::DispatchLegacyOnly(const std::shared_ptr<CallImpl>& call,
                                         std::string_view method, Value params, bool& known) {
  const ServerCapabilities& offers = options().capabilities;
  const SessionPtr& session = call->session();
  const bool subscribe = method == "resources/subscribe";
  if (subscribe || method == "resources/unsubscribe") {
    known = offers.resources && offers.subscribe;
    if (!known) return {};
    NEXUS_TRY(const std::string uri, ReadUri(std::move(params)));
    std::uint64_t subscriber = 0;
    {
      const std::lock_guard lock(mutex_);
      const auto found = subscribers_.find(session.get());
      if (found != subscribers_.end()) subscriber = found->second;
    }
    if (!subscribe) {
      subscriptions_.RemoveUri(subscriber, uri);
    } else if (subscriptions_.UriCount(subscriber) >= options().subscribed_uris_max) {
      return mcp::Refuse(code::kInvalidParams, "too many subscriptions: end some first");
    } else if (!subscriptions_.AddUri(subscriber, uri)) {
      return mcp::Refuse(code::kResourceNotFound, "there is no resource '" + uri + "'",
                         Value::Object({{"uri", uri}}));
    }
  } else if (method == "ping") {
    known = true;
  } else if (method == "logging/setLevel") {
    known = offers.logging;
    if (!known) return {};
    NEXUS_TRY(const LogLevel level, ReadSetLevel(std::move(params)));
    session->set_log_level(level);
  } else if (method == "initialize") {
    known = true;
    return mcp::Refuse(code::kInvalidRequest, "this session is initialized already");
  }
  if (known) call->FinishWith("{}");
  return {};
}

// Pages follow the order of the provider; a cursor names the last item of the page before, so that
// what comes and goes between two pages moves nothing.
template <typename T>
RpcResult<void> Core::List(CallImpl& call, Value params, std::string_view name,
                           std::vector<T> items, std::string T::* key) {
  NEXUS_TRY(const std::string cursor, ReadCursor(std::move(params)));
  std::size_t begin = 0;
  if (!cursor.empty()) {
    const Result<std::string> last = FromBase64(cursor);
    const auto found = std::find_if(items.begin(), items.end(), [&](const T& item) {
      return last.has_value() && item.*key == *last;
    });
    if (found == items.end()) {
      return mcp::Refuse(code::kInvalidParams, "params.cursor: begin the list anew");
    }
    begin = static_cast<std::size_t>(found - items.begin()) + 1;
  }
  const std::size_t end = std::min(items.size(), begin + options().page_size);
  ResultText text(call.Frame(), "complete");
  std::string list = "[";
  for (std::size_t i = begin; i < end; ++i) {
    if (list.size() > 1) list += ',';
    AppendJson(list, ToValue(items[i], call.revision()));
  }
  list += ']';
  text.Json(name, list);
  if (end < items.size()) text.Member("nextCursor", ToBase64Url(items[end - 1].*key));
  text.Cache({.ttl_ms = options().list_ttl_ms, .shared = false});
  call.FinishWith(std::move(text).Finish());
  return {};
}

std::string Core::Discover() const {
  ResultText text(settings_->Frame(kNewest), "complete");
  ValueArray versions;
  for (const std::string_view name : RevisionNames()) {
    if (IsModern(*RevisionFromName(name))) versions.emplace_back(name);
  }
  text.Member("supportedVersions", std::move(versions));
  text.Member("capabilities", ToValue(options().capabilities, kNewest));
  if (!options().instructions.empty()) text.Member("instructions", options().instructions);
  text.Cache({.ttl_ms = options().list_ttl_ms, .shared = true});
  return std::move(text).Finish();
}

RpcResult<void> Core::Listen(const std::shared_ptr<CallImpl>& call, Value params) {
  NEXUS_TRY(ListenFilter wanted, ReadListen(std::move(params)));
  const ServerCapabilities& offers = options().capabilities;
  if (wanted.uris.size() > options().subscribed_uris_max) {
    return mcp::Refuse(code::kInvalidParams,
                       "params.notifications.resourceSubscriptions: too many");
  }
  ListenFilter honoured;
  honoured.tools = wanted.tools && offers.tools && offers.list_changed;
  honoured.prompts = wanted.prompts && offers.prompts && offers.list_changed;
  honoured.resources = wanted.resources && offers.resources && offers.list_changed;
  // The acknowledgement is the first message: what changes meanwhile waits behind this lock.
  struct Gate {
    std::mutex mutex;
    bool open = false;
    std::vector<std::pair<std::string, std::string>> waiting;
  };
  auto gate = std::make_shared<Gate>();
  const std::weak_ptr<CallImpl> weak = call;
  const std::uint64_t id =
      subscriptions_.Add({.lists = honoured,
                          .caller = call->caller_ptr(),
                          .subscription_id_json = call->id().json,
                          .send = [gate, weak](std::string message, std::string_view key) {
                            const std::lock_guard lock(gate->mutex);
                            if (!gate->open) {
                              gate->waiting.emplace_back(std::move(message), key);
                            } else if (const auto self = weak.lock()) {
                              self->Send(std::move(message), key);
                            }
                          }});
  if (offers.resources && offers.subscribe) {
    for (const std::string& uri : wanted.uris) {
      if (subscriptions_.AddUri(id, uri)) honoured.uris.push_back(uri);
    }
  }
  {
    const std::lock_guard lock(mutex_);
    listening_.emplace(call.get(), Listening{.call = call, .subscriber = id});
  }
  call->OnCancel([this, id, key = call.get()] {
    subscriptions_.Remove(id);
    const std::lock_guard lock(mutex_);
    listening_.erase(key);
  });
  const std::lock_guard lock(gate->mutex);
  call->Send(WriteNotification(
      "notifications/subscriptions/acknowledged",
      Value::Object(
          {{"_meta", Value::Object({{std::string(meta::kSubscriptionId), call->id().ToValue()}})},
           {"notifications", ToValue(honoured)}})));
  gate->open = true;
  for (auto& [message, key] : gate->waiting) call->Send(std::move(message), key);
  gate->waiting.clear();
  return {};
}

void Core::EndListening() {
  std::map<const CallImpl*, Listening> listening;
  {
    const std::lock_guard lock(mutex_);
    listening.swap(listening_);
  }
  for (const auto& [key, entry] : listening) {
    subscriptions_.Remove(entry.subscriber);
    const auto call = entry.call.lock();
    if (call == nullptr) continue;
    ResultText text(call->Frame(), "complete",
                    ValueObject{{std::string(meta::kSubscriptionId), call->id().ToValue()}});
    call->FinishWith(std::move(text).Finish());
  }
}

RpcResult<SessionPtr> Core::Initialize(Value params, const CallerPtr& caller, std::string id) {
  CountRequest();
  (void)TakeMeta(params, false);
  NEXUS_TRY(InitializeParams read, ReadInitialize(std::move(params)));
  // Another revision is answered with the newest that has a handshake; the client then decides.
  const std::optional<Revision> wanted = RevisionFromName(read.protocol_version);
  const Revision revision = wanted && !IsModern(*wanted) ? *wanted : kNewestLegacy;
  return std::make_shared<Session>(std::move(id), caller, revision, std::move(read), options());
}

std::string Core::InitializeResult(const Session& session) const {
  ResultText text(settings_->Frame(session.revision), "complete");
  text.Member("protocolVersion", RevisionName(session.revision));
  text.Member("capabilities", ToValue(options().capabilities, session.revision));
  text.Member("serverInfo", ToValue(options().info, session.revision));
  if (!options().instructions.empty()) text.Member("instructions", options().instructions);
  return std::move(text).Finish();
}

std::uint64_t Core::Subscribe(const Session& session,
                              std::function<void(std::string, std::string_view)> send) {
  const bool lists = options().capabilities.list_changed;
  const std::uint64_t id = subscriptions_.Add(
      {.lists = {.tools = lists, .prompts = lists, .resources = lists, .uris = {}},
       .caller = session.caller,
       .subscription_id_json = {},
       .send = std::move(send)});
  const std::lock_guard lock(mutex_);
  subscribers_[&session] = id;
  return id;
}

void Core::Forget(const Session& session) {
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto found = subscribers_.find(&session);
    if (found == subscribers_.end()) return;
    id = found->second;
    subscribers_.erase(found);
  }
  subscriptions_.Remove(id);
}

}  // namespace nexus::mcp::internal
