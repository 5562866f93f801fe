/* control.c: the statements that begin and end transactions, prepared once. */
#include <stdio.h>

#include "sqlite/database.h"

enum { BEGIN_WRITE, BEGIN_READ, SNAPSHOT, COMMIT, ROLLBACK };

static const char *const text[] = {[BEGIN_WRITE] = "BEGIN IMMEDIATE",
                                   [BEGIN_READ] = "BEGIN",
                                   [SNAPSHOT] = "SELECT 1 FROM sqlite_schema LIMIT 1",
                                   [COMMIT] = "COMMIT",
                                   [ROLLBACK] = "ROLLBACK"};

/* Prepared at once, because rolling back must not need memory. */
bool tuff_sqlite_control_open(tuff_sqlite_database *database, tuff_error *err) {
  for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
    int result =
        sqlite3_prepare_v3(database->handle, text[i], -1, SQLITE_PREPARE_PERSISTENT,
                           &database->control[i], NULL);
    if (result != SQLITE_OK) return tuff_sqlite_fail(database, result, err);
  }
  return true;
}

/* BEGIN IMMEDIATE locks the files that were attached when it was prepared. */
bool tuff_sqlite_control_renew(tuff_sqlite_database *database, tuff_error *err) {
  sqlite3_stmt *begin = NULL;
  int result = sqlite3_prepare_v3(database->handle, text[BEGIN_WRITE], -1,
                                  SQLITE_PREPARE_PERSISTENT, &begin, NULL);
  if (result != SQLITE_OK) return tuff_sqlite_fail(database, result, err);
  sqlite3_finalize(database->control[BEGIN_WRITE]);
  database->control[BEGIN_WRITE] = begin;
  return true;
}

static bool run(tuff_sqlite_database *database, int which, tuff_error *err) {
  sqlite3_stmt *statement = database->control[which];
  int result = sqlite3_step(statement);
  bool done = result == SQLITE_DONE || result == SQLITE_ROW;
  if (!done) tuff_sqlite_fail(database, result, err);
  sqlite3_reset(statement);
  tuff_sqlite_wait_done(database);
  return done;
}

/* BEGIN alone reads nothing: the snapshot is taken by the first read. */
static bool begin_read(tuff_sqlite_database *database, tuff_error *err) {
  if (!run(database, BEGIN_READ, err)) return false;
  if (run(database, SNAPSHOT, err)) return true;
  run(database, ROLLBACK, NULL);
  return false;
}

static bool commit(tuff_sqlite_database *database, tuff_error *err) {
  if (!run(database, COMMIT, err)) {
    tuff_sqlite_fail_commit(database, err);
    return false;
  }
  if (database->wal_grown) tuff_sqlite_checkpoint(database);
  return true;
}

static bool savepoint(tuff_sqlite_database *database, const char *verb, unsigned level,
                      tuff_error *err) {
  char sql[64];
  snprintf(sql, sizeof sql, "%s tuff_%u", verb, level);
  return tuff_sqlite_exec(database, sql, err);
}

bool tuff_sqlite_control(void *context, tuff_verb verb, tuff_mode mode, unsigned level,
                         tuff_error *err) {
  tuff_sqlite_database *database = context;
  switch (verb) {
    case TUFF_BEGIN:
      /* Every isolation that writes is serializable here. */
      if (mode == TUFF_READ) return begin_read(database, err);
      tuff_sqlite_wait_turn(database);
      return run(database, BEGIN_WRITE, err);
    case TUFF_COMMIT: return commit(database, err);
    case TUFF_ROLLBACK:
      return sqlite3_get_autocommit(database->handle) || run(database, ROLLBACK, err);
    case TUFF_SAVEPOINT: return savepoint(database, "SAVEPOINT", level, err);
    case TUFF_RELEASE: return savepoint(database, "RELEASE", level, err);
    case TUFF_ROLLBACK_TO:
      return savepoint(database, "ROLLBACK TO", level, err) &&
             savepoint(database, "RELEASE", level, err);
  }
  return false;
}

void tuff_sqlite_control_close(tuff_sqlite_database *database) {
  for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
    sqlite3_finalize(database->control[i]);
    database->control[i] = NULL;
  }
}
