/* scratch.h: databases in a directory of their own, and short ways to use them. What
 * goes wrong in them is said, see tap.h. */
#ifndef TUFF_TEST_SCRATCH_H
#define TUFF_TEST_SCRATCH_H

#include <dirent.h>
#include <unistd.h>

#include "core/connection.h"
#include "core/error.h"
#include "core/host.h"
#include "core/memory.h"
#include "sqlite/sqlite.h"
#include "test/tap.h"

static char scratch[256]; /* the directory */

static inline void scratch_begin(void) {
  const char *parent = getenv("TMPDIR");
  snprintf(scratch, sizeof scratch, "%s/tuff-test-XXXXXX", parent ? parent : "/tmp");
  if (!mkdtemp(scratch)) {
    printf("Bail out! no directory for databases\n");
    exit(EXIT_FAILURE);
  }
}

/* Removes what is in the directory, not the directory. */
static inline void scratch_clear(void) {
  DIR *directory = opendir(scratch);
  for (struct dirent *entry; directory && (entry = readdir(directory));) {
    char path[sizeof scratch + sizeof entry->d_name + 1];
    snprintf(path, sizeof path, "%s/%s", scratch, entry->d_name);
    if (entry->d_name[0] != '.') unlink(path);
  }
  if (directory) closedir(directory);
}

static inline void scratch_end(void) {
  scratch_clear();
  rmdir(scratch);
}

/* Of a file in the directory; lives until the next call. */
static inline const char *scratch_path(const char *name) {
  static char path[sizeof scratch + 64];
  snprintf(path, sizeof path, "%s/%s", scratch, name);
  return path;
}

/* Settings that the tests start from; their commits need not survive a power loss. */
static const tuff_connection_options scratch_own = {.busy_us = 60000000,
                                                    .statement_cache = 16};

static inline bool open_path(tuff_connection *connection, const char *path,
                             const tuff_connection_options *own, tuff_error *err) {
  tuff_options options = {
      .path = path, .path_size = strlen(path), .create = true, .normal = true};
  memset(connection, 0, sizeof *connection);
  return tuff_connection_open(connection, tuff_sqlite_driver(tuff_host_get()), &options,
                              own, err);
}

static inline bool said(bool done, const char *what, const tuff_error *err) {
  if (!done)
    say("%s: %s (%s)", what, err->code ? err->message : "failed without an error",
        tuff_code_name(err->code));
  return done;
}

static inline bool open_scratch(tuff_connection *connection, const char *name) {
  tuff_error err = {.code = TUFF_OK};
  bool memory = strcmp(name, ":memory:") == 0;
  return said(
      open_path(connection, memory ? name : scratch_path(name), &scratch_own, &err),
      name, &err);
}

/* One statement with values, run to its end: the rows changed, or -1. */
static inline int64_t run_with(tuff_connection *connection, const char *sql,
                               const tuff_value *values, unsigned count,
                               tuff_error *err) {
  tuff_statement *statement =
      tuff_statement_checkout(connection, sql, strlen(sql), err);
  int64_t changed = -1;
  if (statement && tuff_statement_start(statement, values, count, err))
    changed = tuff_statement_finish_run(statement, err);
  tuff_statement_release(statement);
  return changed;
}

static inline bool try_run(tuff_connection *connection, const char *sql,
                           tuff_error *err) {
  return run_with(connection, sql, NULL, 0, err) >= 0;
}

static inline bool try_exec(tuff_connection *connection, const char *script,
                            tuff_error *err) {
  return tuff_connection_exec(connection, script, strlen(script), err);
}

static inline bool run(tuff_connection *connection, const char *sql) {
  tuff_error err = {.code = TUFF_OK};
  return said(try_run(connection, sql, &err), sql, &err);
}

static inline bool exec(tuff_connection *connection, const char *script) {
  tuff_error err = {.code = TUFF_OK};
  return said(try_exec(connection, script, &err), script, &err);
}

/* The code of the error that this statement ends with. */
static inline tuff_code code_of_run(tuff_connection *connection, const char *sql) {
  tuff_error err = {.code = TUFF_OK};
  try_run(connection, sql, &err);
  return err.code;
}

/* The integer that a query without parameters answers with; -1 where it does not. */
static inline int64_t query(tuff_connection *connection, const char *sql) {
  tuff_error err = {.code = TUFF_OK};
  int64_t answer = -1;
  tuff_statement *statement =
      tuff_statement_checkout(connection, sql, strlen(sql), &err);
  if (statement && tuff_statement_start(statement, NULL, 0, &err) &&
      tuff_statement_step(statement, &err) == TUFF_ROW &&
      (statement->row[0].kind == TUFF_INTEGER ||
       statement->row[0].kind == TUFF_BOOLEAN))
    answer = statement->row[0].integer;
  else
    said(false, sql, &err);
  tuff_statement_release(statement);
  return answer;
}

#endif
