/* From author's text to bytecode (nx_compile) and from bytecode to a handler (nx_load). */

/* A body without `await` needs no async function: the call then makes no promise. The word may
 * stand in a string; the longer form is right in any case. */
static const char kSyncOpen[] = "(function(){";
static const char kAsyncOpen[] = "(async function(){";
static const char kClose[] = "\n})";

static int HasWord(const char* text, const char* word) { return strstr(text, word) != NULL; }

/* The file name in positions is the one Fail looks for. */
static JSValue CompileModule(JSContext* ctx, const char* text, uint32_t n) {
  return JS_Eval(ctx, text, n, kFileName, JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
}

static JSValue CompileWrapped(JSContext* ctx, const char* open, const char* text, uint32_t n) {
  uint32_t prefix = (uint32_t)strlen(open);
  uint32_t size = prefix + n + sizeof kClose - 1;
  char* source = js_malloc(ctx, size + 1);
  if (!source) return JS_EXCEPTION;
  memcpy(source, open, prefix);
  memcpy(source + prefix, text, n);
  memcpy(source + prefix + n, kClose, sizeof kClose);
  nx_source_prefix = prefix;
  JSValue code = JS_Eval(ctx, source, size, kFileName,
                         JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_STRICT | JS_EVAL_FLAG_COMPILE_ONLY);
  nx_source_prefix = 0;
  js_free(ctx, source);
  return code;
}

/* The wrapper must have held: one function, and no more code than an empty body gives. */
static int IsOneFunction(JSContext* ctx, JSValueConst code, const char* open) {
  JSValue empty = CompileWrapped(ctx, open, "", 0);
  if (JS_IsException(empty)) return 0;
  JSFunctionBytecode* a = JS_VALUE_GET_PTR(code);
  JSFunctionBytecode* b = JS_VALUE_GET_PTR(empty);
  int same = a->byte_code_len == b->byte_code_len && a->cpool_count == b->cpool_count;
  JS_FreeValue(ctx, empty);
  return same;
}

static JSValue CompileBody(JSContext* ctx, const char* text, uint32_t n) {
  const char* open = HasWord(text, "await") ? kAsyncOpen : kSyncOpen;
  JSValue code = CompileWrapped(ctx, open, text, n);
  if (JS_IsException(code)) return code;
  if (IsOneFunction(ctx, code, open)) return code;
  JS_FreeValue(ctx, code);
  JSValue error = JS_ThrowSyntaxError(ctx, "unexpected '}': it closes the handler itself");
  return error;
}

static int OutBytecode(JSContext* ctx, JSValueConst code, uint32_t form) {
  size_t size;
  uint8_t* bytes = JS_WriteObject(ctx, &size, code, JS_WRITE_OBJ_BYTECODE);
  if (!bytes) return FailPending(ctx);
  uint32_t mark = OutMark();
  int failed = OutReserve(ctx, (uint32_t)size + 2);
  if (!failed) {
    RawByte(kBytecodeVersion);
    RawByte((uint8_t)form);
    memcpy(outgoing.p + outgoing.len, bytes, size);
    outgoing.len += (uint32_t)size;
  }
  js_free(ctx, bytes);
  return failed ? FailPending(ctx) : SetOut(mark, NX_DONE);
}

EXPORT(nx_compile) int nx_compile(uint32_t p, uint32_t n, uint32_t form) {
  JSContext* ctx = guest.ctx;
  Enter(ctx);
  ctx->interrupt_counter = JS_INTERRUPT_COUNTER_INIT;
  char* text = js_strndup(ctx, (const char*)(uintptr_t)p, n);
  FreeInput(p);
  if (!text) return FailPending(ctx);
  JSValue code = form == NX_FORM_MODULE ? CompileModule(ctx, text, n) : CompileBody(ctx, text, n);
  js_free(ctx, text);
  if (JS_IsException(code)) {
    JSValue error = JS_GetException(ctx);
    int syntax =
        JS_IsObject(error) && JS_VALUE_GET_OBJ(error)->shape->proto ==
                                  JS_VALUE_GET_OBJ(ctx->native_error_proto[JS_SYNTAX_ERROR]);
    return Fail(ctx, error, syntax ? NX_KIND_SYNTAX : NX_KIND_THROWN);
  }
  int status = OutBytecode(ctx, code, form);
  JS_FreeValue(ctx, code);
  return status;
}

/* --- bytecode to handler ------------------------------------------------------------------------
 */

static int TakeHandler(JSContext* ctx, JSValue fn) {
  if (!JS_IsFunction(ctx, fn)) {
    int missing = JS_IsUndefined(fn);
    JS_FreeValue(ctx, fn);
    return FailText(ctx, NX_KIND_HANDLER,
                    missing ? "the module has no default export: export default a function"
                            : "the module's default export is not a function");
  }
  JS_FreeValue(ctx, guest.handler);
  guest.handler = fn;
  return SetOut(OutMark(), NX_DONE);
}

static int LoadBody(JSContext* ctx, JSValue code) {
  JSValue fn = JS_EvalFunction(ctx, code);
  return JS_IsException(fn) ? FailPending(ctx) : TakeHandler(ctx, fn);
}

static int LoadModule(JSContext* ctx, JSValue module) {
  if (JS_VALUE_GET_TAG(module) != JS_TAG_MODULE) {
    JS_FreeValue(ctx, module);
    return FailText(ctx, NX_KIND_HANDLER, "not a compiled module");
  }
  JSModuleDef* m = JS_VALUE_GET_PTR(module);
  if (JS_ResolveModule(ctx, module) < 0) return FailPending(ctx);
  JSValue done = JS_EvalFunction(ctx, module);
  if (JS_IsException(done)) return FailPending(ctx);
  if (RunJobs(ctx)) return FailPending(ctx);
  JSPromiseStateEnum state = JS_PromiseState(ctx, done);
  if (state == JS_PROMISE_REJECTED) {
    JSValue error = JS_PromiseResult(ctx, done);
    JS_FreeValue(ctx, done);
    return Fail(ctx, error, NX_KIND_THROWN);
  }
  JS_FreeValue(ctx, done);
  if (state == JS_PROMISE_PENDING) {
    return FailText(ctx, NX_KIND_STUCK,
                    "the module's top level awaits a promise that nothing will ever resolve");
  }
  JSValue ns = JS_GetModuleNamespace(ctx, m);
  if (JS_IsException(ns)) return FailPending(ctx);
  JSValue fn = JS_GetPropertyStr(ctx, ns, "default");
  JS_FreeValue(ctx, ns);
  return JS_IsException(fn) ? FailPending(ctx) : TakeHandler(ctx, fn);
}
