include_guard(GLOBAL)
# nexus_embed_web_assets(target): the page of web/ becomes part of `target`, as src/server/assets.h
# offers it. It is built by web/build.sh OUTDIR; without one there is no page and the server says so.

function(nexus_embed_web_assets target)
  set(dist "${PROJECT_BINARY_DIR}/web")
  set(generated "${PROJECT_BINARY_DIR}/web_assets.cc")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/web/src/*" "${PROJECT_SOURCE_DIR}/web/*.sh"
    "${PROJECT_SOURCE_DIR}/web/*.mjs" "${PROJECT_SOURCE_DIR}/web/*.html" "${PROJECT_SOURCE_DIR}/web/*.json")
  list(FILTER sources EXCLUDE REGEX "/node_modules/")
  add_custom_command(OUTPUT "${generated}"
    COMMAND "${CMAKE_COMMAND}" "-DWEB=${PROJECT_SOURCE_DIR}/web" "-DDIST=${dist}" "-DOUT=${generated}"
      "-DESBUILD=${NEXUS_ESBUILD}" -P "${PROJECT_SOURCE_DIR}/cmake/EmbedWeb.cmake"
    DEPENDS ${sources} "${PROJECT_SOURCE_DIR}/cmake/EmbedWeb.cmake"
    COMMENT "Embedding the page" VERBATIM)
  target_sources(${target} PRIVATE "${generated}")
endfunction()
