/* control.c: beginning and ending transactions, and finding out what became of one
 * whose end was not heard. */
#include <stdio.h>
#include <string.h>

#include "postgres/database.h"

void tuff_postgres_note_state(tuff_postgres_database *database) {
  database->heard_us = tuff_postgres_host->now_us();
  switch (PQtransactionStatus(database->handle)) {
    case PQTRANS_IDLE: database->inside = false; break;
    case PQTRANS_INTRANS:
    case PQTRANS_INERROR: database->inside = true; break;
    default: break; /* it cannot tell at the moment */
  }
}

tuff_state tuff_postgres_state(void *context) {
  tuff_postgres_database *database = context;
  if (!database->inside) return TUFF_STATE_IDLE; /* also a lost one is made anew */
  if (tuff_postgres_is_lost(database, NULL)) return TUFF_STATE_LOST;
  bool failed = PQtransactionStatus(database->handle) == PQTRANS_INERROR;
  return failed ? TUFF_STATE_FAILED : TUFF_STATE_OPEN;
}

/* ---- limits ---- */

int64_t tuff_postgres_lock_ms(int64_t busy_us) {
  if (busy_us >= INT32_MAX * INT64_C(1000)) return INT32_MAX; /* the server's most */
  return busy_us < 1000 ? 1 : busy_us / 1000;
}

bool tuff_postgres_limit_locks(tuff_postgres_database *database, tuff_error *err) {
  int64_t wanted = tuff_postgres_lock_ms(database->watch->busy_us);
  if (TUFF_LIKELY(wanted == database->lock_ms)) return true;
  if (tuff_postgres_state(database) == TUFF_STATE_FAILED) return true;
  if (database->pooler && !database->inside) return true; /* whose session is it? */
  char sql[64];
  snprintf(sql, sizeof sql, "SET %slock_timeout = %lld",
           database->inside ? "LOCAL " : "", (long long)wanted);
  if (!tuff_postgres_exec(database, sql, err)) return false;
  database->lock_ms = wanted;
  if (!database->inside) database->session_lock_ms = wanted;
  return true;
}

/* ---- begin ---- */

static const char *begin_text(tuff_mode mode) {
  switch (mode) {
    case TUFF_READ: return "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
    case TUFF_CHANGE:
    case TUFF_READ_COMMITTED: return "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE";
    case TUFF_REPEATABLE_READ:
      return "BEGIN ISOLATION LEVEL REPEATABLE READ, READ WRITE";
    default: return "BEGIN ISOLATION LEVEL SERIALIZABLE, READ WRITE";
  }
}

/* Sends it; where the session is lost by then, a new one takes it: nothing had begun.
 */
static bool send_begin(tuff_postgres_database *database, const char *sql,
                       tuff_error *err) {
  tuff_error refused;
  refused.code = TUFF_OK;
  if (!tuff_postgres_ready(database, err)) return false;
  if (tuff_postgres_exec(database, sql, &refused)) return true;
  if (database->lost && refused.code == TUFF_CONNECTION) {
    database->inside = false;
    return tuff_postgres_ready(database, err) && tuff_postgres_exec(database, sql, err);
  }
  if (err) *err = refused;
  return false;
}

/* The server keeps the deadline too, a little later, in case we cannot any more. */
static bool begin(tuff_postgres_database *database, tuff_mode mode, tuff_error *err) {
  enum { LATER_MS = 1000 };
  const tuff_watch *watch = database->watch;
  char sql[192];
  /* What begins READ WRITE could write on a connection that only reads. */
  if (database->readonly) mode = TUFF_READ;
  int size = snprintf(sql, sizeof sql, "%s", begin_text(mode));
  if (watch->deadline_us) {
    int64_t left = (watch->deadline_us - tuff_postgres_host->now_us()) / 1000;
    int64_t most = INT32_MAX - LATER_MS; /* that the server takes */
    left = left < 0 ? 0 : left > most ? most : left;
    size +=
        snprintf(sql + size, sizeof sql - (size_t)size,
                 "; SET LOCAL statement_timeout = %lld", (long long)left + LATER_MS);
  }
  if (database->pooler)
    snprintf(sql + size, sizeof sql - (size_t)size, "; SET LOCAL lock_timeout = %lld",
             (long long)tuff_postgres_lock_ms(watch->busy_us));
  if (!send_begin(database, sql, err)) return false;
  if (database->pooler) database->lock_ms = tuff_postgres_lock_ms(watch->busy_us);
  database->wrote = mode != TUFF_READ; /* also a function of a SELECT may write */
  database->schema_begun = database->schema;
  database->unheard.code = TUFF_OK;
  return true;
}

/* ---- commit ---- */

enum { ID_ROOM = 24 }; /* of a transaction, 64 bits in decimal */

/* Asks for one text; "" where it is NULL. */
static bool ask(tuff_postgres_database *database, const char *sql, char *out,
                size_t room, tuff_error *err) {
  out[0] = '\0';
  PGresult *result = NULL;
  bool good = PQsendQueryParams(database->handle, sql, 0, NULL, NULL, NULL, NULL, 0)
                  ? tuff_postgres_flush(database, err) &&
                        tuff_postgres_result(database, &result, err)
                  : tuff_postgres_fail(database, NULL, err);
  if (good && PQresultStatus(result) != PGRES_TUPLES_OK)
    good = tuff_postgres_fail(database, result, err);
  if (good && PQntuples(result) > 0)
    snprintf(out, room, "%s", PQgetvalue(result, 0, 0));
  PQclear(result);
  return tuff_postgres_drain(database, good ? err : NULL) && good;
}

typedef enum outcome { COMMITTED, ABORTED, UNKNOWN } outcome;

/* After a crash the server does not know a number of which nothing was kept. */
static bool is_of_the_future(const tuff_error *err) {
  return strcmp(err->sqlstate, "22023") == 0;
}

/* What became of a transaction, asked on a new session. It may go on for a while, and
 * the server may be starting again. */
static outcome find_outcome(tuff_postgres_database *database, const char *id) {
  enum { PAUSE_US = 20000, PATIENCE_US = 10000000 };
  const tuff_host *host = tuff_postgres_host;
  int64_t patience = database->connect_us ? database->connect_us : PATIENCE_US;
  int64_t end = host->now_us() + patience;
  char sql[96], status[16];
  snprintf(sql, sizeof sql, "SELECT pg_catalog.pg_xact_status('%s'::xid8)", id);
  database->watch->started_us = 0;
  for (;;) {
    tuff_error err;
    err.code = TUFF_OK;
    bool told = (!database->lost || tuff_postgres_connect(database, &err)) &&
                ask(database, sql, status, sizeof status, &err);
    if (told && strcmp(status, "committed") == 0) return COMMITTED;
    if (told && strcmp(status, "aborted") == 0) return ABORTED;
    if (err.code == TUFF_RANGE && is_of_the_future(&err)) return ABORTED;
    if (told && !status[0]) return UNKNOWN; /* too long ago */
    if (host->now_us() >= end || host->stop(database->watch, NULL)) return UNKNOWN;
    host->sleep_us(PAUSE_US);
  }
}

/* id: "" where the server ended the session before it could tell. */
static bool end_lost(tuff_postgres_database *database, const char *id,
                     tuff_error *err) {
  outcome outcome = id[0]              ? find_outcome(database, id)
                    : err->sqlstate[0] ? ABORTED /* it did not come to the commit */
                                       : UNKNOWN;
  if (outcome == COMMITTED) {
    err->code = TUFF_OK;
    return true;
  }
  err->retryable = outcome == ABORTED;
  err->unknown = outcome == UNKNOWN;
  if (outcome == UNKNOWN)
    tuff_postgres_host->hint(err, "whether the transaction was committed could not be "
                                  "found out: look before you repeat it");
  return false;
}

/* The server tells the transaction's number before it commits: only with that can be
 * asked later what became of it. */
static bool commit_told(tuff_postgres_database *database, char *id, tuff_error *err) {
  tuff_postgres_trip trip;
  tuff_postgres_trip_begin(&trip, database);
  tuff_postgres_trip_command(
      &trip, "SELECT pg_catalog.pg_current_xact_id_if_assigned()::text");
  trip.sent = trip.sent && PQsendFlushRequest(database->handle);
  tuff_postgres_trip_command(&trip, "COMMIT");
  bool done = tuff_postgres_trip_end(&trip, err);
  const PGresult *told = trip.result[0], *end = trip.result[1];
  if (told && PQntuples(told) == 1) snprintf(id, ID_ROOM, "%s", PQgetvalue(told, 0, 0));
  if (done && tuff_postgres_trip_failed(&trip) >= 0) {
    done = tuff_postgres_fail(database, end ? end : told, err);
    tuff_postgres_tell_key(database, end, err); /* one that is deferred */
  }
  /* The server rolls a failed transaction back, and calls that a success. */
  if (done && strcmp(PQcmdStatus(trip.result[1]), "COMMIT") != 0)
    done = tuff_postgres_fail_unheard(database, err);
  tuff_postgres_trip_clear(&trip);
  return done;
}

static bool commit(tuff_postgres_database *database, tuff_error *err) {
  tuff_error unseen;
  if (!err) {
    unseen.code = TUFF_OK;
    err = &unseen;
  }
  char id[ID_ROOM] = "";
  database->committed = false;
  if (!tuff_postgres_ready(database, err)) return false;
  tuff_state state = tuff_postgres_state(database);
  if (database->wrote && state == TUFF_STATE_FAILED)
    return tuff_postgres_fail_unheard(database, err);
  bool told = database->wrote && state == TUFF_STATE_OPEN;
  bool done = told ? commit_told(database, id, err)
                   : tuff_postgres_exec(database, "COMMIT", err);
  if (!done && database->committed) {
    err->code = TUFF_OK; /* the deadline came too late */
    done = true;
  }
  if (!done && told && database->lost) done = end_lost(database, id, err);
  return done;
}

/* ---- roll back ---- */

/* What a session that is gone had begun is undone. */
static bool roll_back(tuff_postgres_database *database, tuff_error *err) {
  bool done = !database->inside || !tuff_postgres_ready(database, NULL) ||
              tuff_postgres_exec(database, "ROLLBACK", err);
  if (database->lost) database->inside = false;
  return done || database->lost;
}

static bool savepoint(tuff_postgres_database *database, const char *format,
                      unsigned level, tuff_error *err) {
  char sql[96];
  snprintf(sql, sizeof sql, format, level, level);
  return tuff_postgres_ready(database, err) && tuff_postgres_exec(database, sql, err);
}

bool tuff_postgres_control(void *context, tuff_verb verb, tuff_mode mode,
                           unsigned level, tuff_error *err) {
  tuff_postgres_database *database = context;
  bool done = false;
  switch (verb) {
    case TUFF_BEGIN: return begin(database, mode, err);
    case TUFF_SAVEPOINT: return savepoint(database, "SAVEPOINT tuff_%u", level, err);
    case TUFF_RELEASE:
      return savepoint(database, "RELEASE SAVEPOINT tuff_%u", level, err);
    case TUFF_COMMIT: done = commit(database, err); break;
    case TUFF_ROLLBACK: done = roll_back(database, err); break;
    case TUFF_ROLLBACK_TO:
      done = savepoint(database,
                       "ROLLBACK TO SAVEPOINT tuff_%u; RELEASE SAVEPOINT tuff_%u",
                       level, err);
      break;
  }
  database->unheard.code = TUFF_OK;
  /* Settings of the transaction are gone, and tables may be as they were before. */
  database->lock_ms = verb == TUFF_ROLLBACK_TO ? -1 : database->session_lock_ms;
  if (verb != TUFF_COMMIT && database->schema != database->schema_begun)
    database->schema++;
  return done;
}
