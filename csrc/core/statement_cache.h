/* statement_cache.h: prepared statements by the script's own text, the least recently
 * used leaving first. A statement that is checked out stays and is not handed out
 * twice. */
#ifndef TUFF_STATEMENT_CACHE_H
#define TUFF_STATEMENT_CACHE_H

#include "core/statement.h"

enum { TUFF_CACHE_BUCKETS = 256 };

typedef struct tuff_statement_cache {
  unsigned capacity, count;
  tuff_statement *bucket[TUFF_CACHE_BUCKETS];
  tuff_statement *newest, *oldest;
} tuff_statement_cache;

/* What `find` and ->hash of a statement that is added are to be given. */
uint64_t tuff_text_hash(const char *text, size_t size);

/* The statement of this text, free or busy; NULL: not here. */
tuff_statement *tuff_statement_cache_find(tuff_statement_cache *cache, const char *sql,
                                          size_t size, uint64_t hash);

/* Marks it as just used. */
void tuff_statement_cache_touch(tuff_statement_cache *cache, tuff_statement *statement);

/* Takes a statement in; gives back one that has to leave for it, or NULL. */
tuff_statement *tuff_statement_cache_add(tuff_statement_cache *cache,
                                         tuff_statement *statement);

/* Takes a statement out that is in it. */
void tuff_statement_cache_remove(tuff_statement_cache *cache,
                                 tuff_statement *statement);

#endif
