/* blob.h: one value as a stream, for values larger than memory. In a transaction it
 * lives as long as the level it was opened in. Outside of one it reads from a snapshot
 * of its own, and ends as soon as the connection writes or begins something: its next
 * piece could be of another value. */
#ifndef TUFF_BLOB_H
#define TUFF_BLOB_H

#include "core/driver.h"

struct tuff_connection;

typedef struct tuff_blob {
  struct tuff_connection *connection; /* NULL: ended, and `reason` says why */
  const char *reason;                 /* NULL: it was closed */
  tuff_code code;                     /* what later calls raise for that reason */
  void *native;
  bool writing;
  unsigned depth; /* of the transaction it was opened in */
  int64_t size;   /* bytes; a stream cannot change it */
  tuff_place place;
  struct tuff_blob *next, *previous;
} tuff_blob;

/* Opens a stream in zeroed memory that must not move until it is closed. The names of
 * the place must live as long. */
bool tuff_blob_open(tuff_blob *blob, struct tuff_connection *connection,
                    const tuff_place *place, tuff_error *err);

/* Reads so many bytes from this offset; all of them must be there. */
bool tuff_blob_read(tuff_blob *blob, int64_t at, void *bytes, size_t size,
                    tuff_error *err);

/* Writes over what is there. Outside of a transaction the first write takes the write
 * lock, and closing the stream commits. */
bool tuff_blob_write(tuff_blob *blob, int64_t at, const void *bytes, size_t size,
                     tuff_error *err);

/* May be called twice. An error: what was written outside of a transaction could not be
 * committed. */
bool tuff_blob_close(tuff_blob *blob, tuff_error *err);

/* Streams that write go back to reading, until they write again: SQLite begins and ends
 * no savepoint while one of them writes. */
void tuff_blobs_rest(struct tuff_connection *connection);

/* Closes those that were opened at this depth of transactions or deeper. */
bool tuff_blobs_close(struct tuff_connection *connection, unsigned depth,
                      const char *reason, tuff_error *err);

/* Closes those that were opened outside of a transaction. */
bool tuff_blobs_settle(struct tuff_connection *connection, tuff_error *err);

#endif
