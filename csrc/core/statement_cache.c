/* statement_cache.c: a hash table with chains, threaded by a list in order of use. */
#include "core/statement_cache.h"

#include <string.h>

/* Eight bytes at a time: SQL is short, and this runs for every statement of a script.
 */
uint64_t tuff_text_hash(const char *text, size_t size) {
  uint64_t hash = size * 0x9E3779B97F4A7C15u;
  while (size >= 8) {
    uint64_t word;
    memcpy(&word, text, 8);
    hash = (hash ^ word) * 0xFF51AFD7ED558CCDu;
    hash ^= hash >> 32;
    text += 8;
    size -= 8;
  }
  uint64_t word = 0;
  memcpy(&word, text, size);
  hash = (hash ^ word) * 0xC4CEB9FE1A85EC53u;
  return hash ^ hash >> 29;
}

static tuff_statement **bucket_of(tuff_statement_cache *cache, uint64_t hash) {
  return &cache->bucket[hash % TUFF_CACHE_BUCKETS];
}

tuff_statement *tuff_statement_cache_find(tuff_statement_cache *cache, const char *sql,
                                          size_t size, uint64_t hash) {
  tuff_statement *statement = *bucket_of(cache, hash);
  while (statement && (statement->hash != hash || statement->size != size ||
                       memcmp(statement->source, sql, size) != 0))
    statement = statement->bucket_next;
  return statement;
}

static void unlink_use(tuff_statement_cache *cache, tuff_statement *statement) {
  *(statement->newer ? &statement->newer->older : &cache->newest) = statement->older;
  *(statement->older ? &statement->older->newer : &cache->oldest) = statement->newer;
}

static void link_newest(tuff_statement_cache *cache, tuff_statement *statement) {
  statement->newer = NULL;
  statement->older = cache->newest;
  *(cache->newest ? &cache->newest->newer : &cache->oldest) = statement;
  cache->newest = statement;
}

void tuff_statement_cache_touch(tuff_statement_cache *cache,
                                tuff_statement *statement) {
  if (cache->newest == statement) return;
  unlink_use(cache, statement);
  link_newest(cache, statement);
}

void tuff_statement_cache_remove(tuff_statement_cache *cache,
                                 tuff_statement *statement) {
  tuff_statement **link = bucket_of(cache, statement->hash);
  while (*link != statement) link = &(*link)->bucket_next;
  *link = statement->bucket_next;
  unlink_use(cache, statement);
  statement->cached = false;
  cache->count--;
}

tuff_statement *tuff_statement_cache_add(tuff_statement_cache *cache,
                                         tuff_statement *statement) {
  if (cache->capacity == 0) return NULL;
  tuff_statement *leaving = NULL;
  if (cache->count >= cache->capacity) {
    leaving = cache->oldest;
    while (leaving && leaving->busy) leaving = leaving->newer;
    if (!leaving) return NULL; /* all are running: the new one is used once */
    tuff_statement_cache_remove(cache, leaving);
  }
  tuff_statement **bucket = bucket_of(cache, statement->hash);
  statement->bucket_next = *bucket;
  *bucket = statement;
  link_newest(cache, statement);
  statement->cached = true;
  cache->count++;
  return leaving;
}
