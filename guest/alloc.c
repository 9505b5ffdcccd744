/* The allocator under QuickJS and libc: one linear heap from __heap_base to the end of memory.
 *
 * Why an own one: QuickJS needs true block sizes to bound its memory, the total must be bounded at
 * the mailbox's `heap_limit`, a short run should touch few pages, and a call must cost a few
 * instructions. Small blocks come from exact size-class lists, then from a bump chunk; large ones
 * from segregated bins with boundary tags. Small blocks are joined again only when the heap runs
 * out (CoalesceAll): until then freeing is one push.
 *
 * A block is a 4-byte head (size with its flags) followed by the payload, which is 8-byte aligned.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "hot.h"

_Static_assert(kClasses == 512 / 8 + 1, "one class for each multiple of 8");

enum {
  kUsed = 1u,     /* not in a large bin */
  kPrevFree = 2u, /* the block before is in a large bin and ends with its size */
  kMarked = 4u,   /* only within CoalesceAll: lies in a small list */
  kFlags = 7u,
  kSmallMax = 512u, /* largest block, head included, that a size class serves */
  kChunk = 4096u,
  kBlockMin = 16u
};

typedef struct LargeFree {
  struct LargeFree* next;
  struct LargeFree* prev;
} LargeFree;

/* Small lists of the image, kept aside so that a run stays on few pages. */
static void* nx_cold[kClasses];

static inline uint32_t* HeadOf(uintptr_t block) { return (uint32_t*)block; }
static inline uint32_t SizeAt(uintptr_t block) { return *HeadOf(block) & ~(uint32_t)kFlags; }
static inline size_t nx_heap_used(void) { return nx_mb.heap_used; }

static size_t nx_usable_size(const void* ptr) { return ptr ? SizeAt((uintptr_t)ptr - 4) - 4 : 0; }

static inline void Account(uint32_t size) {
  uint32_t used = nx_mb.heap_used + size;
  nx_mb.heap_used = used;
  if (used > nx_mb.heap_peak) nx_mb.heap_peak = used;
}

/* --- large blocks --------------------------------------------------------------------------- */

static int BinOf(uint32_t size) {
  int log = 31 - __builtin_clz(size);
  int bin = (log - 9) * 4 + (int)((size >> (log - 2)) & 3);
  if (bin < 0) bin = 0;
  return bin < kBins ? bin : kBins - 1;
}

static void BinInsert(uintptr_t block, uint32_t size) {
  int bin = BinOf(size);
  LargeFree* f = (LargeFree*)(block + 4);
  f->prev = NULL;
  f->next = nx_heap.bins[bin];
  if (f->next) f->next->prev = f;
  nx_heap.bins[bin] = f;
  nx_heap.bin_map[bin >> 5] |= 1u << (bin & 31);
  *HeadOf(block) = size | (*HeadOf(block) & kPrevFree);
  *HeadOf(block + size - 4) = size;
  if (block + size < nx_heap.top) *HeadOf(block + size) |= kPrevFree;
}

static void BinRemove(uintptr_t block) {
  int bin = BinOf(SizeAt(block));
  LargeFree* f = (LargeFree*)(block + 4);
  if (f->next) f->next->prev = f->prev;
  if (f->prev) {
    f->prev->next = f->next;
  } else {
    nx_heap.bins[bin] = f->next;
    if (!f->next) nx_heap.bin_map[bin >> 5] &= ~(1u << (bin & 31));
  }
  uintptr_t next = block + SizeAt(block);
  if (next < nx_heap.top) *HeadOf(next) &= ~(uint32_t)kPrevFree;
}

static inline int IsLargeFree(uintptr_t block) {
  return block < nx_heap.top && !(*HeadOf(block) & (kUsed | kMarked));
}

/* Gives [block, block+size) back: joins free neighbours, or lowers the top. */
static void LargeFreeBlock(uintptr_t block, uint32_t size) {
  uint32_t prev_free = *HeadOf(block) & kPrevFree;
  uintptr_t next = block + size;
  if (IsLargeFree(next)) {
    uint32_t more = SizeAt(next);
    BinRemove(next);
    size += more;
  }
  if (prev_free) {
    uint32_t before = *HeadOf(block - 4);
    block -= before;
    BinRemove(block);
    size += before;
    prev_free = *HeadOf(block) & kPrevFree;
  }
  if (block + size == nx_heap.top) {
    nx_heap.top = block;
    return;
  }
  *HeadOf(block) = size | prev_free;
  BinInsert(block, size);
}

/* A free block of at least `size` bytes out of the bins, unlinked and still whole; 0 when none. */
static uintptr_t BinTake(uint32_t size) {
  int bin = BinOf(size);
  int tries = 8;
  for (LargeFree* f = nx_heap.bins[bin]; f && tries--; f = f->next) {
    uintptr_t block = (uintptr_t)f - 4;
    if (SizeAt(block) >= size) {
      BinRemove(block);
      return block;
    }
  }
  for (int i = bin + 1; i < kBins; i = (i | 31) + 1) {
    uint32_t word = nx_heap.bin_map[i >> 5] >> (i & 31);
    if (!word) continue;
    uintptr_t block = (uintptr_t)nx_heap.bins[i + __builtin_ctz(word)] - 4;
    BinRemove(block);
    return block;
  }
  return 0;
}

/* Cuts the tail beyond `size` off a used block and frees it when it is worth a bin. */
static void TrimTail(uintptr_t block, uint32_t size) {
  uint32_t have = SizeAt(block);
  if (have <= size + kSmallMax) return;
  *HeadOf(block) = size | (*HeadOf(block) & kFlags);
  *HeadOf(block + size) = (have - size) | kUsed;
  LargeFreeBlock(block + size, have - size);
}

/* --- joining everything again ---------------------------------------------------------------- */

static void CloseChunk(void) {
  uint32_t left = (uint32_t)(nx_heap.chunk_end - nx_heap.chunk);
  if (left) *HeadOf(nx_heap.chunk) |= kMarked;
  nx_heap.chunk = nx_heap.chunk_end = 0;
}

static void MarkList(void** lists) {
  for (int i = 0; i < kClasses; i++) {
    for (void* p = lists[i]; p; p = *(void**)p) *HeadOf((uintptr_t)p - 4) |= kMarked;
    lists[i] = NULL;
  }
}

static int IsFreeNow(uintptr_t block) {
  uint32_t head = *HeadOf(block);
  return (head & kMarked) || !(head & kUsed);
}

/* Joins all free neighbours and rebuilds every list; linear in the number of blocks. */
static void CoalesceAll(void) {
  nx_heap.from_top = 0;
  CloseChunk();
  MarkList(nx_heap.small);
  MarkList(nx_cold);
  memset(nx_heap.bins, 0, sizeof nx_heap.bins);
  memset(nx_heap.bin_map, 0, sizeof nx_heap.bin_map);
  uintptr_t block = nx_heap.start;
  while (block < nx_heap.top) {
    uint32_t size = SizeAt(block);
    if (!IsFreeNow(block)) {
      *HeadOf(block) &= ~(uint32_t)kPrevFree;
      block += size;
      continue;
    }
    while (block + size < nx_heap.top && IsFreeNow(block + size)) size += SizeAt(block + size);
    if (block + size >= nx_heap.top) {
      nx_heap.top = block;
      break;
    }
    *HeadOf(block) = size | kUsed;
    uintptr_t next = block + size;
    *HeadOf(next) &= ~(uint32_t)kPrevFree; /* it is in use: its flag is set again by BinInsert */
    if (size > kSmallMax) {
      *HeadOf(block) = size;
      BinInsert(block, size);
      block = next + SizeAt(next); /* keep the flag BinInsert set on the used neighbour */
      continue;
    }
    if (size >= kBlockMin) {
      *(void**)(block + 4) = nx_heap.small[size >> 3];
      nx_heap.small[size >> 3] = (void*)(block + 4);
    }
    block = next;
  }
}

/* --- allocation ------------------------------------------------------------------------------- */

static uintptr_t TakeLargeOnce(uint32_t size) {
  uintptr_t block = BinTake(size);
  if (block) {
    *HeadOf(block) |= kUsed;
    TrimTail(block, size);
    return block;
  }
  if (nx_heap.end - nx_heap.top >= size) {
    block = nx_heap.top;
    nx_heap.top += size;
    *HeadOf(block) = size | kUsed;
    return block;
  }
  return 0;
}

static __attribute__((noinline)) void* AllocLarge(uint32_t size) {
  uintptr_t block = TakeLargeOnce(size);
  if (!block) {
    CoalesceAll();
    block = TakeLargeOnce(size);
    if (!block) return NULL;
  }
  Account(SizeAt(block));
  return (void*)(block + 4);
}

/* The unused rest of the chunk is a used block of its own to its neighbours. */
static inline void SetChunk(uintptr_t from, uintptr_t to, uint32_t flags) {
  nx_heap.chunk = from;
  nx_heap.chunk_end = to;
  if (from < to) *HeadOf(from) = (uint32_t)(to - from) | kUsed | flags;
}

static int RefillChunk(void) {
  uint32_t left = (uint32_t)(nx_heap.chunk_end - nx_heap.chunk);
  if (left) {
    if (left >= kBlockMin) {
      *(void**)(nx_heap.chunk + 4) = nx_heap.small[left >> 3];
      nx_heap.small[left >> 3] = (void*)(nx_heap.chunk + 4);
    }
    nx_heap.chunk = nx_heap.chunk_end = 0;
  }
  uintptr_t block = nx_heap.from_top ? 0 : BinTake(kSmallMax + 8);
  if (block) {
    *HeadOf(block) |= kUsed;
    TrimTail(block, kChunk);
    SetChunk(block, block + SizeAt(block), *HeadOf(block) & kPrevFree);
    return 1;
  }
  uint32_t room = (uint32_t)(nx_heap.end - nx_heap.top);
  uint32_t take = room < kChunk ? room : kChunk;
  if (take < kSmallMax) return 0;
  uintptr_t from = nx_heap.top;
  nx_heap.top += take;
  SetChunk(from, nx_heap.top, 0);
  return 1;
}

static __attribute__((noinline)) void* AllocSmallSlow(uint32_t size) {
  for (int round = 0; round < 2; round++) {
    if (nx_heap.chunk_end - nx_heap.chunk >= size || RefillChunk()) {
      uintptr_t block = nx_heap.chunk;
      uint32_t prev_free = *HeadOf(block) & kPrevFree;
      SetChunk(block + size, nx_heap.chunk_end, 0);
      *HeadOf(block) = size | kUsed | prev_free;
      Account(size);
      return (void*)(block + 4);
    }
    if (round == 0) CoalesceAll();
    void* p = nx_heap.small[size >> 3];
    if (p) {
      nx_heap.small[size >> 3] = *(void**)p;
      Account(size);
      return p;
    }
  }
  return NULL;
}

static inline void* nx_malloc(size_t n) {
  if (n > 0x7ffffff0u) return NULL;
  uint32_t size = ((uint32_t)n + 4 + 7) & ~7u;
  if (size < kBlockMin) size = kBlockMin;
  if (nx_mb.heap_used + size > nx_mb.heap_limit) return NULL;
  if (size > kSmallMax) return AllocLarge(size);
  void* p = nx_heap.small[size >> 3];
  if (__builtin_expect(p == NULL, 0)) return AllocSmallSlow(size);
  nx_heap.small[size >> 3] = *(void**)p;
  Account(size);
  return p;
}

static inline void nx_free(void* p) {
  if (!p) return;
  uintptr_t block = (uintptr_t)p - 4;
  uint32_t size = SizeAt(block);
  nx_mb.heap_used -= size;
  if (size <= kSmallMax) {
    *(void**)p = nx_heap.small[size >> 3];
    nx_heap.small[size >> 3] = p;
    return;
  }
  LargeFreeBlock(block, size);
}

/* Makes a used block reach `size` bytes without moving it; 0 when its neighbours are in use. */
static int GrowInPlace(uintptr_t block, uint32_t have, uint32_t size) {
  uintptr_t next = block + have;
  uint32_t more = size - have;
  if (next == nx_heap.chunk && nx_heap.chunk_end - nx_heap.chunk >= more) {
    SetChunk(nx_heap.chunk + more, nx_heap.chunk_end, 0);
  } else if (next == nx_heap.top && nx_heap.end - nx_heap.top >= more) {
    nx_heap.top += more;
  } else if (IsLargeFree(next) && SizeAt(next) >= more) {
    uint32_t all = have + SizeAt(next);
    BinRemove(next);
    *HeadOf(block) = all | (*HeadOf(block) & kFlags);
    TrimTail(block, size);
    return 1;
  } else {
    return 0;
  }
  *HeadOf(block) = size | (*HeadOf(block) & kFlags);
  return 1;
}

static void* nx_realloc(void* p, size_t n) {
  if (!p) return n ? nx_malloc(n) : NULL;
  if (n == 0) {
    nx_free(p);
    return NULL;
  }
  if (n > 0x7ffffff0u) return NULL;
  uintptr_t block = (uintptr_t)p - 4;
  uint32_t have = SizeAt(block);
  uint32_t size = ((uint32_t)n + 4 + 7) & ~7u;
  if (size < kBlockMin) size = kBlockMin;
  if (size <= have) {
    if (have > kSmallMax) {
      TrimTail(block, size > kSmallMax ? size : kSmallMax + 8);
      nx_mb.heap_used -= have - SizeAt(block);
    }
    return p;
  }
  if (nx_mb.heap_used + (size - have) > nx_mb.heap_limit) return NULL;
  if (GrowInPlace(block, have, size)) {
    Account(SizeAt(block) - have);
    return p;
  }
  void* q = nx_malloc(n);
  if (!q) return NULL;
  memcpy(q, p, have - 4);
  nx_free(p);
  return q;
}

/* --- set-up and image ------------------------------------------------------------------------- */

extern unsigned char __heap_base;

static void nx_heap_init(void) {
  uintptr_t base = (((uintptr_t)&__heap_base + 4095) & ~(uintptr_t)4095) + 8;
  nx_heap.start = nx_heap.top = base - 4;
  uintptr_t pages = __builtin_wasm_memory_size(0);
  nx_heap.end = ((pages - 1) << 16) + 65536 - 4;
  if (!nx_mb.heap_limit) nx_mb.heap_limit = (uint32_t)(nx_heap.end - nx_heap.start);
}

/* Before an image is taken: the free blocks scattered over its pages are kept aside, so that a run
 * allocates from one fresh page. They come back when the heap runs out. */
static void nx_heap_seal(void) {
  CoalesceAll();
  memcpy(nx_cold, nx_heap.small, sizeof nx_cold);
  memset(nx_heap.small, 0, sizeof nx_heap.small);
  nx_heap.from_top = 1;
}

/* Between these two, small blocks come from one page at the start of the heap: for the few objects
 * of the image that every run touches (their reference counts). */
static struct {
  void* small[kClasses];
  uintptr_t chunk, chunk_end; /* what is set aside: the ordinary chunk, or the rest of the page */
} nx_gather;

static void SwapChunk(void) {
  uintptr_t from = nx_heap.chunk, to = nx_heap.chunk_end;
  nx_heap.chunk = nx_gather.chunk;
  nx_heap.chunk_end = nx_gather.chunk_end;
  nx_gather.chunk = from;
  nx_gather.chunk_end = to;
}

static void nx_gather_begin(void) {
  memcpy(nx_gather.small, nx_heap.small, sizeof nx_gather.small);
  memset(nx_heap.small, 0, sizeof nx_heap.small);
  SwapChunk();
}

static void nx_gather_end(void) {
  SwapChunk();
  memcpy(nx_heap.small, nx_gather.small, sizeof nx_gather.small);
}

static void nx_gather_init(void) {
  uintptr_t from = nx_heap.top;
  nx_heap.top = (from & ~(uintptr_t)4095) + 4096 + 4;
  SetChunk(from, nx_heap.top, 0);
  SwapChunk();
  nx_heap.chunk = nx_heap.chunk_end = 0;
}

/* The next automatic collection: half as much again, but well before the limit. */
static size_t nx_gc_threshold(void) {
  size_t used = nx_mb.heap_used;
  size_t room = used < nx_mb.heap_limit ? nx_mb.heap_limit - used : 0;
  size_t more = used >> 1;
  return used + (more < room / 2 ? more : room / 2);
}

/* --- libc's names, so that its own allocator is not linked ------------------------------------ */

void* malloc(size_t n) { return nx_malloc(n ? n : 1); }
void free(void* p) { nx_free(p); }
void* realloc(void* p, size_t n) { return nx_realloc(p, n ? n : 1); }
size_t malloc_usable_size(void* p) { return nx_usable_size(p); }

void* calloc(size_t count, size_t size) {
  size_t n;
  if (__builtin_mul_overflow(count, size, &n)) return NULL;
  void* p = nx_malloc(n ? n : 1);
  return p ? memset(p, 0, n) : NULL;
}
