/* blob.c: streams over one value, by SQLite's incremental I/O. */
#include <string.h>

#include "sqlite/database.h"

typedef struct stream {
  tuff_sqlite_database *database;
  sqlite3_blob *handle;
} stream;

/* An error of a stream whose row was changed, or whose transaction was rolled back. */
static bool fail(tuff_sqlite_database *database, int result, tuff_error *err) {
  if ((result & 0xFF) != SQLITE_ABORT) return tuff_sqlite_fail(database, result, err);
  tuff_sqlite_host->fail(err, TUFF_CONFLICT,
                         "the row was changed since the stream was opened");
  return false;
}

/* One row of two values at a time, of our own question about the table. */
static sqlite3_stmt *ask(tuff_sqlite_database *database, const char *sql,
                         const char *schema, const tuff_place *place, tuff_error *err) {
  sqlite3_stmt *statement = NULL;
  int result = sqlite3_prepare_v2(database->handle, sql, -1, &statement, NULL);
  if (result == SQLITE_OK)
    result = sqlite3_bind_text(statement, 1, place->table, -1, SQLITE_STATIC);
  if (result == SQLITE_OK)
    result = sqlite3_bind_text(statement, 2, schema, -1, SQLITE_STATIC);
  if (result == SQLITE_OK) return statement;
  tuff_sqlite_fail(database, result, err);
  sqlite3_finalize(statement);
  return NULL;
}

static const char *text_of(sqlite3_stmt *statement, int column) {
  const char *text = (const char *)sqlite3_column_text(statement, column);
  return text ? text : "";
}

/* SQLite takes a column behind a virtual one for its neighbour. `rowid` becomes a name
 * of the rowid that no column has. */
static bool admit_columns(tuff_sqlite_database *database, const tuff_place *place,
                          const char *schema, const char **rowid, tuff_error *err) {
  static const char sql[] = "SELECT name, hidden FROM pragma_table_xinfo(?1, ?2)";
  static const char *const names[] = {"rowid", "_rowid_", "oid"};
  enum { NAMES = 3, VIRTUAL = 2, STORED = 3 };
  bool taken[NAMES] = {false}, generated = false;
  sqlite3_stmt *statement = ask(database, sql, schema, place, err);
  if (!statement) return false;
  int result;
  while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
    int hidden = sqlite3_column_int(statement, 1);
    generated = generated || hidden == VIRTUAL || hidden == STORED;
    for (int i = 0; i < NAMES; i++)
      taken[i] = taken[i] || sqlite3_stricmp(text_of(statement, 0), names[i]) == 0;
  }
  if (result != SQLITE_DONE) tuff_sqlite_fail(database, result, err);
  sqlite3_finalize(statement);
  if (result != SQLITE_DONE) return false;
  *rowid = NULL;
  for (int i = NAMES; i-- > 0;)
    if (!taken[i]) *rowid = names[i];
  if (!generated) return true;
  tuff_sqlite_host->fail(err, TUFF_UNSUPPORTED,
                         "a table with generated columns has no streams");
  return false;
}

/* SQLite refuses to write into what an index holds, but not into what decides whether a
 * row belongs into a partial one. */
static bool admit_indexes(tuff_sqlite_database *database, const tuff_place *place,
                          const char *schema, tuff_error *err) {
  char *sql = sqlite3_mprintf("SELECT i.name, s.sql FROM pragma_index_list(?1, ?2) i "
                              "JOIN \"%w\".sqlite_schema s ON s.name = i.name "
                              "WHERE i.partial",
                              schema);
  char *pattern = sqlite3_mprintf("%%%s%%", place->column);
  if (!sql || !pattern) {
    sqlite3_free(sql);
    sqlite3_free(pattern);
    return tuff_sqlite_fail_memory(err);
  }
  sqlite3_stmt *statement = ask(database, sql, schema, place, err);
  int result = SQLITE_ERROR;
  bool admitted = statement != NULL;
  while (admitted && (result = sqlite3_step(statement)) == SQLITE_ROW) {
    bool quoted = strchr(place->column, '"') != NULL; /* and so written otherwise */
    admitted = !quoted && sqlite3_strlike(pattern, text_of(statement, 1), 0) != 0;
    if (!admitted)
      tuff_sqlite_host->fail(err, TUFF_UNSUPPORTED,
                             "a stream cannot write into a column that the index "
                             "\"%.100s\" depends on",
                             text_of(statement, 0));
  }
  if (admitted && result != SQLITE_DONE)
    admitted = tuff_sqlite_fail(database, result, err);
  sqlite3_finalize(statement);
  sqlite3_free(sql);
  sqlite3_free(pattern);
  return admitted;
}

/* Bytes written into a text could be no text any more. */
static bool is_blob(tuff_sqlite_database *database, const tuff_place *place,
                    const char *schema, const char *rowid, tuff_error *err) {
  if (!rowid) {
    tuff_sqlite_host->fail(err, TUFF_UNSUPPORTED,
                           "columns of this table have all names of the rowid");
    return false;
  }
  char *sql = sqlite3_mprintf("SELECT typeof(\"%w\") FROM \"%w\".\"%w\" WHERE %s = ?",
                              place->column, schema, place->table, rowid);
  sqlite3_stmt *statement = NULL;
  int result = sql ? SQLITE_OK : SQLITE_NOMEM;
  if (sql) result = sqlite3_prepare_v2(database->handle, sql, -1, &statement, NULL);
  if (result == SQLITE_OK) sqlite3_bind_int64(statement, 1, place->row);
  if (result == SQLITE_OK) result = sqlite3_step(statement);
  const char *type = result == SQLITE_ROW ? text_of(statement, 0) : NULL;
  bool blob = type && sqlite3_stricmp(type, "blob") == 0;
  if (database->raised) {
    blob = tuff_sqlite_fail_raised(database, err); /* the script's own typeof */
  } else if (type && !blob) {
    tuff_sqlite_host->fail(err, TUFF_TYPE,
                           "a stream writes into blobs only, not into %s", type);
    tuff_sqlite_host->hint(err, "update the column to zeroblob(size) first");
  } else if (!blob) {
    tuff_sqlite_fail(database, result, err);
  }
  sqlite3_finalize(statement);
  sqlite3_free(sql);
  return blob;
}

static bool admit(tuff_sqlite_database *database, const tuff_place *place,
                  const char *schema, bool writing, tuff_error *err) {
  const char *rowid = NULL;
  database->internal = true;
  bool admitted = admit_columns(database, place, schema, &rowid, err) &&
                  (!writing || (is_blob(database, place, schema, rowid, err) &&
                                admit_indexes(database, place, schema, err)));
  database->internal = false;
  return admitted;
}

static void *open_blob(void *context, const tuff_place *place, bool writing,
                       int64_t *size, tuff_error *err) {
  tuff_sqlite_database *database = context;
  stream *stream = tuff_sqlite_host->alloc(NULL, sizeof *stream);
  if (!stream) {
    tuff_sqlite_fail_memory(err);
    return NULL;
  }
  *stream = (struct stream){.database = database};
  const char *schema = place->schema ? place->schema : "main";
  int result = sqlite3_blob_open(database->handle, schema, place->table, place->column,
                                 place->row, writing, &stream->handle);
  tuff_sqlite_wait_done(database);
  if (result == SQLITE_OK && admit(database, place, schema, writing, err)) {
    *size = sqlite3_blob_bytes(stream->handle);
    return stream;
  }
  if (result != SQLITE_OK) fail(database, result, err);
  sqlite3_blob_close(stream->handle);
  tuff_sqlite_host->alloc(stream, 0);
  return NULL;
}

static bool read_blob(void *context, int64_t at, void *bytes, size_t size,
                      tuff_error *err) {
  const stream *stream = context;
  int result = sqlite3_blob_read(stream->handle, bytes, (int)size, (int)at);
  return result == SQLITE_OK || fail(stream->database, result, err);
}

static bool write_blob(void *context, int64_t at, const void *bytes, size_t size,
                       tuff_error *err) {
  const stream *stream = context;
  int result = sqlite3_blob_write(stream->handle, bytes, (int)size, (int)at);
  return result == SQLITE_OK || fail(stream->database, result, err);
}

/* Outside of a transaction this commits. */
static bool close_blob(void *context, tuff_error *err) {
  stream *stream = context;
  tuff_sqlite_database *database = stream->database;
  int result = sqlite3_blob_close(stream->handle);
  tuff_sqlite_host->alloc(stream, 0);
  tuff_sqlite_wait_done(database);
  if (result == SQLITE_OK) {
    if (database->wal_grown && sqlite3_get_autocommit(database->handle))
      tuff_sqlite_checkpoint(database);
    return true;
  }
  /* That its row is gone is no error any more. */
  if ((result & 0xFF) == SQLITE_ABORT) return true;
  tuff_sqlite_fail(database, result, err);
  tuff_sqlite_fail_commit(database, err);
  return false;
}

const tuff_blobs tuff_sqlite_blobs = {
    .open = open_blob, .read = read_blob, .write = write_blob, .close = close_blob};
