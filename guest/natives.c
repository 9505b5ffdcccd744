/* What the prelude gets from C, and what nx_run hands over at the start of a run. */

/* The proxy handler object of state nodes, see prelude.js; a proxy with it is encoded as its
 * target. */
static JSValue state_handler = JS_UNDEFINED;
static JSValue new_slice = JS_UNDEFINED;

static JSValue StateTarget(JSContext *ctx, JSValueConst v) {
  JSObject *p = JS_VALUE_GET_OBJ(v);
  if (p->class_id != JS_CLASS_PROXY || JS_IsUndefined(state_handler)) return JS_UNDEFINED;
  JSProxyData *proxy = p->u.proxy_data;
  if (JS_VALUE_GET_TAG(proxy->handler) != JS_TAG_OBJECT ||
      JS_VALUE_GET_OBJ(proxy->handler) != JS_VALUE_GET_OBJ(state_handler)) {
    return JS_UNDEFINED;
  }
  return JS_DupValue(ctx, proxy->target);
}

/* clone(value): as the state would hold it, JSON types only. */
static JSValue NativeClone(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  uint32_t mark = OutMark();
  JSValue copy = JS_EXCEPTION;
  if (!Encode(ctx, argv[0], "value", 0, JS_VALUE_GET_BOOL(argv[1]))) {
    copy = Decode(ctx, out_buf.p + mark, out_buf.len - mark, 0);
  }
  OutRelease(mark);
  return copy;
}

static JSValue NativeSetHooks(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  state_handler = JS_DupValue(ctx, argv[0]);
  new_slice = JS_DupValue(ctx, argv[1]);
  return JS_UNDEFINED;
}

static JSValue NativePhase(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)ctx, (void)self, (void)argc, (void)argv;
  return JS_NewInt32(ctx, guest.phase);
}

/* own(object): its own enumerable string keys, without running anything of the program. */
static JSValue Natives(JSContext *ctx) {
  static const struct {
    const char *name;
    JSCFunction *fn;
    int length;
  } table[] = {{"call", HostSync, 2},
               {"callAsync", HostAsync, 1},
               {"clone", NativeClone, 2},
               {"setHooks", NativeSetHooks, 2},
               {"phase", NativePhase, 0}};
  JSValue object = JS_NewObject(ctx);
  for (size_t i = 0; i < countof(table); i++) {
    JS_SetPropertyStr(ctx, object, table[i].name,
                      JS_NewCFunction(ctx, table[i].fn, table[i].name, table[i].length));
  }
  return object;
}

/* A resume is a new slice: what was read of the state before may have changed. */
static void NewSlice(JSContext *ctx) {
  if (!JS_IsFunction(ctx, new_slice)) return;
  JS_FreeValue(ctx, JS_Call(ctx, new_slice, JS_UNDEFINED, 0, NULL));
}

static int nx_random_seed(JSContext *ctx, JSValueConst seed) {
  uint64_t state;
  if (JS_IsBigInt(ctx, seed)) {
    if (JS_ToBigInt64(ctx, (int64_t *)&state, seed)) return -1;
  } else {
    double d;
    if (JS_ToFloat64(ctx, &d, seed)) return -1;
    memcpy(&state, &d, 8);
  }
  /* One step of splitmix64: neighbouring seeds give unrelated streams, and 0 is none. */
  state += 0x9e3779b97f4a7c15u;
  state = (state ^ state >> 30) * 0xbf58476d1ce4e5b9u;
  state = (state ^ state >> 27) * 0x94d049bb133111ebu;
  state ^= state >> 31;
  ctx->random_state = state ? state : 1;
  nx_random_allowed = 1;
  return 0;
}

typedef struct RunInput {
  JSValue args, scope, tools;
} RunInput;

static int TakeField(JSContext *ctx, Decoder *d, const uint8_t *key, uint32_t n, RunInput *in) {
  int is_seed = n == 4 && !memcmp(key, "seed", 4);
  d->frozen = !is_seed;
  JSValue v = DecodeAny(d);
  if (JS_IsException(v)) return -1;
  JSValue *to = n == 4 && !memcmp(key, "args", 4)    ? &in->args
                : n == 5 && !memcmp(key, "scope", 5) ? &in->scope
                : n == 5 && !memcmp(key, "tools", 5) ? &in->tools
                                                     : NULL;
  if (to) {
    JS_FreeValue(ctx, *to);
    *to = v;
    return 0;
  }
  int r = is_seed ? nx_random_seed(ctx, v) : 0;
  JS_FreeValue(ctx, v);
  return r;
}

static int DecodeInput(JSContext *ctx, const uint8_t *p, uint32_t n, RunInput *in) {
  Decoder d = {ctx, p, p + n, 1, 1};
  uint32_t count;
  if (n == 0 || *d.p++ != kTagObject || ReadVarint(&d, &count)) {
    BadInput(&d);
    return -1;
  }
  for (uint32_t i = 0; i < count; i++) {
    uint32_t length;
    const uint8_t *key = ReadBytes(&d, &length);
    if (!key) {
      BadInput(&d);
      return -1;
    }
    if (TakeField(ctx, &d, key, length, in)) return -1;
  }
  return 0;
}

/* Reads {args, scope, seed, tools} and puts them where the program sees them. */
static int TakeInput(JSContext *ctx, const uint8_t *p, uint32_t n) {
  RunInput in = {JS_UNDEFINED, JS_UNDEFINED, JS_UNDEFINED};
  int r = DecodeInput(ctx, p, n, &in);
  if (!r) {
    JSValueConst args[3] = {in.args, in.scope, in.tools};
    JSValue done = JS_Call(ctx, program.fill, JS_UNDEFINED, 3, args);
    r = JS_IsException(done) ? -1 : 0;
  }
  JS_FreeValue(ctx, in.args);
  JS_FreeValue(ctx, in.scope);
  JS_FreeValue(ctx, in.tools);
  return r;
}
