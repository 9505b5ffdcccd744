# Writes the C source of a library that stands in for libLLVM (see make_llvm_stub in setup.d/engine.sh).
# Input: the names that are needed, one "name@version" a line; then `readelf -W --dyn-syms` of the library.

BEGIN {
  print "#include <stddef.h>"
  print "#include <stdlib.h>"
  print "#include <string.h>"
  print "#include <unistd.h>"
  print ""
  print "static void Say(const char* text) { if (write(2, text, strlen(text)) < 0) _exit(134); }"
  print ""
  print "__attribute__((noreturn, noinline, cold)) static void Called(const char* name) {"
  print "  Say(\"nexus: the engine called \");"
  print "  Say(name);"
  print "  Say(\" of LLVM, which is only there when the guest is compiled: the engine's version does not fit\\n\");"
  print "  abort();"
  print "}"
  print ""
}

NR == FNR { needed[$1] = 1; wanted++; next }

$7 == "UND" || !match($8, /@@?LLVM_[0-9.]+$/) { next }

{
  name = substr($8, 1, RSTART - 1)
  version = substr($8, RSTART); sub(/^@@?/, "@", version)
  if (!((name version) in needed) || (name in made)) next
  made[name] = 1
  n++
  if (name == "_ZN4llvm15allocate_bufferEmm") {
    printf "void* Stub%d(size_t size, size_t alignment) __asm__(\"%s\");\n", n, name
    printf "void* Stub%d(size_t size, size_t alignment) {\n", n
    print  "  return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);\n}"
  } else if (name == "_ZN4llvm17deallocate_bufferEPvmm") {
    printf "void Stub%d(void* memory) __asm__(\"%s\");\n", n, name
    printf "void Stub%d(void* memory) { free(memory); }\n", n
  } else if ($4 == "FUNC") {
    printf "void Stub%d(void) __asm__(\"%s\");\nvoid Stub%d(void) { Called(\"%s\"); }\n", n, name, n, name
  } else if ($4 == "TLS") {
    printf "extern __thread char data%d[%d] __asm__(\"%s\");\n__thread char data%d[%d] __attribute__((aligned(16)));\n", \
      n, $3, name, n, $3
  } else {
    printf "extern char data%d[%d] __asm__(\"%s\");\nchar data%d[%d] __attribute__((aligned(16)));\n", n, $3, name, n, $3
  }
}

END {
  if (n != wanted) {
    printf "%d of the %d needed symbols are not in the library\n", wanted - n, wanted > "/dev/stderr"
    exit 1
  }
}
