include_guard(GLOBAL)
# The flags every module is compiled with, as the INTERFACE target nexus_options.

option(NEXUS_BENCH "Build the micro benchmarks (*_bench.cc)" OFF)
option(NEXUS_FUZZ "Build the fuzz targets (*_fuzz.cc); needs clang" OFF)
option(NEXUS_PARTIAL_TREE "Leave out, with a warning, modules whose dependencies are missing" OFF)
set(NEXUS_SANITIZE "" CACHE STRING "Value for -fsanitize=, for example address,undefined")

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_C_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")

find_program(NEXUS_CCACHE ccache)
if(NEXUS_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER "${NEXUS_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${NEXUS_CCACHE}")
endif()

# A fast linker: linking is a large part of a rebuild after one edit.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(-fuse-ld=lld)
else()
  find_program(NEXUS_MOLD mold)
  if(NEXUS_MOLD)
    add_link_options(-fuse-ld=mold)
  endif()
endif()

add_library(nexus_options INTERFACE)
add_library(nexus::options ALIAS nexus_options)
target_include_directories(nexus_options INTERFACE
  "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>"   # "base/result.h"
  "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>")      # "guest/abi.h"
target_compile_definitions(nexus_options INTERFACE NEXUS_VERSION="${PROJECT_VERSION}")
set(warnings
  -Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wvla
  -Wno-missing-field-initializers)  # Designated initialisers leave out members on purpose.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12 itself uses std::get_temporary_buffer, in std::stable_sort.
  list(APPEND warnings -Wno-deprecated-declarations)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports both falsely at -O2 for std::string concatenation and for std::expected.
  list(APPEND warnings -Wno-restrict -Wno-maybe-uninitialized)
endif()
target_compile_options(nexus_options INTERFACE "$<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:CXX>:${warnings}>>")

if(NEXUS_SANITIZE)
  # -O1 compiles a seventh faster than -O2 and finds the same.
  add_compile_options(-fsanitize=${NEXUS_SANITIZE} -O1 -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${NEXUS_SANITIZE})
  if(NEXUS_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=all)
    add_link_options(-fno-sanitize-recover=all)
  endif()
  if(NEXUS_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
  endif()
else()
  # The product runs foreign code: keep the cheap checks of the library and of the compiler on.
  add_compile_options(-fstack-protector-strong)
  add_compile_definitions($<$<COMPILE_LANGUAGE:CXX>:_GLIBCXX_ASSERTIONS>)
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  endif()
endif()
