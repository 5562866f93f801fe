/* statement.c: prepared statements, and their rows one by one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postgres/database.h"

/* ---- prepare ---- */

/* Names that the server may forget are sent before the next statement, where the
 * transaction still takes any. */
static bool forget_names(tuff_postgres_database *database, tuff_error *err) {
  if (database->forgotten_size == 0 ||
      PQtransactionStatus(database->handle) == PQTRANS_INERROR)
    return true;
  size_t size = database->forgotten_size;
  database->forgotten_size = 0;
  for (size_t at = 0; at < size; at += strlen(database->forgotten + at) + 1) {
    char sql[64];
    snprintf(sql, sizeof sql, "DEALLOCATE %s", database->forgotten + at);
    if (!tuff_postgres_exec(database, sql, err)) return false;
  }
  return true;
}

static void remember_name(tuff_postgres_database *database, const char *name) {
  size_t size = strlen(name) + 1;
  if (database->forgotten_size + size > database->forgotten_room) {
    size_t room = (database->forgotten_room + size) * 2;
    char *grown = tuff_postgres_host->alloc(database->forgotten, room);
    if (!grown) return; /* the server keeps it until the connection ends */
    database->forgotten = grown;
    database->forgotten_room = room;
  }
  memcpy(database->forgotten + database->forgotten_size, name, size);
  database->forgotten_size += size;
}

/* Parse and Describe in one trip. */
static bool send_prepare(tuff_postgres_statement *statement) {
  PGconn *handle = statement->database->handle;
  return PQenterPipelineMode(handle) &&
         PQsendPrepare(handle, statement->name, statement->sql.text, 0, NULL) &&
         PQsendDescribePrepared(handle, statement->name) && PQpipelineSync(handle);
}

/* The results of the trip, each followed by none. */
static bool read_description(tuff_postgres_statement *statement, tuff_error *err) {
  tuff_postgres_database *database = statement->database;
  bool good = true, synced = false;
  while (!synced) {
    PGresult *result;
    if (!tuff_postgres_result(database, &result, err)) return false;
    switch (PQresultStatus(result)) {
      case PGRES_PIPELINE_SYNC: synced = true; break;
      case PGRES_COMMAND_OK:
        if (PQnparams(result) > 0 || PQnfields(result) > 0 || statement->description) {
          PQclear(statement->description);
          statement->description = result;
          result = NULL;
        } else if (!statement->description) {
          statement->description = result;
          result = NULL;
        }
        break;
      case PGRES_PIPELINE_ABORTED: break;
      default:
        if (!result) break;
        good = tuff_postgres_fail(database, result, err);
        if (err) err->offset = tuff_postgres_offset(statement->sql.text, result);
        break;
    }
    if (PQstatus(database->handle) == CONNECTION_BAD) {
      PQclear(result);
      return tuff_postgres_fail(database, NULL, err);
    }
    PQclear(result);
  }
  return good;
}

static bool load_shape(tuff_postgres_statement *statement, tuff_error *err) {
  const tuff_host *host = tuff_postgres_host;
  const PGresult *description = statement->description;
  unsigned columns = (unsigned)PQnfields(description);
  unsigned parameters = statement->sql.parameters;
  statement->names = host->alloc(NULL, (columns + 1) * sizeof *statement->names);
  statement->column = host->alloc(NULL, (columns + 1) * sizeof(Oid));
  statement->parameter = host->alloc(NULL, (parameters + 1) * sizeof(Oid));
  if (!statement->names || !statement->column || !statement->parameter)
    return tuff_postgres_fail_memory(err);
  statement->binary = true;
  for (unsigned i = 0; i < columns; i++) {
    statement->names[i] = PQfname(description, (int)i);
    statement->column[i] = PQftype(description, (int)i);
    statement->binary =
        statement->binary && tuff_postgres_is_binary(statement->column[i]);
  }
  for (unsigned i = 0; i < parameters; i++)
    statement->parameter[i] =
        (int)i < PQnparams(description) ? PQparamtype(description, (int)i) : PG_TEXT;
  statement->shape.names = statement->names;
  statement->shape.columns = columns;
  statement->shape.parameters = parameters;
  statement->shape.generation = ++statement->database->generation;
  return true;
}

/* What begins with one of these words changes nothing, as far as a text can tell that
 * has none of those that change rows; a function that it calls may. The server has the
 * last word in a read-only transaction. */
static bool reads_only(const tuff_sql *sql) {
  static const char *const words[] = {"select", "values", "table",
                                      "show",   "with",   "explain"};
  if (sql->modifies) return false;
  const char *text = sql->text + strspn(sql->text, " \t\r\n(");
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    size_t size = strlen(words[i]);
    size_t same = 0;
    while (same < size && (text[same] | 0x20) == words[i][same]) same++;
    if (same == size) return true;
  }
  return false;
}

static bool prepare(tuff_postgres_statement *statement, tuff_error *err) {
  tuff_postgres_database *database = statement->database;
  if (database->lost) return tuff_postgres_fail(database, NULL, err);
  if (!forget_names(database, err)) return false;
  snprintf(statement->name, sizeof statement->name, "tuff_%llu",
           (unsigned long long)++database->serial);
  bool sent = send_prepare(statement) && tuff_postgres_flush(database, err);
  bool good =
      sent ? read_description(statement, err) : tuff_postgres_fail(database, NULL, err);
  PQexitPipelineMode(database->handle);
  if (!good) statement->name[0] = '\0';
  return good && load_shape(statement, err);
}

void *tuff_postgres_prepare(void *context, const tuff_sql *sql, unsigned flags,
                            tuff_error *err) {
  (void)flags;
  tuff_postgres_statement *statement =
      tuff_postgres_host->alloc(NULL, sizeof *statement);
  char *text = tuff_postgres_host->alloc(NULL, sql->size + 1);
  if (!statement || !text) {
    tuff_postgres_host->alloc(statement, 0);
    tuff_postgres_host->alloc(text, 0);
    tuff_postgres_fail_memory(err);
    return NULL;
  }
  memcpy(text, sql->text, sql->size + 1);
  *statement = (tuff_postgres_statement){.database = context, .sql = *sql};
  statement->sql.text = text;
  statement->shape.readonly = reads_only(sql);
  if (prepare(statement, err)) return statement;
  tuff_postgres_finish(statement);
  return NULL;
}

const tuff_shape *tuff_postgres_shape(void *context) {
  return &((tuff_postgres_statement *)context)->shape;
}

/* ---- run ---- */

bool tuff_postgres_bind(void *context, const tuff_value *values, unsigned count,
                        tuff_error *err) {
  tuff_postgres_statement *statement = context;
  (void)count;
  (void)err;
  statement->values = values; /* sent by the first step */
  return true;
}

static bool send(tuff_postgres_statement *statement, tuff_error *err) {
  tuff_postgres_database *database = statement->database;
  tuff_postgres_parameters parameters;
  if (database->lost) return tuff_postgres_fail(database, NULL, err);
  if (!tuff_postgres_encode(statement, &parameters, err)) return false;
  bool sent =
      PQsendQueryPrepared(database->handle, statement->name,
                          (int)statement->shape.parameters, parameters.values,
                          parameters.sizes, parameters.formats, statement->binary) &&
      PQsetSingleRowMode(database->handle);
  tuff_postgres_parameters_free(&parameters);
  if (!sent) return tuff_postgres_fail(database, NULL, err);
  statement->running = true;
  database->streaming = statement;
  return tuff_postgres_flush(database, err);
}

static tuff_result end(tuff_postgres_statement *statement, tuff_result result) {
  statement->running = false;
  statement->done = true;
  statement->database->streaming = NULL;
  return result;
}

static tuff_result failed(tuff_postgres_statement *statement, const PGresult *result,
                          tuff_error *err) {
  tuff_postgres_database *database = statement->database;
  bool alone = PQtransactionStatus(database->handle) == PQTRANS_ACTIVE;
  tuff_postgres_fail(database, result, err);
  if (err) {
    if (result) err->offset = tuff_postgres_offset(statement->sql.text, result);
    tuff_postgres_host->conceal(err, statement->values, statement->shape.parameters);
    if (database->lost && alone && !statement->shape.readonly) err->unknown = true;
  }
  tuff_postgres_drain(database, NULL);
  return end(statement, TUFF_FAILED);
}

static tuff_result finish_run(tuff_postgres_statement *statement,
                              const PGresult *result, tuff_error *err) {
  const char *changed = PQcmdTuples((PGresult *)(uintptr_t)result);
  statement->changed =
      statement->shape.readonly ? 0 : strtoll(changed[0] ? changed : "0", NULL, 10);
  bool drained = tuff_postgres_drain(statement->database, err);
  return end(statement, drained ? TUFF_DONE : TUFF_FAILED);
}

tuff_result tuff_postgres_step(void *context, tuff_value *row, tuff_error *err) {
  tuff_postgres_statement *statement = context;
  tuff_postgres_database *database = statement->database;
  if (statement->done) return TUFF_DONE;
  if (!statement->running && !send(statement, err)) {
    if (statement->running) tuff_postgres_drain(database, NULL);
    return end(statement, TUFF_FAILED);
  }
  PQclear(statement->row);
  statement->row = NULL;
  PGresult *result;
  if (!tuff_postgres_result(database, &result, err)) return end(statement, TUFF_FAILED);
  tuff_result outcome;
  switch (PQresultStatus(result)) {
    case PGRES_SINGLE_TUPLE:
      statement->row = result;
      return tuff_postgres_row(statement, row, err) ? TUFF_ROW : TUFF_FAILED;
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY: outcome = finish_run(statement, result, err); break;
    default: outcome = failed(statement, result, err); break;
  }
  PQclear(result);
  return outcome;
}

bool tuff_postgres_row(void *context, tuff_value *row, tuff_error *err) {
  tuff_postgres_statement *statement = context;
  return tuff_postgres_decode(statement, statement->row, row, err);
}

int64_t tuff_postgres_changes(void *context) {
  return ((tuff_postgres_statement *)context)->changed;
}

/* What has not been read of the rows is cancelled if it is much. */
void tuff_postgres_reset(void *context) {
  tuff_postgres_statement *statement = context;
  PQclear(statement->row);
  statement->row = NULL;
  if (statement->running) tuff_postgres_drain(statement->database, NULL);
  if (statement->database->streaming == statement)
    statement->database->streaming = NULL;
  statement->running = statement->done = false;
  statement->changed = 0;
}

void tuff_postgres_forget(void *context) {
  ((tuff_postgres_statement *)context)->values = NULL;
}

void tuff_postgres_finish(void *context) {
  tuff_postgres_statement *statement = context;
  if (!statement) return;
  const tuff_host *host = tuff_postgres_host;
  tuff_postgres_reset(statement);
  if (statement->name[0]) remember_name(statement->database, statement->name);
  PQclear(statement->description);
  host->alloc(statement->names, 0);
  host->alloc(statement->column, 0);
  host->alloc(statement->parameter, 0);
  host->alloc(statement->scratch, 0);
  host->alloc((void *)(uintptr_t)statement->sql.text, 0);
  host->alloc(statement, 0);
}
