/* libc's WASI imports, answered inside the module, so that it has one import: host.call.
 * No clock, no randomness, no files: an image is the same bytes wherever it is built. */
#define WASI(name) __imported_wasi_snapshot_preview1_##name

enum { kErrnoNotSupported = 58 };

int32_t WASI(clock_time_get)(int32_t id, int64_t precision, int32_t out) {
  (void)id, (void)precision;
  uint64_t ns = (uint64_t)nx_clock_ms() * 1000000u;
  memcpy((void*)out, &ns, sizeof ns);
  return 0;
}

int32_t WASI(fd_write)(int32_t fd, int32_t vectors, int32_t count, int32_t out) {
  (void)fd;
  const uint32_t* v = (const uint32_t*)vectors;
  uint32_t total = 0;
  for (int32_t i = 0; i < count; i++) {
    host_call(kHostDebug, 0, (const void*)v[2 * i], v[2 * i + 1]);
    total += v[2 * i + 1];
  }
  *(uint32_t*)out = total;
  return 0;
}

int32_t WASI(fd_fdstat_get)(int32_t fd, int32_t out) {
  (void)fd;
  memset((void*)out, 0, 24);
  *(uint8_t*)out = 2; /* a character device */
  return 0;
}

int32_t WASI(fd_seek)(int32_t fd, int64_t offset, int32_t whence, int32_t out) {
  (void)fd, (void)offset, (void)whence, (void)out;
  return kErrnoNotSupported;
}
int32_t WASI(fd_close)(int32_t fd) {
  (void)fd;
  return 0;
}
int32_t WASI(fd_read)(int32_t fd, int32_t vectors, int32_t count, int32_t out) {
  (void)fd, (void)vectors, (void)count;
  *(uint32_t*)out = 0;
  return 0;
}
int32_t WASI(random_get)(int32_t p, int32_t n) {
  memset((void*)p, 0, (size_t)n);
  return 0;
}
int32_t WASI(environ_get)(int32_t a, int32_t b) {
  (void)a, (void)b;
  return 0;
}
int32_t WASI(environ_sizes_get)(int32_t count, int32_t size) {
  *(uint32_t*)count = 0;
  *(uint32_t*)size = 0;
  return 0;
}
_Noreturn void WASI(proc_exit)(int32_t code) {
  static const char text[] = "the guest's libc asked to exit";
  (void)code;
  host_call(kHostPanic, 0, text, sizeof text - 1);
  __builtin_trap();
}
