#pragma once
/* Functions of the guest that are used before the file which defines them. */
static JSValue Natives(JSContext* ctx);
static int LoadBody(JSContext* ctx, JSValue code);
static int LoadModule(JSContext* ctx, JSValue module);
static int TakeInput(JSContext* ctx, const uint8_t* p, uint32_t n);
static void NewSlice(JSContext* ctx);
static void TakePrelude(JSContext* ctx, JSValueConst made);
static void FindFixed(JSContext* ctx);
