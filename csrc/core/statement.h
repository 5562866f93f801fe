/* statement.h: a prepared statement, as a script wrote it. One run is
 * checkout, start, step …, release. */
#ifndef TUFF_STATEMENT_H
#define TUFF_STATEMENT_H

#include "core/tokenizer.h"

struct tuff_connection;
struct tuff_insertion;

typedef struct tuff_statement {
  struct tuff_connection *connection;
  void *native; /* the driver's */
  const tuff_shape *shape;
  tuff_value *row; /* shape->columns views, valid until the next step */
  unsigned row_room;
  uint64_t row_generation; /* of the shape that ->row has room for */

  char *source; /* the script's own text, terminated */
  size_t size;
  uint64_t hash;
  tuff_tokenized tokenized; /* its `text` is gone after preparing */

  bool busy;        /* checked out */
  bool cached;      /* the cache has it */
  bool owned;       /* somebody else finishes it: it stays when it is released */
  bool stepping;    /* the engine is at work on it, and may have called the script */
  bool own;         /* tuff's own text: no limit that is meant for scripts counts */
  bool one;         /* to be set before a run of which only the first row is read */
  bool skipped;     /* a ROLLBACK of a transaction that the engine has ended already */
  uint64_t rows;    /* that this run has returned */
  int64_t changed;  /* rows that this run, now done, has changed */
  tuff_code failed; /* the error of this run */
  int64_t sampled_us; /* when this run started, 0 where it is not timed */

  struct tuff_insertion *insertion; /* of many rows; it ends with the release */

  /* The binding's: where it keeps the names of the columns, and for which shape. */
  unsigned slot;
  uint64_t slot_generation;

  struct tuff_statement *bucket_next;     /* in the cache */
  struct tuff_statement *newer, *older;   /* in the cache, by use */
  struct tuff_statement *next, *previous; /* all of the connection */
} tuff_statement;

/* A statement for this text, from the cache or newly prepared, and busy until it is
 * released. NULL and an error on failure. */
tuff_statement *tuff_statement_checkout(struct tuff_connection *connection,
                                        const char *sql, size_t size, tuff_error *err);

/* Prepares without the cache; flags are the driver's. Not busy; finish it. */
tuff_statement *tuff_statement_prepare(struct tuff_connection *connection,
                                       const char *sql, size_t size, unsigned flags,
                                       tuff_error *err);

/* Begins a run: refuses what the transaction's state forbids, reads the rest of open
 * loops into memory before a write, binds. Values are borrowed until release. */
bool tuff_statement_start(tuff_statement *statement, const tuff_value *values,
                          unsigned count, tuff_error *err);

/* Tells of an error that refuses a value: which one it is. Always false. */
bool tuff_statement_refuse_value(tuff_statement *statement, tuff_error *err);

/* The next row, in ->row. An error has already been told to the transaction. */
tuff_result tuff_statement_step(tuff_statement *statement, tuff_error *err);

/* Steps to the end; the number of rows changed, or -1. */
int64_t tuff_statement_finish_run(tuff_statement *statement, tuff_error *err);

/* Ends the run, and leaves the statement ready for another one. */
void tuff_statement_rewind(tuff_statement *statement);

/* Ends the run; a checked-out statement goes back to the cache, or is finished. NULL is
 * accepted. */
void tuff_statement_release(tuff_statement *statement);

/* Frees it. NULL is accepted. */
void tuff_statement_finish(tuff_statement *statement);

#endif
