/* prepare.c: making a statement known to the server, by a name that another one may
 * share. The server infers the types of the parameters from the SQL. Where it cannot
 * tell, or leaves one open, those of the first values are tried, see infer.c; and if
 * the server does not like them, what it infers is meant. */
#include <stdio.h>
#include <string.h>

#include "postgres/database.h"

/* ---- names ---- */

/* Of the text and the types, so that whoever uses the name means the same: behind a
 * pooler it may be somebody else. FNV-1a of 64 bits, twice. */
static void write_name(const tuff_postgres_statement *statement,
                       char out[TUFF_POSTGRES_NAME]) {
  enum { PARTS = 2 };
  static const uint64_t seeds[PARTS] = {UINT64_C(0xcbf29ce484222325),
                                        UINT64_C(0x84222325cbf29ce4)};
  uint64_t hash[PARTS];
  for (int part = 0; part < PARTS; part++) {
    hash[part] = seeds[part];
    const unsigned char *text = (const unsigned char *)statement->sql.text;
    for (size_t i = 0; i < statement->sql.size; i++)
      hash[part] = (hash[part] ^ text[i]) * UINT64_C(0x100000001b3);
    for (unsigned i = 0; statement->open && i < statement->sql.parameters; i++)
      hash[part] = (hash[part] ^ statement->parameter[i]) * UINT64_C(0x100000001b3);
  }
  snprintf(out, TUFF_POSTGRES_NAME, "tuff_%016llx%016llx", (unsigned long long)hash[0],
           (unsigned long long)hash[1]);
}

/* Another statement that stands under this name, or NULL. */
static tuff_postgres_statement *find_twin(const tuff_postgres_statement *statement) {
  tuff_postgres_statement *other = statement->database->statements;
  while (other && (other == statement || other->epoch != statement->database->epoch ||
                   strcmp(other->name, statement->name) != 0))
    other = other->next;
  return other;
}

/* Where the name stands in the list of those that the server may forget, or NULL. */
static char *find_forgotten(const tuff_postgres_database *database, const char *name) {
  char *end = database->forgotten + database->forgotten_size;
  for (char *at = database->forgotten; at < end; at += strlen(at) + 1)
    if (strcmp(at, name) == 0) return at;
  return NULL;
}

/* The server still knows it: then it is not to be forgotten by the list. */
static bool take_back(tuff_postgres_database *database, const char *name) {
  char *at = find_forgotten(database, name);
  if (!at) return false;
  size_t size = strlen(name) + 1;
  char *end = database->forgotten + database->forgotten_size;
  memmove(at, at + size, (size_t)(end - at) - size);
  database->forgotten_size -= size;
  return true;
}

/* The statement has no use for its name any more. */
static void release_name(tuff_postgres_statement *statement) {
  tuff_postgres_database *database = statement->database;
  bool stands = statement->epoch == database->epoch && statement->name[0] &&
                !database->lost && !find_twin(statement);
  statement->epoch = 0;
  if (!stands) return;
  size_t size = strlen(statement->name) + 1;
  if (database->forgotten_size + size > database->forgotten_room) {
    size_t room = (database->forgotten_room + size) * 2;
    char *grown = tuff_postgres_host->alloc(database->forgotten, room);
    if (!grown) return; /* the server keeps it until the session ends */
    database->forgotten = grown;
    database->forgotten_room = room;
  }
  memcpy(database->forgotten + database->forgotten_size, statement->name, size);
  database->forgotten_size += size;
}

static void deallocate(tuff_postgres_trip *trip, const char *name) {
  char sql[TUFF_POSTGRES_NAME + 16];
  snprintf(sql, sizeof sql, "DEALLOCATE %s", name);
  tuff_postgres_trip_command(trip, sql);
}

/* Names to be forgotten go with a trip that is made anyway. */
static void send_forgotten(tuff_postgres_trip *trip, unsigned most) {
  tuff_postgres_database *database = trip->database;
  while (database->forgotten_size > 0 && trip->count < most) {
    char name[TUFF_POSTGRES_NAME];
    snprintf(name, sizeof name, "%s", database->forgotten);
    deallocate(trip, name);
    take_back(database, name);
  }
}

/* ---- what the server says of it ---- */

/* How the statement becomes known under its name. */
typedef enum how { PARSE, PARSE_ANEW, KNOWN } how;

/* Parse and Describe in one trip. A mistake must not end the transaction. Takes the
 * description; *failed: it was the statement that was at fault. */
static bool describe(tuff_postgres_statement *statement, how how, const Oid *types,
                     bool *failed, tuff_error *err) {
  enum { SPARE = 6 };
  tuff_postgres_database *database = statement->database;
  bool inside = database->inside;
  tuff_postgres_trip trip;
  tuff_postgres_trip_begin(&trip, database);
  send_forgotten(&trip, TUFF_POSTGRES_TRIP - SPARE);
  if (how == PARSE_ANEW) deallocate(&trip, statement->name);
  if (inside) tuff_postgres_trip_command(&trip, "SAVEPOINT tuff_prepare");
  unsigned first = trip.count;
  if (how != KNOWN)
    tuff_postgres_trip_add(&trip, PQsendPrepare(database->handle, statement->name,
                                                statement->sql.text,
                                                (int)statement->sql.parameters, types));
  unsigned described = trip.count;
  tuff_postgres_trip_add(&trip,
                         PQsendDescribePrepared(database->handle, statement->name));
  if (inside) tuff_postgres_trip_command(&trip, "RELEASE SAVEPOINT tuff_prepare");
  bool done = tuff_postgres_trip_end(&trip, err);
  int bad = done ? tuff_postgres_trip_failed(&trip) : -1;
  *failed = bad >= (int)first;
  if (bad >= 0) {
    done = tuff_postgres_fail(database, trip.result[bad], err);
    err->offset = tuff_postgres_offset(statement->sql.text, trip.result[bad]);
  } else if (done) {
    PQclear(statement->description);
    statement->description = trip.result[described];
    trip.result[described] = NULL;
  }
  tuff_postgres_trip_clear(&trip);
  if (*failed && inside && !database->lost)
    tuff_postgres_exec(
        database, "ROLLBACK TO SAVEPOINT tuff_prepare; RELEASE SAVEPOINT tuff_prepare",
        NULL);
  return done;
}

/* Names and types of the columns, as they are from now on. */
static bool load_columns(tuff_postgres_statement *statement, tuff_error *err) {
  const tuff_host *host = tuff_postgres_host;
  const PGresult *description = statement->description;
  unsigned columns = (unsigned)PQnfields(description);
  const char **names =
      host->alloc(statement->names, (columns + 1) * sizeof *statement->names);
  if (names) statement->names = names;
  Oid *types = host->alloc(statement->column, (columns + 1) * sizeof(Oid));
  if (types) statement->column = types;
  if (!names || !types) return tuff_postgres_fail_memory(err);
  statement->binary = true;
  for (unsigned i = 0; i < columns; i++) {
    names[i] = PQfname(description, (int)i);
    types[i] = PQftype(description, (int)i);
    statement->binary = statement->binary && tuff_postgres_is_binary(types[i]);
  }
  statement->shape.names = names;
  statement->shape.columns = columns;
  statement->shape.generation = ++statement->database->generation;
  return true;
}

bool tuff_postgres_fits(const tuff_postgres_statement *statement,
                        const PGresult *result) {
  unsigned columns = (unsigned)PQnfields(result);
  if (columns != statement->shape.columns) return false;
  for (unsigned i = 0; i < columns; i++)
    if (PQftype(result, (int)i) != statement->column[i] ||
        strcmp(PQfname(result, (int)i), statement->names[i]) != 0)
      return false;
  return true;
}

bool tuff_postgres_adapt(tuff_postgres_statement *statement, const PGresult *result,
                         tuff_error *err) {
  PGresult *description = PQcopyResult(result, PG_COPYRES_ATTRS);
  if (!description) return tuff_postgres_fail_memory(err);
  PQclear(statement->description);
  statement->description = description;
  statement->epoch = 0; /* it is described anew before the next run */
  bool asked = statement->binary;
  if (!load_columns(statement, err)) return false;
  bool readable = statement->binary || !asked;
  statement->binary = asked;
  if (readable) return true;
  tuff_postgres_host->fail(err, TUFF_SERIALIZATION,
                           "a table was changed since the statement was prepared");
  err->retryable = statement->shape.readonly || statement->database->inside;
  return false;
}

/* Gives it the name that it has with the types in ->parameter. What stands there
 * already, because of a twin, is the same, unless tables have changed since. */
static how take_name(tuff_postgres_statement *statement) {
  tuff_postgres_database *database = statement->database;
  if (database->pooler || statement->once) return PARSE;
  char name[TUFF_POSTGRES_NAME];
  write_name(statement, name);
  bool same = strcmp(name, statement->name) == 0;
  if (!same) release_name(statement); /* which it has by other types */
  bool known = same && statement->epoch == database->epoch && !find_twin(statement);
  memcpy(statement->name, name, sizeof name);
  statement->epoch = 0;
  bool stale = take_back(database, statement->name) || known;
  for (tuff_postgres_statement *twin; (twin = find_twin(statement)) != NULL;) {
    if (twin->schema == database->schema) return KNOWN;
    twin->epoch = 0;
    stale = true;
  }
  return stale ? PARSE_ANEW : PARSE;
}

static bool prepare_with(tuff_postgres_statement *statement, const Oid *types,
                         bool *failed, tuff_error *err) {
  tuff_postgres_database *database = statement->database;
  how how = take_name(statement);
  bool good = describe(statement, how, types, failed, err);
  if (!good && *failed && strcmp(err->sqlstate, "42P05") == 0) {
    err->code = TUFF_OK; /* somebody else has prepared the same in this session */
    good = describe(statement, KNOWN, types, failed, err);
  }
  if (!good || !load_columns(statement, err)) return false;
  statement->epoch = database->epoch;
  statement->schema = database->schema;
  return true;
}

/* ---- with the types of the server, or those of the values ---- */

/* The server could not tell the type of a parameter, or which operator is meant. */
static bool cannot_tell(const tuff_error *err) {
  static const char *const states[] = {"42P18", "42P08", "42725"};
  for (size_t i = 0; i < sizeof states / sizeof *states; i++)
    if (strcmp(err->sqlstate, states[i]) == 0) return true;
  return false;
}

/* Prepares it with the types that the server infers. */
static bool prepare_inferred(tuff_postgres_statement *statement, tuff_error *err) {
  unsigned parameters = statement->sql.parameters;
  bool failed;
  memset(statement->parameter, 0, (parameters + 1) * sizeof(Oid));
  if (!prepare_with(statement, NULL, &failed, err)) {
    if (!failed || parameters == 0 || statement->firm || !cannot_tell(err))
      return false;
    err->code = TUFF_OK; /* the values will tell */
    statement->open = true;
    return true;
  }
  for (unsigned i = 0; i < parameters; i++) {
    statement->inferred[i] = PQparamtype(statement->description, (int)i);
    if (!statement->firm && tuff_postgres_is_open(statement, i)) statement->open = true;
  }
  memcpy(statement->parameter, statement->inferred, parameters * sizeof(Oid));
  return true;
}

static bool prepare_by_values(tuff_postgres_statement *statement, tuff_error *err) {
  bool failed, guessed = statement->inferred[0] == 0 && !statement->description;
  for (unsigned i = 0; i < statement->sql.parameters; i++)
    statement->parameter[i] = tuff_postgres_wanted_type(statement, i);
  if (prepare_with(statement, statement->parameter, &failed, err)) return true;
  if (!failed || guessed) return false;
  err->code = TUFF_OK;
  statement->firm = true;
  statement->open = false;
  return prepare_inferred(statement, err);
}

bool tuff_postgres_prepare_run(tuff_postgres_statement *statement, tuff_error *err) {
  const tuff_postgres_database *database = statement->database;
  bool stands =
      statement->epoch == database->epoch && statement->schema == database->schema;
  if (TUFF_UNLIKELY(!statement->open && !tuff_postgres_all_fit(statement)))
    statement->open = true;
  if (TUFF_LIKELY(!statement->open)) return stands || prepare_inferred(statement, err);
  return (stands && tuff_postgres_types_fit(statement)) ||
         prepare_by_values(statement, err);
}

/* ---- life of a statement ---- */

static void link_statement(tuff_postgres_statement *statement) {
  tuff_postgres_database *database = statement->database;
  statement->next = database->statements;
  if (statement->next) statement->next->previous = statement;
  database->statements = statement;
}

static void unlink_statement(tuff_postgres_statement *statement) {
  if (statement->next) statement->next->previous = statement->previous;
  *(statement->previous ? &statement->previous->next
                        : &statement->database->statements) = statement->next;
}

static bool allocate(tuff_postgres_statement *statement, tuff_error *err) {
  const tuff_host *host = tuff_postgres_host;
  unsigned count = statement->sql.parameters + 1;
  size_t size = statement->sql.size + 1;
  char *text = host->alloc(NULL, size);
  if (text) memcpy(text, statement->sql.text, size);
  statement->sql.text = text;
  statement->inferred = host->alloc(NULL, count * sizeof(Oid));
  statement->parameter = host->alloc(NULL, count * sizeof(Oid));
  if (!text || !statement->inferred || !statement->parameter ||
      !tuff_postgres_parameters_allocate(&statement->parameters, count))
    return tuff_postgres_fail_memory(err);
  memset(statement->inferred, 0, count * sizeof(Oid));
  return true;
}

void *tuff_postgres_prepare(void *context, const tuff_sql *sql, unsigned flags,
                            tuff_error *err) {
  tuff_postgres_statement *statement =
      tuff_postgres_host->alloc(NULL, sizeof *statement);
  if (!statement) {
    tuff_postgres_fail_memory(err);
    return NULL;
  }
  *statement = (tuff_postgres_statement){
      .database = context, .sql = *sql, .once = flags & TUFF_PREPARE_ONCE};
  link_statement(statement);
  statement->shape.readonly = sql->reads;
  statement->shape.parameters = sql->parameters;
  /* Parsing waits for locks of the tables, too. */
  if (allocate(statement, err) && tuff_postgres_ready(context, err) &&
      tuff_postgres_limit_locks(context, err) && prepare_inferred(statement, err))
    return statement;
  tuff_postgres_finish(statement);
  return NULL;
}

void tuff_postgres_finish(void *context) {
  tuff_postgres_statement *statement = context;
  if (!statement) return;
  const tuff_host *host = tuff_postgres_host;
  tuff_postgres_reset(statement);
  release_name(statement);
  unlink_statement(statement);
  PQclear(statement->description);
  tuff_postgres_parameters_free(&statement->parameters);
  host->alloc(statement->names, 0);
  host->alloc(statement->column, 0);
  host->alloc(statement->inferred, 0);
  host->alloc(statement->parameter, 0);
  host->alloc(statement->scratch, 0);
  host->alloc((void *)(uintptr_t)statement->sql.text, 0);
  host->alloc(statement, 0);
}
