# Builds the page into DIST with WEB/build.sh and writes OUT, a source that holds its files.
cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE "${DIST}")
file(MAKE_DIRECTORY "${DIST}")
if(EXISTS "${WEB}/build.sh")
  execute_process(COMMAND "${CMAKE_COMMAND}" -E env "ESBUILD=${ESBUILD}" bash "${WEB}/build.sh" "${DIST}"
    RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "web/build.sh failed: see above")
  endif()
endif()

set(types html "text/html; charset=utf-8" js "text/javascript; charset=utf-8" css "text/css; charset=utf-8"
  svg "image/svg+xml" json "application/json" png "image/png" ico "image/x-icon" woff2 "font/woff2"
  txt "text/plain; charset=utf-8" webmanifest "application/manifest+json")
set(data "")
set(rows "")
set(index 0)
file(GLOB_RECURSE files RELATIVE "${DIST}" "${DIST}/*")
list(FILTER files EXCLUDE REGEX "\\.gz$")
foreach(file IN LISTS files)
  execute_process(COMMAND gzip -9 -n -c "${DIST}/${file}" OUTPUT_FILE "${DIST}/${file}.gz" COMMAND_ERROR_IS_FATAL ANY)
  file(SHA256 "${DIST}/${file}" hash)
  string(SUBSTRING "${hash}" 0 32 hash)
  string(REGEX REPLACE "^.*\\." "" extension "${file}")
  list(FIND types "${extension}" at)
  set(type "application/octet-stream")
  if(NOT at EQUAL -1)
    math(EXPR at "${at} + 1")
    list(GET types ${at} type)
  endif()
  file(SIZE "${DIST}/${file}.gz" size)
  file(SIZE "${DIST}/${file}" plain_size)
  string(APPEND data "asm(\".section .rodata\\n.global nexus_web_${index}\\nnexus_web_${index}:\\n"
    ".incbin \\\"${DIST}/${file}.gz\\\"\\n.global nexus_web_plain_${index}\\nnexus_web_plain_${index}:\\n"
    ".incbin \\\"${DIST}/${file}\\\"\\n.previous\");\nextern \"C\" const char nexus_web_${index}[];\n"
    "extern \"C\" const char nexus_web_plain_${index}[];\n")
  string(APPEND rows "    {\"/${file}\", \"${type}\", {nexus_web_${index}, ${size}},\n"
    "     {nexus_web_plain_${index}, ${plain_size}}, \"\\\"${hash}\\\"\"},\n")
  math(EXPR index "${index} + 1")
endforeach()
file(WRITE "${OUT}" "#include <array>\n#include \"server/assets.h\"\n${data}
namespace nexus {
std::span<const Asset> WebAssets() {
  static const std::array<Asset, ${index}> assets = {{\n${rows}  }};
  return assets;
}
}  // namespace nexus\n")
