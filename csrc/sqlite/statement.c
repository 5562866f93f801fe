/* statement.c: prepared statements. Rows are filled by one sqlite3_column_value a
 * column: the value functions behind it take no lock, the column functions do. */
#include <stdio.h>
#include <string.h>

#include "sqlite/database.h"

static bool no_memory(tuff_error *err) {
  tuff_sqlite_host->fail(err, TUFF_MEMORY, "out of memory");
  return false;
}

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
  if (!statement->types || !statement->scratch) return no_memory(err);
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
    if (!names) return no_memory(err);
    statement->names = names;
    statement->names_room = columns;
  }
  for (unsigned i = 0; i < columns; i++) {
    statement->names[i] = sqlite3_column_name(statement->handle, (int)i);
    if (!statement->names[i]) return no_memory(err);
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

static bool load_targets(tuff_sqlite_statement *statement, const tuff_sql *sql,
                         tuff_error *err) {
  tuff_sqlite_database *database = statement->database;
  const tuff_host *host = tuff_sqlite_host;
  for (unsigned i = 0; i < sql->parameters; i++) {
    tuff_type type = tuff_sqlite_target_type(database, &sql->targets[i]);
    if (type.declared == TUFF_AS_STORED) continue;
    if (!statement->targets) {
      unsigned count = sql->parameters;
      statement->targets = host->alloc(NULL, count * sizeof *statement->targets);
      statement->compared = host->alloc(NULL, count * sizeof *statement->compared);
      statement->texts = host->alloc(NULL, count * TUFF_SQLITE_SCRATCH);
      if (!statement->targets || !statement->compared || !statement->texts)
        return no_memory(err);
      memset(statement->targets, 0, count * sizeof *statement->targets);
      memset(statement->compared, 0, count * sizeof *statement->compared);
    }
    statement->targets[i] = type;
    statement->compared[i] = sql->targets[i].compared;
  }
  return true;
}

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

void *tuff_sqlite_prepare(void *context, const tuff_sql *sql, unsigned flags,
                          tuff_error *err) {
  tuff_sqlite_database *database = context;
  tuff_sqlite_statement *statement = tuff_sqlite_host->alloc(NULL, sizeof *statement);
  if (!statement) {
    no_memory(err);
    return NULL;
  }
  *statement = (tuff_sqlite_statement){.database = database};
  if (sql->size > INT32_MAX) {
    tuff_sqlite_host->fail(err, TUFF_RANGE, "the SQL text is longer than 2 GB");
    goto failed;
  }
  unsigned lasting = flags & TUFF_PREPARE_ONCE ? 0 : SQLITE_PREPARE_PERSISTENT;
  unsigned schema = database->schema;
  int result = sqlite3_prepare_v3(database->handle, sql->text, (int)sql->size + 1,
                                  lasting, &statement->handle, NULL);
  tuff_sqlite_wait_done(database);
  if (result != SQLITE_OK) {
    tuff_sqlite_fail(database, result, err);
    hint_quotes(sql, err);
    locate_name(sql, err);
    goto failed;
  }
  if (!check_parameters(statement, sql->parameters, err)) goto failed;
  statement->shape.schema = database->schema != schema;
  statement->shape.parameters = sql->parameters;
  if (load_shape(statement, err) && load_targets(statement, sql, err)) return statement;
failed:
  tuff_sqlite_finish(statement);
  return NULL;
}

/* ---- bind ---- */

static bool refuse_text(int number, tuff_error *err) {
  const tuff_host *host = tuff_sqlite_host;
  host->fail(err, TUFF_TYPE, "the text is not valid UTF-8, or holds a NUL byte");
  host->hint(err,
             "bytes that are no text are stored by tuff.blob(string), or in a column "
             "declared BLOB");
  err->offset = number - 1;
  return false;
}

static bool refuse_nan(int number, tuff_error *err) {
  const tuff_host *host = tuff_sqlite_host;
  host->fail(err, TUFF_RANGE, "NaN cannot be stored: SQLite would make it NULL");
  host->hint(err, "give nil or tuff.null if NULL is meant");
  err->offset = number - 1;
  return false;
}

static bool is_text(const tuff_value *value) {
  return tuff_sqlite_host->valid_text(value->bytes, value->size);
}

static bool bind_text(tuff_sqlite_statement *statement, int number,
                      const tuff_value *value, tuff_error *err) {
  if (!is_text(value)) return refuse_text(number, err);
  statement->bound = true;
  int result = sqlite3_bind_text64(statement->handle, number, value->bytes, value->size,
                                   SQLITE_STATIC, SQLITE_UTF8);
  return result == SQLITE_OK || tuff_sqlite_fail(statement->database, result, err);
}

static bool check_item(const tuff_value *item, int number, tuff_error *err) {
  if (item->kind == TUFF_TEXT && !is_text(item)) return refuse_text(number, err);
  if (item->kind == TUFF_REAL && item->real != item->real)
    return refuse_nan(number, err);
  return true;
}

static bool bind_other(tuff_sqlite_statement *statement, int number,
                       const tuff_value *value, tuff_error *err) {
  int result;
  statement->bound = true;
  switch (value->kind) {
    case TUFF_BLOB:
      /* A NULL pointer would bind NULL. */
      result = sqlite3_bind_blob64(statement->handle, number,
                                   value->size ? value->bytes : "", value->size,
                                   SQLITE_STATIC);
      break;
    case TUFF_ARRAY:
      for (size_t i = 0; i < value->size; i++)
        if (!check_item(&value->items[i], number, err)) return false;
      result = sqlite3_bind_pointer(statement->handle, number, (void *)(uintptr_t)value,
                                    tuff_sqlite_array_type, NULL);
      break;
    default: result = sqlite3_bind_null(statement->handle, number); break;
  }
  return result == SQLITE_OK || tuff_sqlite_fail(statement->database, result, err);
}

static bool bind_real(tuff_sqlite_statement *statement, int number, double real,
                      tuff_error *err) {
  if (TUFF_UNLIKELY(real != real)) return refuse_nan(number, err);
  sqlite3_bind_double(statement->handle, number, real);
  return true;
}

static inline bool bind_value(tuff_sqlite_statement *statement, int number,
                              const tuff_value *value, tuff_error *err) {
  switch (value->kind) {
    case TUFF_BOOLEAN:
    case TUFF_INTEGER:
      return sqlite3_bind_int64(statement->handle, number, value->integer) == SQLITE_OK;
    case TUFF_REAL: return bind_real(statement, number, value->real, err);
    case TUFF_JSON:
    case TUFF_TEXT: return bind_text(statement, number, value, err);
    default: return bind_other(statement, number, value, err);
  }
}

static void free_list(void *list) { tuff_sqlite_host->alloc(list, 0); }

/* A list for a column of decimals or blobs: SQLite frees the converted copy. */
static bool bind_typed_list(tuff_sqlite_statement *statement, unsigned index,
                            const tuff_value *value, tuff_error *err) {
  const tuff_type *type = &statement->targets[index];
  if (type->declared != TUFF_AS_DECIMAL && type->declared != TUFF_AS_BLOB)
    return bind_other(statement, (int)index + 1, value, err);
  tuff_value *list = tuff_sqlite_host->alloc(NULL, (value->size + 1) * sizeof *list);
  if (!list) return no_memory(err);
  tuff_value *items = list + 1;
  *list = (tuff_value){.kind = TUFF_ARRAY, .items = items, .size = value->size};
  for (size_t i = 0; i < value->size; i++) {
    items[i] = value->items[i];
    if (tuff_sqlite_store(statement->database, type, true, &items[i], NULL, err) &&
        check_item(&items[i], (int)index + 1, err))
      continue;
    err->offset = (int)index;
    free_list(list);
    return false;
  }
  statement->bound = true;
  int result = sqlite3_bind_pointer(statement->handle, (int)index + 1, list,
                                    tuff_sqlite_array_type, free_list);
  return result == SQLITE_OK || tuff_sqlite_fail(statement->database, result, err);
}

/* An integer that no float holds would be rounded in a column of floats. */
static bool fits_real(const tuff_value *value) {
  int64_t integer = value->integer;
  return value->kind != TUFF_INTEGER ||
         (integer >= -(INT64_C(1) << 53) && integer <= INT64_C(1) << 53) ||
         (integer != INT64_MAX && (int64_t)(double)integer == integer);
}

static bool bind_typed(tuff_sqlite_statement *statement, unsigned index,
                       const tuff_value *value, tuff_error *err) {
  if (value->kind == TUFF_ARRAY) return bind_typed_list(statement, index, value, err);
  tuff_value stored = *value;
  if (!tuff_sqlite_store(statement->database, &statement->targets[index],
                         statement->compared[index], &stored,
                         statement->texts + index * TUFF_SQLITE_SCRATCH, err)) {
    err->offset = (int)index;
    return false;
  }
  return bind_value(statement, (int)index + 1, &stored, err);
}

static inline bool bind_targeted(tuff_sqlite_statement *statement, unsigned index,
                                 const tuff_value *value, tuff_error *err) {
  switch (statement->targets[index].declared) {
    case TUFF_AS_REAL:
      if (TUFF_UNLIKELY(!fits_real(value) && !statement->compared[index])) {
        tuff_sqlite_host->fail(err, TUFF_RANGE,
                               "this integer has no exact form as a float, which its "
                               "column holds");
        err->offset = (int)index;
        return false;
      }
      return bind_value(statement, (int)index + 1, value, err);
    case TUFF_AS_STORED: return bind_value(statement, (int)index + 1, value, err);
    default: return bind_typed(statement, index, value, err);
  }
}

bool tuff_sqlite_bind(void *context, const tuff_value *values, unsigned count,
                      tuff_error *err) {
  tuff_sqlite_statement *statement = context;
  if (TUFF_UNLIKELY(statement->targets != NULL)) {
    for (unsigned i = 0; i < count; i++)
      if (!bind_targeted(statement, i, &values[i], err)) return false;
    return true;
  }
  for (unsigned i = 0; i < count; i++)
    if (TUFF_UNLIKELY(!bind_value(statement, (int)i + 1, &values[i], err)))
      return false;
  return true;
}

/* ---- step ---- */

static void fill_value(sqlite3_value *from, tuff_value *to) {
  switch (sqlite3_value_type(from)) {
    case SQLITE_INTEGER:
      to->kind = TUFF_INTEGER;
      to->integer = sqlite3_value_int64(from);
      break;
    case SQLITE_FLOAT:
      to->kind = TUFF_REAL;
      to->real = sqlite3_value_double(from);
      break;
    case SQLITE_TEXT:
      to->kind = TUFF_TEXT;
      to->bytes = (const char *)sqlite3_value_text(from);
      to->size = (size_t)sqlite3_value_bytes(from);
      break;
    case SQLITE_BLOB:
      to->kind = TUFF_BLOB;
      to->bytes = sqlite3_value_blob(from);
      to->size = (size_t)sqlite3_value_bytes(from);
      break;
    default: to->kind = TUFF_NULL; break;
  }
}

void tuff_sqlite_row(void *context, tuff_value *row) {
  tuff_sqlite_statement *statement = context;
  unsigned columns = statement->shape.columns;
  for (unsigned i = 0; i < columns; i++)
    fill_value(sqlite3_column_value(statement->handle, (int)i), &row[i]);
  if (TUFF_LIKELY(!statement->types)) return;
  for (unsigned i = 0; i < columns; i++)
    tuff_sqlite_load(&statement->types[i], &row[i],
                     statement->scratch + i * TUFF_SQLITE_SCRATCH);
}

/* Somebody changed the schema, and SQLite has prepared the statement again: its columns
 * may be others than before. */
static tuff_result first_row(tuff_sqlite_statement *statement, tuff_value *row,
                             tuff_error *err) {
  statement->running = true;
  int reprepared =
      sqlite3_stmt_status(statement->handle, SQLITE_STMTSTATUS_REPREPARE, 0);
  if (reprepared == statement->reprepared) {
    tuff_sqlite_row(statement, row);
    return TUFF_ROW;
  }
  statement->reprepared = reprepared;
  return load_shape(statement, err) ? TUFF_ROW : TUFF_FAILED;
}

static tuff_result done(tuff_sqlite_statement *statement) {
  tuff_sqlite_database *database = statement->database;
  if (statement->shape.readonly) return TUFF_DONE;
  int64_t total = sqlite3_total_changes64(database->handle);
  statement->changed =
      total == database->total_changes ? 0 : sqlite3_changes64(database->handle);
  database->total_changes = total;
  if (database->wal_bytes && sqlite3_get_autocommit(database->handle)) {
    sqlite3_reset(statement->handle); /* a statement at its end still counts as open */
    tuff_sqlite_checkpoint(database);
  }
  return TUFF_DONE;
}

tuff_result tuff_sqlite_step(void *context, tuff_value *row, tuff_error *err) {
  tuff_sqlite_statement *statement = context;
  int result = sqlite3_step(statement->handle);
  if (TUFF_LIKELY(result == SQLITE_ROW)) {
    if (TUFF_UNLIKELY(!statement->running)) {
      tuff_sqlite_wait_done(statement->database);
      return first_row(statement, row, err);
    }
    tuff_sqlite_row(statement, row);
    return TUFF_ROW;
  }
  tuff_sqlite_wait_done(statement->database);
  if (TUFF_LIKELY(result == SQLITE_DONE)) return done(statement);
  tuff_sqlite_fail(statement->database, result, err);
  bool wrote =
      !statement->shape.readonly && sqlite3_get_autocommit(statement->database->handle);
  if (err->code == TUFF_IO && wrote) err->unknown = true;
  return TUFF_FAILED;
}

int64_t tuff_sqlite_changes(void *context) {
  return ((tuff_sqlite_statement *)context)->changed;
}

void tuff_sqlite_reset(void *context) {
  tuff_sqlite_statement *statement = context;
  sqlite3_reset(statement->handle);
  statement->running = false;
  statement->changed = 0;
}

void tuff_sqlite_forget(void *context) {
  tuff_sqlite_statement *statement = context;
  if (!statement->bound) return;
  sqlite3_clear_bindings(statement->handle);
  statement->bound = false;
}

void tuff_sqlite_finish(void *context) {
  tuff_sqlite_statement *statement = context;
  if (!statement) return;
  const tuff_host *host = tuff_sqlite_host;
  sqlite3_finalize(statement->handle);
  host->alloc(statement->names, 0);
  host->alloc(statement->types, 0);
  host->alloc(statement->scratch, 0);
  host->alloc(statement->targets, 0);
  host->alloc(statement->compared, 0);
  host->alloc(statement->texts, 0);
  host->alloc(statement, 0);
}
