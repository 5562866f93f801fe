/* connect.c: reaching a server and leaving it. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postgres/database.h"

bool tuff_postgres_is_lost(tuff_postgres_database *database, const PGresult *result) {
  if (database->lost || !database->handle ||
      PQstatus(database->handle) == CONNECTION_BAD)
    return true;
  if (!result) return false;
  /* After a crash of the server the handle may still believe that all is well. */
  ExecStatusType status = PQresultStatus(result);
  const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  if (status == PGRES_FATAL_ERROR && !state) return true;
  return state && (strncmp(state, "08", 2) == 0 || strncmp(state, "57P0", 4) == 0);
}

/* What every session of ours relies on. */
static PGconn *start(const tuff_options *options, int64_t busy_us) {
  char settings[256];
  snprintf(settings, sizeof settings,
           "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=iso_8601 "
           "-c bytea_output=hex -c extra_float_digits=1 -c lock_timeout=%lld%s",
           (long long)(busy_us / 1000),
           options->readonly ? " -c default_transaction_read_only=on" : "");
  const char *keys[] = {"dbname", "client_encoding", "options",
                        "fallback_application_name", NULL};
  const char *values[] = {options->path, "UTF8", settings, "tuff", NULL};
  return PQconnectStartParams(keys, values, 1);
}

static bool poll_once(PGconn *handle, PostgresPollingStatusType status) {
  enum { LOOK_MS = 50 };
  struct pollfd poller = {
      .fd = PQsocket(handle),
      .events = (short)(status == PGRES_POLLING_WRITING ? POLLOUT : POLLIN)};
  return poll(&poller, 1, LOOK_MS) > 0;
}

/* TLS and the password take their time too: all of it is bounded. */
static bool reach(tuff_postgres_database *database, int64_t limit_us, tuff_error *err) {
  const tuff_host *host = tuff_postgres_host;
  int64_t end = host->now_us() + limit_us;
  PostgresPollingStatusType status = PGRES_POLLING_WRITING;
  while (status != PGRES_POLLING_OK) {
    if (status == PGRES_POLLING_FAILED || PQsocket(database->handle) < 0)
      return tuff_postgres_fail(database, NULL, err);
    if (host->stop(database->watch, err)) return false;
    if (limit_us && host->now_us() >= end) {
      host->fail(err, TUFF_TIMEOUT, "the server did not answer within %lld ms",
                 (long long)(limit_us / 1000));
      host->hint(err, "connect_timeout says how long to wait");
      return false;
    }
    if (poll_once(database->handle, status)) status = PQconnectPoll(database->handle);
  }
  return true;
}

/* The URL without its secrets. */
static char *describe(PGconn *handle) {
  const char *parts[] = {PQuser(handle), PQhost(handle), PQport(handle), PQdb(handle)};
  size_t size = 64;
  for (size_t i = 0; i < 4; i++) {
    if (!parts[i]) parts[i] = "";
    size += strlen(parts[i]);
  }
  char *path = tuff_postgres_host->alloc(NULL, size);
  if (!path) return NULL;
  bool socket = parts[1][0] == '/';
  if (socket)
    snprintf(path, size, "postgres://%s@/%s?host=%s&port=%s", parts[0], parts[3],
             parts[1], parts[2]);
  else
    snprintf(path, size, "postgres://%s@%s:%s/%s", parts[0], parts[1], parts[2],
             parts[3]);
  return path;
}

void *tuff_postgres_open(const tuff_options *options, tuff_watch *watch,
                         tuff_error *err) {
  tuff_postgres_database *database = tuff_postgres_host->alloc(NULL, sizeof *database);
  if (!database) {
    tuff_postgres_fail_memory(err);
    return NULL;
  }
  memset(database, 0, sizeof *database);
  database->watch = watch;
  database->readonly = options->readonly;
  watch->started_us = 0;
  database->handle = start(options, watch->busy_us);
  if (database->handle) tuff_postgres_hear(database);
  if (database->handle && reach(database, options->connect_us, err)) {
    PQsetnonblocking(database->handle, 1);
    database->path = describe(database->handle);
    if (database->path) return database;
    tuff_postgres_fail_memory(err);
  }
  if (!database->handle) tuff_postgres_fail_memory(err);
  if (err->code == TUFF_CONNECTION) err->retryable = false;
  tuff_postgres_close(database, false);
  return NULL;
}

void tuff_postgres_close(void *context, bool collected) {
  tuff_postgres_database *database = context;
  (void)collected;
  if (!database) return;
  PQfinish(database->handle);
  tuff_postgres_host->alloc(database->path, 0);
  tuff_postgres_host->alloc(database->forgotten, 0);
  tuff_postgres_messages_free(&database->messages);
  tuff_postgres_host->alloc(database, 0);
}
