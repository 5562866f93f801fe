/* cursor.h: an open loop over the rows of a statement. It sees the rows as they were
 * when it was opened: before anything is written, the rest of every open loop is read
 * into memory and its snapshot released. */
#ifndef TUFF_CURSOR_H
#define TUFF_CURSOR_H

#include "core/rows.h"
#include "core/statement.h"

typedef struct tuff_cursor {
  struct tuff_connection *connection; /* NULL: ended, and `reason` says why */
  const char *reason;                 /* NULL: all rows were read */
  tuff_statement *statement;          /* NULL: the rest is in memory */
  tuff_value *row;                    /* the current one, valid until the next step */
  struct tuff_chunk *held; /* where it is if the cursor was closed while it was read */
  unsigned columns;
  unsigned depth;     /* of the transaction it was opened in */
  bool reading;       /* the row is being read, and outlives a close meanwhile */
  bool primed;        /* the current row was not given out yet */
  bool calls;         /* its first row has called functions of the script */
  bool suspected;     /* the binding has looked whether it is lost */
  const void *source; /* what it was opened from, or NULL */
  int64_t timeout_us, busy_us; /* of each step */
  tuff_value *arguments;       /* copies of the bound values, with their bytes */
  tuff_rows kept;              /* rows in memory */
  struct tuff_cursor *next, *previous;
} tuff_cursor;

/* Opens a cursor in zeroed memory that must not move until it is closed, and takes its
 * first step. The statement, checked out, belongs to the cursor from now on, also on
 * failure. Values are copied. A result without rows leaves the cursor closed. */
bool tuff_cursor_open(tuff_cursor *cursor, tuff_statement *statement,
                      const tuff_value *values, unsigned count, tuff_error *err);

/* For a statement that writes, once its names have been read: brings it to its end, or
 * it would hold the lock while the loop runs. Does nothing for others. */
bool tuff_cursor_complete(tuff_cursor *cursor, tuff_error *err);

/* The next row, in ->row. After the last one, or an error, the cursor is closed. */
tuff_result tuff_cursor_step(tuff_cursor *cursor, tuff_error *err);

/* The row has been read; to be called by whoever has set ->reading. Where a close could
 * not keep it, for want of memory, ->row is NULL, and there are no columns. */
void tuff_cursor_let_go(tuff_cursor *cursor);
static inline void tuff_cursor_row_read(tuff_cursor *cursor) {
  cursor->reading = false;
  if (TUFF_UNLIKELY(cursor->held != NULL)) tuff_cursor_let_go(cursor);
}

/* Ends it; may be called twice. reason: what later steps raise, NULL for nothing. */
void tuff_cursor_close(tuff_cursor *cursor, const char *reason);

/* Reads the rest of all open cursors into memory, `budget` rows at most, and then none
 * that a server has not sent yet. Whether any is left open is seen in
 * connection->cursors. */
bool tuff_cursors_settle(struct tuff_connection *connection, uint64_t budget,
                         tuff_error *err);

/* Closes all that were opened at this depth of transactions or deeper. */
void tuff_cursors_close(struct tuff_connection *connection, unsigned depth,
                        const char *reason);

/* Whether one that was opened from this source is stepping: the caller is a function
 * that it calls. */
bool tuff_cursors_step(const struct tuff_connection *connection, const void *source);

/* Closes all that were opened from this source. */
void tuff_cursors_close_of(struct tuff_connection *connection, const void *source,
                           const char *reason);

#endif
