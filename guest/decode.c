/* Values on their way in: the encoding of docs/format/value.md to JSValue. The host is trusted, but
 * every length is checked against what is left. */

typedef struct Decoder {
  JSContext* ctx;
  const uint8_t *p, *end;
  int frozen; /* objects and arrays come deep-frozen */
  int depth;
} Decoder;

static JSValue BadInput(Decoder* d) {
  return JS_ThrowInternalError(d->ctx, "malformed value from the host");
}

static int ReadVarint(Decoder* d, uint32_t* n) {
  uint64_t value = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    if (d->p == d->end) return -1;
    uint8_t b = *d->p++;
    value |= (uint64_t)(b & 0x7f) << shift;
    if (b < 0x80) {
      *n = (uint32_t)value;
      return value >> 32 ? -1 : 0;
    }
  }
  return -1;
}

/* A length and that many bytes. */
static const uint8_t* ReadBytes(Decoder* d, uint32_t* n) {
  if (ReadVarint(d, n) || *n > (uint32_t)(d->end - d->p)) return NULL;
  const uint8_t* p = d->p;
  d->p += *n;
  return p;
}

static JSValue DecodeAny(Decoder* d);

static int FlagsOf(const Decoder* d) { return d->frozen ? JS_PROP_ENUMERABLE : JS_PROP_C_W_E; }

static JSValue DecodeFrozenArray(Decoder* d, JSValue array, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    JSValue item = DecodeAny(d);
    if (JS_IsException(item) ||
        JS_DefinePropertyValueUint32(d->ctx, array, i, item, JS_PROP_ENUMERABLE) < 0) {
      JS_FreeValue(d->ctx, array);
      return JS_EXCEPTION;
    }
  }
  JS_DefineProperty(d->ctx, array, JS_ATOM_length, JS_UNDEFINED, JS_UNDEFINED, JS_UNDEFINED,
                    JS_PROP_HAS_WRITABLE);
  JS_VALUE_GET_OBJ(array)->extensible = FALSE;
  return array;
}

static JSValue DecodeArray(Decoder* d) {
  uint32_t n;
  if (ReadVarint(d, &n) || n > (uint32_t)(d->end - d->p)) return BadInput(d);
  JSValue array = JS_NewArray(d->ctx);
  if (JS_IsException(array)) return array;
  if (d->frozen) return DecodeFrozenArray(d, array, n);
  JSObject* p = JS_VALUE_GET_OBJ(array);
  if (n && expand_fast_array(d->ctx, p, n)) goto fail;
  for (uint32_t i = 0; i < n; i++) {
    JSValue item = DecodeAny(d);
    if (JS_IsException(item)) goto fail;
    p->u.array.u.values[i] = item;
    p->u.array.count = i + 1;
  }
  p->prop[0].u.value = JS_NewInt32(d->ctx, (int32_t)n);
  return array;
fail:
  JS_FreeValue(d->ctx, array);
  return JS_EXCEPTION;
}

static JSValue DecodeObject(Decoder* d) {
  uint32_t n;
  if (ReadVarint(d, &n)) return BadInput(d);
  JSValue object = JS_NewObject(d->ctx);
  if (JS_IsException(object)) return object;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t length;
    const uint8_t* key = ReadBytes(d, &length);
    if (!key) {
      JS_FreeValue(d->ctx, object);
      return BadInput(d);
    }
    JSAtom atom = JS_NewAtomLen(d->ctx, (const char*)key, length);
    if (atom == JS_ATOM_NULL) goto fail;
    JSValue item = DecodeAny(d);
    int r =
        JS_IsException(item) ? -1 : JS_DefinePropertyValue(d->ctx, object, atom, item, FlagsOf(d));
    JS_FreeAtom(d->ctx, atom);
    if (r < 0) goto fail;
  }
  if (d->frozen) JS_VALUE_GET_OBJ(object)->extensible = FALSE;
  return object;
fail:
  JS_FreeValue(d->ctx, object);
  return JS_EXCEPTION;
}

static JSValue DecodeCollection(Decoder* d, int is_map) {
  JSContext* ctx = d->ctx;
  uint32_t n;
  if (ReadVarint(d, &n)) return BadInput(d);
  JSValue undefined = JS_UNDEFINED;
  int magic = is_map ? 0 : MAGIC_SET;
  JSValue map = js_map_constructor(ctx, JS_UNDEFINED, 0, (JSValueConst*)&undefined, magic);
  if (JS_IsException(map)) return map;
  for (uint32_t i = 0; i < n; i++) {
    JSValue pair[2];
    pair[0] = DecodeAny(d);
    pair[1] = JS_IsException(pair[0]) ? JS_EXCEPTION : is_map ? DecodeAny(d) : JS_UNDEFINED;
    JSValue r = JS_IsException(pair[1]) ? JS_EXCEPTION
                                        : js_map_set(ctx, map, 2, (JSValueConst*)pair, magic);
    JS_FreeValue(ctx, pair[0]);
    JS_FreeValue(ctx, pair[1]);
    JS_FreeValue(ctx, r);
    if (JS_IsException(r)) {
      JS_FreeValue(ctx, map);
      return JS_EXCEPTION;
    }
  }
  return map;
}

static JSValue DecodeBytes(Decoder* d) {
  uint32_t n;
  const uint8_t* p = ReadBytes(d, &n);
  if (!p) return BadInput(d);
  JSValue buffer = JS_NewArrayBufferCopy(d->ctx, p, n);
  if (JS_IsException(buffer)) return buffer;
  JSValue args[3] = {buffer, JS_UNDEFINED, JS_UNDEFINED};
  JSValue array = JS_NewTypedArray(d->ctx, 3, (JSValueConst*)args, JS_TYPED_ARRAY_UINT8);
  JS_FreeValue(d->ctx, buffer);
  return array;
}

static JSValue DecodeBigInt(Decoder* d) {
  uint32_t n;
  const uint8_t* p = ReadBytes(d, &n);
  if (!p || !n) return BadInput(d);
  char* digits = js_strndup(d->ctx, (const char*)p, n);
  if (!digits) return JS_EXCEPTION;
  JSBigInt* b = js_bigint_from_string(d->ctx, digits, 16);
  js_free(d->ctx, digits);
  return b ? JS_CompactBigInt(d->ctx, b) : JS_ThrowOutOfMemory(d->ctx);
}

static int ReadDouble(Decoder* d, double* value) {
  if (d->end - d->p < 8) return -1;
  memcpy(value, d->p, 8);
  d->p += 8;
  return 0;
}

static JSValue DecodeScalar(Decoder* d, uint8_t tag) {
  uint32_t n;
  double number;
  switch (tag) {
    case kTagUndefined:
      return JS_UNDEFINED;
    case kTagNull:
      return JS_NULL;
    case kTagFalse:
      return JS_FALSE;
    case kTagTrue:
      return JS_TRUE;
    case kTagInt:
      if (ReadVarint(d, &n)) return BadInput(d);
      return JS_NewInt32(d->ctx, (int32_t)(n >> 1) ^ -(int32_t)(n & 1));
    case kTagDouble:
      if (ReadDouble(d, &number)) return BadInput(d);
      return JS_NewFloat64(d->ctx, number);
    case kTagString: {
      const uint8_t* p = ReadBytes(d, &n);
      return p ? JS_NewStringLen(d->ctx, (const char*)p, n) : BadInput(d);
    }
    case kTagDate:
      if (ReadDouble(d, &number)) return BadInput(d);
      return JS_NewDate(d->ctx, number);
    case kTagBigInt:
      return DecodeBigInt(d);
    case kTagBytes:
      return DecodeBytes(d);
    default:
      return BadInput(d);
  }
}

static JSValue DecodeAny(Decoder* d) {
  if (d->p == d->end) return BadInput(d);
  uint8_t tag = *d->p++;
  if (tag < kTagArray) return DecodeScalar(d, tag);
  if (++d->depth > kDepthMax || js_check_stack_overflow(d->ctx->rt, 0)) {
    return JS_ThrowRangeError(d->ctx, "value from the host: nested deeper than 512 levels");
  }
  JSValue v = tag == kTagArray    ? DecodeArray(d)
              : tag == kTagObject ? DecodeObject(d)
              : tag <= kTagSet    ? DecodeCollection(d, tag == kTagMap)
                                  : BadInput(d);
  d->depth--;
  return v;
}

/* Exactly one value that fills [p, p+n). */
static JSValue Decode(JSContext* ctx, const uint8_t* p, uint32_t n, int frozen) {
  Decoder d = {ctx, p, p + n, frozen, 0};
  JSValue v = DecodeAny(&d);
  if (!JS_IsException(v) && d.p != d.end) {
    JS_FreeValue(ctx, v);
    return BadInput(&d);
  }
  return v;
}
