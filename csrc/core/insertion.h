/* insertion.h: many rows on their way into one table. A few go by the prepared INSERT
 * of one row; more, where the engine has it, by its bulk load, or a batch at a time as
 * arrays. Whatever else is sent on the connection meanwhile finds all rows there that
 * were given before. */
#ifndef TUFF_INSERTION_H
#define TUFF_INSERTION_H

#include "core/connection.h"

/* The other ways of one INSERT, terminated. NULL: there is no such way. */
typedef struct tuff_insertion_ways {
  const char *copy;  /* begins a bulk load */
  const char *batch; /* inserts arrays, one for each column */
} tuff_insertion_ways;

typedef struct tuff_insertion {
  tuff_statement *statement; /* inserts one row; busy */
  char *copy, *batch;        /* see above */
  int64_t timeout_us, busy_us;
  int64_t number;         /* of the row that was given last, as errors count */
  int64_t changed;        /* rows, so far */
  tuff_rows waiting;      /* copies of rows that were given */
  unsigned count;         /* how many */
  const tuff_value **row; /* where they are */
  void *bulk;             /* the driver's; NULL: none is open */
  int64_t before;         /* number of the row before the first one of it */
  int64_t began_us;       /* where runs are traced */
  tuff_rows results;      /* what RETURNING gave and nobody has taken yet */
  tuff_error failure;     /* the first: nothing goes on after it */
} tuff_insertion;

/* Makes an insertion of a statement that was checked out, in an open transaction.
 * first: the number of its first row. It ends when the statement is released. */
bool tuff_insertion_begin(tuff_statement *statement, const tuff_insertion_ways *ways,
                          int64_t first, tuff_error *err);

/* Takes a copy of a row. An error may be of this row or of one before it; err->row says
 * which, as far as that is known. */
bool tuff_insertion_add(tuff_insertion *insertion, const tuff_value *row,
                        tuff_error *err);

/* Brings the rows that were given into the table. */
bool tuff_insertion_finish(tuff_insertion *insertion, tuff_error *err);

/* What RETURNING gave, row by row in the order of the input, with the columns of the
 * statement; valid until the next call. NULL: no more until now. */
static inline const tuff_value *tuff_insertion_result(tuff_insertion *insertion) {
  return TUFF_LIKELY(!insertion->results.first) ? NULL
                                                : tuff_rows_next(&insertion->results);
}

/* Frees it. Rows that are still on their way are lost. NULL is accepted. */
void tuff_insertion_end(tuff_insertion *insertion);

/* Before anything else is sent on the connection: finishes what is on its way there. */
bool tuff_insertion_finish_open(tuff_connection *connection, tuff_error *err);
static inline bool tuff_insertion_settle(tuff_connection *connection, tuff_error *err) {
  return TUFF_LIKELY(!connection->insertion) ||
         tuff_insertion_finish_open(connection, err);
}

/* Before the transaction is rolled back: what is on its way is lost. */
void tuff_insertion_abandon(tuff_connection *connection);

#endif
