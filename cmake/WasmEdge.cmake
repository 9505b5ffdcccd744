include_guard(GLOBAL)
# nexus::wasmedge: the engine, for a module's LINK.
#
# Debian 13 has the engine as a package. On Debian 12 tools/setup unpacks Debian 13's packages, with the
# C library they were built for, into a private prefix; every program that links this target is then
# started by the loader of that prefix. The system's own libraries stay as they are.
#
# NEXUS_ENGINE_PREFIX  the private prefix; empty to use the system's package
# NEXUS_LLVM_STUB      stand-in for libLLVM, which only the guest's compiler needs; empty for the real one

add_library(nexus_wasmedge INTERFACE)
add_library(nexus::wasmedge ALIAS nexus_wasmedge)

# The stand-in must be loaded before the engine asks for LLVM, and a library the program itself names is:
# so the program is linked to it, though it uses nothing of it.
if(NEXUS_LLVM_STUB)
  get_filename_component(stub_dir "${NEXUS_LLVM_STUB}" DIRECTORY)
  target_link_options(nexus_wasmedge INTERFACE "LINKER:-rpath,${stub_dir}" "LINKER:--disable-new-dtags"
    "LINKER:--push-state,--no-as-needed" "${NEXUS_LLVM_STUB}" "LINKER:--pop-state")
endif()

if(NEXUS_ENGINE_PREFIX)
  set(lib "${NEXUS_ENGINE_PREFIX}/usr/lib/x86_64-linux-gnu")
  if(NOT EXISTS "${lib}/libwasmedge.so")
    message(FATAL_ERROR "${lib}/libwasmedge.so is missing: run tools/setup")
  endif()
  target_include_directories(nexus_wasmedge SYSTEM INTERFACE "${NEXUS_ENGINE_PREFIX}/usr/include")
  # By name: from a path CMake would make a run path of its own, and warn that it hides the system's zstd.
  target_link_libraries(nexus_wasmedge INTERFACE "-L${lib}" -lwasmedge)
  # DT_RPATH rather than DT_RUNPATH, because the engine's own dependencies are to be found there too.
  # Undefined symbols are allowed in shared libraries only: the engine needs a newer C library than the
  # one we link against, and finds it when the program starts.
  target_link_options(nexus_wasmedge INTERFACE
    "LINKER:--dynamic-linker=${lib}/ld-linux-x86-64.so.2"
    "LINKER:-rpath,${lib}" "LINKER:--disable-new-dtags" "LINKER:--allow-shlib-undefined")
else()
  find_path(NEXUS_WASMEDGE_INCLUDE wasmedge/wasmedge.h)
  find_library(NEXUS_WASMEDGE_LIBRARY wasmedge)
  if(NEXUS_WASMEDGE_INCLUDE AND NEXUS_WASMEDGE_LIBRARY)
    target_include_directories(nexus_wasmedge SYSTEM INTERFACE "${NEXUS_WASMEDGE_INCLUDE}")
    target_link_libraries(nexus_wasmedge INTERFACE "${NEXUS_WASMEDGE_LIBRARY}")
  else()
    message(FATAL_ERROR "WasmEdge is missing: run tools/setup")
  endif()
endif()
