/* wait.c: waiting for the server. Every wait looks at the watch; where that says stop,
 * the server is asked to cancel, and what it answers is read: the connection stays
 * usable. */
#include <poll.h>
#include <string.h>

#include "postgres/database.h"

enum {
  LOOK_MS = 50,       /* between two looks at the watch */
  PATIENCE_MS = 2000, /* with a server that was asked to cancel */
  AGAIN_MS = 200,     /* until it is asked once more */
  LEFT_MS = 5         /* for rows that nobody wants, before it is asked to */
};

static bool wait_socket(tuff_postgres_database *database, bool write, int ms) {
  struct pollfd poller = {.fd = PQsocket(database->handle),
                          .events = (short)(write ? POLLIN | POLLOUT : POLLIN)};
  return poll(&poller, 1, ms) > 0;
}

bool tuff_postgres_wait(tuff_postgres_database *database, bool write, tuff_error *err) {
  for (;;) {
    if (wait_socket(database, write, LOOK_MS)) return true;
    if (tuff_postgres_host->stop(database->watch, err)) return false;
  }
}

bool tuff_postgres_await_input(tuff_postgres_database *database, int64_t until_us,
                               tuff_error *err) {
  for (;;) {
    int64_t left = until_us - tuff_postgres_host->now_us();
    if (left <= 0) return true;
    int ms = left < LOOK_MS * INT64_C(1000) ? (int)(left / 1000) + 1 : LOOK_MS;
    if (wait_socket(database, false, ms)) return true;
    if (tuff_postgres_host->stop(database->watch, err)) return false;
  }
}

/* Whether nothing more comes after this result. */
static bool is_last(const tuff_postgres_database *database, const PGresult *result) {
  return PQpipelineStatus(database->handle) == PQ_PIPELINE_OFF
             ? !result
             : PQresultStatus(result) == PGRES_PIPELINE_SYNC;
}

/* Waits until something can be read without waiting. False: it is this time. */
static bool wait_until(tuff_postgres_database *database, int64_t end) {
  if (tuff_postgres_host->now_us() >= end) return false;
  if (wait_socket(database, false, LOOK_MS) && !PQconsumeInput(database->handle))
    database->lost = true;
  return true;
}

/* What a COPY sends to us. */
static bool drop_copy(tuff_postgres_database *database, int64_t end) {
  for (;;) {
    char *bytes;
    int size = PQgetCopyData(database->handle, &bytes, 1);
    if (size < 0 || database->lost) return true;
    if (size > 0)
      PQfreemem(bytes);
    else if (!wait_until(database, end))
      return false;
  }
}

/* Reads what comes until this time and drops it; true: all of it. */
static bool drop_until(tuff_postgres_database *database, int64_t end) {
  for (bool last = false; !last && !database->lost;) {
    while (!database->lost && PQisBusy(database->handle))
      if (!wait_until(database, end)) return false;
    PGresult *result = PQgetResult(database->handle);
    ExecStatusType status = PQresultStatus(result);
    last = is_last(database, result);
    if (result && strcmp(PQcmdStatus(result), "COMMIT") == 0)
      database->committed = true;
    PQclear(result);
    if (PQstatus(database->handle) == CONNECTION_BAD) database->lost = true;
    if (status == PGRES_COPY_IN) PQputCopyEnd(database->handle, "given up");
    if (status == PGRES_COPY_OUT && !drop_copy(database, end)) return false;
    if (status == PGRES_SINGLE_TUPLE) database->dropped++;
    if (status == PGRES_SINGLE_TUPLE && tuff_postgres_host->now_us() >= end)
      return false;
  }
  tuff_postgres_note_state(database);
  return true;
}

static int64_t after_ms(int ms) {
  return tuff_postgres_host->now_us() + ms * INT64_C(1000);
}

/* A server that does not even answer to that is as good as lost; and a request that is
 * under way must not meet the next statement. */
void tuff_postgres_give_up(tuff_postgres_database *database) {
  int64_t end = after_ms(PATIENCE_MS);
  bool over = false;
  while (!over && !database->lost && tuff_postgres_host->now_us() < end) {
    /* A request that comes before the statement does finds nothing to stop. */
    int64_t again = after_ms(AGAIN_MS);
    if (!tuff_postgres_cancel(database, PATIENCE_MS)) break;
    over = drop_until(database, again < end ? again : end);
  }
  if (!over) database->lost = true;
}

void tuff_postgres_abandon(tuff_postgres_database *database) {
  if (database->inside || database->pooler) {
    database->unheard.code = TUFF_OK;
    tuff_postgres_drain(database, &database->unheard);
  } else if (!drop_until(database, after_ms(LEFT_MS))) {
    tuff_postgres_give_up(database);
  }
}

bool tuff_postgres_flush(tuff_postgres_database *database, tuff_error *err) {
  int left;
  while ((left = PQflush(database->handle)) > 0) {
    if (!tuff_postgres_wait(database, true, err)) {
      tuff_postgres_give_up(database);
      return false;
    }
    if (!PQconsumeInput(database->handle))
      return tuff_postgres_fail(database, NULL, err);
  }
  return left == 0 || tuff_postgres_fail(database, NULL, err);
}

bool tuff_postgres_result(tuff_postgres_database *database, PGresult **result,
                          tuff_error *err) {
  *result = NULL;
  while (PQisBusy(database->handle)) {
    if (!tuff_postgres_wait(database, false, err)) {
      tuff_postgres_give_up(database);
      return false;
    }
    if (!PQconsumeInput(database->handle))
      return tuff_postgres_fail(database, NULL, err);
  }
  *result = PQgetResult(database->handle);
  return true;
}

bool tuff_postgres_drain(tuff_postgres_database *database, tuff_error *err) {
  bool good = true;
  PGresult *result;
  do {
    if (!tuff_postgres_result(database, &result, err)) return false;
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_SINGLE_TUPLE) database->dropped++;
    if (result && (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE))
      good = tuff_postgres_fail(database, result, err);
    PQclear(result);
  } while (result);
  tuff_postgres_note_state(database);
  return good;
}

bool tuff_postgres_exec(tuff_postgres_database *database, const char *sql,
                        tuff_error *err) {
  if (database->lost || !PQsendQuery(database->handle, sql))
    return tuff_postgres_fail(database, NULL, err);
  return tuff_postgres_flush(database, err) && tuff_postgres_drain(database, err);
}
