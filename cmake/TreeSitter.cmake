include_guard(GLOBAL)
# nexus::tree_sitter: the parser core of the system and the JavaScript and TypeScript grammars.
# The grammars are generated C (8 MB for TypeScript): -O1 and no warnings, compiled once.
#
# NEXUS_NPM_DIR  the folder whose node_modules holds the grammars

function(nexus_add_grammar name folder)
  if(NOT EXISTS "${folder}/parser.c")
    message(FATAL_ERROR "${folder}/parser.c is missing: run tools/setup")
  endif()
  add_library(tree_sitter_${name} STATIC "${folder}/parser.c" "${folder}/scanner.c")
  target_include_directories(tree_sitter_${name} PRIVATE "${folder}")
  target_compile_options(tree_sitter_${name} PRIVATE -w -O1 -fno-sanitize=all)
  target_link_libraries(nexus_tree_sitter INTERFACE tree_sitter_${name})
endfunction()

find_path(NEXUS_TREE_SITTER_INCLUDE tree_sitter/api.h REQUIRED)
find_library(NEXUS_TREE_SITTER_LIBRARY tree-sitter REQUIRED)
add_library(nexus_tree_sitter INTERFACE)
add_library(nexus::tree_sitter ALIAS nexus_tree_sitter)
target_include_directories(nexus_tree_sitter SYSTEM INTERFACE "${NEXUS_TREE_SITTER_INCLUDE}")

if(NEXUS_NPM_DIR)
  nexus_add_grammar(javascript "${NEXUS_NPM_DIR}/node_modules/tree-sitter-javascript/src")
  nexus_add_grammar(typescript "${NEXUS_NPM_DIR}/node_modules/tree-sitter-typescript/typescript/src")
else()
  message(FATAL_ERROR "the grammars are missing: run tools/setup")
endif()
target_link_libraries(nexus_tree_sitter INTERFACE "${NEXUS_TREE_SITTER_LIBRARY}")
