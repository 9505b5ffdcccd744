/* The exports of abi.h: making the context, loading a program, running and resuming it. */

#define EXPORT(name) __attribute__((export_name(#name), visibility("default")))

static const char kPrelude[] = {
#include "prelude.inc"
};
static const char kWeb[] = {
#include "web.inc"
};
static const char kFileName[] = "agent.js";

static JSValue module_context = JS_UNDEFINED; /* the argument of a module's handler */
static JSValue describe = JS_UNDEFINED;       /* prelude: describe(value) -> text for a log line */

/* --- results and errors ------------------------------------------------------------------------
 */

static int SetOut(uint32_t mark, enum nx_status status) {
  nx_mb.out_ptr = (uint32_t)(uintptr_t)(outgoing.p + mark);
  nx_mb.out_len = outgoing.len - mark;
  outgoing.len = mark;
  return status;
}

/* Properties of an error object as they are written: key, then value. */
typedef struct ErrorOut {
  uint32_t at;
  uint32_t count;
} ErrorOut;

static int ErrorKey(JSContext* ctx, ErrorOut* out, const char* key) {
  out->count++;
  return OutBytes(ctx, -1, key, (uint32_t)strlen(key));
}

static void ErrorText(JSContext* ctx, ErrorOut* out, const char* key, const char* text) {
  if (OutReserve(ctx, (uint32_t)(strlen(key) + strlen(text)) + 16)) return;
  ErrorKey(ctx, out, key);
  OutText(ctx, text);
}

static void ErrorNumber(JSContext* ctx, ErrorOut* out, const char* key, int n) {
  if (OutReserve(ctx, 64)) return;
  ErrorKey(ctx, out, key);
  OutInt(ctx, n);
}

/* How many bytes of UTF-8 text to keep, `max` at most, without cutting a character. */
static size_t CutLength(const char* s, size_t n, size_t max) {
  if (n <= max) return n;
  while (max > 0 && ((unsigned char)s[max] & 0xc0) == 0x80) max--;
  return max;
}

/* A plain property of the object itself: reading it runs nothing of the program. */
static JSValue OwnDataProperty(JSContext* ctx, JSValueConst object, const char* name) {
  JSProperty* pr;
  JSAtom atom = JS_NewAtom(ctx, name);
  JSShapeProperty* prs = find_own_property(&pr, JS_VALUE_GET_OBJ(object), atom);
  JS_FreeAtom(ctx, atom);
  if (!prs || (prs->flags & JS_PROP_TMASK) != JS_PROP_NORMAL) return JS_UNDEFINED;
  return JS_DupValue(ctx, pr->u.value);
}

/* Own or inherited property of the exception as text of bounded length; NULL when there is none.
 * May run a getter of the program; what that throws is dropped. Free with js_free. */
static char* PropertyText(JSContext* ctx, JSValueConst error, const char* name, size_t max) {
  if (!JS_IsObject(error)) return NULL;
  JSValue v = guest.stop == kStopInterrupted ? OwnDataProperty(ctx, error, name)
                                             : JS_GetPropertyStr(ctx, error, name);
  char* text = NULL;
  if (JS_IsString(v)) {
    size_t n;
    const char* s = JS_ToCStringLen(ctx, &n, v);
    if (s) text = js_strndup(ctx, s, CutLength(s, n, max));
    JS_FreeCString(ctx, s);
  }
  JS_FreeValue(ctx, v);
  if (JS_HasException(ctx)) JS_FreeValue(ctx, JS_GetException(ctx));
  return text;
}

/* The first position in the author's file that a stack text names. */
static int PositionIn(const char* stack, int* line, int* column) {
  const char* at = stack;
  while ((at = strstr(at, kFileName))) {
    at += sizeof kFileName - 1;
    if (sscanf(at, ":%d:%d", line, column) == 2 && *line > 0) return 1;
  }
  return 0;
}

static int IsNativeError(JSContext* ctx, JSValueConst v, const char* message) {
  if (!JS_IsError(ctx, v)) return 0;
  char* text = PropertyText(ctx, v, "message", 200);
  int yes = text && !strcmp(text, message) &&
            JS_VALUE_GET_OBJ(v)->shape->proto ==
                JS_VALUE_GET_OBJ(ctx->native_error_proto[JS_INTERNAL_ERROR]);
  js_free(ctx, text);
  return yes;
}

static int KindOf(JSContext* ctx, JSValueConst error, int kind) {
  if (guest.stop == kStopInterrupted) return NX_KIND_INTERRUPTED;
  if (kind != NX_KIND_THROWN) return kind;
  if (JS_IsNull(error) || IsNativeError(ctx, error, "out of memory")) return NX_KIND_MEMORY;
  if (IsNativeError(ctx, error, "stack overflow")) return NX_KIND_STACK;
  return kind;
}

static const char* KindText(int kind) {
  switch (kind) {
    case NX_KIND_MEMORY:
      return "out of memory";
    case NX_KIND_STACK:
      return "stack overflow";
    case NX_KIND_INTERRUPTED:
      return "interrupted";
    default:
      return "unknown error";
  }
}

/* A thrown value that is no Error, as text; an object as a log line would show it. */
static char* ThrownText(JSContext* ctx, JSValueConst v) {
  JSValue shown = JS_UNDEFINED;
  if (JS_IsObject(v) || JS_VALUE_GET_TAG(v) == JS_TAG_SYMBOL) {
    if (guest.stop || !JS_IsFunction(ctx, describe)) return NULL;
    shown = JS_Call(ctx, describe, JS_UNDEFINED, 1, &v);
    v = shown;
  }
  size_t n;
  const char* s = JS_IsException(v) ? NULL : JS_ToCStringLen(ctx, &n, v);
  char* text = s ? js_strndup(ctx, s, CutLength(s, n, 4000)) : NULL;
  JS_FreeCString(ctx, s);
  JS_FreeValue(ctx, shown);
  if (JS_HasException(ctx)) JS_FreeValue(ctx, JS_GetException(ctx));
  return text;
}

static void ErrorTextOf(JSContext* ctx, ErrorOut* out, const char* key, JSValueConst error,
                        size_t max) {
  char* text = PropertyText(ctx, error, key, max);
  if (text) ErrorText(ctx, out, key, text);
  js_free(ctx, text);
}

static void ErrorDetails(JSContext* ctx, ErrorOut* out, JSValueConst error) {
  if (!JS_IsObject(error) || guest.stop == kStopInterrupted) return;
  JSValue v = JS_GetPropertyStr(ctx, error, "details");
  uint32_t mark = OutMark();
  if (!JS_IsException(v) && !JS_IsUndefined(v)) {
    if (OutReserve(ctx, 16) || ErrorKey(ctx, out, "details") ||
        Encode(ctx, v, "details", 65536, 0)) {
      OutRelease(mark);
      out->count--;
    }
  }
  JS_FreeValue(ctx, v);
  if (JS_HasException(ctx)) JS_FreeValue(ctx, JS_GetException(ctx));
}

static void ErrorCause(JSContext* ctx, ErrorOut* out, JSValueConst error) {
  if (!JS_IsObject(error) || guest.stop == kStopInterrupted) return;
  JSValue cause = JS_GetPropertyStr(ctx, error, "cause");
  char* text = JS_IsObject(cause) ? PropertyText(ctx, cause, "message", 2000)
               : JS_IsUndefined(cause) || JS_IsException(cause) ? NULL
                                                                : ThrownText(ctx, cause);
  if (text) ErrorText(ctx, out, "cause", text);
  js_free(ctx, text);
  JS_FreeValue(ctx, cause);
  if (JS_HasException(ctx)) JS_FreeValue(ctx, JS_GetException(ctx));
}

static void ErrorPosition(JSContext* ctx, ErrorOut* out, const char* stack) {
  int line, column;
  if (!stack || !PositionIn(stack, &line, &column)) return;
  ErrorNumber(ctx, out, "line", line);
  ErrorNumber(ctx, out, "column", column);
}

/* Writes the error object for `error`, which it frees, and returns NX_ERROR. */
static int Fail(JSContext* ctx, JSValue error, int kind) {
  uint32_t mark = OutMark();
  ErrorOut out = {mark + 1, 0};
  if (guest.stop == kStopLimit) {
    JS_FreeValue(ctx, error);
    error = guest.stop_error;
    guest.stop_error = JS_UNDEFINED;
  }
  kind = KindOf(ctx, error, kind);
  OutReserve(ctx, 512);
  RawByte(kTagObject);
  RawByte(0);
  ErrorNumber(ctx, &out, "kind", kind);
  char* name = PropertyText(ctx, error, "name", 200);
  char* message = PropertyText(ctx, error, "message", 8000);
  char* stack = PropertyText(ctx, error, "stack", 16000);
  if (!message && kind == NX_KIND_THROWN) message = ThrownText(ctx, error);
  ErrorText(ctx, &out, "name", name ? name : "Error");
  ErrorText(ctx, &out, "message", message ? message : KindText(kind));
  ErrorText(ctx, &out, "stack", stack ? stack : "");
  ErrorPosition(ctx, &out, stack);
  js_free(ctx, name);
  js_free(ctx, message);
  js_free(ctx, stack);
  ErrorTextOf(ctx, &out, "code", error, 100);
  ErrorTextOf(ctx, &out, "capability", error, 400);
  ErrorTextOf(ctx, &out, "limit", error, 100);
  ErrorDetails(ctx, &out, error);
  ErrorCause(ctx, &out, error);
  PatchCount(ctx, out.at, out.count);
  JS_FreeValue(ctx, error);
  if (JS_HasException(ctx)) JS_FreeValue(ctx, JS_GetException(ctx));
  return SetOut(mark, NX_ERROR);
}

static int FailPending(JSContext* ctx) { return Fail(ctx, JS_GetException(ctx), NX_KIND_THROWN); }

static int FailText(JSContext* ctx, int kind, const char* message) {
  JS_ThrowTypeError(ctx, "%s", message);
  return Fail(ctx, JS_GetException(ctx), kind);
}

/* --- rejections nobody handled --------------------------------------------------------------- */

enum { kRejectionsMax = 16 };
static JSValue rejections[kRejectionsMax];

static void OnRejection(JSContext* ctx, JSValueConst promise, JSValueConst reason, JS_BOOL handled,
                        void* opaque) {
  (void)reason, (void)opaque;
  if (!handled) {
    if (guest.rejection_count < kRejectionsMax)
      rejections[guest.rejection_count++] = JS_DupValue(ctx, promise);
    return;
  }
  for (int i = 0; i < guest.rejection_count; i++) {
    if (JS_VALUE_GET_PTR(rejections[i]) != JS_VALUE_GET_PTR(promise)) continue;
    JS_FreeValue(ctx, rejections[i]);
    rejections[i] = rejections[--guest.rejection_count];
    return;
  }
}

/* Says in the log what was rejected and never looked at, the handler's own promise aside. */
static void ReportRejections(JSContext* ctx) {
  int n = guest.rejection_count;
  for (int i = 0; i < n && !guest.stop; i++) {
    JSValue promise = rejections[i];
    if (JS_IsObject(guest.promise) &&
        JS_VALUE_GET_PTR(promise) == JS_VALUE_GET_PTR(guest.promise)) {
      continue;
    }
    JSValue reason = JS_PromiseResult(ctx, promise);
    JSValue text = JS_Call(ctx, describe, JS_UNDEFINED, 1, (JSValueConst*)&reason);
    JSValue line = JS_IsException(text) ? JS_EXCEPTION
                                        : JS_ConcatString3(ctx, "unhandled rejection: ", text, "");
    uint32_t mark = OutMark();
    if (!JS_IsException(line) && !OutStringValue(ctx, kTagString, line)) {
      JS_FreeValue(ctx, Send(ctx, kHostLog, 2, mark));
    }
    JS_FreeValue(ctx, line);
    JS_FreeValue(ctx, reason);
    if (JS_HasException(ctx)) JS_FreeValue(ctx, JS_GetException(ctx));
  }
}

/* --- jobs and results --------------------------------------------------------------------------
 */

static int RunJobs(JSContext* ctx) {
  JSContext* job_ctx;
  for (uint32_t n = 1;; n++) {
    int r = JS_ExecutePendingJob(ctx->rt, &job_ctx);
    if (guest.stop) return -1;
    if (r == 0) return 0;
    if (r < 0) JS_FreeValue(ctx, JS_GetException(ctx));
    if (n % 256 == 0 && __js_poll_interrupts(ctx)) return -1;
  }
}

/* Encodes what the handler gave. */
static int Finish(JSContext* ctx, JSValueConst value) {
  if (guest.rejection_count) ReportRejections(ctx);
  uint32_t mark = OutMark();
  if (Encode(ctx, value, "result", nx_mb.result_limit, 0)) {
    OutRelease(mark);
    JSValue error = JS_GetException(ctx);
    if (guest.codec_failure == kCodecTooLarge && JS_IsObject(error)) {
      JS_SetPropertyStr(ctx, error, "code", JS_NewString(ctx, "RESOURCE_LIMIT"));
      JS_SetPropertyStr(ctx, error, "limit", JS_NewString(ctx, "result"));
    }
    return Fail(ctx, error, guest.codec_failure == kCodecOk ? NX_KIND_THROWN : NX_KIND_RESULT);
  }
  if (guest.stop) {
    OutRelease(mark);
    return Fail(ctx, JS_UNDEFINED, NX_KIND_THROWN);
  }
  return SetOut(mark, NX_DONE);
}

/* Runs what is runnable, then tells how the handler's promise stands. */
static int Advance(JSContext* ctx) {
  if (RunJobs(ctx)) return FailPending(ctx);
  switch (JS_PromiseState(ctx, guest.promise)) {
    case JS_PROMISE_PENDING: {
      if (nx_mb.pending_slots) return SetOut(OutMark(), NX_PENDING);
      return FailText(ctx, NX_KIND_STUCK,
                      "the handler awaits a promise that nothing will ever resolve");
    }
    case JS_PROMISE_FULFILLED: {
      JSValue value = JS_PromiseResult(ctx, guest.promise);
      int status = Finish(ctx, value);
      JS_FreeValue(ctx, value);
      return status;
    }
    default:
      if (guest.rejection_count > 1) ReportRejections(ctx);
      return Fail(ctx, JS_PromiseResult(ctx, guest.promise), NX_KIND_THROWN);
  }
}

/* What a call of the handler returned: a promise, a thenable, or the result itself. */
static int Settle(JSContext* ctx, JSValue value) {
  if (JS_IsException(value)) return FailPending(ctx);
  JSValue promise = JS_UNDEFINED;
  if (JS_IsObject(value)) {
    if (JS_VALUE_GET_OBJ(value)->class_id == JS_CLASS_PROMISE) {
      promise = value;
    } else {
      JSValue then = JS_GetProperty(ctx, value, JS_ATOM_then);
      int thenable = JS_IsFunction(ctx, then);
      JS_FreeValue(ctx, then);
      if (JS_IsException(then)) {
        JS_FreeValue(ctx, value);
        return FailPending(ctx);
      }
      if (thenable) {
        promise = js_promise_resolve(ctx, ctx->promise_ctor, 1, (JSValueConst*)&value, 0);
        JS_FreeValue(ctx, value);
        if (JS_IsException(promise)) return FailPending(ctx);
      }
    }
  }
  if (!JS_IsUndefined(promise)) {
    JS_FreeValue(ctx, guest.promise);
    guest.promise = promise;
    return Advance(ctx);
  }
  int status = RunJobs(ctx) ? FailPending(ctx) : Finish(ctx, value);
  JS_FreeValue(ctx, value);
  return status;
}

/* Every export that runs JavaScript begins here. */
static void Enter(JSContext* ctx) {
  JSRuntime* rt = ctx->rt;
  JS_UpdateStackTop(rt);
  if (nx_mb.stack_limit) JS_SetMaxStackSize(rt, nx_mb.stack_limit);
  outgoing.len = 0;
}

/* --- exports -----------------------------------------------------------------------------------
 */

EXPORT(nx_mailbox) uint32_t nx_mailbox(void) { return (uint32_t)(uintptr_t)&nx_mb; }

EXPORT(nx_alloc) uint32_t nx_alloc(uint32_t n) { return (uint32_t)(uintptr_t)nx_malloc(n ? n : 1); }

static JSModuleDef* RefuseImport(JSContext* ctx, const char* name, void* opaque) {
  (void)opaque;
  JS_ThrowReferenceError(ctx, "cannot import '%s': bundle the program into one module first", name);
  return NULL;
}

/* Evaluates one of the embedded files, a function, and calls it with the natives. */
static JSValue EvalEmbedded(JSContext* ctx, const char* text, size_t n, JSValueConst natives) {
  JS_SetStripInfo(ctx->rt, JS_STRIP_DEBUG); /* its frames stay out of stack texts */
  JSValue fn = JS_Eval(ctx, text, n, "nexus", JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_STRICT);
  JS_SetStripInfo(ctx->rt, 0);
  if (JS_IsException(fn)) return fn;
  return JS_CallFree(ctx, fn, JS_UNDEFINED, 1, &natives);
}

static int LoadPrelude(JSContext* ctx) {
  JSValue natives = Natives(ctx);
  JSValue made = EvalEmbedded(ctx, kPrelude, sizeof kPrelude - 1, natives);
  JSValue web = JS_IsException(made) ? made : EvalEmbedded(ctx, kWeb, sizeof kWeb - 1, natives);
  JS_FreeValue(ctx, natives);
  if (JS_IsException(web)) return -1;
  TakePrelude(ctx, made);
  JS_FreeValue(ctx, made);
  return 0;
}

static void PanicPending(JSContext* ctx) {
  Fail(ctx, JS_GetException(ctx), NX_KIND_THROWN);
  host_call(kHostPanic, 0, (const void*)nx_mb.out_ptr, nx_mb.out_len);
  __builtin_trap();
}

static JSValue last_object = JS_UNDEFINED;

EXPORT(nx_collect) int nx_collect(void) {
  JS_UpdateStackTop(guest.ctx->rt);
  JS_RunGC(guest.ctx->rt);
  guest.ctx->rt->malloc_gc_threshold = 2 * nx_mb.heap_used + 262144;
  nx_heap_seal();
  /* The newest object is a neighbour in the collector's list of the next one made: let it lie
     where a run's first allocations do. */
  JS_FreeValue(guest.ctx, last_object);
  last_object = JS_NewObject(guest.ctx);
  nx_mb.heap_peak = nx_mb.heap_used;
  return 0;
}

/* Moves an object's property values to the page of gathered things. */
static void GatherFields(JSContext* ctx, JSValueConst object) {
  JSObject* p = JS_VALUE_GET_OBJ(object);
  size_t size = (size_t)p->shape->prop_size * sizeof(JSProperty);
  nx_gather_begin();
  JSProperty* fields = js_malloc(ctx, size);
  nx_gather_end();
  if (!fields) return;
  memcpy(fields, p->prop, size);
  js_free(ctx, p->prop);
  p->prop = fields;
}

void __wasm_call_ctors(void);

EXPORT(nx_init) int nx_init(uint32_t stack_bytes, uint32_t role) {
  __wasm_call_ctors(); /* called here, or the linker would wrap every export in it */
  if (role == NX_ROLE_PARK) return host_call(kHostInterrupt, 0, NULL, 0);
  nx_mb.magic = NX_MAILBOX_MAGIC;
  nx_mb.abi_version = NX_ABI_VERSION;
  nx_mb.in_cap = NX_IN_BYTES;
  nx_mb.stack_limit = stack_bytes;
  guest.stop_error = guest.handler = guest.promise = JS_UNDEFINED;
  guest.tools = guest.state_cache = JS_UNDEFINED;
  outgoing = (OutBuffer){nx_hot.out, 0, kOutSmall};
  nx_heap_init();
  nx_gather_init();
  JSRuntime* rt = JS_NewRuntime();
  JSContext* ctx = JS_NewContext(rt);
  guest.ctx = ctx;
  nx_mb.interrupt_counter = (uint32_t)(uintptr_t)&ctx->interrupt_counter;
  Enter(ctx);
  JS_SetHostPromiseRejectionTracker(rt, OnRejection, NULL);
  JS_SetModuleLoaderFunc(rt, NULL, RefuseImport, NULL);
  if (role == NX_ROLE_RUN) {
    if (LoadPrelude(ctx)) PanicPending(ctx);
    ctx->eval_internal = NULL; /* from here on only bytecode runs */
    GatherFields(ctx, ctx->global_obj);
    GatherFields(ctx, module_context);
  }
  nx_collect();
  return 0;
}

static void FreeInput(uint32_t p) {
  if (p != (uint32_t)(uintptr_t)nx_mb.in) nx_free((void*)(uintptr_t)p);
}

/* One program as bytes: version, form, QuickJS bytecode. */
enum { kBytecodeVersion = 1 };

EXPORT(nx_load) int nx_load(uint32_t p, uint32_t n) {
  JSContext* ctx = guest.ctx;
  const uint8_t* bytes = (const uint8_t*)(uintptr_t)p;
  Enter(ctx);
  guest.phase = kPhaseLoading;
  if (n < 2 || bytes[0] != kBytecodeVersion) {
    return FailText(ctx, NX_KIND_HANDLER, "not a compiled program of this guest");
  }
  guest.is_module = bytes[1] == NX_FORM_MODULE;
  JSValue object = JS_ReadObject(ctx, bytes + 2, n - 2, JS_READ_OBJ_BYTECODE);
  FreeInput(p);
  if (JS_IsException(object)) return FailPending(ctx);
  int status = guest.is_module ? LoadModule(ctx, object) : LoadBody(ctx, object);
  guest.phase = kPhaseInit;
  return status;
}

EXPORT(nx_run) int nx_run(uint32_t p, uint32_t n) {
  JSContext* ctx = guest.ctx;
  Enter(ctx);
  nx_mb.interrupt_polls = 0;
  ctx->interrupt_counter = JS_INTERRUPT_COUNTER_INIT;
  guest.phase = kPhaseRunning;
  int status = TakeInput(ctx, (const uint8_t*)(uintptr_t)p, n);
  FreeInput(p);
  if (status < 0) return FailPending(ctx);
  if (JS_IsUndefined(guest.handler)) {
    return FailText(ctx, NX_KIND_HANDLER, "no program is loaded");
  }
  JSValue value =
      JS_Call(ctx, guest.handler, JS_UNDEFINED, guest.is_module, (JSValueConst*)&module_context);
  return Settle(ctx, value);
}

EXPORT(nx_resume) int nx_resume(uint32_t index, uint32_t ok, uint32_t p, uint32_t n) {
  JSContext* ctx = guest.ctx;
  Enter(ctx);
  if (index >= guest.slot_count || !guest.slots[index].used) {
    FreeInput(p);
    return FailText(ctx, NX_KIND_THROWN, "resume: this slot waits for nothing");
  }
  NewSlice(ctx);
  JSValue value = Decode(ctx, (const uint8_t*)(uintptr_t)p, n, 0);
  FreeInput(p);
  if (!JS_IsException(value) && !ok) {
    JSValue error = MakeError(ctx, value);
    JS_FreeValue(ctx, value);
    value = error;
  }
  if (JS_IsException(value)) {
    ok = 0;
    value = JS_GetException(ctx);
  }
  Slot slot = guest.slots[index];
  JSValue r = JS_Call(ctx, ok ? slot.resolve : slot.reject, JS_UNDEFINED, 1, (JSValueConst*)&value);
  SlotRelease(ctx, &guest.slots[index]);
  JS_FreeValue(ctx, value);
  JS_FreeValue(ctx, r);
  return Advance(ctx);
}
