/* memory.c: realloc with a count of live blocks and a switch that makes it fail. */
#include "core/memory.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_long blocks;
static atomic_long countdown = LONG_MIN; /* to 0, then failing; LONG_MIN: off */
static atomic_long failures;

static int refused(void) {
  if (atomic_load_explicit(&countdown, memory_order_relaxed) == LONG_MIN) return 0;
  long left = atomic_fetch_sub(&countdown, 1) - 1;
  if (left > 0) return 0;
  if (-left >= atomic_load(&failures)) atomic_store(&countdown, LONG_MIN);
  return 1;
}

void *tuff_alloc(void *old, size_t size) {
  if (size == 0) {
    if (old) atomic_fetch_sub_explicit(&blocks, 1, memory_order_relaxed);
    free(old);
    return NULL;
  }
  if (refused()) return NULL;
  void *block = realloc(old, size);
  if (block && !old) atomic_fetch_add_explicit(&blocks, 1, memory_order_relaxed);
  return block;
}

void *tuff_alloc_zero(size_t size) {
  void *block = tuff_alloc(NULL, size);
  if (block) memset(block, 0, size);
  return block;
}

void tuff_free(void *block) { tuff_alloc(block, 0); }

void tuff_alloc_fail(unsigned long n, unsigned long persistent) {
  atomic_store(&failures, (long)persistent);
  atomic_store(&countdown, n ? (long)n : LONG_MIN);
}

long tuff_alloc_blocks(void) { return atomic_load(&blocks); }
