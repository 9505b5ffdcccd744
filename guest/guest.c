/* The guest as one translation unit: the allocator below QuickJS, the rest above it, so that the
 * compiler sees through every call between them. The other files say what they do. */
#define NX_GUEST 1
#include <stdint.h>

#include "hot.h"

static int64_t nx_clock_ms(void);
static int nx_poll(void);

/* Order matters: each file uses those before it. */
/* clang-format off */
#include "alloc.c"
#include "quickjs.c"
#include "codec.c"
#include "decode.c"
#include "host.c"
#include "wasi.c"
#include "run_forward.h"
#include "run.c"
#include "load.c"
#include "natives.c"
/* clang-format on */
