/* The native side of the kernel benchmark: the same patched QuickJS, built by the platform's
 * compiler with the platform's malloc. Prints one JSON line a kernel: {kernel, ms, checksum}.
 *
 * Usage: native_kernels FILE [ROUNDS] [KERNEL...]; FILE defines the functions k_<kernel>; ms is the
 * best CPU time of ROUNDS (5) calls. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "quickjs.h"

static double CpuMs(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static char* ReadAll(const char* path, size_t* size) {
  FILE* f = fopen(path, "rb");
  if (!f) return NULL;
  fseek(f, 0, SEEK_END);
  *size = (size_t)ftell(f);
  rewind(f);
  char* text = malloc(*size + 1);
  if (text) {
    text[fread(text, 1, *size, f)] = 0;
  }
  fclose(f);
  return text;
}

static int RunKernel(const char* text, size_t size, const char* kernel, int rounds) {
  JSRuntime* rt = JS_NewRuntime();
  JSContext* ctx = JS_NewContext(rt);
  char call[64];
  int ok = 0;
  double best = 1e300;
  JSValue last = JS_UNDEFINED;
  JS_SetMaxStackSize(rt, 1 << 20);
  JS_FreeValue(ctx, JS_Eval(ctx, text, size, "kernels.js", JS_EVAL_TYPE_GLOBAL));
  snprintf(call, sizeof call, "k_%s()", kernel);
  for (int i = 0; i < rounds; i++) {
    double start = CpuMs();
    JSValue v = JS_Eval(ctx, call, strlen(call), "call.js", JS_EVAL_TYPE_GLOBAL);
    double ms = CpuMs() - start;
    JS_FreeValue(ctx, last);
    last = v;
    if (ms < best) best = ms;
  }
  const char* checksum = JS_IsException(last) ? NULL : JS_ToCString(ctx, last);
  if (checksum) {
    printf("{\"kernel\":\"%s\",\"ms\":%.3f,\"checksum\":\"%s\"}\n", kernel, best, checksum);
    ok = 1;
  } else {
    fprintf(stderr, "native_kernels: %s: the kernel failed\n", kernel);
  }
  JS_FreeCString(ctx, checksum);
  JS_FreeValue(ctx, last);
  JS_FreeContext(ctx);
  JS_FreeRuntime(rt);
  return ok;
}

int main(int argc, char** argv) {
  static const char* const all[] = {"fib",  "richards", "sort",  "string", "regex",
                                    "json", "mapset",   "float", "typed"};
  size_t size = 0;
  char* text = argc > 1 ? ReadAll(argv[1], &size) : NULL;
  int rounds = argc > 2 ? atoi(argv[2]) : 5;
  int failures = 0;
  if (!text || rounds < 1) {
    fprintf(stderr, "usage: native_kernels FILE [ROUNDS] [KERNEL...]\n");
    return 2;
  }
  if (argc > 3) {
    for (int i = 3; i < argc; i++) failures += !RunKernel(text, size, argv[i], rounds);
  } else {
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
      failures += !RunKernel(text, size, all[i], rounds);
    }
  }
  free(text);
  return failures != 0;
}
