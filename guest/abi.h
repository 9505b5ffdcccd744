/* The boundary between host and guest, seen from both sides: plain C, included by the guest (wasm32
 * clang) and by the host (g++). Prose: docs/format/guest-abi.md.
 *
 * Exports of the guest, all i32:
 *   nx_mailbox()                -> address of struct nx_mailbox, fixed for the life of the image
 *   nx_init(stack_bytes, role)  -> 0; role NX_ROLE_*; called once, when a base image is built
 *   nx_alloc(n)                 -> address of n bytes for a large input, 0 when memory is out
 *   nx_compile(p, n, form)      -> status; only in NX_ROLE_COMPILER; out = bytecode | error
 *   nx_load(p, n)               -> status; loads bytecode and runs its top level; out = error
 *   nx_run(p, n)                -> status; one encoded object {args, scope, seed, ...}
 *   nx_resume(slot, ok, p, n)   -> status; p,n one encoded value (the answer or an error object)
 *   nx_collect()                -> 0; runs the cycle collector, before an image is taken
 * Inputs of up to `in_cap` bytes are written to mailbox.in; longer ones to nx_alloc'ed memory.
 */
#pragma once

#include <stdint.h>

#define NX_ABI_VERSION 1u
#define NX_MAILBOX_MAGIC 0x314d584eu /* "NXM1" */
#define NX_IN_BYTES 65536u

/* PARK: nx_init makes one Interrupt call, from which the host never returns: a thread that stays in
 * guest code keeps the engine's signal handlers installed. */
enum nx_role { NX_ROLE_RUN = 0, NX_ROLE_COMPILER = 1, NX_ROLE_PARK = 2 };
/* How source text is read. BODY: the inside of an async function, `return` and `await` allowed.
 * MODULE: an ES module whose default export is called with the context object. */
enum nx_form { NX_FORM_BODY = 0, NX_FORM_MODULE = 1 };
/* What nx_run, nx_resume, nx_load and nx_compile return. */
enum nx_status {
  NX_DONE = 0,   /* out = encoded result (or bytecode) */
  NX_ERROR = 1,  /* out = encoded error object, see docs/format/guest-abi.md */
  NX_PENDING = 2 /* waits for answers to ExtCall/ToolCall slots; out empty */
};
/* Why an error happened, field `kind` of the error object. */
enum nx_error_kind {
  NX_KIND_THROWN = 0,      /* the program threw */
  NX_KIND_SYNTAX = 1,      /* nx_compile: the source does not parse */
  NX_KIND_MEMORY = 2,      /* the heap limit was met */
  NX_KIND_STACK = 3,       /* the guest stack limit was met */
  NX_KIND_INTERRUPTED = 4, /* the host asked to stop */
  NX_KIND_RESULT = 5,      /* the result cannot cross the boundary (cycle, function, too deep) */
  NX_KIND_HANDLER = 6,     /* no default export, or it is no function */
  NX_KIND_STUCK = 7        /* pending for ever: awaits something no host call will answer */
};

/* Little endian, 8-byte aligned. The guest lays its own hot words just before it, so that they, the
 * header and small inputs dirty one page. */
struct nx_mailbox {
  uint32_t magic;
  uint32_t abi_version;
  uint32_t interrupt; /* host -> guest: non-zero asks for host.call(Interrupt) at the next poll */
  uint32_t interrupt_polls; /* guest: polls since nx_run */
  uint32_t out_ptr;         /* guest -> host: the last output */
  uint32_t out_len;
  uint32_t in_cap;    /* NX_IN_BYTES */
  uint32_t heap_used; /* bytes handed out by the allocator, with its overhead */
  uint32_t heap_peak;
  uint32_t heap_limit;        /* host -> guest: bytes; the linear memory is the true bound */
  uint32_t stack_limit;       /* host -> guest: bytes of guest stack, at most what nx_init set */
  uint32_t result_limit;      /* host -> guest: bytes of encoded result */
  uint32_t pending_slots;     /* guest: unanswered slots */
  uint32_t slots_limit;       /* host -> guest: concurrent suspensions */
  uint32_t interrupt_counter; /* guest: address of QuickJS's countdown to the next poll; the host
                               * stores 1 there so that a stop does not wait for the rest of it */
  uint32_t reserved;
  uint8_t in[NX_IN_BYTES];
};
