/* The way out: the one import, the calls of host_calls.def as functions for the prelude, and what
 * a host's error becomes in JavaScript. */

#define NEXUS_HOST_CALL(name, number, gate) kHost##name = number,
enum host_op {
#include "host_calls.def"
};
#undef NEXUS_HOST_CALL

__attribute__((import_module("host"), import_name("call"))) extern int32_t host_call(int32_t op,
                                                                                     int32_t a,
                                                                                     const void* p,
                                                                                     uint32_t n);

static JSValue make_error = JS_UNDEFINED; /* prelude: makeError(object) -> Error */

/* The host may ask to stop at any poll; nx_poll is called by QuickJS's interrupt checks. */
static int nx_poll(void) {
  nx_mb.interrupt_polls++;
  if (guest.stop) return 1;
  if (!nx_mb.interrupt) return 0;
  if (host_call(kHostInterrupt, (int32_t)nx_mb.interrupt_polls, NULL, 0) == 0) return 0;
  guest.stop = kStopInterrupted;
  return 1;
}

static JSValue ThrowStopped(JSContext* ctx) {
  ctx->interrupt_counter = 1;
  JS_ThrowInterrupted(ctx);
  return JS_EXCEPTION;
}

/* The reply of a call: `n` bytes in the mailbox, or fetched to `owned`. */
typedef struct Reply {
  const uint8_t* p;
  uint32_t n;
  uint8_t* owned;
} Reply;

static int TakeReply(JSContext* ctx, uint32_t n, Reply* reply) {
  reply->n = n;
  reply->owned = NULL;
  reply->p = nx_mb.in;
  if (n <= NX_IN_BYTES) return 0;
  reply->owned = js_malloc(ctx, n);
  if (!reply->owned) return -1;
  host_call(kHostFetch, 0, reply->owned, n);
  reply->p = reply->owned;
  return 0;
}

static int IsTrueProperty(JSContext* ctx, JSValueConst object, const char* name) {
  JSValue v = JS_GetPropertyStr(ctx, object, name);
  int yes = JS_VALUE_GET_TAG(v) == JS_TAG_BOOL && JS_VALUE_GET_BOOL(v);
  JS_FreeValue(ctx, v);
  return yes;
}

/* Turns a host's error object into the exception a program sees. */
static JSValue MakeError(JSContext* ctx, JSValueConst object) {
  if (JS_IsFunction(ctx, make_error)) {
    return JS_Call(ctx, make_error, JS_UNDEFINED, 1, (JSValueConst*)&object);
  }
  JSValue error = JS_NewError(ctx);
  JS_DefinePropertyValueStr(ctx, error, "message", JS_GetPropertyStr(ctx, object, "message"),
                            JS_PROP_C_W_E);
  return error;
}

/* Throws what the host reported. A limit marked fatal ends the run whatever the program catches. */
static JSValue ThrowHostError(JSContext* ctx, const Reply* reply) {
  JSValue object = Decode(ctx, reply->p, reply->n, 0);
  if (JS_IsException(object)) return object;
  JSValue error = MakeError(ctx, object);
  int fatal = IsTrueProperty(ctx, object, "fatal");
  JS_FreeValue(ctx, object);
  if (JS_IsException(error)) return error;
  if (fatal) {
    guest.stop = kStopLimit;
    JS_FreeValue(ctx, guest.stop_error);
    guest.stop_error = error;
    return ThrowStopped(ctx);
  }
  return JS_Throw(ctx, error);
}

static int MayCall(JSContext* ctx, int op) {
  if (guest.stop) {
    ThrowStopped(ctx);
    return 0;
  }
  if (guest.phase == kPhaseRunning || op == kHostLog) return 1;
  JS_ThrowTypeError(ctx,
                    "host calls are not available while the module loads: "
                    "call them from the handler");
  return 0;
}

/* Sends the request that lies in the out buffer from `mark` on. */
static JSValue Send(JSContext* ctx, int op, int32_t a, uint32_t mark) {
  if (!MayCall(ctx, op)) {
    OutRelease(mark);
    return JS_EXCEPTION;
  }
  int32_t r = host_call(op, a, outgoing.p + mark, outgoing.len - mark);
  OutRelease(mark);
  Reply reply;
  if (TakeReply(ctx, r < 0 ? (uint32_t)~r : (uint32_t)r, &reply)) return JS_EXCEPTION;
  JSValue v = r < 0          ? ThrowHostError(ctx, &reply)
              : reply.n == 0 ? JS_UNDEFINED
                             : Decode(ctx, reply.p, reply.n, 0);
  js_free(ctx, reply.owned);
  return v;
}

static int EncodeArguments(JSContext* ctx, int argc, JSValueConst* argv, int json) {
  for (int i = 0; i < argc; i++) {
    if (Encode(ctx, argv[i], "argument", 0, json)) return -1;
  }
  return 0;
}

/* call(op, a, ...values): a synchronous host call. */
static JSValue HostSync(JSContext* ctx, JSValueConst self, int argc, JSValueConst* argv) {
  (void)self;
  int32_t op = JS_VALUE_GET_INT(argv[0]);
  int json = op == kHostStateSet || op == kHostEmit;
  uint32_t mark = OutMark();
  if (EncodeArguments(ctx, argc - 2, argv + 2, json && op == kHostStateSet)) {
    OutRelease(mark);
    return JS_EXCEPTION;
  }
  return Send(ctx, op, JS_VALUE_GET_INT(argv[1]), mark);
}

/* The clock of the host, recorded there; 0 while no run is on. */
static int64_t nx_clock_ms(void) {
  if (guest.phase != kPhaseRunning || guest.stop) return 0;
  int32_t r = host_call(kHostNow, 0, NULL, 0);
  if (r <= 0 || (uint32_t)r > NX_IN_BYTES) return 0;
  JSValue v = Decode(guest.ctx, nx_mb.in, (uint32_t)r, 0);
  int64_t ms = 0;
  if (!JS_IsNumber(v) || JS_ToInt64(guest.ctx, &ms, v)) ms = 0;
  JS_FreeValue(guest.ctx, v);
  return ms;
}

/* --- slots: promises that wait for the host ----------------------------------------------------
 */

/* A free slot's index, -1 with an exception. */
static int32_t SlotTake(JSContext* ctx) {
  for (uint32_t i = 0; i < guest.slot_count; i++) {
    if (!guest.slots[i].used) return (int32_t)i;
  }
  uint32_t count = guest.slot_count ? guest.slot_count * 2 : 8;
  Slot* at = js_realloc(ctx, guest.slots, count * sizeof *at);
  if (!at) return -1;
  for (uint32_t i = guest.slot_count; i < count; i++) at[i].used = 0;
  guest.slots = at;
  int32_t first = (int32_t)guest.slot_count;
  guest.slot_count = count;
  return first;
}

static void SlotRelease(JSContext* ctx, Slot* slot) {
  JS_FreeValue(ctx, slot->resolve);
  JS_FreeValue(ctx, slot->reject);
  slot->used = 0;
  nx_mb.pending_slots--;
}

static JSValue ThrowTooManyPending(JSContext* ctx) {
  JSValue object = JS_NewObject(ctx);
  JS_SetPropertyStr(ctx, object, "code", JS_NewString(ctx, "RESOURCE_LIMIT"));
  JS_SetPropertyStr(ctx, object, "limit", JS_NewString(ctx, "suspensions"));
  JS_SetPropertyStr(ctx, object, "message",
                    JS_NewString(ctx, "too many calls are pending: await some of them first"));
  JSValue error = MakeError(ctx, object);
  JS_FreeValue(ctx, object);
  return JS_IsException(error) ? error : JS_Throw(ctx, error);
}

/* Encodes and sends; the slot is taken only when the host accepted the call. */
static JSValue SendAsync(JSContext* ctx, int op, int argc, JSValueConst* argv) {
  if (nx_mb.slots_limit && nx_mb.pending_slots >= nx_mb.slots_limit)
    return ThrowTooManyPending(ctx);
  uint32_t mark = OutMark();
  if (EncodeArguments(ctx, argc, argv, 0)) {
    OutRelease(mark);
    return JS_EXCEPTION;
  }
  int32_t index = SlotTake(ctx);
  if (index < 0) {
    OutRelease(mark);
    return JS_EXCEPTION;
  }
  JSValue functions[2];
  JSValue promise = JS_NewPromiseCapability(ctx, functions);
  if (JS_IsException(promise)) {
    OutRelease(mark);
    return promise;
  }
  guest.slots[index] = (Slot){functions[0], functions[1], 1};
  nx_mb.pending_slots++;
  JSValue sent = Send(ctx, op, index, mark);
  if (JS_IsException(sent)) {
    SlotRelease(ctx, &guest.slots[index]);
    JS_FreeValue(ctx, promise);
    return sent;
  }
  JS_FreeValue(ctx, sent);
  return promise;
}

static JSValue RejectedWith(JSContext* ctx, JSValue reason) {
  JSValue functions[2];
  JSValue promise = JS_NewPromiseCapability(ctx, functions);
  if (!JS_IsException(promise)) {
    JSValue r = JS_Call(ctx, functions[1], JS_UNDEFINED, 1, (JSValueConst*)&reason);
    JS_FreeValue(ctx, r);
    JS_FreeValue(ctx, functions[0]);
    JS_FreeValue(ctx, functions[1]);
  }
  JS_FreeValue(ctx, reason);
  return promise;
}

/* callAsync(op, ...values): a promise always; what fails at once is a rejection. */
static JSValue HostAsync(JSContext* ctx, JSValueConst self, int argc, JSValueConst* argv) {
  (void)self;
  JSValue promise = SendAsync(ctx, JS_VALUE_GET_INT(argv[0]), argc - 1, argv + 1);
  if (!JS_IsException(promise)) return promise;
  if (guest.stop) return promise;
  return RejectedWith(ctx, JS_GetException(ctx));
}
