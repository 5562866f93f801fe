/* fuzz_tokenizer.c: any bytes as one statement. What is said about it stands inside of
 * the text, each parameter stands in the result, and SQLite sees those parameters and
 * no other. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "core/connection.h"
#include "core/host.h"
#include "core/memory.h"
#include "sqlite/database.h"
#include "sqlite/sqlite.h"
#include "test/dialects.h"

static void must(bool holds) {
  if (!holds) abort();
}

static void check_error(const tuff_error *err, size_t size) {
  must(err->code != TUFF_OK && err->code < TUFF_CODES && err->code != TUFF_MEMORY);
  must(err->offset >= -1 && err->offset <= (int)size);
  must(err->message[0] && memchr(err->message, '\0', sizeof err->message));
}

static bool is_inside(const char *at, size_t size, const char *source, size_t length) {
  return at >= source && at + size <= source + length;
}

static void check_parameters(const tuff_tokenized *result, const char *source,
                             size_t size) {
  must((result->style == TUFF_NO_PARAMETERS) == (result->count == 0));
  for (unsigned i = 0; i < result->count; i++) {
    const tuff_parameter *parameter = &result->parameters[i];
    must((parameter->name_size > 0) == (result->style == TUFF_NAMED));
    if (parameter->name_size) {
      must(parameter->name > 0 && parameter->name + parameter->name_size <= size);
      must(source[parameter->name - 1] == ':');
    }
  }
}

static bool is_name_inside(const tuff_name *name, const char *source, size_t size) {
  return name->size == 0 || is_inside(name->start, name->size, source, size);
}

/* Each use is of a parameter that there is, and a table is known or to be chosen. */
static void check_targets(const tuff_tokenized *result, const char *source,
                          size_t size) {
  must(result->uses >= result->count && result->table_count <= 32);
  for (unsigned i = 0; i < result->table_count; i++)
    must(is_name_inside(&result->tables[i], source, size));
  for (unsigned i = 0; i < result->uses; i++) {
    const tuff_target *target = &result->targets[i];
    must(target->parameter < result->count);
    must(is_name_inside(&target->table, source, size));
    must(is_name_inside(&target->column, source, size));
    must(!(target->compared && target->embedded));
    if (target->table.size || !target->column.size) continue;
    must(target->compared && target->candidates);
    for (unsigned table = 0; table < 32; table++)
      if (target->candidates >> table & 1)
        must(table < result->table_count && result->tables[table].size > 0);
  }
}

static void check_offsets(const tuff_tokenized *result, size_t size) {
  size_t before = 0;
  for (size_t at = 0; at <= result->text.size; at++) {
    size_t source = tuff_tokenized_source(result, at);
    must(source >= before && source <= size);
    before = source;
  }
}

/* Each number stands in the result, as one token, and no other. Where the source has
 * the engine's own signs in it, the two cannot be told apart; and to our lexer, which
 * is generous with numbers, "1.$1" is one. */
static void check_placeholders(const tuff_tokenized *result, const char *source,
                               size_t size, const tuff_dialect *dialect) {
  if (memmem(source, size, "??", 2)) return;
  for (size_t i = 0; i < size; i++)
    if (strchr(dialect == &postgres ? "$@." : "$@", source[i])) return;
  bool *seen = calloc(result->count + 1, sizeof *seen);
  must(seen != NULL);
  unsigned found = 0;
  tuff_lexer lexer = {result->text.bytes, result->text.bytes + result->text.size,
                      dialect};
  for (tuff_token token; (token = tuff_lexer_next(&lexer)).kind != TUFF_TOKEN_END;) {
    must(token.kind != TUFF_TOKEN_QUESTION && token.kind != TUFF_TOKEN_NAMED);
    if (token.kind != TUFF_TOKEN_REFUSED) continue;
    unsigned number = 0;
    must(*token.start == dialect->placeholder);
    for (size_t i = 1; i < token.size && token.start[i] >= '0' && token.start[i] <= '9';
         i++)
      number = number * 10 + (unsigned)(token.start[i] - '0');
    must(number >= 1 && number <= result->count);
    if (!seen[number]) found++;
    seen[number] = true;
  }
  must(found == result->count);
  free(seen);
}

static void check(const char *source, size_t size, const tuff_dialect *dialect) {
  tuff_tokenized result;
  tuff_error err = {.code = TUFF_OK};
  if (!tuff_tokenize(&result, source, size, dialect, &err)) {
    check_error(&err, size);
    return;
  }
  must(err.code == TUFF_OK && result.text.bytes && !result.text.failed);
  must(strlen(result.text.bytes) == result.text.size);
  check_parameters(&result, source, size);
  check_targets(&result, source, size);
  check_offsets(&result, size);
  check_placeholders(&result, source, size, dialect);
  tuff_tokenized_free(&result);
}

static tuff_connection *engine(void) {
  static tuff_connection connection;
  if (connection.native) return &connection;
  static const char tables[] =
      "create table t(id integer primary key, a boolean integer, b json text, "
      "c decimal integer(10,2), d timestamp text, e blob); create table u(a, b)";
  tuff_options options = {.path = ":memory:", .path_size = 8};
  tuff_connection_options own = {0};
  tuff_error err = {.code = TUFF_OK};
  must(tuff_connection_open(&connection, tuff_sqlite_driver(tuff_host_get()), &options,
                            &own, &err));
  must(tuff_connection_exec(&connection, tables, sizeof tables - 1, &err));
  return &connection;
}

static void compare_with_engine(const char *source, size_t size) {
  tuff_connection *connection = engine();
  long blocks = tuff_alloc_blocks();
  tuff_error err = {.code = TUFF_OK};
  tuff_statement *statement =
      tuff_statement_prepare(connection, source, size, TUFF_PREPARE_ONCE, &err);
  if (statement) {
    tuff_sqlite_statement *native = statement->native;
    int count = sqlite3_bind_parameter_count(native->handle);
    must(count >= 0 && (unsigned)count == statement->tokenized.count);
    for (int i = 1; i <= count; i++) {
      char wanted[16];
      sqlite3_snprintf(sizeof wanted, wanted, "?%d", i);
      const char *name = sqlite3_bind_parameter_name(native->handle, i);
      must(name && strcmp(name, wanted) == 0);
    }
    tuff_statement_finish(statement);
  } else {
    check_error(&err, size);
  }
  must(tuff_alloc_blocks() <= blocks + 1); /* the list of slots may have grown */
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  char *source = calloc(size ? size : 1, 1);
  must(source != NULL);
  if (size) memcpy(source, bytes, size);
  check(source, size, &sqlite);
  check(source, size, &postgres);
  if (size <= 2000) compare_with_engine(source, size);
  free(source);
  return 0;
}
