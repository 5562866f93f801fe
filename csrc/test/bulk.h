/* bulk.h: a bulk load for an engine that has none: rows are kept, and go through the
 * INSERT at the end. A text that begins with '!' is refused by the client, and the row
 * of one that begins with '?' by the engine. */
#ifndef TUFF_TEST_BULK_H
#define TUFF_TEST_BULK_H

#include "core/insertion.h"
#include "test/scratch.h"

enum { BULK_MOST = 4096 };

typedef struct bulk {
  void *insert;
  unsigned columns, count;
  tuff_value *row[BULK_MOST];
} bulk;

static const tuff_driver *bulk_engine;
static int bulk_begun, bulk_finished; /* how often */

static inline void *bulk_begin(void *insert, const char *copy, tuff_error *err) {
  bulk *bulk = tuff_alloc_zero(sizeof *bulk);
  if (!bulk) {
    tuff_fail_memory(err);
    return NULL;
  }
  expect(strcmp(copy, "copy") == 0);
  bulk->insert = insert;
  bulk->columns = bulk_engine->shape(insert)->parameters;
  bulk_begun++;
  return bulk;
}

static inline bool bulk_is_marked(const tuff_value *row, unsigned columns, char mark) {
  for (unsigned i = 0; i < columns; i++)
    if (row[i].kind == TUFF_TEXT && row[i].size > 0 && row[i].bytes[0] == mark)
      return true;
  return false;
}

static inline bool bulk_add(void *context, const tuff_value *row, tuff_error *err) {
  bulk *bulk = context;
  if (bulk_is_marked(row, bulk->columns, '!')) {
    tuff_fail(err, TUFF_TYPE, "not this value");
    err->parameter = 1;
    return false;
  }
  tuff_value *copy = tuff_values_copy(row, bulk->columns, err);
  if (copy) bulk->row[bulk->count++] = copy;
  return copy != NULL;
}

static inline bool bulk_insert(const bulk *bulk, unsigned number, tuff_error *err) {
  const tuff_value *row = bulk->row[number];
  if (bulk_is_marked(row, bulk->columns, '?')) {
    tuff_fail(err, TUFF_CONSTRAINT, "not this row");
    return false;
  }
  bool done = bulk_engine->bind(bulk->insert, row, bulk->columns, err) &&
              bulk_engine->step(bulk->insert, NULL, err) == TUFF_DONE;
  bulk_engine->reset(bulk->insert);
  bulk_engine->forget(bulk->insert);
  return done;
}

static inline bool bulk_finish(void *context, int64_t *inserted, tuff_error *err) {
  const bulk *bulk = context;
  for (unsigned i = 0; i < bulk->count; i++) {
    if (bulk_insert(bulk, i, err)) continue;
    err->row = i + 1;
    return false;
  }
  bulk_finished++;
  *inserted = bulk->count;
  return true;
}

static inline void bulk_end(void *context) {
  bulk *bulk = context;
  for (unsigned i = 0; i < bulk->count; i++) tuff_free(bulk->row[i]);
  tuff_free(bulk);
}

/* From now on the connection's engine has one. */
static inline void bulk_give_to(tuff_connection *connection) {
  static const tuff_bulk facet = {bulk_begin, bulk_add, bulk_finish, bulk_end};
  static tuff_driver driver;
  bulk_engine = tuff_sqlite_driver(tuff_host_get());
  driver = *bulk_engine;
  driver.bulk = &facet;
  connection->driver = &driver;
  connection->own = true; /* the text of a batch names a table of tuff's */
  bulk_begun = bulk_finished = 0;
}

/* ---- ways to insert into t(id, text) ---- */

static const char bulk_one[] = "insert into t(id, text) values (?, ?)";
static const char bulk_batch[] =
    "insert into t(id, text) select a.value, b.value from tuff_array(?) a "
    "join tuff_array(?) b on b.rowid = a.rowid";

static const tuff_insertion_ways bulk_by_copy = {.copy = "copy"};
static const tuff_insertion_ways bulk_by_batch = {.batch = bulk_batch};

#endif
