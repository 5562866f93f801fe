/* fuzz_splitter.c: any bytes as a script. The parts stand in order and inside of the
 * text, nothing but space and semicolons lies between them, and where SQLite accepts a
 * statement, it ends where the part does. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "core/splitter.h"
#include "test/dialects.h"

static void must(bool holds) {
  if (!holds) abort();
}

/* Only what compiling a statement does not carry out. */
static int authorize(void *context, int action, const char *a, const char *b,
                     const char *schema, const char *trigger) {
  (void)context, (void)a, (void)b, (void)schema, (void)trigger;
  return action == SQLITE_PRAGMA || action == SQLITE_ATTACH || action == SQLITE_DETACH
             ? SQLITE_DENY
             : SQLITE_OK;
}

static sqlite3 *engine(void) {
  static sqlite3 *handle;
  if (handle) return handle;
  must(sqlite3_open(":memory:", &handle) == SQLITE_OK);
  must(sqlite3_exec(handle,
                    "create table t(a, b, \"end\", \"trigger\"); create table u(a, b); "
                    "create view v as select a from t",
                    NULL, NULL, NULL) == SQLITE_OK);
  sqlite3_set_authorizer(handle, authorize, NULL);
  sqlite3_limit(handle, SQLITE_LIMIT_EXPR_DEPTH, 100);
  return handle;
}

/* Past the space, and one semicolon, that follow a part. */
static const char *skip_end(const char *at, const char *end) {
  tuff_lexer lexer = {at, end, &sqlite};
  tuff_token token;
  do {
    token = tuff_lexer_next(&lexer);
  } while (token.kind == TUFF_TOKEN_SPACE);
  return token.start + token.size;
}

/* The script is terminated. Parameters of other forms, which we refuse later, may hold
 * anything in parentheses: `$a(;)`. */
static void compare_with_engine(const tuff_part *part, const char *end) {
  if (end - part->start > 2000 ||
      memchr(part->start, '\0', (size_t)(end - part->start)))
    return;
  if (strpbrk(part->start, "$@:#")) return;
  sqlite3_stmt *statement = NULL;
  const char *tail = NULL;
  int result = sqlite3_prepare_v2(engine(), part->start, (int)(end - part->start) + 1,
                                  &statement, &tail);
  sqlite3_finalize(statement);
  if (result != SQLITE_OK || !statement) return;
  const char *closing = skip_end(part->start + part->size, end);
  must(tail >= part->start + part->size && tail <= closing);
}

static void check(const char *script, size_t size, const tuff_dialect *dialect) {
  const char *end = script + size, *at = script;
  tuff_splitter splitter;
  tuff_part part;
  tuff_splitter_begin(&splitter, script, size, dialect);
  for (bool more = true; more;) {
    more = tuff_splitter_next(&splitter, &part);
    const char *until = more ? part.start : end;
    must(at <= until && until <= end);
    tuff_lexer gap = {at, until, dialect};
    for (tuff_token token; (token = tuff_lexer_next(&gap)).kind != TUFF_TOKEN_END;)
      must(token.kind == TUFF_TOKEN_SPACE || token.kind == TUFF_TOKEN_SEMICOLON);
    if (!more) break;
    must(part.size > 0 && part.size <= (size_t)(end - part.start));
    tuff_lexer inside = {part.start, end, dialect};
    tuff_token token = tuff_lexer_next(&inside);
    must(token.kind != TUFF_TOKEN_SPACE && token.kind != TUFF_TOKEN_SEMICOLON);
    must(part.effect == tuff_effect_of(&token));
    while (token.start + token.size < part.start + part.size)
      token = tuff_lexer_next(&inside);
    must(token.start + token.size == part.start + part.size);
    must(token.kind != TUFF_TOKEN_SPACE);
    at = part.start + part.size;
    if (dialect == &sqlite) compare_with_engine(&part, end);
  }
  must(!tuff_splitter_next(&splitter, &part));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  char *exact = calloc(size ? size : 1, 1), *terminated = calloc(size + 1, 1);
  must(exact && terminated);
  if (size) memcpy(exact, bytes, size);
  if (size) memcpy(terminated, bytes, size);
  check(exact, size, &postgres);
  free(exact);
  check(terminated, size, &sqlite);
  free(terminated);
  return 0;
}
