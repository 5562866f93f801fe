/* rows.h: copies of values, and rows kept in memory: what a loop has read ahead, what
 * waits to be inserted. Rows come out once, in the order in which they went in. */
#ifndef TUFF_ROWS_H
#define TUFF_ROWS_H

#include "core/driver.h"

struct tuff_chunk;

typedef struct tuff_rows {
  unsigned columns;
  size_t bytes; /* that all rows took which were kept so far */
  struct tuff_chunk *first, *last;
} tuff_rows;

/* Copies values, with their bytes and lists, into one block. NULL and an error: no
 * memory is left. */
tuff_value *tuff_values_copy(const tuff_value *values, unsigned count, tuff_error *err);

/* Keeps a copy of a row of ->columns plain values; gives the copy, which stays where it
 * is, or NULL and an error. */
const tuff_value *tuff_rows_keep(tuff_rows *rows, const tuff_value *row,
                                 tuff_error *err);

/* The oldest row, valid until the next call; NULL: there is none left. */
tuff_value *tuff_rows_next(tuff_rows *rows);

/* Takes out the block that holds the row which `next` has given last: for the caller to
 * free. */
struct tuff_chunk *tuff_rows_detach(tuff_rows *rows);

/* Moves all rows of `more` behind these. */
void tuff_rows_append(tuff_rows *rows, tuff_rows *more);

/* Forgets all rows. */
void tuff_rows_free(tuff_rows *rows);

#endif
