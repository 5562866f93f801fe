/* control.c: beginning and ending transactions, and finding out what became of one
 * whose end was not heard. */
#include <stdio.h>
#include <string.h>

#include "postgres/database.h"

tuff_state tuff_postgres_state(void *context) {
  tuff_postgres_database *database = context;
  if (tuff_postgres_is_lost(database, NULL)) return TUFF_STATE_LOST;
  switch (PQtransactionStatus(database->handle)) {
    case PQTRANS_IDLE: return TUFF_STATE_IDLE;
    case PQTRANS_INERROR: return TUFF_STATE_FAILED;
    case PQTRANS_UNKNOWN: return TUFF_STATE_LOST;
    default: return TUFF_STATE_OPEN;
  }
}

static const char *begin_text(tuff_mode mode) {
  switch (mode) {
    case TUFF_READ: return "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
    case TUFF_READ_COMMITTED: return "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE";
    case TUFF_REPEATABLE_READ:
      return "BEGIN ISOLATION LEVEL REPEATABLE READ, READ WRITE";
    default: return "BEGIN ISOLATION LEVEL SERIALIZABLE, READ WRITE";
  }
}

/* An end that was not heard may have happened. */
static bool commit(tuff_postgres_database *database, tuff_error *err) {
  bool open = PQtransactionStatus(database->handle) == PQTRANS_INTRANS;
  if (!tuff_postgres_exec(database, "COMMIT", err)) {
    if (err && database->lost && open) {
      err->unknown = true;
      err->retryable = false;
    }
    return false;
  }
  return true;
}

static bool savepoint(tuff_postgres_database *database, const char *format,
                      unsigned level, tuff_error *err) {
  char sql[96];
  snprintf(sql, sizeof sql, format, level, level);
  return tuff_postgres_exec(database, sql, err);
}

bool tuff_postgres_control(void *context, tuff_verb verb, tuff_mode mode,
                           unsigned level, tuff_error *err) {
  tuff_postgres_database *database = context;
  switch (verb) {
    case TUFF_BEGIN:
      /* What begins READ WRITE could write on a connection that only reads. */
      if (database->readonly) mode = TUFF_READ;
      return tuff_postgres_exec(database, begin_text(mode), err);
    case TUFF_COMMIT: return commit(database, err);
    case TUFF_ROLLBACK:
      if (tuff_postgres_state(database) == TUFF_STATE_IDLE) return true;
      return tuff_postgres_exec(database, "ROLLBACK", err);
    case TUFF_SAVEPOINT: return savepoint(database, "SAVEPOINT tuff_%u", level, err);
    case TUFF_RELEASE:
      return savepoint(database, "RELEASE SAVEPOINT tuff_%u", level, err);
    case TUFF_ROLLBACK_TO:
      return savepoint(database,
                       "ROLLBACK TO SAVEPOINT tuff_%u; RELEASE SAVEPOINT tuff_%u",
                       level, err);
  }
  return false;
}
