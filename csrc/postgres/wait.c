/* wait.c: waiting for the server. Every wait looks at the watch; where that says stop,
 * the server is asked to cancel, and what it answers is read: the connection stays
 * usable. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "postgres/database.h"

enum {
  LOOK_MS = 50,      /* between two looks at the watch */
  PATIENCE_MS = 5000 /* with a server that was asked to cancel */
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

bool tuff_postgres_wait_until(tuff_postgres_database *database, int64_t until_us,
                              tuff_error *err) {
  for (;;) {
    int64_t left = until_us - tuff_postgres_host->now_us();
    if (left <= 0) return true;
    int ms = left < LOOK_MS * 1000 ? (int)(left / 1000) + 1 : LOOK_MS;
    if (wait_socket(database, false, ms)) return true;
    if (tuff_postgres_host->stop(database->watch, err)) return false;
  }
}

bool tuff_postgres_flush(tuff_postgres_database *database, tuff_error *err) {
  int left;
  while ((left = PQflush(database->handle)) > 0) {
    if (!tuff_postgres_wait(database, true, err)) return false;
    if (!PQconsumeInput(database->handle))
      return tuff_postgres_fail(database, NULL, err);
  }
  return left == 0 || tuff_postgres_fail(database, NULL, err);
}

static void cancel(tuff_postgres_database *database) {
  char reason[256];
  PGcancel *canceller = PQgetCancel(database->handle);
  if (canceller) PQcancel(canceller, reason, sizeof reason);
  PQfreeCancel(canceller);
}

/* After a cancellation: reads what is left, for a while. */
static void give_up(tuff_postgres_database *database) {
  int64_t end = tuff_postgres_host->now_us() + PATIENCE_MS * INT64_C(1000);
  cancel(database);
  for (;;) {
    while (PQisBusy(database->handle)) {
      bool late = tuff_postgres_host->now_us() >= end;
      if (late || !wait_socket(database, false, LOOK_MS)) {
        if (late) database->lost = true;
        if (late) return;
        continue;
      }
      if (!PQconsumeInput(database->handle)) return;
    }
    PGresult *result = PQgetResult(database->handle);
    if (!result) return;
    PQclear(result);
  }
}

bool tuff_postgres_result(tuff_postgres_database *database, PGresult **result,
                          tuff_error *err) {
  *result = NULL;
  while (PQisBusy(database->handle)) {
    if (!tuff_postgres_wait(database, false, err)) {
      give_up(database);
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
    if (result && (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE))
      good = tuff_postgres_fail(database, result, err);
    PQclear(result);
  } while (result);
  return good;
}

bool tuff_postgres_exec(tuff_postgres_database *database, const char *sql,
                        tuff_error *err) {
  if (database->lost || !PQsendQuery(database->handle, sql))
    return tuff_postgres_fail(database, NULL, err);
  return tuff_postgres_flush(database, err) && tuff_postgres_drain(database, err);
}
