/* statement.c: prepared statements. Rows are filled by one sqlite3_column_value a
 * column: the value functions behind it take no lock, the column functions do.
 *
 * They are prepared by the old sqlite3_prepare, on purpose. The newer ones prepare a
 * statement again behind our back when the schema has changed, and run it at once: with
 * other columns than the names we know, and with values that were converted for types
 * that the columns no longer have. The old one says SQLITE_SCHEMA instead. */
#include <stdio.h>
#include <string.h>

#include "sqlite/database.h"

/* ---- shape ---- */

/* Types of the columns; most results have none that matter. */
static bool load_types(tuff_sqlite_statement *statement, unsigned columns,
                       tuff_error *err) {
  bool needed = false;
  for (unsigned i = 0; i < columns && !needed; i++) {
    const char *declaration = sqlite3_column_decltype(statement->handle, (int)i);
    tuff_declared declared = tuff_sqlite_type_of(declaration).declared;
    needed = declared == TUFF_AS_BOOLEAN || declared == TUFF_AS_JSON ||
             declared == TUFF_AS_DECIMAL ||
             (declared == TUFF_AS_REAL && !statement->shape.readonly);
  }
  tuff_sqlite_host->alloc(statement->types, 0);
  tuff_sqlite_host->alloc(statement->scratch, 0);
  statement->types = NULL;
  statement->scratch = NULL;
  if (!needed) return true;
  statement->types = tuff_sqlite_host->alloc(NULL, columns * sizeof *statement->types);
  statement->scratch = tuff_sqlite_host->alloc(NULL, columns * TUFF_SQLITE_SCRATCH);
  if (!statement->types || !statement->scratch) return tuff_sqlite_fail_memory(err);
  for (unsigned i = 0; i < columns; i++)
    statement->types[i] =
        tuff_sqlite_type_of(sqlite3_column_decltype(statement->handle, (int)i));
  return true;
}

static bool load_shape(tuff_sqlite_statement *statement, tuff_error *err) {
  tuff_sqlite_database *database = statement->database;
  unsigned columns = (unsigned)sqlite3_column_count(statement->handle);
  if (columns > statement->names_room) {
    const char **names =
        tuff_sqlite_host->alloc(statement->names, columns * sizeof *names);
    if (!names) return tuff_sqlite_fail_memory(err);
    statement->names = names;
    statement->names_room = columns;
  }
  for (unsigned i = 0; i < columns; i++) {
    statement->names[i] = sqlite3_column_name(statement->handle, (int)i);
    if (!statement->names[i]) return tuff_sqlite_fail_memory(err);
  }
  statement->shape.readonly = sqlite3_stmt_readonly(statement->handle) != 0;
  if (!load_types(statement, columns, err)) return false;
  statement->shape.names = statement->names;
  statement->shape.columns = columns;
  statement->shape.generation = ++database->generation;
  return true;
}

const tuff_shape *tuff_sqlite_shape(void *context) {
  return &((tuff_sqlite_statement *)context)->shape;
}

/* ---- prepare ---- */

/* SQLite knows more forms of parameters than scripts may use, such as #x and $::x: what
 * was not numbered by the core would be NULL in silence. */
static bool check_parameters(tuff_sqlite_statement *statement, unsigned count,
                             tuff_error *err) {
  bool known = (unsigned)sqlite3_bind_parameter_count(statement->handle) == count;
  for (unsigned i = 1; known && i <= count; i++) {
    char wanted[16];
    snprintf(wanted, sizeof wanted, "?%u", i);
    const char *name = sqlite3_bind_parameter_name(statement->handle, (int)i);
    known = name && strcmp(name, wanted) == 0;
  }
  if (known) return true;
  tuff_sqlite_host->fail(err, TUFF_MISUSE,
                         "the SQL text has a form of parameter that is not used here");
  tuff_sqlite_host->hint(err,
                         "write ? for a positional parameter, :name for a named one");
  return false;
}

/* The engine names what it misses, but not where it stands. */
static void locate_name(const tuff_sql *sql, tuff_error *err) {
  const char *name = strrchr(err->message, ':');
  if (err->code != TUFF_NOT_FOUND || err->offset >= 0 || !name) return;
  name += strspn(name, ": ");
  if (strncmp(name, "main.", 5) == 0) name += 5;
  const char *at = *name ? strstr(sql->text, name) : NULL;
  if (at) err->offset = (int)(at - sql->text);
}

/* An old schema may rely on "text" in double quotes being a string. */
static void hint_quotes(const tuff_sql *sql, tuff_error *err) {
  if (err->code != TUFF_NOT_FOUND || err->offset < 0 ||
      (size_t)err->offset >= sql->size || sql->text[err->offset] != '"')
    return;
  tuff_sqlite_host->hint(err,
                         "a string is written in single quotes; legacy_quotes = true "
                         "accepts the double quotes of an old schema");
}

/* Gives the statement a handle, and all that is known of it. */
static bool load(tuff_sqlite_statement *statement, tuff_error *err) {
  tuff_sqlite_database *database = statement->database;
  const tuff_sql *sql = &statement->sql;
  int result = sqlite3_prepare(database->handle, sql->text, (int)sql->size + 1,
                               &statement->handle, NULL);
  tuff_sqlite_wait_done(database);
  if (database->raised) return tuff_sqlite_fail_raised(database, err);
  if (result != SQLITE_OK) {
    tuff_sqlite_fail(database, result, err);
    hint_quotes(sql, err);
    locate_name(sql, err);
    return false;
  }
  return check_parameters(statement, sql->parameters, err) &&
         load_shape(statement, err) && tuff_sqlite_load_targets(statement, err);
}

void *tuff_sqlite_prepare(void *context, const tuff_sql *sql, unsigned flags,
                          tuff_error *err) {
  (void)flags;
  if (sql->size >= INT32_MAX) {
    tuff_sqlite_host->fail(err, TUFF_RANGE, "the SQL text is longer than 2 GB");
    return NULL;
  }
  tuff_sqlite_statement *statement = tuff_sqlite_host->alloc(NULL, sizeof *statement);
  char *text = tuff_sqlite_host->alloc(NULL, sql->size + 1);
  if (!statement || !text) {
    tuff_sqlite_host->alloc(statement, 0);
    tuff_sqlite_host->alloc(text, 0);
    tuff_sqlite_fail_memory(err);
    return NULL;
  }
  memcpy(text, sql->text, sql->size + 1);
  *statement = (tuff_sqlite_statement){
      .database = context, .sql = *sql, .shape.parameters = sql->parameters};
  statement->sql.text = text;
  if (load(statement, err)) return statement;
  tuff_sqlite_finish(statement);
  return NULL;
}

/* ---- step ---- */

/* The groups of an aggregate that were not read to their end are given up. */
static int reset(tuff_sqlite_statement *statement) {
  tuff_sqlite_database *database = statement->database;
  bool outer = database->giving_up;
  database->giving_up = true;
  int result = sqlite3_reset(statement->handle);
  database->giving_up = outer;
  return result;
}

bool tuff_sqlite_row(void *context, tuff_value *row, tuff_error *err) {
  tuff_sqlite_statement *statement = context;
  unsigned columns = statement->shape.columns;
  for (unsigned i = 0; i < columns; i++)
    if (!tuff_sqlite_read(sqlite3_column_value(statement->handle, (int)i), &row[i]))
      return tuff_sqlite_fail_memory(err);
  if (TUFF_LIKELY(!statement->types)) return true;
  for (unsigned i = 0; i < columns; i++)
    tuff_sqlite_load(&statement->types[i], &row[i],
                     statement->scratch + i * TUFF_SQLITE_SCRATCH);
  return true;
}

bool tuff_sqlite_renew(tuff_sqlite_statement *statement, tuff_error *err) {
  sqlite3_stmt *old = statement->handle;
  statement->handle = NULL;
  statement->bound = false;
  sqlite3_finalize(old);
  statement->renewed = true;
  bool done =
      load(statement, err) &&
      (!statement->values || tuff_sqlite_bind(statement, statement->values,
                                              statement->shape.parameters, err));
  statement->renewed = false;
  return done;
}

/* The first step of a run; it may wait for a lock. */
static int first_step(tuff_sqlite_statement *statement, tuff_error *err) {
  enum { MOST_CHANGES = 50 }; /* of the schema, meanwhile */
  tuff_sqlite_database *database = statement->database;
  if (!statement->shape.readonly && sqlite3_get_autocommit(database->handle))
    tuff_sqlite_wait_turn(database);
  int result = SQLITE_SCHEMA;
  for (int tries = 0; result == SQLITE_SCHEMA && tries < MOST_CHANGES; tries++) {
    if (TUFF_UNLIKELY(!statement->handle || tries > 0) &&
        !tuff_sqlite_renew(statement, err))
      break;
    result = sqlite3_step(statement->handle);
    /* Only reset says what went wrong. */
    if (TUFF_UNLIKELY(result != SQLITE_ROW && result != SQLITE_DONE))
      result = sqlite3_reset(statement->handle);
  }
  tuff_sqlite_wait_done(database);
  statement->running = true;
  return result;
}

static tuff_result done(tuff_sqlite_statement *statement) {
  tuff_sqlite_database *database = statement->database;
  if (statement->shape.readonly) return TUFF_DONE;
  int64_t total = sqlite3_total_changes64(database->handle);
  statement->changed =
      total == database->total_changes ? 0 : sqlite3_changes64(database->handle);
  database->total_changes = total;
  if (database->wal_grown && sqlite3_get_autocommit(database->handle)) {
    sqlite3_reset(statement->handle); /* a statement at its end still counts as open */
    tuff_sqlite_checkpoint(database);
  }
  return TUFF_DONE;
}

static tuff_result failed(tuff_sqlite_statement *statement, int result,
                          tuff_error *err) {
  statement->database->total_changes =
      sqlite3_total_changes64(statement->database->handle);
  int reason = reset(statement); /* only that says what went wrong */
  if (reason != SQLITE_OK) result = reason;
  tuff_sqlite_fail(statement->database, result, err);
  bool wrote =
      !statement->shape.readonly && sqlite3_get_autocommit(statement->database->handle);
  if (err->code == TUFF_IO && wrote) err->unknown = true;
  if ((result & 0xFF) == SQLITE_ERROR)
    tuff_sqlite_host->conceal(err, statement->values, statement->shape.parameters);
  return TUFF_FAILED;
}

/* A function of the script failed. A collation cannot say so to the engine: what it has
 * put into an index may stand in the wrong place, and so nothing of the transaction may
 * stay. */
static tuff_result raised(tuff_sqlite_statement *statement, int result,
                          tuff_error *err) {
  tuff_sqlite_database *database = statement->database;
  int reason = reset(statement); /* nothing, where the first step was reset before */
  if (reason != SQLITE_OK) result = reason;
  database->total_changes = sqlite3_total_changes64(database->handle);
  bool done = result == SQLITE_OK || result == SQLITE_ROW || result == SQLITE_DONE;
  bool told = (result & 0xFF) == SQLITE_ERROR || result == SQLITE_INTERRUPT ||
              result == SQLITE_CONSTRAINT_COMMITHOOK;
  bool untold = database->untold;
  if (!done && !told && !untold) { /* another error came first */
    database->raised = false;
    tuff_sqlite_fail(database, result, err);
    return TUFF_FAILED;
  }
  tuff_sqlite_fail_raised(database, err);
  if ((done || untold) && !statement->shape.readonly &&
      !sqlite3_get_autocommit(database->handle))
    tuff_sqlite_control(database, TUFF_ROLLBACK, TUFF_WRITE, 0, NULL);
  return TUFF_FAILED;
}

tuff_result tuff_sqlite_step(void *context, tuff_value *row, tuff_error *err) {
  tuff_sqlite_statement *statement = context;
  int result;
  if (TUFF_LIKELY(statement->running)) {
    result = sqlite3_step(statement->handle);
  } else {
    uint64_t generation = statement->shape.generation;
    result = first_step(statement, err);
    if (TUFF_UNLIKELY(statement->shape.generation != generation &&
                      result == SQLITE_ROW))
      return TUFF_ROW; /* the core asks for it when it has made room */
  }
  if (TUFF_UNLIKELY(statement->database->raised)) return raised(statement, result, err);
  if (TUFF_LIKELY(result == SQLITE_ROW))
    return tuff_sqlite_row(statement, row, err) ? TUFF_ROW : TUFF_FAILED;
  if (TUFF_LIKELY(result == SQLITE_DONE)) return done(statement);
  return failed(statement, result, err);
}

int64_t tuff_sqlite_changes(void *context) {
  return ((tuff_sqlite_statement *)context)->changed;
}

void tuff_sqlite_reset(void *context) {
  tuff_sqlite_statement *statement = context;
  reset(statement);
  statement->running = false;
  statement->changed = 0;
}

void tuff_sqlite_forget(void *context) {
  tuff_sqlite_statement *statement = context;
  statement->values = NULL;
  if (!statement->bound) return;
  sqlite3_clear_bindings(statement->handle);
  statement->bound = false;
}

void tuff_sqlite_finish(void *context) {
  tuff_sqlite_statement *statement = context;
  if (!statement) return;
  const tuff_host *host = tuff_sqlite_host;
  reset(statement);
  sqlite3_finalize(statement->handle);
  host->alloc(statement->names, 0);
  host->alloc(statement->types, 0);
  host->alloc(statement->scratch, 0);
  host->alloc(statement->targets, 0);
  host->alloc((void *)(uintptr_t)statement->sql.text, 0);
  host->alloc(statement->texts, 0);
  host->alloc(statement, 0);
}
