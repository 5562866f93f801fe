/* function.c: functions of the script as functions, aggregates and collations of
 * SQLite. */
#include <stdio.h>
#include <string.h>

#include "sqlite/database.h"
#include "sqlite/path.h"

enum { MOST_ARGUMENTS = 127 }; /* from 3.48 on SQLite would take 1000 */

/* What SQLite keeps for a function. */
typedef struct defined {
  tuff_sqlite_database *database;
  tuff_function function;
} defined;

/* What SQLite keeps for a group: zeroed, and freed without a word where the statement
 * is given up before the group's end. */
typedef struct group {
  uint64_t number;
} group;

bool tuff_sqlite_fail_raised(tuff_sqlite_database *database, tuff_error *err) {
  database->raised = database->untold = false;
  tuff_sqlite_host->fail(err, TUFF_MISUSE, "a function that SQL called has failed");
  if (err) err->raised = true;
  return false;
}

/* ---- calls ---- */

static bool read_arguments(sqlite3_context *context, tuff_value *arguments, int count,
                           sqlite3_value **values) {
  for (int i = 0; i < count; i++) {
    if (tuff_sqlite_read(values[i], &arguments[i])) continue;
    sqlite3_result_error_nomem(context);
    return false;
  }
  return true;
}

static void fail(sqlite3_context *context, const defined *defined) {
  defined->database->raised = true;
  sqlite3_result_error(context, "a function that SQL called has failed", -1);
}

/* Nothing is called any more once one has failed. */
static bool admit(sqlite3_context *context, const defined *defined) {
  if (TUFF_LIKELY(!defined->database->raised)) return true;
  fail(context, defined);
  return false;
}

void tuff_sqlite_give(sqlite3_context *context, const tuff_value *value,
                      sqlite3_destructor_type lifetime) {
  enum { JSON = 'J' }; /* what SQLite's own JSON functions mark their results by */
  switch (value->kind) {
    case TUFF_BOOLEAN:
    case TUFF_INTEGER: sqlite3_result_int64(context, value->integer); break;
    case TUFF_REAL: sqlite3_result_double(context, value->real); break;
    case TUFF_JSON:
    case TUFF_TEXT:
      sqlite3_result_text64(context, value->bytes, value->size, lifetime, SQLITE_UTF8);
      if (value->kind == TUFF_JSON) sqlite3_result_subtype(context, JSON);
      break;
    case TUFF_BLOB:
      sqlite3_result_blob64(context, value->size ? value->bytes : "", value->size,
                            lifetime);
      break;
    default: sqlite3_result_null(context); break;
  }
}

static void on_call(sqlite3_context *context, int count, sqlite3_value **values) {
  const defined *defined = sqlite3_user_data(context);
  tuff_value arguments[MOST_ARGUMENTS], result = {.kind = TUFF_NULL};
  if (!admit(context, defined) || !read_arguments(context, arguments, count, values))
    return;
  if (defined->function.call(defined->function.context, arguments, (unsigned)count,
                             &result))
    tuff_sqlite_give(context, &result, SQLITE_TRANSIENT);
  else
    fail(context, defined);
}

typedef bool change_group(void *context, uint64_t *group, const tuff_value *arguments,
                          unsigned count);

static void change(sqlite3_context *context, int count, sqlite3_value **values,
                   change_group *how) {
  const defined *defined = sqlite3_user_data(context);
  tuff_value arguments[MOST_ARGUMENTS];
  if (!admit(context, defined)) return;
  group *group = sqlite3_aggregate_context(context, sizeof *group);
  if (!group) {
    sqlite3_result_error_nomem(context);
    return;
  }
  if (!read_arguments(context, arguments, count, values)) return;
  if (!how(defined->function.context, &group->number, arguments, (unsigned)count))
    fail(context, defined);
}

static void on_step(sqlite3_context *context, int count, sqlite3_value **values) {
  const defined *defined = sqlite3_user_data(context);
  change(context, count, values, defined->function.step);
}

static void on_inverse(sqlite3_context *context, int count, sqlite3_value **values) {
  const defined *defined = sqlite3_user_data(context);
  change(context, count, values, defined->function.inverse);
}

typedef bool read_group(void *context, uint64_t group, tuff_value *result);

static void result_of(sqlite3_context *context, uint64_t number, read_group *how) {
  const defined *defined = sqlite3_user_data(context);
  tuff_value result = {.kind = TUFF_NULL};
  if (!admit(context, defined)) return;
  if (how(defined->function.context, number, &result))
    tuff_sqlite_give(context, &result, SQLITE_TRANSIENT);
  else
    fail(context, defined);
}

static void on_value(sqlite3_context *context) {
  const defined *defined = sqlite3_user_data(context);
  const group *group = sqlite3_aggregate_context(context, 0);
  result_of(context, group ? group->number : 0, defined->function.value);
}

/* SQLite also calls this, and drops the result, where it gives a statement up. */
static void on_final(sqlite3_context *context) {
  const defined *defined = sqlite3_user_data(context);
  const tuff_function *function = &defined->function;
  const group *group = sqlite3_aggregate_context(context, 0);
  uint64_t number = group ? group->number : 0;
  if (!defined->database->giving_up) result_of(context, number, function->final);
  if (number) function->forget(function->context, number);
}

static int on_compare(void *context, int a_size, const void *a, int b_size,
                      const void *b) {
  defined *defined = context;
  tuff_value left = {.kind = TUFF_TEXT, .bytes = a, .size = (size_t)a_size};
  tuff_value right = {.kind = TUFF_TEXT, .bytes = b, .size = (size_t)b_size};
  int order = 0;
  if (!defined->database->raised &&
      !defined->function.compare(defined->function.context, &left, &right, &order))
    defined->database->raised = defined->database->untold = true;
  return order;
}

/* A collation that failed has told SQLite nothing: here is its last chance to hear. */
static int on_commit(void *context) {
  return ((tuff_sqlite_database *)context)->raised;
}

void tuff_sqlite_function_install(tuff_sqlite_database *database) {
  sqlite3_limit(database->handle, SQLITE_LIMIT_FUNCTION_ARG, MOST_ARGUMENTS);
  sqlite3_commit_hook(database->handle, on_commit, database);
}

/* ---- definitions ---- */

static void release(void *context) {
  defined *defined = context;
  defined->function.release(defined->function.context);
  tuff_sqlite_host->alloc(defined, 0);
}

static int define_by(sqlite3 *handle, defined *defined) {
  const tuff_function *function = &defined->function;
  int flags = SQLITE_UTF8;
  if (function->compare)
    return sqlite3_create_collation_v2(handle, function->name, SQLITE_UTF8, defined,
                                       on_compare, release);
  flags |= function->schema ? SQLITE_INNOCUOUS : SQLITE_DIRECTONLY;
  if (function->deterministic) flags |= SQLITE_DETERMINISTIC;
  if (function->call)
    return sqlite3_create_function_v2(handle, function->name, -1, flags, defined,
                                      on_call, NULL, NULL, release);
  return sqlite3_create_window_function(handle, function->name, -1, flags, defined,
                                        on_step, on_final,
                                        function->inverse ? on_value : NULL,
                                        function->inverse ? on_inverse : NULL, release);
}

static bool define(void *context, const tuff_function *function, tuff_error *err) {
  tuff_sqlite_database *database = context;
  defined *defined = tuff_sqlite_host->alloc(NULL, sizeof *defined);
  if (!defined) {
    function->release(function->context);
    return tuff_sqlite_fail_memory(err);
  }
  *defined = (struct defined){database, *function};
  int result = define_by(database->handle, defined);
  if (result == SQLITE_OK) return true;
  /* SQLite releases a function that it does not take, but not a collation. */
  if (function->compare) release(defined);
  if (result == SQLITE_BUSY) {
    tuff_sqlite_host->fail(err, TUFF_MISUSE,
                           "a function cannot be replaced while a stream is open");
    tuff_sqlite_host->hint(err, "close the stream first");
  }
  return tuff_sqlite_fail(database, result, err);
}

/* ---- libraries ---- */

/* By the rules of a database that is opened, and with ".so" behind where that is what
 * exists. */
static bool find_library(const tuff_sqlite_database *database, const char *path,
                         char real[TUFF_PATH], tuff_error *err) {
  char longer[TUFF_PATH];
  tuff_options options = {.path = path,
                          .path_size = strlen(path),
                          .root = database->root,
                          .readonly = true,
                          .follow = true};
  tuff_error first = {.code = TUFF_OK};
  if (tuff_sqlite_path(tuff_sqlite_host, &options, real, &first)) return true;
  int size = snprintf(longer, sizeof longer, "%s.so", path);
  if (first.code == TUFF_NOT_FOUND && size > 0 && (size_t)size < sizeof longer) {
    options.path = longer;
    options.path_size = (size_t)size;
    tuff_error second = {.code = TUFF_OK};
    if (tuff_sqlite_path(tuff_sqlite_host, &options, real, &second)) return true;
  }
  *err = first;
  return false;
}

static bool load(void *context, const char *path, const char *entry, tuff_error *err) {
  tuff_sqlite_database *database = context;
  char real[TUFF_PATH], *reason = NULL;
  if (!find_library(database, path, real, err)) return false;
  sqlite3_db_config(database->handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
  int result = sqlite3_load_extension(database->handle, real, entry, &reason);
  sqlite3_db_config(database->handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
  if (result != SQLITE_OK) {
    tuff_sqlite_host->fail(err, TUFF_UNSUPPORTED,
                           "the extension cannot be loaded: %.300s",
                           reason ? reason : "no memory is left");
    tuff_sqlite_host->hint(err,
                           "give the path of the library; entry names the function "
                           "that it begins with, where that is not as usual");
  }
  sqlite3_free(reason);
  return result == SQLITE_OK;
}

const tuff_functions tuff_sqlite_functions = {.define = define, .load = load};
