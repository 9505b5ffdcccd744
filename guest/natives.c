/* What the prelude gets from C, and what nx_run hands over at the start of a run. */

/* The proxy handler object of state nodes, see prelude.js; a proxy with it is encoded as its
 * target. */
static JSValue state_handler = JS_UNDEFINED;
static JSValue new_slice = JS_UNDEFINED;

static JSValue StateTarget(JSContext* ctx, JSValueConst v) {
  JSObject* p = JS_VALUE_GET_OBJ(v);
  if (p->class_id != JS_CLASS_PROXY || JS_IsUndefined(state_handler)) return JS_UNDEFINED;
  JSProxyData* proxy = p->u.proxy_data;
  if (JS_VALUE_GET_TAG(proxy->handler) != JS_TAG_OBJECT ||
      JS_VALUE_GET_OBJ(proxy->handler) != JS_VALUE_GET_OBJ(state_handler)) {
    return JS_UNDEFINED;
  }
  return JS_DupValue(ctx, proxy->target);
}

/* A Uint8Array that takes over a block of the heap. */
static JSValue BytesValue(JSContext* ctx, const uint8_t* p, uint32_t n) {
  Decoder d = {ctx, p, p + n, 0, 0};
  JSValue buffer = JS_NewArrayBufferCopy(ctx, p, n);
  if (JS_IsException(buffer)) return buffer;
  JSValue args[3] = {buffer, JS_UNDEFINED, JS_UNDEFINED};
  JSValue array = JS_NewTypedArray(d.ctx, 3, (JSValueConst*)args, JS_TYPED_ARRAY_UINT8);
  JS_FreeValue(ctx, buffer);
  return array;
}

/* utf8Encode(string) -> Uint8Array; lone surrogates become U+FFFD. */
static JSValue NativeUtf8Encode(JSContext* ctx, JSValueConst self, int argc, JSValueConst* argv) {
  (void)self, (void)argc;
  uint32_t mark = OutMark();
  if (OutStringValue(ctx, kTagString, argv[0])) return JS_EXCEPTION;
  Decoder d = {ctx, outgoing.p + mark + 1, outgoing.p + outgoing.len, 0, 0};
  uint32_t n;
  uint8_t* p = (uint8_t*)ReadBytes(&d, &n);
  for (uint32_t i = 0; i + 2 < n; i++) {
    if (p[i] == 0xed && p[i + 1] >= 0xa0) memcpy(p + i, "\xef\xbf\xbd", 3);
  }
  JSValue bytes = BytesValue(ctx, p, n);
  OutRelease(mark);
  return bytes;
}

/* One code point of UTF-8 at *i, which moves on; -1 for the longest wrong part. */
static int32_t DecodeUtf8(const uint8_t* p, uint32_t n, uint32_t* i) {
  uint32_t c = p[(*i)++];
  if (c < 0x80) return (int32_t)c;
  uint32_t more = c >= 0xc2 && c < 0xe0   ? 1
                  : c >= 0xe0 && c < 0xf0 ? 2
                  : c >= 0xf0 && c < 0xf5 ? 3
                                          : 0;
  if (!more) return -1;
  uint32_t low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
  uint32_t high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
  c &= 0x3f >> more;
  while (more--) {
    if (*i >= n || p[*i] < low || p[*i] > high) return -1;
    c = c << 6 | (p[(*i)++] & 0x3f);
    low = 0x80;
    high = 0xbf;
  }
  return (int32_t)c;
}

/* utf8Decode(view, fatal) -> string; wrong bytes become U+FFFD, or a TypeError when fatal. */
static JSValue NativeUtf8Decode(JSContext* ctx, JSValueConst self, int argc, JSValueConst* argv) {
  (void)self, (void)argc;
  uint32_t mark = OutMark();
  if (Encode(ctx, argv[0], "bytes", 0, 0)) return JS_EXCEPTION;
  Decoder d = {ctx, outgoing.p + mark + 1, outgoing.p + outgoing.len, 0, 0};
  uint32_t n;
  const uint8_t* p = outgoing.p[mark] == kTagBytes ? ReadBytes(&d, &n) : NULL;
  OutRelease(mark);
  if (!p) return JS_ThrowTypeError(ctx, "decode needs an ArrayBuffer or a view of one");
  if (count_ascii(p, n) == n) return js_new_string8_len(ctx, (const char*)p, (int)n);
  StringBuffer b;
  if (string_buffer_init(ctx, &b, (int)n)) return JS_EXCEPTION;
  for (uint32_t i = 0; i < n;) {
    int32_t c = DecodeUtf8(p, n, &i);
    if (c < 0 && JS_VALUE_GET_BOOL(argv[1])) {
      string_buffer_free(&b);
      return JS_ThrowTypeError(ctx, "the bytes are not valid UTF-8");
    }
    string_buffer_putc(&b, c < 0 ? 0xfffd : (uint32_t)c);
  }
  return string_buffer_end(&b);
}

/* clone(value): as the state would hold it, JSON types only. */
static JSValue NativeClone(JSContext* ctx, JSValueConst self, int argc, JSValueConst* argv) {
  (void)self, (void)argc;
  uint32_t mark = OutMark();
  JSValue copy = JS_EXCEPTION;
  if (!Encode(ctx, argv[0], "value", 0, JS_VALUE_GET_BOOL(argv[1]))) {
    copy = Decode(ctx, outgoing.p + mark, outgoing.len - mark, 0);
  }
  OutRelease(mark);
  return copy;
}

static JSValue show_root = JS_UNDEFINED; /* prelude: showRoot(key, value) */

static JSValue CachedState(JSContext* ctx, JSAtom key) {
  JSProperty* pr;
  if (!JS_IsObject(guest.state_cache)) return JS_UNDEFINED;
  JSShapeProperty* prs = find_own_property(&pr, JS_VALUE_GET_OBJ(guest.state_cache), key);
  return prs ? JS_DupValue(ctx, pr->u.value) : JS_UNDEFINED;
}

/* Shows an object of the state as the prelude's node and remembers it for the slice. */
static JSValue ShowState(JSContext* ctx, JSAtom key, JSValueConst name, JSValue value) {
  JSValueConst args[2] = {name, value};
  JSValue shown = JS_Call(ctx, show_root, JS_UNDEFINED, 2, args);
  JS_FreeValue(ctx, value);
  if (JS_IsException(shown)) return shown;
  if (!JS_IsObject(guest.state_cache)) guest.state_cache = JS_NewObjectProto(ctx, JS_NULL);
  if (JS_DefinePropertyValue(ctx, guest.state_cache, key, JS_DupValue(ctx, shown), JS_PROP_C_W_E) <
      0) {
    JS_FreeValue(ctx, shown);
    return JS_EXCEPTION;
  }
  return shown;
}

/* stateGet(key): a primitive from the host, or the node of an object. */
static JSValue NativeStateGet(JSContext* ctx, JSValueConst self, int argc, JSValueConst* argv) {
  (void)self, (void)argc;
  JSAtom key = JS_ValueToAtom(ctx, argv[0]);
  if (key == JS_ATOM_NULL) return JS_EXCEPTION;
  JSValue value = CachedState(ctx, key);
  if (JS_IsUndefined(value)) {
    uint32_t mark = OutMark();
    value =
        OutStringValue(ctx, kTagString, argv[0]) ? JS_EXCEPTION : Send(ctx, kHostStateGet, 0, mark);
    if (JS_IsObject(value)) value = ShowState(ctx, key, argv[0], value);
  }
  JS_FreeAtom(ctx, key);
  return value;
}

/* stateForget(key): the next read asks the host again. */
static JSValue NativeStateForget(JSContext* ctx, JSValueConst self, int argc, JSValueConst* argv) {
  (void)self, (void)argc;
  if (!JS_IsObject(guest.state_cache)) return JS_UNDEFINED;
  JSAtom key = JS_ValueToAtom(ctx, argv[0]);
  if (key == JS_ATOM_NULL) return JS_EXCEPTION;
  int r = JS_DeleteProperty(ctx, guest.state_cache, key, 0);
  JS_FreeAtom(ctx, key);
  return r < 0 ? JS_EXCEPTION : JS_UNDEFINED;
}

static JSValue NativeTools(JSContext* ctx, JSValueConst self, int argc, JSValueConst* argv) {
  (void)self, (void)argc, (void)argv;
  return JS_DupValue(ctx, guest.tools);
}

static JSValue OpNumbers(JSContext* ctx) {
  JSValue object = JS_NewObjectProto(ctx, JS_NULL);
#define NEXUS_HOST_CALL(name, number, gate) \
  JS_SetPropertyStr(ctx, object, #name, JS_NewInt32(ctx, number));
#include "host_calls.def"
#undef NEXUS_HOST_CALL
  return object;
}

/* The object the prelude is called with. */
static JSValue Natives(JSContext* ctx) {
  static const struct {
    const char* name;
    JSCFunction* fn;
    int length;
  } table[] = {{"call", HostSync, 2},
               {"callAsync", HostAsync, 1},
               {"clone", NativeClone, 2},
               {"stateGet", NativeStateGet, 1},
               {"stateForget", NativeStateForget, 1},
               {"tools", NativeTools, 0},
               {"utf8Encode", NativeUtf8Encode, 1},
               {"utf8Decode", NativeUtf8Decode, 2}};
  JSValue object = JS_NewObject(ctx);
  for (size_t i = 0; i < countof(table); i++) {
    JS_SetPropertyStr(ctx, object, table[i].name,
                      JS_NewCFunction(ctx, table[i].fn, table[i].name, table[i].length));
  }
  JS_SetPropertyStr(ctx, object, "op", OpNumbers(ctx));
  return object;
}

/* Keeps what the prelude made; `made` is its result. */
static void TakePrelude(JSContext* ctx, JSValueConst made) {
  module_context = JS_GetPropertyStr(ctx, made, "context");
  make_error = JS_GetPropertyStr(ctx, made, "makeError");
  describe = JS_GetPropertyStr(ctx, made, "describe");
  show_root = JS_GetPropertyStr(ctx, made, "showRoot");
  state_handler = JS_GetPropertyStr(ctx, made, "nodeHandler");
  new_slice = JS_GetPropertyStr(ctx, made, "newSlice");
  FindFixed(ctx);
}

/* A resume is a new slice: what was read of the state before may have changed. */
static void NewSlice(JSContext* ctx) {
  JS_FreeValue(ctx, guest.state_cache);
  guest.state_cache = JS_UNDEFINED;
  if (!JS_IsFunction(ctx, new_slice)) return;
  JS_FreeValue(ctx, JS_Call(ctx, new_slice, JS_UNDEFINED, 0, NULL));
}

static int nx_random_seed(JSContext* ctx, JSValueConst seed) {
  uint64_t state;
  if (JS_IsBigInt(ctx, seed)) {
    if (JS_ToBigInt64(ctx, (int64_t*)&state, seed)) return -1;
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
  guest.random_allowed = 1;
  return 0;
}

typedef struct RunInput {
  JSValue args, scope, tools;
} RunInput;

static int TakeField(JSContext* ctx, Decoder* d, const uint8_t* key, uint32_t n, RunInput* in) {
  int is_seed = n == 4 && !memcmp(key, "seed", 4);
  d->frozen = !is_seed;
  JSValue v = DecodeAny(d);
  if (JS_IsException(v)) return -1;
  JSValue* to = n == 4 && !memcmp(key, "args", 4)    ? &in->args
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

static int DecodeInput(JSContext* ctx, const uint8_t* p, uint32_t n, RunInput* in) {
  Decoder d = {ctx, p, p + n, 1, 1};
  uint32_t count;
  if (n == 0 || *d.p++ != kTagObject || ReadVarint(&d, &count)) {
    BadInput(&d);
    return -1;
  }
  for (uint32_t i = 0; i < count; i++) {
    uint32_t length;
    const uint8_t* key = ReadBytes(&d, &length);
    if (!key) {
      BadInput(&d);
      return -1;
    }
    if (TakeField(ctx, &d, key, length, in)) return -1;
  }
  return 0;
}

/* Where a program sees its input: properties that only the host side can set. */
static struct {
  JSAtom name;
  int of_context; /* of the module's context, else of the global object */
} fixed[4];

static void FindFixed(JSContext* ctx) {
  static const char* const names[4] = {"$args", "$scope", "args", "scope"};
  for (int i = 0; i < 4; i++) {
    fixed[i].name = JS_NewAtom(ctx, names[i]);
    fixed[i].of_context = i >= 2;
  }
}

/* Atoms are kept, not looked up: counting references to them would touch their pages. */
static void SetFixed(JSContext* ctx, int i, JSValueConst value) {
  JSProperty* pr;
  JSValueConst object = fixed[i].of_context ? module_context : ctx->global_obj;
  if (find_own_property(&pr, JS_VALUE_GET_OBJ(object), fixed[i].name)) {
    set_value(ctx, &pr->u.value, JS_DupValue(ctx, value));
  }
}

/* Reads {args, scope, seed, tools} and puts them where the program sees them. */
static int TakeInput(JSContext* ctx, const uint8_t* p, uint32_t n) {
  RunInput in = {JS_UNDEFINED, JS_UNDEFINED, JS_UNDEFINED};
  int r = DecodeInput(ctx, p, n, &in);
  if (!r) {
    SetFixed(ctx, 0, in.args);
    SetFixed(ctx, 1, in.scope);
    if (guest.is_module) {
      SetFixed(ctx, 2, in.args);
      SetFixed(ctx, 3, in.scope);
    }
    JS_FreeValue(ctx, guest.tools);
    guest.tools = JS_DupValue(ctx, in.tools);
  }
  JS_FreeValue(ctx, in.args);
  JS_FreeValue(ctx, in.scope);
  JS_FreeValue(ctx, in.tools);
  return r;
}
