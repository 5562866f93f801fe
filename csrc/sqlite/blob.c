/* blob.c: streams over one value, by SQLite's incremental I/O. */
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

/* Bytes written into a text could be no text any more. */
static bool is_blob(tuff_sqlite_database *database, const tuff_place *place,
                    const char *schema, tuff_error *err) {
  char *sql =
      sqlite3_mprintf("SELECT typeof(\"%w\") FROM \"%w\".\"%w\" WHERE rowid = ?",
                      place->column, schema, place->table);
  sqlite3_stmt *statement = NULL;
  int result = sql ? SQLITE_OK : SQLITE_NOMEM;
  database->internal = true;
  if (sql) result = sqlite3_prepare_v2(database->handle, sql, -1, &statement, NULL);
  if (result == SQLITE_OK) sqlite3_bind_int64(statement, 1, place->row);
  if (result == SQLITE_OK) result = sqlite3_step(statement);
  const char *type =
      result == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
  bool blob = type && sqlite3_stricmp(type, "blob") == 0;
  if (type && !blob) {
    tuff_sqlite_host->fail(err, TUFF_TYPE,
                           "a stream writes into blobs only, not into %s", type);
    tuff_sqlite_host->hint(err, "update the column to zeroblob(size) first");
  } else if (!blob) {
    tuff_sqlite_fail(database, result, err);
  }
  sqlite3_finalize(statement);
  database->internal = false;
  sqlite3_free(sql);
  return blob;
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
  if (result == SQLITE_OK && (!writing || is_blob(database, place, schema, err))) {
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
