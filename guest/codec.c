/* Values on their way out: the encoding of docs/format/value.md from JSValue. decode.c reads it.
 *
 * Encoding may run guest code (getters, toJSON, proxy traps): everything read from an object is
 * read afresh after such a step, and the bytes go to a buffer that nested host calls extend and
 * shrink like a stack (OutMark / OutRelease).
 */

enum value_tag {
  kTagUndefined,
  kTagNull,
  kTagFalse,
  kTagTrue,
  kTagInt,
  kTagDouble,
  kTagString,
  kTagBigInt,
  kTagDate,
  kTagBytes,
  kTagArray,
  kTagObject,
  kTagMap,
  kTagSet
};

enum { kDepthMax = 512, kPollEvery = 1024 };

/* --- the out buffer --------------------------------------------------------------------------- */

#define out_small nx_hot.out

static uint32_t OutMark(void) { return outgoing.len; }
static void OutRelease(uint32_t mark) { outgoing.len = mark; }

static __attribute__((noinline)) int OutGrow(JSContext* ctx, uint32_t more) {
  uint64_t want = (uint64_t)outgoing.len + more;
  uint64_t cap = want + want / 2;
  if (want > 0x3fffffffu) {
    JS_ThrowRangeError(ctx, "the value is too large to leave the sandbox");
    return -1;
  }
  uint8_t* p = outgoing.p == out_small ? nx_malloc(cap) : nx_realloc(outgoing.p, cap);
  if (!p) {
    JS_ThrowOutOfMemory(ctx);
    return -1;
  }
  if (outgoing.p == out_small) memcpy(p, out_small, outgoing.len);
  outgoing.p = p;
  outgoing.cap = (uint32_t)cap;
  return 0;
}

static inline int OutReserve(JSContext* ctx, uint32_t more) {
  return outgoing.cap - outgoing.len >= more ? 0 : OutGrow(ctx, more);
}

/* The Raw writers assume that OutReserve was asked. */
static inline void RawByte(uint8_t b) { outgoing.p[outgoing.len++] = b; }

static inline void RawVarint(uint32_t n) {
  while (n >= 0x80) {
    RawByte((uint8_t)(n | 0x80));
    n >>= 7;
  }
  RawByte((uint8_t)n);
}

static int OutTag(JSContext* ctx, enum value_tag tag) {
  if (OutReserve(ctx, 1)) return -1;
  RawByte(tag);
  return 0;
}

static int OutDouble(JSContext* ctx, enum value_tag tag, double d) {
  if (OutReserve(ctx, 9)) return -1;
  RawByte(tag);
  memcpy(outgoing.p + outgoing.len, &d, 8);
  outgoing.len += 8;
  return 0;
}

static int OutInt(JSContext* ctx, int32_t n) {
  if (OutReserve(ctx, 6)) return -1;
  RawByte(kTagInt);
  RawVarint(((uint32_t)n << 1) ^ (uint32_t)(n >> 31));
  return 0;
}

/* Length and bytes, after an optional tag (tag < 0: none, as in object keys). */
static int OutBytes(JSContext* ctx, int tag, const void* p, uint32_t n) {
  if (OutReserve(ctx, n + 6)) return -1;
  if (tag >= 0) RawByte((uint8_t)tag);
  RawVarint(n);
  memcpy(outgoing.p + outgoing.len, p, n);
  outgoing.len += n;
  return 0;
}

static int OutText(JSContext* ctx, const char* s) {
  return OutBytes(ctx, kTagString, s, (uint32_t)strlen(s));
}

static uint32_t VarintSize(uint32_t n) {
  return n < 1u << 7 ? 1 : n < 1u << 14 ? 2 : n < 1u << 21 ? 3 : n < 1u << 28 ? 4 : 5;
}

/* Writes `n` where one byte was kept free at `at`, moving what follows when it needs more. */
static int PatchCount(JSContext* ctx, uint32_t at, uint32_t n) {
  uint32_t extra = VarintSize(n) - 1;
  if (extra) {
    if (OutReserve(ctx, extra)) return -1;
    memmove(outgoing.p + at + 1 + extra, outgoing.p + at + 1, outgoing.len - at - 1);
  }
  uint32_t end = outgoing.len + extra;
  outgoing.len = at;
  RawVarint(n);
  outgoing.len = end;
  return 0;
}

/* --- strings ---------------------------------------------------------------------------------- */

static uint32_t Latin1Extra(const uint8_t* p, uint32_t n) {
  uint32_t extra = 0;
  for (uint32_t i = 0; i < n; i++) extra += p[i] >> 7;
  return extra;
}

static void RawLatin1(const uint8_t* p, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    if (p[i] < 0x80) {
      RawByte(p[i]);
    } else {
      RawByte((uint8_t)(0xc0 | p[i] >> 6));
      RawByte((uint8_t)(0x80 | (p[i] & 0x3f)));
    }
  }
}

/* The code point at *i, which moves on; a lone surrogate stands for itself. */
static uint32_t CodePointAt(const uint16_t* p, uint32_t n, uint32_t* i) {
  uint32_t c = p[(*i)++];
  if ((c & 0xfc00) == 0xd800 && *i < n && (p[*i] & 0xfc00) == 0xdc00) {
    c = 0x10000 + ((c & 0x3ff) << 10) + (p[(*i)++] & 0x3ff);
  }
  return c;
}

static uint32_t Utf8Size(uint32_t c) { return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4; }

static void RawUtf8(uint32_t c) {
  uint32_t size = Utf8Size(c);
  if (size == 1) {
    RawByte((uint8_t)c);
    return;
  }
  RawByte((uint8_t)((0xf00 >> size & 0xff) | c >> 6 * (size - 1)));
  for (uint32_t i = size - 1; i-- > 0;) RawByte((uint8_t)(0x80 | (c >> 6 * i & 0x3f)));
}

static int OutJSString(JSContext* ctx, int tag, const JSString* s) {
  uint32_t n = s->len;
  if (!s->is_wide_char) {
    uint32_t extra = Latin1Extra(s->u.str8, n);
    if (!extra) return OutBytes(ctx, tag, s->u.str8, n);
    if (OutReserve(ctx, n + extra + 6)) return -1;
    if (tag >= 0) RawByte((uint8_t)tag);
    RawVarint(n + extra);
    RawLatin1(s->u.str8, n);
    return 0;
  }
  uint32_t bytes = 0;
  for (uint32_t i = 0; i < n;) bytes += Utf8Size(CodePointAt(s->u.str16, n, &i));
  if (OutReserve(ctx, bytes + 6)) return -1;
  if (tag >= 0) RawByte((uint8_t)tag);
  RawVarint(bytes);
  for (uint32_t i = 0; i < n;) RawUtf8(CodePointAt(s->u.str16, n, &i));
  return 0;
}

static int OutStringValue(JSContext* ctx, int tag, JSValueConst v) {
  if (JS_VALUE_GET_TAG(v) == JS_TAG_STRING) return OutJSString(ctx, tag, JS_VALUE_GET_STRING(v));
  JSValue flat = JS_ToString(ctx, v);
  if (JS_IsException(flat)) return -1;
  int r = OutJSString(ctx, tag, JS_VALUE_GET_STRING(flat));
  JS_FreeValue(ctx, flat);
  return r;
}

static int OutAtom(JSContext* ctx, int tag, JSAtom atom) {
  if (__JS_AtomIsTaggedInt(atom)) {
    char digits[12];
    return OutBytes(ctx, tag, digits, (uint32_t)u32toa(digits, __JS_AtomToUInt32(atom)));
  }
  return OutJSString(ctx, tag, ctx->rt->atom_array[atom]);
}

static int OutBigInt(JSContext* ctx, JSValueConst v) {
  JSValue hex = js_bigint_to_string1(ctx, v, 16);
  if (JS_IsException(hex)) return -1;
  int r = OutStringValue(ctx, kTagBigInt, hex);
  JS_FreeValue(ctx, hex);
  return r;
}

/* --- the walk --------------------------------------------------------------------------------- */

/* One object being encoded; the chain gives the path of an error and finds cycles. */
typedef struct Frame {
  const struct Frame* parent;
  JSObject* object;
  JSAtom key;     /* JS_ATOM_NULL: use index */
  uint32_t index; /* of an array, Map or Set entry */
} Frame;

typedef struct Encoder {
  JSContext* ctx;
  const char* root; /* how messages call the value: "result", "arguments" */
  uint32_t limit;   /* bytes; 0 = none */
  uint32_t start;
  uint32_t nodes;
  int json; /* state: JSON types only, see docs/format/value.md */
} Encoder;

static int EncodeAny(Encoder* e, JSValueConst v, const Frame* parent, JSAtom key, uint32_t index);

static void PathInto(Encoder* e, DynBuf* b, const Frame* parent, JSAtom key, uint32_t index) {
  const struct {
    JSAtom key;
    uint32_t index;
  } last = {key, index};
  const Frame* chain[kDepthMax + 2];
  int n = 0;
  for (const Frame* f = parent; f && n < kDepthMax + 2; f = f->parent) chain[n++] = f;
  dbuf_putstr(b, e->root);
  for (int i = n - 1; i >= 0; i--) {
    /* chain[i] is an object; the step below it is chain[i-1]'s key, or the last one. */
    JSAtom k = i > 0 ? chain[i - 1]->key : last.key;
    uint32_t at = i > 0 ? chain[i - 1]->index : last.index;
    if (k == JS_ATOM_NULL || __JS_AtomIsTaggedInt(k)) {
      dbuf_printf(b, "[%u]", k == JS_ATOM_NULL ? at : __JS_AtomToUInt32(k));
      continue;
    }
    const char* name = JS_AtomToCString(e->ctx, k);
    dbuf_printf(b, ".%.64s", name ? name : "?");
    JS_FreeCString(e->ctx, name);
    if (b->size > 400) {
      dbuf_putstr(b, "...");
      break;
    }
  }
  dbuf_putc(b, 0);
}

static int Refuse(Encoder* e, const Frame* parent, JSAtom key, uint32_t index, const char* why) {
  DynBuf b;
  js_dbuf_init(e->ctx, &b);
  PathInto(e, &b, parent, key, index);
  JS_ThrowTypeError(e->ctx, "%s: %s", dbuf_error(&b) ? e->root : (char*)b.buf, why);
  dbuf_free(&b);
  guest.codec_failure = kCodecRefused;
  return -1;
}

static int OverLimit(Encoder* e) {
  JS_ThrowRangeError(e->ctx, "%s: larger than the limit of %u bytes", e->root, e->limit);
  guest.codec_failure = kCodecTooLarge;
  return -1;
}

static int IsCallable(JSValueConst v) {
  if (JS_VALUE_GET_TAG(v) != JS_TAG_OBJECT) return 0;
  JSObject* p = JS_VALUE_GET_OBJ(v);
  if (p->class_id == JS_CLASS_PROXY) return p->u.proxy_data->is_func;
  return p->class_id != JS_CLASS_OBJECT && p->class_id != JS_CLASS_ARRAY && JS_IsFunction(NULL, v);
}

static int IsUnencodable(JSValueConst v) {
  return JS_VALUE_GET_TAG(v) == JS_TAG_SYMBOL || IsCallable(v);
}

static int EncodeNumber(Encoder* e, double d) {
  int32_t n = (int32_t)(d >= -2147483648.0 && d <= 2147483647.0 ? d : 0);
  if ((double)n == d && !(n == 0 && signbit(d))) return OutInt(e->ctx, n);
  if (e->json && !isfinite(d)) return OutTag(e->ctx, kTagNull);
  if (e->json && d == 0) return OutInt(e->ctx, 0);
  return OutDouble(e->ctx, kTagDouble, d);
}

static int EncodeBigIntValue(Encoder* e, JSValueConst v) {
  if (!e->json) return OutBigInt(e->ctx, v);
  JSValue text = js_bigint_to_string1(e->ctx, v, 10);
  if (JS_IsException(text)) return -1;
  int r = OutStringValue(e->ctx, kTagString, text);
  JS_FreeValue(e->ctx, text);
  return r;
}

/* Array and array proxies. Elements that cannot cross become undefined, null in JSON. */
static int EncodeArray(Encoder* e, JSValueConst v, const Frame* f, JSAtom key, uint32_t index) {
  JSContext* ctx = e->ctx;
  JSObject* p = JS_VALUE_GET_OBJ(v);
  int64_t length;
  if (js_get_length64(ctx, &length, v)) return -1;
  /* Each element takes a byte at least: a bound for sparse arrays before the loop. */
  if (length > 0x3fffffff || (e->limit && length > e->limit)) {
    if (e->limit) return OverLimit(e);
    return Refuse(e, f->parent, key, index, "the array is too long to leave the sandbox");
  }
  if (OutReserve(ctx, 6)) return -1;
  RawByte(kTagArray);
  RawVarint((uint32_t)length);
  for (uint32_t i = 0; i < (uint32_t)length; i++) {
    JSValue item;
    if (p->fast_array && p->class_id == JS_CLASS_ARRAY && i < p->u.array.count) {
      item = JS_DupValue(ctx, p->u.array.u.values[i]);
    } else {
      item = JS_GetPropertyUint32(ctx, v, i);
      if (JS_IsException(item)) return -1;
    }
    int r;
    if (IsUnencodable(item))
      r = OutTag(ctx, e->json ? kTagNull : kTagUndefined);
    else if (e->json && JS_IsUndefined(item))
      r = OutTag(ctx, kTagNull);
    else
      r = EncodeAny(e, item, f, JS_ATOM_NULL, i);
    JS_FreeValue(ctx, item);
    if (r) return -1;
  }
  return 0;
}

/* One property; skips what JSON would skip. Adds 1 to *count when written. */
static int EncodeProperty(Encoder* e, JSAtom atom, JSValueConst item, const Frame* f,
                          uint32_t* count) {
  if (IsUnencodable(item) || (e->json && JS_IsUndefined(item))) return 0;
  if (OutAtom(e->ctx, -1, atom)) return -1;
  ++*count;
  return EncodeAny(e, item, f, atom, 0);
}

/* An ordinary object without exotic behaviour: straight over its shape. */
static int EncodePlain(Encoder* e, JSValueConst v, const Frame* f) {
  JSContext* ctx = e->ctx;
  JSObject* p = JS_VALUE_GET_OBJ(v);
  uint32_t count = 0;
  if (OutReserve(ctx, 2)) return -1;
  RawByte(kTagObject);
  uint32_t at = outgoing.len;
  RawByte(0);
  for (int i = 0; i < p->shape->prop_count; i++) {
    JSShapeProperty* prs = &get_shape_prop(p->shape)[i];
    JSAtom atom = prs->atom;
    if (atom == JS_ATOM_NULL || !(prs->flags & JS_PROP_ENUMERABLE)) continue;
    if (JS_AtomGetKind(ctx, atom) != JS_ATOM_KIND_STRING) continue;
    JSValue item;
    JS_DupAtom(ctx, atom);
    if ((prs->flags & JS_PROP_TMASK) == JS_PROP_NORMAL) {
      item = JS_DupValue(ctx, p->prop[i].u.value);
    } else {
      item = JS_GetProperty(ctx, v, atom);
    }
    int r = JS_IsException(item) ? -1 : EncodeProperty(e, atom, item, f, &count);
    JS_FreeValue(ctx, item);
    JS_FreeAtom(ctx, atom);
    if (r) return -1;
  }
  return PatchCount(ctx, at, count);
}

/* Any other object: own enumerable string keys in the order of the language. */
static int EncodeGeneric(Encoder* e, JSValueConst v, const Frame* f) {
  JSContext* ctx = e->ctx;
  JSPropertyEnum* tab;
  uint32_t n, count = 0;
  int r = 0;
  if (JS_GetOwnPropertyNames(ctx, &tab, &n, v, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY)) return -1;
  uint32_t at = outgoing.len + 1;
  if (OutReserve(ctx, 2)) r = -1;
  if (!r) {
    RawByte(kTagObject);
    RawByte(0);
  }
  for (uint32_t i = 0; i < n && !r; i++) {
    JSValue item = JS_GetProperty(ctx, v, tab[i].atom);
    r = JS_IsException(item) ? -1 : EncodeProperty(e, tab[i].atom, item, f, &count);
    JS_FreeValue(ctx, item);
  }
  js_free_prop_enum(ctx, tab, n);
  return r ? -1 : PatchCount(ctx, at, count);
}

static int EncodeError(Encoder* e, JSValueConst v, const Frame* f) {
  static const JSAtom names[] = {JS_ATOM_name, JS_ATOM_message, JS_ATOM_stack};
  JSContext* ctx = e->ctx;
  uint32_t count = 0;
  uint32_t at = outgoing.len + 1;
  if (OutReserve(ctx, 2)) return -1;
  RawByte(kTagObject);
  RawByte(0);
  for (int i = 0; i < 3; i++) {
    JSValue item = JS_GetProperty(ctx, v, names[i]);
    int r = JS_IsException(item)           ? -1
            : i == 2 && !JS_IsString(item) ? 0
                                           : EncodeProperty(e, names[i], item, f, &count);
    JS_FreeValue(ctx, item);
    if (r) return -1;
  }
  return PatchCount(ctx, at, count);
}

/* Map and Set. The entry at hand is locked, so that guest code may change the collection. */
static int EncodeCollection(Encoder* e, JSValueConst v, const Frame* f, int is_map) {
  JSContext* ctx = e->ctx;
  JSMapState* s = JS_VALUE_GET_OBJ(v)->u.map_state;
  uint32_t count = 0;
  uint32_t at = outgoing.len + 1;
  if (OutReserve(ctx, 2)) return -1;
  RawByte(e->json ? kTagArray : is_map ? kTagMap : kTagSet);
  RawByte(0);
  struct list_head* el = s->records.next;
  while (el != &s->records) {
    JSMapRecord* mr = list_entry(el, JSMapRecord, link);
    if (mr->empty) {
      el = el->next;
      continue;
    }
    mr->ref_count++;
    JSValue key = JS_DupValue(ctx, mr->key);
    JSValue value = is_map ? JS_DupValue(ctx, mr->value) : JS_UNDEFINED;
    int r = 0;
    if (e->json && is_map)
      r = OutBytes(ctx, kTagArray, "", 0) || (outgoing.p[outgoing.len - 1] = 2, 0);
    r = r || (IsUnencodable(key) ? OutTag(ctx, e->json ? kTagNull : kTagUndefined)
                                 : EncodeAny(e, key, f, JS_ATOM_NULL, count));
    if (is_map) {
      r = r || (IsUnencodable(value) ? OutTag(ctx, e->json ? kTagNull : kTagUndefined)
                                     : EncodeAny(e, value, f, JS_ATOM_NULL, count));
    }
    count++;
    JS_FreeValue(ctx, key);
    JS_FreeValue(ctx, value);
    el = el->next;
    map_decref_record(ctx->rt, mr);
    if (r) return -1;
  }
  return PatchCount(ctx, at, count);
}

static int OutBase64(JSContext* ctx, const uint8_t* p, uint32_t n) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  uint32_t size = (n + 2) / 3 * 4;
  if (OutReserve(ctx, size + 6)) return -1;
  RawByte(kTagString);
  RawVarint(size);
  for (uint32_t i = 0; i < n; i += 3) {
    uint32_t left = n - i;
    uint32_t w = p[i] << 16 | (left > 1 ? p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
    RawByte(digits[w >> 18]);
    RawByte(digits[w >> 12 & 63]);
    RawByte(left > 1 ? digits[w >> 6 & 63] : '=');
    RawByte(left > 2 ? digits[w & 63] : '=');
  }
  return 0;
}

/* Bytes of a typed array, DataView or ArrayBuffer; a detached one is empty. */
static int EncodeBytes(Encoder* e, JSObject* p) {
  const uint8_t* data = (const uint8_t*)"";
  uint32_t n = 0;
  JSArrayBuffer* buffer;
  if (p->class_id == JS_CLASS_ARRAY_BUFFER || p->class_id == JS_CLASS_SHARED_ARRAY_BUFFER) {
    buffer = p->u.array_buffer;
    if (!buffer->detached) data = buffer->data, n = (uint32_t)buffer->byte_length;
  } else {
    JSTypedArray* view = p->u.typed_array;
    buffer = view->buffer->u.array_buffer;
    if (!buffer->detached && view->offset + view->length <= (uint32_t)buffer->byte_length) {
      data = buffer->data + view->offset;
      n = view->length;
    }
  }
  if (e->limit && n > e->limit) return OverLimit(e);
  return e->json ? OutBase64(e->ctx, data, n) : OutBytes(e->ctx, kTagBytes, data, n);
}

static int EncodeDate(Encoder* e, JSValueConst v) {
  double ms;
  if (JS_ToFloat64(e->ctx, &ms, JS_VALUE_GET_OBJ(v)->u.object_data)) return -1;
  if (!e->json) return OutDouble(e->ctx, kTagDate, ms);
  if (!isfinite(ms)) return OutTag(e->ctx, kTagNull);
  JSValue text = get_date_string(e->ctx, v, 0, NULL, 0x23);
  if (JS_IsException(text)) return -1;
  int r = OutStringValue(e->ctx, kTagString, text);
  JS_FreeValue(e->ctx, text);
  return r;
}

static JSValue StateTarget(JSContext* ctx, JSValueConst v);

static int EncodeByClass(Encoder* e, JSValueConst v, const Frame* f, JSAtom key, uint32_t index) {
  JSObject* p = JS_VALUE_GET_OBJ(v);
  switch (p->class_id) {
    case JS_CLASS_OBJECT:
      if (p->is_exotic || p->shape->has_small_array_index) return EncodeGeneric(e, v, f);
      return EncodePlain(e, v, f);
    case JS_CLASS_ARRAY:
      return EncodeArray(e, v, f, key, index);
    case JS_CLASS_DATE:
      return EncodeDate(e, v);
    case JS_CLASS_MAP:
      return EncodeCollection(e, v, f, 1);
    case JS_CLASS_SET:
      return EncodeCollection(e, v, f, 0);
    case JS_CLASS_ERROR:
      return EncodeError(e, v, f);
    case JS_CLASS_NUMBER:
    case JS_CLASS_STRING:
    case JS_CLASS_BOOLEAN:
    case JS_CLASS_BIG_INT:
      return EncodeAny(e, p->u.object_data, f, key, index);
    case JS_CLASS_ARRAY_BUFFER:
    case JS_CLASS_SHARED_ARRAY_BUFFER:
    case JS_CLASS_DATAVIEW:
      return EncodeBytes(e, p);
    case JS_CLASS_PROXY: {
      int is_array = JS_IsArray(e->ctx, v);
      if (is_array < 0) return -1;
      return is_array ? EncodeArray(e, v, f, key, index) : EncodeGeneric(e, v, f);
    }
    default:
      if (p->class_id >= JS_CLASS_UINT8C_ARRAY && p->class_id <= JS_CLASS_FLOAT64_ARRAY) {
        return EncodeBytes(e, p);
      }
      return EncodeGeneric(e, v, f);
  }
}

/* toJSON where an object defines it and no richer type exists. 1: *out replaces the value. */
static int ToJson(Encoder* e, JSValueConst v, JSAtom key, uint32_t index, JSValue* out) {
  JSContext* ctx = e->ctx;
  int id = JS_VALUE_GET_OBJ(v)->class_id;
  if (id == JS_CLASS_DATE || id == JS_CLASS_ARRAY_BUFFER || id == JS_CLASS_DATAVIEW ||
      (id >= JS_CLASS_UINT8C_ARRAY && id <= JS_CLASS_FLOAT64_ARRAY)) {
    return 0;
  }
  JSValue fn = JS_GetProperty(ctx, v, JS_ATOM_toJSON);
  if (JS_IsException(fn)) return -1;
  if (!JS_IsFunction(ctx, fn)) {
    JS_FreeValue(ctx, fn);
    return 0;
  }
  JSValue name = key != JS_ATOM_NULL ? JS_AtomToString(ctx, key) : JS_NewUint32(ctx, index);
  *out = JS_CallFree(ctx, fn, v, 1, (JSValueConst*)&name);
  JS_FreeValue(ctx, name);
  return JS_IsException(*out) ? -1 : 1;
}

static int EncodeObject(Encoder* e, JSValueConst v, const Frame* parent, JSAtom key,
                        uint32_t index) {
  JSContext* ctx = e->ctx;
  Frame f = {parent, JS_VALUE_GET_OBJ(v), key, index};
  uint32_t depth = 1;
  for (const Frame* a = parent; a; a = a->parent, depth++) {
    if (a->object == f.object) return Refuse(e, parent, key, index, "cyclic");
  }
  if (depth > kDepthMax) return Refuse(e, parent, key, index, "nested deeper than 512 levels");
  if (js_check_stack_overflow(ctx->rt, 0)) {
    JS_ThrowStackOverflow(ctx);
    return -1;
  }
  JSValue replaced = StateTarget(ctx, v);
  if (JS_IsException(replaced)) return -1;
  if (!JS_IsUndefined(replaced)) {
    int r = EncodeByClass(e, replaced, &f, key, index);
    JS_FreeValue(ctx, replaced);
    return r;
  }
  int changed = ToJson(e, v, key, index, &replaced);
  if (changed < 0) return -1;
  if (!changed) return EncodeByClass(e, v, &f, key, index);
  int r;
  if (IsUnencodable(replaced)) {
    r = Refuse(e, parent, key, index, "toJSON gave a function or symbol");
  } else if (JS_IsObject(replaced) && JS_VALUE_GET_OBJ(replaced) != f.object) {
    Frame g = {parent, JS_VALUE_GET_OBJ(replaced), key, index};
    r = 0;
    for (const Frame* a = parent; a; a = a->parent) {
      if (a->object == g.object) r = Refuse(e, parent, key, index, "cyclic");
    }
    r = r || EncodeByClass(e, replaced, &g, key, index);
  } else if (JS_IsObject(replaced)) {
    r = EncodeByClass(e, replaced, &f, key, index);
  } else {
    r = EncodeAny(e, replaced, parent, key, index);
  }
  JS_FreeValue(ctx, replaced);
  return r;
}

static int EncodeAny(Encoder* e, JSValueConst v, const Frame* parent, JSAtom key, uint32_t index) {
  JSContext* ctx = e->ctx;
  if (e->limit && outgoing.len - e->start > e->limit) return OverLimit(e);
  if (++e->nodes % kPollEvery == 0 && __js_poll_interrupts(ctx)) return -1;
  switch (JS_VALUE_GET_NORM_TAG(v)) {
    case JS_TAG_INT:
      return OutInt(ctx, JS_VALUE_GET_INT(v));
    case JS_TAG_BOOL:
      return OutTag(ctx, JS_VALUE_GET_BOOL(v) ? kTagTrue : kTagFalse);
    case JS_TAG_NULL:
      return OutTag(ctx, kTagNull);
    case JS_TAG_UNDEFINED:
      return OutTag(ctx, kTagUndefined);
    case JS_TAG_FLOAT64:
      return EncodeNumber(e, JS_VALUE_GET_FLOAT64(v));
    case JS_TAG_STRING:
    case JS_TAG_STRING_ROPE:
      return OutStringValue(ctx, kTagString, v);
    case JS_TAG_SHORT_BIG_INT:
    case JS_TAG_BIG_INT:
      return EncodeBigIntValue(e, v);
    case JS_TAG_OBJECT:
      if (IsCallable(v)) break;
      return EncodeObject(e, v, parent, key, index);
    default:
      break;
  }
  return Refuse(e, parent, key, index,
                JS_VALUE_GET_TAG(v) == JS_TAG_SYMBOL ? "a symbol cannot leave the sandbox"
                                                     : "a function cannot leave the sandbox");
}

/* Appends `v` to the out buffer. -1: an exception is pending, and codec_failure says whether the
 * value itself was at fault. */
static int Encode(JSContext* ctx, JSValueConst v, const char* root, uint32_t limit, int json) {
  Encoder e = {ctx, root, limit, outgoing.len, 0, json};
  guest.codec_failure = kCodecOk;
  if (EncodeAny(&e, v, NULL, JS_ATOM_NULL, 0)) return -1;
  if (limit && outgoing.len - e.start > limit) return OverLimit(&e);
  return 0;
}
