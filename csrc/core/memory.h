/* memory.h: every byte that the core and the SQLite driver allocate comes from here, so
 * that tests can make the n-th allocation fail. All but what SQLite itself frees: the
 * virtual table of array.c has to come from sqlite3_malloc. */
#ifndef TUFF_MEMORY_H
#define TUFF_MEMORY_H

#include <stddef.h>

/* Grows, shrinks, allocates (old NULL) or frees (size 0). NULL when there is none left,
 * with the old block untouched. */
void *tuff_alloc(void *old, size_t size);

/* A zeroed block. */
void *tuff_alloc_zero(size_t size);

void tuff_free(void *block);

/* For tests: the n-th allocation from now fails, and so do `persistent` more after it.
 * n = 0 switches it off. */
void tuff_alloc_fail(unsigned long n, unsigned long persistent);

/* For tests: how many blocks are allocated. */
long tuff_alloc_blocks(void);

#endif
