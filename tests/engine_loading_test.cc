// Goal: a program that links the engine starts small. libwasmedge asks for libLLVM, which costs 45
// MB and 20 ms and is used by the guest's compiler alone, so our programs load a stand-in of the
// same name; it must be loaded in place of the real one, do no harm, and stop the process should it
// ever be needed. Method: this program links the engine as every program of the tree does, and
// looks at itself.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <wasmedge/wasmedge.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <string>

namespace {

// The files mapped into this process whose name contains `part`.
std::set<std::string> MappedFiles(const std::string& part) {
  std::set<std::string> files;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const std::size_t path = line.find('/');
    if (path != std::string::npos && line.find(part) != std::string::npos) {
      files.insert(line.substr(path));
    }
  }
  return files;
}

TEST(EngineLoading, TheEngineIsTheVersionTheSandboxWasWrittenFor) {
  EXPECT_STREQ(WasmEdge_VersionGet(), "0.14.1");
}

TEST(EngineLoading, TheStandInIsLoadedAndTheRealLlvmIsNot) {
  if (std::string(NEXUS_LLVM_STUB).empty()) GTEST_SKIP() << "built without the stand-in";
  EXPECT_EQ(MappedFiles("libLLVM"), std::set<std::string>{NEXUS_LLVM_STUB});
}

// Everything of the engine that does not compile: configuration, loader, validator, executor,
// store.
TEST(EngineLoading, TheEngineWorksWithoutLlvm) {
  // (module (func (export "f") (result i32) (i32.const 42)))
  static constexpr std::uint8_t kModule[] = {0, 'a', 's',  'm', 1, 0, 0, 0,    1,  5,   1, 0x60,
                                             0, 1,   0x7f, 3,   2, 1, 0, 7,    5,  1,   1, 'f',
                                             0, 0,   10,   6,   1, 4, 0, 0x41, 42, 0x0b};
  WasmEdge_ConfigureContext* configure = WasmEdge_ConfigureCreate();
  WasmEdge_VMContext* vm = WasmEdge_VMCreate(configure, nullptr);
  const WasmEdge_String name = WasmEdge_StringCreateByCString("f");
  WasmEdge_Value result = WasmEdge_ValueGenI32(0);
  const WasmEdge_Result outcome =
      WasmEdge_VMRunWasmFromBuffer(vm, kModule, sizeof kModule, name, nullptr, 0, &result, 1);
  EXPECT_TRUE(WasmEdge_ResultOK(outcome)) << WasmEdge_ResultGetMessage(outcome);
  EXPECT_EQ(WasmEdge_ValueGetI32(result), 42);
  WasmEdge_StringDelete(name);
  WasmEdge_VMDelete(vm);
  WasmEdge_ConfigureDelete(configure);
}

TEST(EngineLoading, ACallOfTheStandInStopsTheProcessAndNamesTheFunction) {
  if (std::string(NEXUS_LLVM_STUB).empty()) GTEST_SKIP() << "built without the stand-in";
  void* const function = dlsym(RTLD_DEFAULT, "LLVMRunPasses");
  ASSERT_NE(function, nullptr);
  EXPECT_DEATH(reinterpret_cast<void (*)()>(function)(), "the engine called LLVMRunPasses of LLVM");
}

// A child must not inherit the private C library: nothing of it may stand in the environment.
TEST(EngineLoading, ChildrenRunOnTheSystemsLibraries) {
  EXPECT_EQ(std::getenv("LD_LIBRARY_PATH"), nullptr);
  if (std::string(NEXUS_ENGINE_PREFIX).empty()) GTEST_SKIP() << "the engine is the system's own";
  EXPECT_FALSE(MappedFiles(NEXUS_ENGINE_PREFIX).empty());
  EXPECT_NE(std::system("grep -qF '" NEXUS_ENGINE_PREFIX "' /proc/self/maps"), 0);
}

}  // namespace
