/* failing.h: allocators whose n-th allocation fails, and some more after it. */
#ifndef TUFF_TEST_FAILING_H
#define TUFF_TEST_FAILING_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/memory.h"

typedef struct allocator {
  const char *name;
  void (*fail)(long n, long more);
  bool (*has_failed)(void); /* switches it off */
} allocator;

/* A switch for allocators that are not ours. */
typedef struct failing {
  long countdown, armed, left; /* calls until it fails; how often it is to, and still */
} failing;

static inline void failing_arm(failing *which, long n, long more) {
  *which = (failing){.countdown = n, .armed = more + 1, .left = more + 1};
}

static inline bool failing_disarm(failing *which) {
  bool has = which->left < which->armed;
  which->left = 0;
  return has;
}

static inline bool failing_refuses(failing *which) {
  if (which->left == 0 || --which->countdown > 0) return false;
  which->left--;
  return true;
}

/* ---- SQLite's ---- */

static sqlite3_mem_methods failing_original;
static failing failing_sqlite;

static inline void *failing_sqlite_malloc(int size) {
  return failing_refuses(&failing_sqlite) ? NULL : failing_original.xMalloc(size);
}

static inline void *failing_sqlite_realloc(void *old, int size) {
  return failing_refuses(&failing_sqlite) ? NULL : failing_original.xRealloc(old, size);
}

/* To be called before SQLite is used. */
static inline void failing_install(void) {
  sqlite3_config(SQLITE_CONFIG_GETMALLOC, &failing_original);
  sqlite3_mem_methods methods = failing_original;
  methods.xMalloc = failing_sqlite_malloc;
  methods.xRealloc = failing_sqlite_realloc;
  sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
  /* Memory set aside for small blocks would hide most of them. */
  sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
}

static inline void failing_sqlite_fail(long n, long more) {
  failing_arm(&failing_sqlite, n, more);
}

static inline bool failing_sqlite_has(void) { return failing_disarm(&failing_sqlite); }

/* ---- our own ---- */

static long failing_n, failing_more;

/* Draws those that are still to fail, and says how many: all, if none has. */
static inline long failing_draw(void) {
  long refused = 0;
  for (long i = 0; i < failing_n + failing_more + 1; i++) {
    void *block = tuff_alloc(NULL, 1);
    if (!block) refused++;
    tuff_free(block);
  }
  tuff_alloc_fail(0, 0);
  return refused;
}

static inline void failing_ours_fail(long n, long more) {
  failing_n = n;
  failing_more = more;
  tuff_alloc_fail((unsigned long)n, (unsigned long)more);
}

static inline bool failing_ours_has(void) { return failing_draw() <= failing_more; }

static const allocator ours = {"our own", failing_ours_fail, failing_ours_has};
static const allocator theirs = {"SQLite's", failing_sqlite_fail, failing_sqlite_has};

#endif
