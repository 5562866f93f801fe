/* connect.c: reaching a server, leaving it, and reaching it again where it was lost
 * while nothing was going on. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postgres/database.h"

/* What the URL says of it, or else this. */
static const char *given(const PQconninfoOption *parsed, const char *keyword,
                         const char *otherwise) {
  for (; parsed->keyword; parsed++)
    if (strcmp(parsed->keyword, keyword) == 0 && parsed->val) return parsed->val;
  return otherwise;
}

/* The settings that the user asks for, by the URL or by the environment: a view. */
static const char *given_settings(const PQconninfoOption *parsed) {
  const char *environment = getenv("PGOPTIONS");
  return given(parsed, "options", environment ? environment : "");
}

/* Ours that the user may set otherwise, his, and ours that he may not. A pooler hands
 * out sessions that are not ours to set. */
static char *write_settings(const tuff_postgres_database *database, const char *given) {
  size_t room = strlen(given) + 256;
  char *settings = tuff_postgres_host->alloc(NULL, room);
  if (settings)
    snprintf(settings, room,
             "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=iso_8601 "
             "-c bytea_output=hex -c extra_float_digits=1 %s -c lock_timeout=%lld%s",
             given, (long long)database->session_lock_ms,
             database->readonly ? " -c default_transaction_read_only=on" : "");
  return settings;
}

static PGconn *start(const tuff_postgres_database *database,
                     const PQconninfoOption *parsed) {
  char *settings = write_settings(database, given_settings(parsed));
  if (!settings) return NULL;
  const char *keys[] = {"dbname", "client_encoding", "fallback_application_name",
                        database->pooler ? NULL : "options", NULL};
  const char *values[] = {database->url, "UTF8", "tuff", settings, NULL};
  PGconn *handle = PQconnectStartParams(keys, values, 1);
  tuff_postgres_host->alloc(settings, 0);
  /* Only so does a refusal tell its SQLSTATE. */
  if (handle) PQsetErrorVerbosity(handle, PQERRORS_VERBOSE);
  return handle;
}

static bool poll_once(PGconn *handle, PostgresPollingStatusType status) {
  enum { LOOK_MS = 50 };
  struct pollfd poller = {
      .fd = PQsocket(handle),
      .events = (short)(status == PGRES_POLLING_WRITING ? POLLOUT : POLLIN)};
  return poll(&poller, 1, LOOK_MS) > 0;
}

/* TLS and the password take their time too: all of it is bounded. */
static bool reach(tuff_postgres_database *database, const PQconninfoOption *parsed,
                  tuff_error *err) {
  const tuff_host *host = tuff_postgres_host;
  int64_t end = host->now_us() + database->connect_us;
  PostgresPollingStatusType status = PGRES_POLLING_WRITING;
  while (status != PGRES_POLLING_OK) {
    if (status == PGRES_POLLING_FAILED || PQsocket(database->handle) < 0)
      return tuff_postgres_fail_to_connect(database, given(parsed, "password", ""),
                                           err);
    if (host->stop(database->watch, err)) return false;
    if (database->connect_us && host->now_us() >= end) {
      host->fail(err, TUFF_TIMEOUT, "the server did not answer within %lld ms",
                 (long long)(database->connect_us / 1000));
      host->hint(err, "connect_timeout says how long to wait");
      return false;
    }
    if (poll_once(database->handle, status)) status = PQconnectPoll(database->handle);
  }
  PQsetErrorVerbosity(database->handle, PQERRORS_DEFAULT);
  return true;
}

/* A password with a character that is not written as %HH ends in one of these. */
static bool is_plausible(const PQconninfoOption *parsed) {
  const char *port = given(parsed, "port", "");
  return !strchr(given(parsed, "host", ""), '@') && !port[strspn(port, "0123456789,")];
}

/* What cannot be read may hold a password at any place: nothing of it is shown. */
static PQconninfoOption *parse(const char *url, tuff_error *err) {
  char *reason = NULL;
  PQconninfoOption *parsed = PQconninfoParse(url, &reason);
  PQfreemem(reason);
  if (parsed && is_plausible(parsed)) return parsed;
  PQconninfoFree(parsed);
  tuff_postgres_host->fail(err, TUFF_MISUSE, "the URL of the database cannot be read");
  tuff_postgres_host->hint(
      err, "it reads postgres://user:password@host:port/database?option=value, where "
           "special characters are written as %%HH (@ as %%40)");
  return NULL;
}

/* The limit of the URL, in seconds, which libpq leaves to us. */
static int64_t given_limit_us(const PQconninfoOption *parsed) {
  long seconds = strtol(given(parsed, "connect_timeout", ""), NULL, 10);
  return seconds > 0 && seconds < INT32_MAX ? seconds * INT64_C(1000000) : 0;
}

bool tuff_postgres_connect(tuff_postgres_database *database, tuff_error *err) {
  PQconninfoOption *parsed = parse(database->url, err);
  if (!parsed) return false;
  if (!database->connect_us) database->connect_us = given_limit_us(parsed);
  tuff_postgres_receive(database, NULL);
  PQfinish(database->handle);
  database->handle = start(database, parsed);
  if (database->handle) tuff_postgres_hear(database);
  bool reached =
      database->handle ? reach(database, parsed, err) : tuff_postgres_fail_memory(err);
  PQconninfoFree(parsed);
  if (!reached) {
    PQfinish(database->handle);
    database->handle = NULL;
    return false;
  }
  PQsetnonblocking(database->handle, 1);
  database->lost = database->inside = false;
  database->lock_ms = database->session_lock_ms;
  database->forgotten_size = 0;
  database->epoch++;
  database->lost = !tuff_postgres_listen_again(database, err);
  return !database->lost;
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

static bool set_up(tuff_postgres_database *database, const tuff_options *options,
                   tuff_error *err) {
  const tuff_host *host = tuff_postgres_host;
  database->readonly = options->readonly;
  database->pooler = options->pooler;
  database->connect_us = options->connect_us;
  database->session_lock_ms = tuff_postgres_lock_ms(database->watch->busy_us);
  database->watch->started_us = 0;
  if (options->pooler && options->readonly) {
    host->fail(err, TUFF_UNSUPPORTED,
               "a session behind a pooler cannot be made to read only");
    host->hint(err, "read inside db:read, or connect as a role that may only read");
    return false;
  }
  database->url = host->alloc(NULL, options->path_size + 1);
  if (!database->url) return tuff_postgres_fail_memory(err);
  memcpy(database->url, options->path, options->path_size + 1);
  if (!tuff_postgres_connect(database, err)) return false;
  database->path = describe(database->handle);
  return database->path || tuff_postgres_fail_memory(err);
}

void *tuff_postgres_open(const tuff_options *options, tuff_watch *watch,
                         tuff_error *err) {
  tuff_postgres_database *database = tuff_postgres_host->alloc(NULL, sizeof *database);
  if (!database) {
    tuff_postgres_fail_memory(err);
    return NULL;
  }
  *database = (tuff_postgres_database){.watch = watch};
  if (set_up(database, options, err)) return database;
  tuff_postgres_close(database, false);
  return NULL;
}

void tuff_postgres_close(void *context, bool collected) {
  tuff_postgres_database *database = context;
  (void)collected;
  if (!database) return;
  PQfinish(database->handle);
  database->handle = NULL;
  tuff_postgres_messages_free(database);
  tuff_postgres_host->alloc(database->path, 0);
  tuff_postgres_host->alloc(database->url, 0);
  tuff_postgres_host->alloc(database->forgotten, 0);
  tuff_postgres_host->alloc(database, 0);
}

/* ---- a session that was lost ---- */

bool tuff_postgres_ends_session(const PGresult *result) {
  const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  if (!state) return PQresultStatus(result) == PGRES_FATAL_ERROR;
  return strncmp(state, "08", 2) == 0 || strncmp(state, "57P0", 4) == 0 ||
         (severity &&
          (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0));
}

/* After a crash of the server the handle may still believe that all is well. */
bool tuff_postgres_is_lost(tuff_postgres_database *database, const PGresult *result) {
  return database->lost || !database->handle ||
         PQstatus(database->handle) == CONNECTION_BAD ||
         (result && tuff_postgres_ends_session(result));
}

/* Whether the server has ended the session meanwhile. What it says on an idle socket is
 * its last word, or a notice or a notification. */
static bool was_ended(tuff_postgres_database *database) {
  if (tuff_postgres_is_lost(database, NULL)) return true;
  struct pollfd poller = {.fd = PQsocket(database->handle), .events = POLLIN};
  while (poll(&poller, 1, 0) > 0)
    if (!PQconsumeInput(database->handle) || PQisBusy(database->handle) ||
        tuff_postgres_is_lost(database, NULL))
      return true;
  return false;
}

/* A server that has ended the session is often about to start again. */
static bool connect_patiently(tuff_postgres_database *database, tuff_error *err) {
  enum { PAUSE_US = 50000, PATIENCE_US = 5000000 };
  const tuff_host *host = tuff_postgres_host;
  int64_t patience = database->connect_us ? database->connect_us : PATIENCE_US;
  int64_t end = host->now_us() + patience;
  for (;;) {
    tuff_error refused;
    refused.code = TUFF_OK;
    if (tuff_postgres_connect(database, &refused)) return true;
    bool late = refused.code != TUFF_CONNECTION || host->now_us() >= end;
    if (late || host->stop(database->watch, err)) {
      if (err && err->code == TUFF_OK) *err = refused;
      return false;
    }
    host->sleep_us(PAUSE_US);
  }
}

/* A finaliser may come in the middle of a statement that is not read ahead. */
static bool is_reading(const tuff_postgres_database *database, tuff_error *err) {
  if (TUFF_LIKELY(PQtransactionStatus(database->handle) != PQTRANS_ACTIVE) ||
      database->lost)
    return false;
  tuff_postgres_host->fail(err, TUFF_MISUSE,
                           "the rows of another statement are still being read");
  tuff_postgres_host->hint(err, "a finaliser or a metamethod may come in the middle of "
                                "a call: it needs a connection of its own");
  return true;
}

bool tuff_postgres_ready(tuff_postgres_database *database, tuff_error *err) {
  enum { FRESH_US = 1000 }; /* it is too soon to ask again */
  if (is_reading(database, err)) return false;
  bool fresh =
      !database->lost && tuff_postgres_host->now_us() - database->heard_us < FRESH_US;
  if (TUFF_LIKELY(fresh) || !was_ended(database)) return true;
  database->lost = true;
  if (database->inside) return tuff_postgres_fail(database, NULL, err);
  return connect_patiently(database, err);
}
