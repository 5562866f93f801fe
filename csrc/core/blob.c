/* blob.c: the streams of a connection, and when they end. */
#include "core/blob.h"

#include "core/connection.h"
#include "core/error.h"
#include "core/function.h"
#include "core/host.h"

static bool check(const tuff_blob *blob, int64_t at, size_t size, tuff_error *err) {
  if (!blob->connection) {
    tuff_fail(err, blob->code, "%s",
              blob->reason ? blob->reason : "this stream is closed");
    if (blob->reason && blob->code == TUFF_CLOSED)
      tuff_error_hint(err, "open the stream inside db:read or db:transaction, and use "
                           "it there");
    return false;
  }
  if (!blob->native) {
    tuff_fail(err, TUFF_MISUSE, "this stream is in the middle of a write");
    return false;
  }
  if (at >= 0 && (uint64_t)at <= (uint64_t)blob->size &&
      size <= (uint64_t)(blob->size - at))
    return true;
  tuff_fail(err, TUFF_RANGE,
            "the value has %lld bytes, and a stream cannot change that",
            (long long)blob->size);
  tuff_error_hint(err, "make room before: update the column to zeroblob(size)");
  return false;
}

static bool open_native(tuff_blob *blob, bool writing, tuff_error *err) {
  tuff_connection *connection = blob->connection;
  connection->watch.started_us = 0;
  blob->writing = writing;
  blob->native = connection->driver->blobs->open(connection->native, &blob->place,
                                                 writing, &blob->size, err);
  if (!blob->native) tuff_transaction_note_error(connection, true, err);
  return blob->native != NULL;
}

/* The stream goes on, or begins to write, where nothing else has changed the length. */
static bool open_again(tuff_blob *blob, bool writing, tuff_error *err) {
  int64_t size = blob->size;
  if (!open_native(blob, writing, err)) return false;
  if (blob->size == size) return true;
  blob->size = size;
  blob->connection->driver->blobs->close(blob->native, NULL);
  blob->native = NULL;
  tuff_fail(err, TUFF_CONFLICT, "the value was changed since the stream was opened");
  return false;
}

static void forget(tuff_blob *blob, tuff_code code, const char *reason) {
  tuff_connection *connection = blob->connection;
  if (blob->next) blob->next->previous = blob->previous;
  *(blob->previous ? &blob->previous->next : &connection->blobs) = blob->next;
  blob->connection = NULL;
  blob->code = code;
  blob->reason = reason;
}

/* It cannot go on: its value is another one now, unless the error says otherwise. */
static void lose(tuff_blob *blob, const tuff_error *err) {
  bool changed =
      err->code == TUFF_OK || err->code == TUFF_CONFLICT || err->code == TUFF_NOT_FOUND;
  if (changed)
    forget(blob, TUFF_CONFLICT, "the row was changed since the stream was opened");
  else
    forget(blob, err->code, "the stream could not be kept open");
}

bool tuff_blob_open(tuff_blob *blob, tuff_connection *connection,
                    const tuff_place *place, tuff_error *err) {
  if (!connection->driver->blobs) {
    tuff_fail(err, TUFF_UNSUPPORTED, "%s has no blobs as streams",
              connection->driver->name);
    return false;
  }
  if (connection->transaction.failed)
    return tuff_transaction_refuse(&connection->transaction, err);
  blob->place = *place;
  blob->connection = connection;
  blob->depth = connection->transaction.depth + connection->transaction.manual;
  blob->next = connection->blobs;
  if (blob->next) blob->next->previous = blob;
  connection->blobs = blob;
  if (open_native(blob, false, err)) return true;
  tuff_blob_close(blob, NULL); /* unless its transaction has ended with the error */
  return false;
}

bool tuff_blob_read(tuff_blob *blob, int64_t at, void *bytes, size_t size,
                    tuff_error *err) {
  if (!check(blob, at, size, err)) return false;
  tuff_connection *connection = blob->connection;
  if (connection->driver->blobs->read(blob->native, at, bytes, size, err)) return true;
  tuff_transaction_note_error(connection, true, err);
  return false;
}

/* The stream that was reading is opened anew. */
static bool begin_writing(tuff_blob *blob, tuff_error *err) {
  tuff_connection *connection = blob->connection;
  if (!tuff_function_admits(connection, err)) return false;
  if (connection->readonly || connection->transaction.readonly) {
    tuff_fail(err, TUFF_READONLY, "a stream cannot write here: %s",
              connection->readonly ? "the connection was opened for reading only"
                                   : "db:read only reads");
    return false;
  }
  /* Reading nothing tells whether the row is still the same. */
  bool same = connection->driver->blobs->read(blob->native, 0, (char[1]){0}, 0, err);
  connection->driver->blobs->close(blob->native, NULL);
  blob->native = NULL;
  if (!same) {
    lose(blob, err);
    return false;
  }
  blob->depth++; /* not this one */
  bool opened = tuff_connection_settle(connection, err);
  blob->depth--;
  if (opened && !blob->connection) /* a function of the script has closed it */
    return check(blob, 0, 0, err);
  opened = opened && open_again(blob, true, err);
  if (!opened) tuff_blob_close(blob, NULL);
  return opened;
}

bool tuff_blob_write(tuff_blob *blob, int64_t at, const void *bytes, size_t size,
                     tuff_error *err) {
  if (!check(blob, at, size, err)) return false;
  tuff_connection *connection = blob->connection;
  if (!blob->writing && !begin_writing(blob, err)) return false;
  if (connection->driver->blobs->write(blob->native, at, bytes, size, err)) return true;
  tuff_transaction_note_error(connection, false, err);
  return false;
}

void tuff_blobs_rest(tuff_connection *connection) {
  for (tuff_blob *blob = connection->blobs, *next; blob; blob = next) {
    next = blob->next;
    if (!blob->writing || !blob->native) continue;
    tuff_error err;
    tuff_error_clear(&err);
    bool same = connection->driver->blobs->read(blob->native, 0, (char[1]){0}, 0, &err);
    connection->driver->blobs->close(blob->native, NULL);
    blob->native = NULL;
    if (same && open_again(blob, false, &err)) continue;
    if (!blob->connection) continue; /* the error has ended its transaction */
    lose(blob, &err);
  }
}

static bool end(tuff_blob *blob, const char *reason, tuff_error *err) {
  if (!blob->connection) return true;
  tuff_connection *connection = blob->connection;
  bool forked = connection->forks != tuff_fork_generation();
  bool closed =
      forked || !blob->native || connection->driver->blobs->close(blob->native, err);
  blob->native = NULL;
  forget(blob, TUFF_CLOSED, reason);
  return closed;
}

bool tuff_blob_close(tuff_blob *blob, tuff_error *err) { return end(blob, NULL, err); }

static bool close_where(tuff_connection *connection, unsigned least, unsigned most,
                        const char *reason, tuff_error *err) {
  bool closed = true;
  for (tuff_blob *blob = connection->blobs, *next; blob; blob = next) {
    next = blob->next;
    if (blob->depth >= least && blob->depth <= most && !end(blob, reason, err))
      closed = false;
  }
  return closed;
}

bool tuff_blobs_close(tuff_connection *connection, unsigned depth, const char *reason,
                      tuff_error *err) {
  return close_where(connection, depth, UINT32_MAX, reason, err);
}

bool tuff_blobs_settle(tuff_connection *connection, tuff_error *err) {
  return close_where(connection, 0, 0,
                     "the connection has written since this stream was opened outside "
                     "of a transaction",
                     err);
}
