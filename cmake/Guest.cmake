include_guard(GLOBAL)
# Puts what the programs look for beside themselves into the build folder: the compiled guest as
# nexus_guest.so and the bundler as esbuild.
#
# NEXUS_GUEST_SO  the guest, compiled ahead of time by tools/setup
# NEXUS_ESBUILD   the esbuild program

function(nexus_link_beside_programs file name)
  if(EXISTS "${file}")
    file(CREATE_LINK "${file}" "${PROJECT_BINARY_DIR}/${name}" SYMBOLIC)
  endif()
endfunction()

nexus_link_beside_programs("${NEXUS_GUEST_SO}" nexus_guest.so)
nexus_link_beside_programs("${NEXUS_ESBUILD}" esbuild)
