/* verify.c: whether a file is a sound database. It is only read, and whoever else uses
 * it need not know: nothing is made beside it that was not there before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sqlite/database.h"
#include "sqlite/path.h"

/* ---- asking ---- */

typedef struct answer {
  int64_t number;
  char text[400]; /* only one of them is wanted: a text is not read off a number */
} answer;

static bool read_answer(sqlite3_stmt *statement, answer *answer, tuff_error *err) {
  if (sqlite3_column_type(statement, 0) == SQLITE_INTEGER) {
    answer->number = sqlite3_column_int64(statement, 0);
    return true;
  }
  const unsigned char *text = sqlite3_column_text(statement, 0);
  if (!text) return tuff_sqlite_fail_memory(err);
  snprintf(answer->text, sizeof answer->text, "%s", (const char *)text);
  return true;
}

/* What the first column of the first row says. Unlike our other statements, these can
 * be long: the watch may stop them. */
static bool ask(tuff_sqlite_database *database, const char *sql, answer *answer,
                tuff_error *err) {
  sqlite3_stmt *statement = NULL;
  int result = sqlite3_prepare_v2(database->handle, sql, -1, &statement, NULL);
  if (result == SQLITE_OK) result = sqlite3_step(statement);
  bool answered = result == SQLITE_ROW ? read_answer(statement, answer, err)
                                       : tuff_sqlite_fail(database, result, err);
  sqlite3_finalize(statement);
  tuff_sqlite_wait_done(database);
  return answered;
}

static bool count(tuff_sqlite_database *database, const char *sql, int64_t *number,
                  tuff_error *err) {
  answer answer = {.number = 0};
  if (!ask(database, sql, &answer, err)) return false;
  *number = answer.number;
  return true;
}

/* ---- what only the program that made it defines ---- */

/* A check that looks at each table by itself orders nothing and computes nothing, but
 * is not even prepared where a collation of an index is missing, or a function of a
 * column. Any will do then. */

static int compare_bytes(void *context, int a_size, const void *a, int b_size,
                         const void *b) {
  (void)context;
  int order = memcmp(a, b, (size_t)(a_size < b_size ? a_size : b_size));
  return order ? order : a_size - b_size;
}

static void stand_in_collation(void *context, sqlite3 *handle, int encoding,
                               const char *name) {
  (void)context;
  sqlite3_create_collation_v2(handle, name, encoding, NULL, compare_bytes, NULL);
}

static void give_zero(sqlite3_context *context, int count, sqlite3_value **values) {
  (void)count;
  (void)values;
  sqlite3_result_int(context, 0);
}

/* "unknown function: name()": whether it is known from now on. */
static bool stand_in_function(sqlite3 *handle, const tuff_error *err) {
  static const char unknown[] = "unknown function: ";
  char name[256];
  const char *start = err->message + sizeof unknown - 1;
  if (strncmp(err->message, unknown, sizeof unknown - 1) != 0) return false;
  size_t size = strlen(start);
  if (size < 3 || size > sizeof name || strcmp(start + size - 2, "()") != 0)
    return false;
  snprintf(name, sizeof name, "%.*s", (int)size - 2, start);
  return sqlite3_create_function_v2(
             handle, name, -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
             NULL, give_zero, NULL, NULL, NULL) == SQLITE_OK;
}

/* ---- checks ---- */

/* A page that cannot be had, for want of memory or because the disk fails, is reported
 * like one that is damaged: "Page 7: unable to get the page. error code=10". */
static int reason_in(const char *text) {
  static const char what[] = "error code";
  const char *code = strstr(text, what);
  if (!code) return SQLITE_CORRUPT;
  return (int)strtol(code + sizeof what, NULL, 10); /* one character lies between */
}

static bool pass(tuff_sqlite_database *database, const answer *answer,
                 tuff_error *err) {
  static const char title[] = "*** in database main ***\n";
  const char *text = answer->text;
  if (strcmp(text, "ok") == 0) return true;
  if (strncmp(text, title, sizeof title - 1) == 0) text += sizeof title - 1;
  int reason = reason_in(text);
  if ((reason & 0xFF) != SQLITE_CORRUPT) return tuff_sqlite_fail(database, reason, err);
  tuff_sqlite_host->fail(err, TUFF_CORRUPT, "the database is damaged: %.300s", text);
  return false;
}

static bool check_quickly(tuff_sqlite_database *database, tuff_error *err) {
  enum { MOST_FUNCTIONS = 1000 };
  answer answer = {.number = 0};
  sqlite3_collation_needed(database->handle, NULL, stand_in_collation);
  for (int i = 0; !ask(database, "PRAGMA quick_check(1)", &answer, err); i++) {
    if (i == MOST_FUNCTIONS || !stand_in_function(database->handle, err)) return false;
    err->code = TUFF_OK;
  }
  return pass(database, &answer, err);
}

static bool is_of_sql(const tuff_error *err) {
  return (err->native & 0xFF) == SQLITE_ERROR;
}

static bool check_indexes(tuff_sqlite_database *database, tuff_error *err) {
  answer answer = {.number = 0};
  if (ask(database, "PRAGMA integrity_check(1)", &answer, err))
    return pass(database, &answer, err);
  if (!is_of_sql(err)) return false;
  err->code = TUFF_UNSUPPORTED;
  tuff_sqlite_host->context(err, "its indexes cannot be checked here: ");
  tuff_sqlite_host->hint(err, "a program has defined that: check it at level 2, or run "
                              "pragma integrity_check where it is defined");
  return false;
}

/* Keys that cannot be compared without the program, or that are declared wrongly, are
 * no damage. */
static bool count_dangling(tuff_sqlite_database *database, int64_t *dangling,
                           tuff_error *err) {
  if (count(database, "SELECT count(*) FROM pragma_foreign_key_check", dangling, err))
    return true;
  if (!is_of_sql(err)) return false;
  err->code = TUFF_OK;
  *dangling = -1;
  return true;
}

static bool inspect(tuff_sqlite_database *database, unsigned how,
                    tuff_inspection *found, tuff_error *err) {
  struct stat status;
  *found = (tuff_inspection){.dangling = -1};
  if (stat(database->main.path, &status) == 0) found->bytes = status.st_size;
  if (!tuff_sqlite_exec(database, "PRAGMA ignore_check_constraints = ON", err) ||
      !tuff_sqlite_control(database, TUFF_BEGIN, TUFF_READ, 0, err) ||
      !count(database, "PRAGMA page_size", &found->page_size, err) ||
      !count(database, "PRAGMA page_count", &found->pages, err) ||
      !count(database,
             "SELECT count(*) FROM sqlite_schema "
             "WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
             &found->tables, err))
    return false;
  if (found->pages == 0) {
    tuff_sqlite_host->fail(err, TUFF_NOTADB, "the file is empty");
    return false;
  }
  /* First, as long as nothing stands in for anything. */
  if ((how & TUFF_VERIFY_REFERENCES) &&
      !count_dangling(database, &found->dangling, err))
    return false;
  return how & TUFF_VERIFY_INDEXES ? check_indexes(database, err)
                                   : check_quickly(database, err);
}

/* ---- looking at a file ---- */

static bool has_changed(const char *path, const struct stat *before) {
  struct stat now;
  return stat(path, &now) != 0 || now.st_ino != before->st_ino ||
         now.st_size != before->st_size ||
         now.st_mtim.tv_sec != before->st_mtim.tv_sec ||
         now.st_mtim.tv_nsec != before->st_mtim.tv_nsec ||
         tuff_sqlite_path_has_beside(path, "-wal");
}

/* at_rest: it was read without locks, which is in vain if somebody has come. */
static bool look(const tuff_options *options, unsigned how, tuff_watch *watch,
                 tuff_inspection *found, bool *at_rest, tuff_error *err) {
  *at_rest = true;
  tuff_sqlite_database *database = tuff_sqlite_open(options, watch, err);
  if (!database) return false;
  *at_rest = database->at_rest;
  bool sound = inspect(database, how, found, err);
  if (!sound) tuff_sqlite_host->context(err, "\"%.200s\": ", options->path);
  tuff_sqlite_close(database, false);
  return sound;
}

bool tuff_sqlite_verify(const tuff_options *given, unsigned how, tuff_watch *watch,
                        tuff_inspection *found, tuff_error *err) {
  enum { TRIES = 5 };
  tuff_options options = {.path = given->path,
                          .path_size = given->path_size,
                          .root = given->root,
                          .follow = given->follow,
                          .readonly = true,
                          .untouched = true,
                          .legacy_quotes = true};
  for (int i = 0; i < TRIES; i++) {
    struct stat before;
    bool at_rest, there = stat(options.path, &before) == 0;
    bool sound = look(&options, how, watch, found, &at_rest, err);
    if (!at_rest || !there || !has_changed(options.path, &before)) return sound;
    err->code = TUFF_OK;
  }
  tuff_sqlite_host->fail(err, TUFF_BUSY, "\"%.200s\" changes all the time",
                         options.path);
  return false;
}
