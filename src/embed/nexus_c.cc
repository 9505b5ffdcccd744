#include "embed/nexus_c.h"

#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/text.h"
#include "extension/registry.h"
#include "sandbox/sandbox.h"
#include "source/typescript.h"

// The types behind the opaque handles of the header, which are in no namespace.
struct nexus_sandbox {
  std::unique_ptr<nexus::Sandbox> sandbox;
  nexus::Registry registry;
};
struct nexus_program {
  nexus::ProgramPtr program;
};
struct nexus_answer {
  std::optional<nexus::Answer> answer;
};

namespace nexus {
namespace {

std::string& LastError() {
  thread_local std::string error;
  return error;
}

void SetError(RunError error) { LastError() = ToJson(RunErrorToValue(error)); }

void SetError(const Error& error) {
  LastError() = ToJson(
      Value::Object({{"code", std::string(CodeName(error.code()))}, {"message", error.message()}}));
}

// Runs `body` so that no exception crosses into C. `failed` is what the C function returns then.
template <typename R, typename F>
R Guarded(R failed, F&& body) noexcept {
  LastError().clear();
  try {
    return body();
  } catch (const std::exception& exception) {
    SetError(Error(Code::kInternal, exception.what()));
  }
  return failed;
}

char* CopyForC(const std::string& text) {
  char* copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (copy != nullptr) std::memcpy(copy, text.c_str(), text.size() + 1);
  return copy;
}

// An extension whose methods are one C function.
class CallbackExtension final : public Extension {
 public:
  CallbackExtension(std::string name, std::string_view methods, nexus_call_function function,
                    void* user)
      : name_(std::move(name)), function_(function), user_(user) {
    for (const std::string_view method : Split(methods, ',')) {
      if (Trim(method).empty()) continue;
      methods_.push_back({.name = std::string(Trim(method)),
                          .summary = {},
                          .idempotent = false,
                          .path_argument = {}});
    }
  }
  std::string_view name() const override { return name_; }
  std::span<const MethodDescriptor> methods() const override { return methods_; }
  void Call(ExtensionCall call, AnswerFunction done) override {
    nexus_answer answer;
    const std::string args = ToJson(Value(std::move(call.args)));
    function_(user_, call.method.c_str(), args.c_str(), &answer);
    done(answer.answer ? *std::move(answer.answer)
                       : Answer::Failed(name_ + "." + call.method + ": gave no answer"));
  }

 private:
  const std::string name_;
  std::vector<MethodDescriptor> methods_;
  const nexus_call_function function_;
  void* const user_;
};

struct Request {
  ExecutionContext context;
  std::optional<MemoryState> state;
};

Result<Request> ReadRequest(const char* text) {
  Request request;
  if (text == nullptr) return request;
  NEXUS_TRY(const Value value, ParseJson(text));
  const ValueObject* object = value.As<ValueObject>();
  if (object == nullptr) return Fail(Code::kInvalidArgument, "request: must be a JSON object");
  for (const auto& [key, member] : *object) {
    if (key == "args") {
      request.context.args = member;
    } else if (key == "state" && member.As<ValueObject>() != nullptr) {
      request.state.emplace(*member.As<ValueObject>());
    } else if (key == "capabilities") {
      NEXUS_TRY(request.context.capabilities, CapabilitySet::FromValue(member));
    } else if (key == "limits") {
      NEXUS_TRY(request.context.limits, Limits::FromValue(member));
    } else if (key == "seed" && member.As<double>() != nullptr) {
      request.context.seed = static_cast<std::uint64_t>(*member.As<double>());
    } else {
      return Fail(Code::kInvalidArgument,
                  "request: member '" + key +
                      "' is unknown or of the wrong type: the members are args, state, "
                      "capabilities, limits and seed");
    }
  }
  return request;
}

Result<ProgramSpec> ReadProgram(const char* name, const char* source) {
  ProgramSpec spec{.name = name, .text = source};
  const bool typescript = spec.name.ends_with(".ts") || spec.name.ends_with(".mts");
  if (!typescript) return spec;
  NEXUS_TRY(StrippedSource stripped, StripTypes(source));
  if (stripped.needs_bundler) {
    return Fail(Code::kInvalidArgument,
                std::to_string(stripped.first_unerasable.line) + ":" +
                    std::to_string(stripped.first_unerasable.column) + ": " +
                    stripped.unerasable_what +
                    " cannot be removed as a type: compile the program first");
  }
  spec.author_text = std::exchange(spec.text, std::move(stripped.javascript));
  return spec;
}

}  // namespace
}  // namespace nexus

extern "C" {

const char* nexus_version(void) { return NEXUS_VERSION; }

const char* nexus_last_error(void) { return nexus::LastError().c_str(); }

nexus_sandbox* nexus_sandbox_create(const nexus_options* given) {
  return nexus::Guarded<nexus_sandbox*>(nullptr, [&]() -> nexus_sandbox* {
    nexus::SandboxOptions options;
    if (given != nullptr && given->size >= sizeof(nexus_options)) {
      if (given->guest_path != nullptr) options.guest_path = given->guest_path;
      if (given->cache_dir != nullptr) options.cache_dir = given->cache_dir;
    }
    auto sandbox = nexus::Sandbox::Create(std::move(options));
    if (sandbox) return new nexus_sandbox{*std::move(sandbox), {}};
    nexus::SetError(sandbox.error());
    return nullptr;
  });
}

void nexus_sandbox_destroy(nexus_sandbox* sandbox) { delete sandbox; }

nexus_program* nexus_program_load(nexus_sandbox* sandbox, const char* name, const char* source) {
  return nexus::Guarded<nexus_program*>(nullptr, [&]() -> nexus_program* {
    if (sandbox == nullptr || name == nullptr || source == nullptr) {
      nexus::SetError(nexus::Error(nexus::Code::kInvalidArgument,
                                   "program: sandbox, name and source are required"));
      return nullptr;
    }
    auto spec = nexus::ReadProgram(name, source);
    if (!spec) {
      nexus::SetError(std::move(spec).error().Context(name));
      return nullptr;
    }
    auto program = sandbox->sandbox->Load(*spec);
    if (program) return new nexus_program{*std::move(program)};
    nexus::SetError(program.error().error);
    return nullptr;
  });
}

void nexus_program_destroy(nexus_program* program) { delete program; }

char* nexus_run_json(nexus_sandbox* sandbox, nexus_program* program, const char* request_text) {
  return nexus::Guarded<char*>(nullptr, [&]() -> char* {
    if (sandbox == nullptr || program == nullptr) {
      nexus::SetError(
          nexus::Error(nexus::Code::kInvalidArgument, "run: sandbox and program are required"));
      return nullptr;
    }
    auto request = nexus::ReadRequest(request_text);
    if (!request) {
      nexus::SetError(request.error());
      return nullptr;
    }
    if (request->state) request->context.state = &*request->state;
    request->context.extensions = sandbox->registry.Bindings();
    const nexus::RunResult result =
        sandbox->sandbox->Execute(program->program, std::move(request->context));
    nexus::Value value = result.ToValue();
    if (request->state)
      value.As<nexus::ValueObject>()->Set("state", nexus::Value(request->state->values()));
    return nexus::CopyForC(nexus::ToJson(value));
  });
}

void nexus_free_string(char* text) { std::free(text); }

void nexus_answer_value(nexus_answer* answer, const char* json) {
  (void)nexus::Guarded<int>(-1, [&] {
    auto value =
        json == nullptr ? nexus::Result<nexus::Value>(nexus::Value()) : nexus::ParseJson(json);
    answer->answer = value ? nexus::Answer::Ok(*std::move(value))
                           : nexus::Answer::Failed("the extension's answer is not JSON: " +
                                                   value.error().message());
    return 0;
  });
}

void nexus_answer_error(nexus_answer* answer, const char* message) {
  (void)nexus::Guarded<int>(-1, [&] {
    answer->answer = nexus::Answer::Failed(message == nullptr ? "failed" : message);
    return 0;
  });
}

int nexus_extension_add(nexus_sandbox* sandbox, const char* name, const char* methods,
                        nexus_call_function function, void* user) {
  return nexus::Guarded<int>(-1, [&] {
    if (sandbox == nullptr || name == nullptr || methods == nullptr || function == nullptr) {
      nexus::SetError(nexus::Error(nexus::Code::kInvalidArgument,
                                   "extension: name, methods and function are required"));
      return -1;
    }
    auto added = sandbox->registry.Add(
        std::make_shared<nexus::CallbackExtension>(name, methods, function, user));
    if (added) return 0;
    nexus::SetError(added.error());
    return -1;
  });
}

}  // extern "C"
