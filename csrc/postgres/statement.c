/* statement.c: running prepared statements, and their rows one by one. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "postgres/database.h"

const tuff_shape *tuff_postgres_shape(void *context) {
  return &((tuff_postgres_statement *)context)->shape;
}

/* What a statement, now done, has changed beside rows. */
static void note_tag(tuff_postgres_database *database, const char *tag) {
  static const char *const schema[] = {"CREATE ", "ALTER ", "DROP "};
  static const char *const names[] = {"DEALLOCATE", "DISCARD"};
  for (size_t i = 0; i < sizeof schema / sizeof *schema; i++)
    if (strncmp(tag, schema[i], strlen(schema[i])) == 0) database->schema++;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strncmp(tag, names[i], strlen(names[i])) == 0) {
      database->epoch++;
      database->forgotten_size = 0;
    }
  if (strcmp(tag, "ROLLBACK") == 0) database->schema++;
  if (strcmp(tag, "SET") == 0 || strcmp(tag, "RESET") == 0) database->lock_ms = -1;
}

/* ---- run ---- */

static bool make_ready(tuff_postgres_statement *statement, tuff_error *err) {
  tuff_postgres_database *database = statement->database;
  statement->ready = tuff_postgres_ready(database, err) &&
                     tuff_postgres_limit_locks(database, err) &&
                     tuff_postgres_prepare_run(statement, err);
  return statement->ready;
}

bool tuff_postgres_bind(void *context, const tuff_value *values, unsigned count,
                        tuff_error *err) {
  tuff_postgres_statement *statement = context;
  (void)count;
  statement->values = values;
  return make_ready(statement, err) && tuff_postgres_encode(statement, err);
}

static int send_text(tuff_postgres_statement *statement) {
  const tuff_postgres_parameters *parameters = &statement->parameters;
  return PQsendQueryParams(statement->database->handle, statement->sql.text,
                           (int)statement->sql.parameters, statement->parameter,
                           parameters->values, parameters->sizes, parameters->formats,
                           statement->binary);
}

static int send_name(tuff_postgres_statement *statement) {
  const tuff_postgres_parameters *parameters = &statement->parameters;
  return PQsendQueryPrepared(statement->database->handle, statement->name,
                             (int)statement->sql.parameters, parameters->values,
                             parameters->sizes, parameters->formats, statement->binary);
}

static bool send(tuff_postgres_statement *statement, tuff_error *err) {
  tuff_postgres_database *database = statement->database;
  if (!statement->ready && !make_ready(statement, err)) return false;
  /* One result is cheaper than one for the row and one for its end; but who knows how
   * many rows there are? */
  bool whole = statement->one && statement->few;
  int sent = statement->name[0] ? send_name(statement) : send_text(statement);
  if (!sent || (!whole && !PQsetSingleRowMode(database->handle)))
    return tuff_postgres_fail(database, NULL, err);
  statement->running = true;
  return tuff_postgres_flush(database, err);
}

static tuff_result end(tuff_postgres_statement *statement, tuff_result result) {
  statement->running = false;
  statement->done = true;
  return result;
}

/* A session that is lost outside of a transaction may have done what it was sent, and
 * so may one that was told to commit. */
static tuff_result fail_run(tuff_postgres_statement *statement, tuff_error *err) {
  const tuff_postgres_database *database = statement->database;
  bool kept = !database->inside || statement->sql.commits;
  if (err && database->lost && kept && !statement->shape.readonly &&
      statement->running) {
    err->unknown = true;
    err->retryable = false;
  }
  return end(statement, TUFF_FAILED);
}

/* "cached plan must not change result type", or the server has forgotten the name: what
 * was prepared is of another time. */
static bool note_stale(tuff_postgres_statement *statement, const PGresult *result) {
  const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  bool changed = state && strcmp(state, "0A000") == 0;
  bool gone = state && strcmp(state, "26000") == 0;
  if (!statement->name[0]) return false;
  if (changed) statement->database->schema++; /* who knows what else */
  if (gone) statement->epoch = 0;
  return changed || gone;
}

static tuff_result failed(tuff_postgres_statement *statement, const PGresult *result,
                          tuff_error *err) {
  tuff_postgres_database *database = statement->database;
  tuff_postgres_fail(database, result, err);
  if (err) {
    err->offset = tuff_postgres_offset(statement->sql.text, result);
    tuff_postgres_host->conceal(err, statement->values, statement->sql.parameters);
    if (note_stale(statement, result) && !statement->again) err->retryable = true;
  }
  if (!database->lost) tuff_postgres_drain(database, NULL);
  tuff_postgres_tell_key(database, result, err);
  return fail_run(statement, err);
}

static tuff_result finish_run(tuff_postgres_statement *statement,
                              const PGresult *result, tuff_error *err) {
  const char *changed = PQcmdTuples((PGresult *)(uintptr_t)result);
  const char *tag = PQcmdStatus((PGresult *)(uintptr_t)result);
  bool rows = !statement->shape.readonly && strncmp(tag, "SELECT", 6) != 0;
  statement->changed = rows ? strtoll(changed, NULL, 10) : 0;
  note_tag(statement->database, tag);
  if (!tuff_postgres_drain(statement->database, err)) return fail_run(statement, err);
  return end(statement, TUFF_DONE);
}

/* Tells the server that no rows will come. What was sent ends twice then, once behind
 * the statement and once behind its rows, and the server passes over the first end
 * while it waits for rows. Had it failed by itself before, an answer too many would
 * come, which the next statement would take for its own: such a session is given up. */
static void refuse_rows(tuff_postgres_database *database) {
  static const char reason[] = "tuff sends no rows";
  tuff_error answer;
  answer.code = TUFF_OK;
  bool sent = PQputCopyEnd(database->handle, reason) == 1;
  bool drained = sent && tuff_postgres_flush(database, &answer) &&
                 tuff_postgres_drain(database, &answer);
  if (drained || answer.code == TUFF_OK || !strstr(answer.message, reason))
    database->lost = true;
}

/* COPY wants to talk about its rows. */
static tuff_result refuse_copy(tuff_postgres_statement *statement, bool in,
                               tuff_error *err) {
  tuff_postgres_database *database = statement->database;
  const tuff_host *host = tuff_postgres_host;
  host->fail(err, TUFF_UNSUPPORTED, "COPY from or to the client is not for statements");
  host->hint(err, "db:insert_many writes by COPY, db:rows reads row by row");
  if (in)
    refuse_rows(database);
  else
    tuff_postgres_give_up(database);
  return fail_run(statement, err);
}

/* Outside of a transaction a stale statement is prepared and sent again, once. */
static bool try_again(tuff_postgres_statement *statement, const PGresult *result) {
  tuff_postgres_database *database = statement->database;
  if (database->inside || statement->again || !note_stale(statement, result))
    return false;
  statement->again = true;
  statement->ready = statement->running = false;
  return tuff_postgres_drain(database, NULL) || !database->lost;
}

/* A row of the result that ->row holds. */
static tuff_result give_row(tuff_postgres_statement *statement, bool fill,
                            tuff_value *row, tuff_error *err) {
  statement->rows++;
  if (!fill) return TUFF_ROW;
  return tuff_postgres_decode(statement, row, err) ? TUFF_ROW : TUFF_FAILED;
}

/* The next result of the run, which may hold a row. Takes it over. */
static tuff_result take_result(tuff_postgres_statement *statement, PGresult *result,
                               tuff_error *err) {
  tuff_result outcome = TUFF_FAILED;
  switch (PQresultStatus(result)) {
    case PGRES_SINGLE_TUPLE: statement->row = result; return TUFF_ROW;
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
      outcome = finish_run(statement, result, err);
      if (PQntuples(result) == 0 || outcome == TUFF_FAILED) break;
      statement->row = result; /* a whole result */
      return TUFF_ROW;
    case PGRES_COPY_IN: outcome = refuse_copy(statement, true, err); break;
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH: outcome = refuse_copy(statement, false, err); break;
    default: outcome = failed(statement, result, err); break;
  }
  PQclear(result);
  return outcome;
}

tuff_result tuff_postgres_step(void *context, tuff_value *row, tuff_error *err) {
  tuff_postgres_statement *statement = context;
  tuff_postgres_database *database = statement->database;
  uint64_t generation = statement->shape.generation;
  if (statement->row && statement->at + 1 < PQntuples(statement->row)) {
    statement->at++;
    return give_row(statement, true, row, err);
  }
  PQclear(statement->row);
  statement->row = NULL;
  statement->at = 0;
  if (statement->done) return TUFF_DONE;
  PGresult *result = NULL;
  do {
    PQclear(result);
    if (!statement->running && !send(statement, err)) return fail_run(statement, err);
    if (!tuff_postgres_result(database, &result, err)) return fail_run(statement, err);
  } while (PQresultStatus(result) == PGRES_FATAL_ERROR && try_again(statement, result));
  tuff_result outcome = take_result(statement, result, err);
  if (outcome != TUFF_ROW) return outcome;
  bool first = statement->rows == 0 && !statement->name[0];
  if (TUFF_UNLIKELY(first) && !tuff_postgres_fits(statement, statement->row) &&
      !tuff_postgres_adapt(statement, statement->row, err))
    return TUFF_FAILED;
  return give_row(statement, statement->shape.generation == generation, row, err);
}

bool tuff_postgres_waits(void *context) {
  enum { MOMENT_MS = 1 };
  const tuff_postgres_statement *statement = context;
  PGconn *handle = statement->database->handle;
  bool here = statement->row && statement->at + 1 < PQntuples(statement->row);
  if (here || !statement->running || !PQisBusy(handle)) return false;
  struct pollfd poller = {.fd = PQsocket(handle), .events = POLLIN};
  return poll(&poller, 1, MOMENT_MS) <= 0 ||
         (PQconsumeInput(handle) && PQisBusy(handle));
}

void tuff_postgres_expect_one(void *context) {
  ((tuff_postgres_statement *)context)->one = true;
}

bool tuff_postgres_row(void *context, tuff_value *row, tuff_error *err) {
  tuff_postgres_statement *statement = context;
  return tuff_postgres_decode(statement, row, err);
}

int64_t tuff_postgres_changes(void *context) {
  return ((tuff_postgres_statement *)context)->changed;
}

void tuff_postgres_reset(void *context) {
  tuff_postgres_statement *statement = context;
  tuff_postgres_database *database = statement->database;
  PQclear(statement->row);
  statement->row = NULL;
  database->dropped = 0;
  if (statement->running) tuff_postgres_abandon(database);
  statement->few = statement->rows + database->dropped <= 1;
  statement->rows = 0;
  statement->at = 0;
  statement->one = statement->running = statement->done = statement->ready =
      statement->again = false;
  statement->changed = 0;
}

void tuff_postgres_forget(void *context) {
  ((tuff_postgres_statement *)context)->values = NULL;
}
