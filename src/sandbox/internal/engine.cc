#include "sandbox/internal/engine.h"

#include <wasmedge/wasmedge.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>

#include "base/check.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"

namespace nexus::internal {
namespace {

template <typename T, void (*kDelete)(T*)>
struct Deleter {
  void operator()(T* pointer) const { kDelete(pointer); }
};
template <typename T, void (*kDelete)(T*)>
using Owned = std::unique_ptr<T, Deleter<T, kDelete>>;

using Configure = Owned<WasmEdge_ConfigureContext, WasmEdge_ConfigureDelete>;
using Loader = Owned<WasmEdge_LoaderContext, WasmEdge_LoaderDelete>;
using Validator = Owned<WasmEdge_ValidatorContext, WasmEdge_ValidatorDelete>;
using Ast = Owned<WasmEdge_ASTModuleContext, WasmEdge_ASTModuleDelete>;
using Store = Owned<WasmEdge_StoreContext, WasmEdge_StoreDelete>;
using Executor = Owned<WasmEdge_ExecutorContext, WasmEdge_ExecutorDelete>;
using Module = Owned<WasmEdge_ModuleInstanceContext, WasmEdge_ModuleInstanceDelete>;

constexpr std::size_t kGuestFileBytesMax = std::size_t{256} << 20;
constexpr std::uint32_t kTrapUserCode = 1;

struct Name {
  WasmEdge_String text;
  explicit Name(const char* name) : text(WasmEdge_StringCreateByCString(name)) {}
  ~Name() { WasmEdge_StringDelete(text); }
  Name(const Name&) = delete;
  Name& operator=(const Name&) = delete;
};

constexpr std::array<const char*, kExportCount> kExportNames = {
    "nx_mailbox", "nx_init", "nx_alloc",  "nx_compile",
    "nx_load",    "nx_run",  "nx_resume", "nx_collect"};
constexpr std::array<std::uint32_t, kExportCount> kExportArity = {0, 2, 1, 3, 2, 2, 4, 0};

std::string Message(WasmEdge_Result result) { return WasmEdge_ResultGetMessage(result); }

// The executable mapping of the loaded library: where compiled guest code lies.
AddressRange FindCode(const std::filesystem::path& file) {
  std::error_code ignored;
  const std::string real = std::filesystem::weakly_canonical(file, ignored).string();
  std::ifstream maps("/proc/self/maps");
  AddressRange code;
  for (std::string line; std::getline(maps, line);) {
    unsigned long low = 0;
    unsigned long high = 0;
    char permissions[8] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %7s", &low, &high, permissions) != 3) continue;
    if (permissions[2] == 'x' && line.ends_with(real)) code = {low, high};
  }
  return code;
}

}  // namespace

struct Engine::Loaded {
  Configure configure;
  Ast ast;
};

Engine::Engine(std::unique_ptr<Loaded> loaded) : loaded_(std::move(loaded)) {}
Engine::~Engine() = default;

std::string Engine::Version() { return std::string("WasmEdge ") + WasmEdge_VersionGet(); }

Result<std::unique_ptr<Engine>> Engine::Load(const std::filesystem::path& guest_so) {
  const std::string place = "guest " + guest_so.string();
  Result<std::string> file = ReadFile(guest_so, kGuestFileBytesMax);
  if (!file) return std::unexpected(std::move(file).error().Context("load the guest"));

  WasmEdge_LogOff();
  auto loaded = std::make_unique<Loaded>();
  loaded->configure.reset(WasmEdge_ConfigureCreate());
  const Loader loader(WasmEdge_LoaderCreate(loaded->configure.get()));
  WasmEdge_ASTModuleContext* ast = nullptr;
  WasmEdge_Result result = WasmEdge_LoaderParseFromFile(loader.get(), &ast, guest_so.c_str());
  if (!WasmEdge_ResultOK(result)) {
    return Fail(Code::kUnavailable, place + ": " + Message(result) +
                                        ": build it again with ./run (it must be compiled by " +
                                        Version() + ")");
  }
  loaded->ast.reset(ast);
  const Validator validator(WasmEdge_ValidatorCreate(loaded->configure.get()));
  result = WasmEdge_ValidatorValidate(validator.get(), ast);
  if (!WasmEdge_ResultOK(result)) {
    return Fail(Code::kUnavailable, place + ": " + Message(result) + ": build it again with ./run");
  }
  if (WasmEdge_ASTModuleListImportsLength(ast) != 1) {
    return Fail(Code::kUnavailable, place + ": a guest has exactly one import, host.call");
  }
  auto engine = std::unique_ptr<Engine>(new Engine(std::move(loaded)));
  engine->guest_hash_ = Sha256Hex(*file);
  engine->code_ = FindCode(guest_so);
  if (engine->code_.low == 0) {
    return Fail(Code::kUnavailable,
                place + ": it is not compiled ahead of time: run wasmedge compile, or ./run");
  }
  AddGuestCode(engine->code_);
  return engine;
}

struct InstanceGroup::Handles {
  const WasmEdge_ASTModuleContext* ast = nullptr;
  Store store;
  Executor executor;
  Module host;
};

struct HostCallThunk {
  static WasmEdge_Result Call(void* data, const WasmEdge_CallingFrameContext*,
                              const WasmEdge_Value* in, WasmEdge_Value* out) {
    const auto* const group = static_cast<const InstanceGroup*>(data);
    if (group->port_ == nullptr)
      return WasmEdge_ResultGen(WasmEdge_ErrCategory_UserLevelError, kTrapUserCode);
    const auto p = static_cast<std::uint32_t>(WasmEdge_ValueGetI32(in[2]));
    const auto n = static_cast<std::uint32_t>(WasmEdge_ValueGetI32(in[3]));
    std::uint8_t* bytes = nullptr;
    if (n != 0) {
      if (std::uint64_t{p} + n > group->memory_bytes_) {
        return WasmEdge_ResultGen(WasmEdge_ErrCategory_UserLevelError, kTrapUserCode);
      }
      bytes = group->memory_ + p;
    }
    // An exception must not unwind through compiled guest code, which has no tables for it.
    std::int64_t reply = HostPort::kTrap;
    try {
      reply = group->port_->OnHostCall(WasmEdge_ValueGetI32(in[0]), WasmEdge_ValueGetI32(in[1]),
                                       bytes, n);
    } catch (const std::exception& error) {
      Log(Severity::kError, "host call threw", {{"what", error.what()}});
    } catch (...) {
      Log(Severity::kError, "host call threw");
    }
    if (reply == HostPort::kTrap)
      return WasmEdge_ResultGen(WasmEdge_ErrCategory_UserLevelError, kTrapUserCode);
    out[0] = WasmEdge_ValueGenI32(static_cast<std::int32_t>(reply));
    return WasmEdge_Result_Success;
  }
};

InstanceGroup::InstanceGroup(const Engine& engine) : handles_(std::make_unique<Handles>()) {
  handles_->ast = engine.loaded_->ast.get();
  handles_->store.reset(WasmEdge_StoreCreate());
  handles_->executor.reset(WasmEdge_ExecutorCreate(engine.loaded_->configure.get(), nullptr));
  const Name module_name("host");
  handles_->host.reset(WasmEdge_ModuleInstanceCreate(module_name.text));
  std::array<WasmEdge_ValType, 4> parameters;
  parameters.fill(WasmEdge_ValTypeGenI32());
  const WasmEdge_ValType result = WasmEdge_ValTypeGenI32();
  WasmEdge_FunctionTypeContext* const type =
      WasmEdge_FunctionTypeCreate(parameters.data(), parameters.size(), &result, 1);
  WasmEdge_FunctionInstanceContext* const function =
      WasmEdge_FunctionInstanceCreate(type, &HostCallThunk::Call, this, 0);
  WasmEdge_FunctionTypeDelete(type);
  const Name function_name("call");
  WasmEdge_ModuleInstanceAddFunction(handles_->host.get(), function_name.text, function);
  const WasmEdge_Result registered = WasmEdge_ExecutorRegisterImport(
      handles_->executor.get(), handles_->store.get(), handles_->host.get());
  NEXUS_CHECK(WasmEdge_ResultOK(registered), "the engine refused the host module");
}

InstanceGroup::~InstanceGroup() = default;

struct InstanceGroup::Instance::Handles {
  Module module;
  WasmEdge_ExecutorContext* executor = nullptr;
  WasmEdge_GlobalInstanceContext* stack_pointer = nullptr;
  const WasmEdge_FunctionInstanceContext* initialize = nullptr;
  std::array<const WasmEdge_FunctionInstanceContext*, kExportCount> functions{};
};

InstanceGroup::Instance::~Instance() = default;

Result<std::unique_ptr<Instance>> InstanceGroup::CreateInstance(std::size_t memory_bytes) {
  NEXUS_CHECK(memory_bytes % kWasmPageBytes == 0);
  WasmEdge_ModuleInstanceContext* module = nullptr;
  const WasmEdge_Result result = WasmEdge_ExecutorInstantiate(handles_->executor.get(), &module,
                                                              handles_->store.get(), handles_->ast);
  if (!WasmEdge_ResultOK(result)) {
    return Fail(Code::kUnavailable, "create an instance: " + Message(result) +
                                        ": each reserves 12 GiB of address space: keep fewer "
                                        "instances or raise ulimit -v");
  }
  auto instance = std::unique_ptr<Instance>(new Instance);
  instance->handles_ = std::make_unique<Instance::Handles>();
  Instance::Handles& handles = *instance->handles_;
  handles.module.reset(module);
  handles.executor = handles_->executor.get();
  const auto find = [module](const char* name) {
    const Name text(name);
    return WasmEdge_ModuleInstanceFindFunction(module, text.text);
  };
  handles.initialize = find("_initialize");
  for (std::size_t i = 0; i < kExportNames.size(); ++i) {
    handles.functions[i] = find(kExportNames[i]);
    if (handles.functions[i] == nullptr) {
      return Fail(Code::kUnavailable, std::string("guest: it does not export ") + kExportNames[i] +
                                          ": guest and host are of different versions: ./run");
    }
  }
  const Name memory_name("memory");
  const Name stack_name("__stack_pointer");
  WasmEdge_MemoryInstanceContext* const memory =
      WasmEdge_ModuleInstanceFindMemory(module, memory_name.text);
  handles.stack_pointer = WasmEdge_ModuleInstanceFindGlobal(module, stack_name.text);
  if (memory == nullptr || handles.stack_pointer == nullptr) {
    return Fail(Code::kUnavailable, "guest: memory or __stack_pointer is missing");
  }
  const std::uint32_t pages = WasmEdge_MemoryInstanceGetPageSize(memory);
  const std::size_t wanted = memory_bytes / kWasmPageBytes;
  if (wanted < pages) {
    return Fail(Code::kInvalidArgument,
                "limit memory: the guest itself needs " + std::to_string(pages / 16) + " MiB");
  }
  if (wanted > pages && !WasmEdge_ResultOK(WasmEdge_MemoryInstanceGrowPage(
                            memory, static_cast<std::uint32_t>(wanted - pages)))) {
    return Fail(Code::kUnavailable, "create an instance: no address space for its memory");
  }
  instance->memory_ = WasmEdge_MemoryInstanceGetPointer(memory, 0, 1);
  instance->memory_bytes_ = memory_bytes;
  NEXUS_CHECK(reinterpret_cast<std::uintptr_t>(instance->memory_) % 4096 == 0);
  return instance;
}

CallOutcome InstanceGroup::Instance::Call(Export function, std::int32_t a, std::int32_t b,
                                          std::int32_t c, std::int32_t d) {
  const auto index = static_cast<std::size_t>(function);
  const std::array<WasmEdge_Value, 4> arguments = {WasmEdge_ValueGenI32(a), WasmEdge_ValueGenI32(b),
                                                   WasmEdge_ValueGenI32(c),
                                                   WasmEdge_ValueGenI32(d)};
  WasmEdge_Value returned{};
  const WasmEdge_Result result =
      WasmEdge_ExecutorInvoke(handles_->executor, handles_->functions[index], arguments.data(),
                              kExportArity[index], &returned, 1);
  if (WasmEdge_ResultOK(result)) [[likely]] {
    return {.value = WasmEdge_ValueGetI32(returned), .trap_message = {}};
  }
  return {.trapped = true,
          .trap_code = WasmEdge_ResultGetCode(result),
          .trap_message = WasmEdge_ResultGetMessage(result)};
}

CallOutcome InstanceGroup::Instance::Initialize() {
  if (handles_->initialize == nullptr) return {.trap_message = {}};
  const WasmEdge_Result result =
      WasmEdge_ExecutorInvoke(handles_->executor, handles_->initialize, nullptr, 0, nullptr, 0);
  if (WasmEdge_ResultOK(result)) return {.trap_message = {}};
  return {.trapped = true,
          .trap_code = WasmEdge_ResultGetCode(result),
          .trap_message = WasmEdge_ResultGetMessage(result)};
}

std::uint32_t InstanceGroup::Instance::stack_pointer() const {
  return static_cast<std::uint32_t>(
      WasmEdge_ValueGetI32(WasmEdge_GlobalInstanceGetValue(handles_->stack_pointer)));
}

void InstanceGroup::Instance::set_stack_pointer(std::uint32_t value) {
  WasmEdge_GlobalInstanceSetValue(handles_->stack_pointer,
                                  WasmEdge_ValueGenI32(static_cast<std::int32_t>(value)));
}

}  // namespace nexus::internal
