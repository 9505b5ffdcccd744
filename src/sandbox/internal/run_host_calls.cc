// The host side of guest/host_calls.def. One way in, OnHostCall; every call that needs a right goes
// through Authorize before Perform sees it, and every call is counted and recorded.

#include <cstring>

#include "base/check.h"
#include "base/codec.h"
#include "base/log.h"
#include "guest/abi.h"
#include "sandbox/internal/run_impl.h"
#include "sandbox/internal/sandbox_impl.h"

namespace nexus::internal {
namespace {

bool ReadStringValue(std::string_view& bytes, std::string_view& text) {
  std::string_view rest = bytes;
  if (rest.empty() || rest.front() != static_cast<char>(ValueTag::kString)) return false;
  rest.remove_prefix(1);
  std::uint64_t size = 0;
  if (!ReadVarint(rest, size) || size > rest.size()) return false;
  text = rest.substr(0, size);
  rest.remove_prefix(size);
  bytes = rest;
  return true;
}

/// Request bytes of one host call.
constexpr std::size_t kRequestBytesMax = std::size_t{8} << 20;
/// Keys, event names, aliases: what is looked up and shown.
constexpr std::size_t kNameBytesMax = 1024;
/// What the host keeps for one run: effects and arguments, as they lie in its memory.
constexpr std::uint64_t kKeptBytesMax = std::uint64_t{16} << 20;
/// Beyond this a recording is given up: the run could not be replayed from a part of it.
constexpr std::size_t kRecordingBytesMax = std::size_t{4} << 20;
constexpr std::size_t kPathStepsMax = 256;

std::uint64_t CostOf(const Value& value) {
  std::uint64_t cost = sizeof(Value);
  if (const auto* s = value.As<std::string>()) return cost + s->size();
  if (const auto* b = value.As<Bytes>()) return cost + b->data.size();
  if (const auto* n = value.As<BigInt>()) return cost + n->hex.size();
  if (const auto* a = value.As<ValueArray>()) {
    for (const Value& item : *a) cost += CostOf(item);
  } else if (const auto* o = value.As<ValueObject>()) {
    for (const auto& [key, item] : *o) cost += sizeof(std::string) + key.size() + CostOf(item);
  } else if (const auto* m = value.As<ValueMap>()) {
    for (const auto& [key, item] : m->entries) cost += CostOf(key) + CostOf(item);
  } else if (const auto* set = value.As<ValueSet>()) {
    for (const Value& item : set->entries) cost += CostOf(item);
  }
  return cost;
}

bool ReadPath(std::string_view& bytes, std::vector<PathStep>& path) {
  const Result<Value> value = DecodeValuePrefix(bytes, kPathStepsMax);
  const ValueArray* steps = value ? value->As<ValueArray>() : nullptr;
  if (steps == nullptr) return false;
  for (const Value& step : *steps) {
    if (const std::string* name = step.As<std::string>()) {
      path.emplace_back(*name);
    } else if (const double* index = step.As<double>();
               index != nullptr && *index >= 0 && *index < 4294967295.0) {
      path.emplace_back(static_cast<std::uint32_t>(*index));
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

std::string_view PathArgument(const Extension& extension, std::string_view method,
                              const ValueArray& args) {
  for (const MethodDescriptor& descriptor : extension.methods()) {
    if (descriptor.name != method || !descriptor.path_argument) continue;
    if (*descriptor.path_argument >= args.size()) return {};
    const std::string* const text = args[*descriptor.path_argument].As<std::string>();
    return text == nullptr ? std::string_view() : std::string_view(*text);
  }
  return {};
}

/// A request while it is taken apart: the names the gate asks about come off first.
struct RunImpl::Request {
  std::string_view rest;
  std::string_view name;    ///< Key, event, component, alias or tool.
  std::string_view method;  ///< Of an extension.
  const ExtensionBinding* binding = nullptr;
  const MethodDescriptor* descriptor = nullptr;
  std::optional<ValueArray> args;  ///< Decoded early where the gate needs a path.
};

nx_mailbox& RunImpl::mailbox() const {
  return *reinterpret_cast<nx_mailbox*>(slot_->memory() + image_->base().mailbox());
}

std::int64_t RunImpl::OnHostCall(std::int32_t op, std::int32_t a, std::uint8_t* bytes,
                                 std::uint32_t n) {
  const Worker::HostCallScope scope(*worker_);
  const HostCallInfo* const info = FindHostCall(op);
  if (info == nullptr || !worker_->HostStackSuffices()) return kTrap;
  const std::string_view request(reinterpret_cast<const char*>(bytes), n);
  switch (info->op) {
    case HostOp::kFetch:
      return FetchReply(bytes, n);
    case HostOp::kInterrupt:
      return Interrupted(static_cast<std::uint32_t>(a));
    case HostOp::kPanic:
      return Panic(request);
    case HostOp::kDebug:
      Log(Severity::kDebug, "guest output", {{"text", request}});
      return 0;
    default:
      break;
  }
  if (fatal_) return kTrap;  // The run is over; a guest that goes on is lying.
  ++host_call_counts_[static_cast<std::size_t>(op)];
  if (replay_ != nullptr) return Replayed(*info, a, request);
  reply_.clear();
  reply_is_error_ = false;
  revision_made_ = 0;
  const std::int64_t code =
      Count(Limit::kHostCalls)
          ? (n <= kRequestBytesMax ? Dispatch(*info, a, request) : TooMuchKept())
          : Exhausted(Limit::kHostCalls);
  if (context_.record && code != kTrap) {
    recording_.HostCall(op, a, request, static_cast<std::int32_t>(code), reply_, revision_made_);
    BoundRecording();
  }
  return HandOver(code);
}

void RunImpl::BoundRecording() {
  if (recording_.bytes().size() <= kRecordingBytesMax) return;
  recording_.Restart({});
  context_.record = false;
}

// The reply goes into the mailbox last: the request may have lain there.
std::int64_t RunImpl::HandOver(std::int64_t code) {
  if (code != kTrap && !reply_.empty() && reply_.size() <= NX_IN_BYTES) {
    std::memcpy(mailbox().in, reply_.data(), reply_.size());
  }
  return code;
}

// Accounts for what the host keeps of a request. False: the run has had its share.
bool RunImpl::Keep(std::uint64_t bytes) {
  kept_bytes_ += bytes;
  return kept_bytes_ <= kKeptBytesMax;
}

std::int64_t RunImpl::TooMuchKept() {
  RunError error;
  error.code = RunErrorCode::kResourceLimit;
  error.limit = "kept";
  error.message = "the run hands more than " + std::to_string(kKeptBytesMax >> 20) +
                  " MiB to the host in effects and arguments: hand over less, or in several runs";
  const std::string message = error.message;
  fatal_ = std::move(error);
  return ReplyError(RunErrorCode::kResourceLimit, message);
}

// A value the host is going to keep.
Result<Value> RunImpl::TakeValue(std::string_view& bytes) {
  const std::uint64_t left = kept_bytes_ >= kKeptBytesMax ? 0 : kKeptBytesMax - kept_bytes_;
  Result<Value> value = DecodeValuePrefix(bytes, left / sizeof(Value));
  if (value && !Keep(CostOf(*value))) {
    return nexus::Fail(Code::kResourceExhausted, "the run's share is used up");
  }
  return value;
}

std::int64_t RunImpl::Dispatch(const HostCallInfo& info, std::int32_t a, std::string_view bytes) {
  Request request{.rest = bytes};
  if (info.gate == GateKind::kRight) {
    if (gate_.granted().HasConditions()) gate_.set_now_unix_ms(sandbox_.UnixMs());
    // Authorize leaves the reply when it refuses.
    if (!Authorize(info.op, a, request)) {
      return reply_is_error_ ? ReplyBytes() : Malformed();
    }
  }
  const std::int64_t code = Perform(info.op, a, request);
  if (code >= 0) ApplyEffect(info.op, a, bytes, revision_made_);
  return code;
}

// Names the right that `op` needs and asks the gate. False: refused, with the error in reply_, or
// malformed, with nothing there.
bool RunImpl::Authorize(HostOp op, std::int32_t a, Request& request) {
  if (request.rest.size() > kRequestBytesMax) return false;
  Right right = Right::kStateRead;
  std::string_view shown;
  std::string_view path;
  switch (op) {
    case HostOp::kStateKeys:
      if (a == 1) return true;  // Answers only what may be read.
      request.name = "*";
      break;
    case HostOp::kStateGet:
    case HostOp::kStateHas:
      if (!ReadStringValue(request.rest, request.name)) return false;
      break;
    case HostOp::kStateSet:
    case HostOp::kStateDelete:
      right = Right::kStateWrite;
      if (!ReadStringValue(request.rest, request.name)) return false;
      break;
    case HostOp::kEmit:
      right = Right::kEventEmit;
      if (!ReadStringValue(request.rest, request.name)) return false;
      break;
    case HostOp::kView: {
      right = Right::kViewUpdate;
      std::string_view after_type = request.rest;
      std::string_view type;
      if (!ReadStringValue(after_type, type)) return false;
      if (!ReadStringValue(after_type, request.name)) request.name = "*";
      break;
    }
    case HostOp::kToolCall:
      right = Right::kToolCall;
      if (!ReadStringValue(request.rest, request.name)) return false;
      break;
    case HostOp::kExtCall: {
      right = Right::kExtension;
      if (!ReadStringValue(request.rest, request.name)) return false;
      if (!ReadStringValue(request.rest, request.method)) return false;
      request.binding = FindAlias(request.name);
      if (request.binding == nullptr) break;
      shown = request.binding->extension->name();
      for (const MethodDescriptor& method : request.binding->extension->methods()) {
        if (method.name == request.method) request.descriptor = &method;
      }
      Result<Value> args = TakeValue(request.rest);
      if (!args && args.error().code() == Code::kResourceExhausted) {
        TooMuchKept();
        return false;
      }
      ValueArray* const list = args ? args->As<ValueArray>() : nullptr;
      if (list == nullptr) return false;
      request.args = std::move(*list);
      path = PathArgument(*request.binding->extension, request.method, *request.args);
      break;
    }
    default:
      return false;
  }
  if (shown.empty()) shown = request.name;
  if (shown.size() > kNameBytesMax || request.method.size() > kNameBytesMax) return false;
  if (gate_.Check(right, shown, request.method, path)) return true;
  std::string message = "permission denied: " + gate_.missing() + " is " + gate_.reason();
  ReplyError(RunErrorCode::kPermissionDenied, std::move(message), gate_.missing());
  return false;
}

std::int64_t RunImpl::Perform(HostOp op, std::int32_t a, Request& request) {
  switch (op) {
    case HostOp::kStateGet:
      return StateGet(request);
    case HostOp::kStateSet:
      return StateSet(request);
    case HostOp::kStateDelete:
      return StateDelete(request);
    case HostOp::kStateHas:
      return Reply(state_->Has(request.name));
    case HostOp::kStateKeys:
      return StateKeys(a);
    case HostOp::kEmit:
      return EmitEvent(request);
    case HostOp::kView:
      return UpdateView(request);
    case HostOp::kLog:
      return WriteLog(a, request);
    case HostOp::kExtCall:
      return CallExtension(a, request);
    case HostOp::kToolCall:
      return CallTool(a, request);
    case HostOp::kExtList:
      return ListExtensions();
    case HostOp::kExtMethods:
      return ListMethods(request);
    case HostOp::kNow:
      return Reply(static_cast<double>(sandbox_.UnixMs()));
    default:
      return Malformed();
  }
}

std::int64_t RunImpl::StateGet(Request& request) { return Reply(state_->Get(request.name)); }

std::int64_t RunImpl::StateSet(Request& request) {
  std::vector<PathStep> path;
  if (!ReadPath(request.rest, path)) return Malformed();
  const Result<Value> value = TakeValue(request.rest);
  if (!value && value.error().code() == Code::kResourceExhausted) return TooMuchKept();
  if (!value || !request.rest.empty()) return Malformed();
  if (!Count(Limit::kMutations)) return Exhausted(Limit::kMutations);
  const Result<std::uint64_t> revision = state_->Set(request.name, path, *value);
  if (!revision) return ReplyError(RunErrorCode::kInvalidArgument, revision.error().message());
  revision_made_ = *revision;
  return 0;
}

std::int64_t RunImpl::StateDelete(Request& request) {
  std::vector<PathStep> path;
  if (!ReadPath(request.rest, path) || !request.rest.empty()) return Malformed();
  if (!Count(Limit::kMutations)) return Exhausted(Limit::kMutations);
  const Result<std::uint64_t> revision = state_->Delete(request.name, path);
  if (!revision) return ReplyError(RunErrorCode::kInvalidArgument, revision.error().message());
  revision_made_ = *revision;
  return Reply(*revision != 0);
}

std::int64_t RunImpl::StateKeys(std::int32_t a) {
  ValueArray keys;
  for (std::string& key : state_->Keys()) {
    if (a != 1 || gate_.Would(Right::kStateRead, key)) keys.emplace_back(std::move(key));
  }
  return Reply(keys);
}

std::int64_t RunImpl::EmitEvent(Request& request) {
  if (!Count(Limit::kEvents)) return Exhausted(Limit::kEvents);
  const Result<Value> payload = TakeValue(request.rest);
  if (!payload && payload.error().code() == Code::kResourceExhausted) return TooMuchKept();
  return payload && request.rest.empty() ? 0 : Malformed();
}

std::int64_t RunImpl::UpdateView(Request& request) {
  if (!Count(Limit::kViewCommands)) return Exhausted(Limit::kViewCommands);
  std::string_view type;
  if (!ReadStringValue(request.rest, type) || type.size() > kNameBytesMax) return Malformed();
  for (int i = 0; i < 2; ++i) {  // Component id, arguments.
    const Result<Value> value = TakeValue(request.rest);
    if (!value && value.error().code() == Code::kResourceExhausted) return TooMuchKept();
    if (!value) return Malformed();
  }
  return 0;
}

std::int64_t RunImpl::WriteLog(std::int32_t level, Request& request) {
  std::string_view message;
  if (!ReadStringValue(request.rest, message) || level < 0 || level > 3) return Malformed();
  return Count(Limit::kLog, message.size()) ? 0 : Exhausted(Limit::kLog);
}

const ExtensionBinding* RunImpl::FindAlias(std::string_view alias) const {
  for (const ExtensionBinding& binding : context_.extensions) {
    if (binding.alias == alias) return &binding;
  }
  return nullptr;
}

std::int64_t RunImpl::CallExtension(std::int32_t slot, Request& request) {
  if (request.binding == nullptr) {
    std::string message = "$ext." + std::string(request.name) + ": there is no such extension";
    // Only what the run may call is named.
    std::string known;
    for (const ExtensionBinding& binding : context_.extensions) {
      if (gate_.Would(Right::kExtension, binding.extension->name())) known += " " + binding.alias;
    }
    if (!known.empty()) message += ": there is" + known;
    return ReplyError(RunErrorCode::kExtensionNotFound, std::move(message));
  }
  if (request.descriptor == nullptr) {
    std::string message = "$ext." + std::string(request.name) + "." + std::string(request.method) +
                          ": there is no such method: there is";
    for (const MethodDescriptor& method : request.binding->extension->methods()) {
      if (gate_.Would(Right::kExtension, request.binding->extension->name(), method.name)) {
        message += " " + method.name;
      }
    }
    return ReplyError(RunErrorCode::kMethodNotFound, std::move(message));
  }
  PendingCall call;
  call.extension = request.binding->extension;
  call.idempotent = request.descriptor->idempotent;
  call.suspension.extension_name = std::string(call.extension->name());
  call.suspension.method = request.method;
  call.suspension.args = std::move(*request.args);
  return AddPending(slot, std::move(call));
}

std::int64_t RunImpl::CallTool(std::int32_t slot, Request& request) {
  Result<Value> args = TakeValue(request.rest);
  if (!args && args.error().code() == Code::kResourceExhausted) return TooMuchKept();
  if (!args || !request.rest.empty()) return Malformed();
  if (context_.tools == nullptr) {
    return ReplyError(RunErrorCode::kMethodNotFound,
                      "$tools." + std::string(request.name) + ": this run has no tools");
  }
  PendingCall call;
  call.is_tool = true;
  call.suspension.extension_name = "$tools";
  call.suspension.method = request.name;
  call.suspension.args.push_back(*std::move(args));
  return AddPending(slot, std::move(call));
}

std::int64_t RunImpl::AddPending(std::int32_t slot, PendingCall call) {
  if (pending_.size() >= limits_[Limit::kSuspensions]) return Exhausted(Limit::kSuspensions);
  for (const PendingCall& other : pending_) {
    if (other.slot == static_cast<std::uint32_t>(slot)) return Malformed();
  }
  call.slot = static_cast<std::uint32_t>(slot);
  call.number = ++suspension_count_;
  call.suspension.suspension_id = result_.run_id + "." + std::to_string(call.number);
  pending_.push_back(std::move(call));
  return 0;
}

std::int64_t RunImpl::ListExtensions() {
  ValueArray names;
  for (const ExtensionBinding& binding : context_.extensions) {
    for (const MethodDescriptor& method : binding.extension->methods()) {
      if (!gate_.Would(Right::kExtension, binding.extension->name(), method.name)) continue;
      names.emplace_back(binding.alias);
      break;
    }
  }
  return Reply(names);
}

std::int64_t RunImpl::ListMethods(Request& request) {
  std::string_view alias;
  if (!ReadStringValue(request.rest, alias)) return Malformed();
  ValueArray names;
  if (const ExtensionBinding* const binding = FindAlias(alias)) {
    for (const MethodDescriptor& method : binding->extension->methods()) {
      if (gate_.Would(Right::kExtension, binding->extension->name(), method.name)) {
        names.emplace_back(method.name);
      }
    }
  }
  return Reply(names);
}

// The effect lists are filled from the request, so that a live run and a replay do it alike.
void RunImpl::ApplyEffect(HostOp op, std::int32_t a, std::string_view request,
                          std::uint64_t revision) {
  const auto next = [&request] {
    Result<Value> value = DecodeValuePrefix(request);
    return value ? *std::move(value) : Value();
  };
  const auto text = [&next] {
    Value value = next();
    std::string* const s = value.As<std::string>();
    return s == nullptr ? std::string() : std::move(*s);
  };
  switch (op) {
    case HostOp::kStateSet:
    case HostOp::kStateDelete: {
      if (revision == 0) return;  // A delete of nothing.
      StateMutation mutation;
      mutation.operation = op == HostOp::kStateSet ? StateMutation::Operation::kSet
                                                   : StateMutation::Operation::kDelete;
      mutation.key = text();
      ReadPath(request, mutation.path);
      if (op == HostOp::kStateSet) mutation.value = next();
      mutation.revision = revision;
      result_.state_mutations.push_back(std::move(mutation));
      return;
    }
    case HostOp::kEmit: {
      EmittedEvent event;
      event.name = text();
      event.payload = next();
      result_.events.push_back(std::move(event));
      return;
    }
    case HostOp::kView: {
      ViewCommand command;
      command.type = text();
      command.component_id = text();
      command.args = next();
      result_.view_commands.push_back(std::move(command));
      return;
    }
    case HostOp::kLog: {
      LogEntry entry{static_cast<LogLevel>(a), text(), sandbox_.UnixMs()};
      if (context_.observer != nullptr) context_.observer->OnLog(result_.run_id, entry);
      result_.logs.push_back(std::move(entry));
      return;
    }
    default:
      return;
  }
}

// Answers from the recording; a request that differs ends the replay.
std::int64_t RunImpl::Replayed(const HostCallInfo& info, std::int32_t a, std::string_view request) {
  ++replay_calls_;
  const Result<std::optional<RecordedHostCall>> entry = replay_->NextHostCall();
  const RecordedHostCall* const recorded = entry && *entry ? &**entry : nullptr;
  if (recorded == nullptr) {
    // A run that was stopped is recorded up to its last host call. A hard stop leaves no other
    // trace; a soft one was brought forward by the watchdog, so the same number of polls comes
    // later here.
    const auto stop = replay_->FinalStop();
    if (stop) {
      fatal_ = StopError(static_cast<StopReason>(stop->reason));
      return kTrap;
    }
  }
  if (recorded == nullptr || recorded->op != static_cast<std::int32_t>(info.op) ||
      recorded->a != a || recorded->request != request) {
    replay_divergence_ = "replay diverged at call " + std::to_string(replay_calls_) +
                         ": the program asks for " + std::string(info.name) +
                         (recorded == nullptr ? ", the recording has nothing more"
                                              : ", the recording has another request");
    return kTrap;
  }
  if (info.op == HostOp::kExtCall && recorded->code >= 0) {
    PendingCall call;
    call.suspension.extension_name = "replay";
    if (AddPending(a, std::move(call)) < 0) return kTrap;
  }
  if (info.op == HostOp::kToolCall && recorded->code >= 0) {
    PendingCall call;
    call.is_tool = true;
    call.suspension.extension_name = "$tools";
    if (AddPending(a, std::move(call)) < 0) return kTrap;
  }
  reply_.assign(recorded->reply);
  reply_is_error_ = recorded->code < 0;
  if (recorded->code >= 0) {
    ApplyEffect(info.op, a, request, recorded->revision);
  } else {
    ReplayFatal();
  }
  return HandOver(ReplyBytes());
}

// A limit that ended the recorded run ends this one.
void RunImpl::ReplayFatal() {
  const Result<Value> reply = DecodeValue(reply_);
  if (!reply || !reply->BoolOr("fatal", false)) return;
  RunError error;
  error.code =
      RunErrorCodeFromName(reply->StringOr("code", "")).value_or(RunErrorCode::kResourceLimit);
  error.limit = reply->StringOr("limit", "");
  error.message = reply->StringOr("message", "");
  fatal_ = std::move(error);
}

std::int64_t RunImpl::Interrupted(std::uint32_t polls) {
  if (replay_ != nullptr) {
    const auto stop = replay_->FinalStop();
    if (!stop || stop->how != RecordedStop::kSoft || polls < stop->polls) return 0;
    fatal_ = StopError(static_cast<StopReason>(stop->reason));
    return 1;
  }
  const StopReason reason = worker_->lane().stop_reason();
  if (reason == StopReason::kNone) return 0;
  if (!fatal_) {
    fatal_ = StopError(reason);
    if (context_.record) {
      recording_.Stopped(RecordedStop::kSoft, static_cast<std::uint8_t>(reason), polls);
    }
  }
  return 1;
}

std::int64_t RunImpl::FetchReply(std::uint8_t* bytes, std::uint32_t n) {
  if (n != reply_.size()) return kTrap;
  if (n != 0) std::memcpy(bytes, reply_.data(), n);
  return static_cast<std::int64_t>(n);
}

std::int64_t RunImpl::Panic(std::string_view message) {
  RunError error;
  error.code = RunErrorCode::kInternalError;
  error.message = "the sandbox's guest gave up: " + std::string(message.substr(0, 1000));
  if (!fatal_) fatal_ = std::move(error);
  return kTrap;
}

std::int64_t RunImpl::Reply(const Value& value) {
  if (const Status encoded = EncodeValue(value, reply_); !encoded) {
    return ReplyError(RunErrorCode::kInvalidArgument, encoded.error().message());
  }
  return ReplyBytes();
}

// What the guest is told of reply_: its length, negated for an error. It lies in the mailbox when
// it fits (HandOver), else the guest fetches it.
std::int64_t RunImpl::ReplyBytes() {
  const std::size_t size = reply_.size();
  if (size > INT32_MAX) return kTrap;
  return reply_is_error_ ? ~static_cast<std::int64_t>(size) : static_cast<std::int64_t>(size);
}

std::int64_t RunImpl::ReplyError(RunErrorCode code, std::string message, std::string capability) {
  ValueObject error;
  error.Append("code", std::string(RunErrorCodeName(code)));
  error.Append("message", std::move(message));
  if (!capability.empty()) error.Append("capability", std::move(capability));
  if (fatal_) {
    error.Append("limit", fatal_->limit);
    error.Append("fatal", true);
  }
  reply_.clear();
  NEXUS_CHECK(EncodeValue(error, reply_).has_value());
  reply_is_error_ = true;
  return ReplyBytes();
}

bool RunImpl::Count(Limit limit, std::uint64_t amount) {
  std::uint64_t& used = used_[static_cast<std::size_t>(limit)];
  used += amount;
  return used <= limits_[limit];
}

std::int64_t RunImpl::Exhausted(Limit limit) {
  RunError error;
  error.code = RunErrorCode::kResourceLimit;
  error.limit = LimitName(limit);
  error.message = "limit " + error.limit + " reached: " + FormatLimit(limit, limits_[limit]) +
                  ": the run needs more: raise it with --limit " + error.limit + "=N";
  const std::string message = error.message;
  fatal_ = std::move(error);
  return ReplyError(RunErrorCode::kResourceLimit, message);
}

// The guest's own code builds requests, so this is a bug or an attack on the guest.
std::int64_t RunImpl::Malformed() {
  return ReplyError(RunErrorCode::kInvalidArgument, "host call: the request is malformed");
}

}  // namespace nexus::internal
