/* rows.c: rows are packed into chunks, which never move and are freed as they are
 * passed. */
#include "core/rows.h"

#include <assert.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"

enum { CHUNK = 64 * 1024 };

typedef struct tuff_chunk {
  struct tuff_chunk *next;
  size_t size, room, read;
  char bytes[];
} tuff_chunk;

/* ---- copies of values ---- */

static size_t size_of(const tuff_value *values, size_t count) {
  size_t size = count * sizeof *values;
  for (size_t i = 0; i < count; i++) {
    if (tuff_value_has_bytes(&values[i])) size += values[i].size;
    if (values[i].kind == TUFF_ARRAY) size += size_of(values[i].items, values[i].size);
  }
  return size;
}

/* All values of one list first, aligned, then the bytes they point at. */
static char *copy_values(tuff_value *to, char *bytes, const tuff_value *from,
                         size_t count) {
  for (size_t i = 0; i < count; i++) {
    to[i] = from[i];
    if (tuff_value_has_bytes(&from[i])) {
      if (from[i].size) memcpy(bytes, from[i].bytes, from[i].size);
      to[i].bytes = bytes;
      bytes += from[i].size;
    }
  }
  return bytes;
}

tuff_value *tuff_values_copy(const tuff_value *values, unsigned count,
                             tuff_error *err) {
  size_t lists = 0;
  for (unsigned i = 0; i < count; i++)
    if (values[i].kind == TUFF_ARRAY) lists += values[i].size;
  tuff_value *copy = tuff_alloc(NULL, size_of(values, count) + 1);
  if (!copy) {
    tuff_fail_memory(err);
    return NULL;
  }
  tuff_value *list = copy + count;
  char *bytes = copy_values(copy, (char *)(list + lists), values, count);
  for (unsigned i = 0; i < count; i++) {
    if (values[i].kind != TUFF_ARRAY) continue;
    bytes = copy_values(list, bytes, values[i].items, values[i].size);
    copy[i].items = list;
    list += values[i].size;
  }
  return copy;
}

/* ---- rows ---- */

/* One without columns has a size, too: rows are counted by it. */
static size_t row_size(const tuff_value *row, unsigned columns) {
  size_t size = columns > 0 ? columns * sizeof *row : 1;
  for (unsigned i = 0; i < columns; i++)
    if (tuff_value_has_bytes(&row[i])) size += row[i].size;
  return (size + sizeof(tuff_value *) - 1) & ~(sizeof(tuff_value *) - 1);
}

const tuff_value *tuff_rows_keep(tuff_rows *rows, const tuff_value *row,
                                 tuff_error *err) {
  size_t size = row_size(row, rows->columns);
  tuff_chunk *chunk = rows->last;
  if (!chunk || chunk->room - chunk->size < size) {
    size_t room = size > CHUNK ? size : CHUNK;
    chunk = tuff_alloc(NULL, sizeof *chunk + room);
    if (!chunk) {
      tuff_fail_memory(err);
      return NULL;
    }
    *chunk = (tuff_chunk){.room = room};
    *(rows->last ? &rows->last->next : &rows->first) = chunk;
    rows->last = chunk;
  }
  tuff_value *copy = (tuff_value *)(void *)(chunk->bytes + chunk->size);
  copy_values(copy, (char *)(copy + rows->columns), row, rows->columns);
  chunk->size += size;
  rows->bytes += size;
  return copy;
}

static tuff_chunk *take_first(tuff_rows *rows) {
  tuff_chunk *chunk = rows->first;
  rows->first = chunk->next;
  if (!rows->first) rows->last = NULL;
  return chunk;
}

tuff_value *tuff_rows_next(tuff_rows *rows) {
  if (rows->first && rows->first->read == rows->first->size)
    tuff_free(take_first(rows));
  tuff_chunk *chunk = rows->first;
  if (!chunk) return NULL;
  tuff_value *row = (tuff_value *)(void *)(chunk->bytes + chunk->read);
  chunk->read += row_size(row, rows->columns);
  return row;
}

tuff_chunk *tuff_rows_detach(tuff_rows *rows) {
  assert(rows->first); /* the row lies in it */
  return take_first(rows);
}

void tuff_rows_append(tuff_rows *rows, tuff_rows *more) {
  if (!more->first) return;
  *(rows->last ? &rows->last->next : &rows->first) = more->first;
  rows->last = more->last;
  rows->bytes += more->bytes;
  more->first = more->last = NULL;
  more->bytes = 0;
}

void tuff_rows_free(tuff_rows *rows) {
  while (rows->first) tuff_free(take_first(rows));
  rows->bytes = 0;
}
