/* The words every run writes, kept together: the host undoes a run page by page, so each page that
 * is not touched is saved time. One object, laid out so that the mailbox's head and the first bytes
 * of its input share the page of everything before it. */
#pragma once

#include "abi.h"
#include "quickjs.h"

enum {
  kClasses = 65,       /* small blocks: 8-byte steps up to 512 bytes */
  kBins = 96,          /* large blocks: four bins a power of two */
  kRuntimeBytes = 512, /* room for QuickJS's two own objects, checked where they are made */
  kContextBytes = 384,
  kOutSmall = 640
};

/* alloc.c. Addresses are those of block heads. */
typedef struct Heap {
  void* small[kClasses]; /* free blocks of one size, last freed first */
  uintptr_t chunk;       /* the chunk small blocks are cut from */
  uintptr_t chunk_end;
  uintptr_t top; /* first head never handed out */
  uintptr_t end;
  uintptr_t start;
  uint32_t bin_map[3];
  uint32_t from_top; /* a run allocates beside what its program left at the top, not in holes */
  struct LargeFree* bins[kBins];
} Heap;

/* codec.c: bytes on their way out; nested writers use it like a stack. */
typedef struct OutBuffer {
  uint8_t* p;
  uint32_t len, cap;
} OutBuffer;

/* What the guest is doing; decides which host calls it may make. */
enum phase { kPhaseInit, kPhaseLoading, kPhaseRunning };

/* Why no more JavaScript may run, though the program might catch the exception. */
enum stop_reason { kStopNone, kStopInterrupted, kStopLimit };

enum codec_failure { kCodecOk, kCodecRefused, kCodecTooLarge };

/* host.c: a promise that waits for the host. */
typedef struct Slot {
  JSValue resolve, reject;
  int used;
} Slot;

typedef struct Guest {
  JSContext* ctx;
  enum phase phase;
  enum stop_reason stop;
  enum codec_failure codec_failure;
  int random_allowed;  /* nx_run has set the seed */
  int is_module;       /* the program's form: its handler takes the context */
  JSValue stop_error;  /* kStopLimit: the exception to report */
  JSValue handler;     /* the function to call */
  JSValue promise;     /* what it returned, while that is pending */
  JSValue tools;       /* names of the panel's tools */
  JSValue state_cache; /* what was read of the state in this slice: key -> node, no prototype */
  Slot* slots;
  uint32_t slot_count;
  int rejection_count;
} Guest;

static struct {
  Heap heap;
  Guest guest;
  OutBuffer outgoing;
  uint8_t runtime[kRuntimeBytes] __attribute__((aligned(8)));
  uint8_t context[kContextBytes] __attribute__((aligned(8)));
  uint8_t out[kOutSmall] __attribute__((aligned(8)));
  struct nx_mailbox mailbox;
} nx_hot __attribute__((aligned(4096)));

#define nx_heap nx_hot.heap
#define nx_mb nx_hot.mailbox
#define guest nx_hot.guest
#define outgoing nx_hot.outgoing
