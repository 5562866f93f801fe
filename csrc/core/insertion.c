/* insertion.c: the first rows wait, because preparing for many pays only where there
 * are many. At most one insertion of a connection has rows on their way: what begins
 * another one sends something, and so settles the first. */
#include "core/insertion.h"

#include <string.h>

#include "core/admission.h"
#include "core/error.h"
#include "core/host.h"
#include "core/memory.h"
#include "core/message.h"

enum {
  FEW = 4,              /* fewer rows go one by one */
  BATCH = 1000,         /* rows that are sent together as arrays, */
  BATCH_BYTES = 1 << 20 /* and bytes of values, from which on no more rows wait */
};

static tuff_connection *connection_of(const tuff_insertion *insertion) {
  return insertion->statement->connection;
}

/* ---- its life ---- */

bool tuff_insertion_begin(tuff_statement *statement, const tuff_insertion_ways *ways,
                          int64_t first, tuff_error *err) {
  tuff_connection *connection = statement->connection;
  bool bulk = ways->copy && connection->driver->bulk;
  size_t copy = bulk ? strlen(ways->copy) + 1 : 0;
  size_t batch = ways->batch ? strlen(ways->batch) + 1 : 0;
  size_t rows = (copy ? FEW : BATCH) * sizeof(tuff_value *);
  tuff_insertion *insertion = tuff_alloc_zero(sizeof *insertion + rows + copy + batch);
  if (!insertion) return tuff_fail_memory(err);
  insertion->statement = statement;
  insertion->row = (const tuff_value **)(insertion + 1);
  char *texts = (char *)insertion->row + rows;
  if (copy) insertion->copy = memcpy(texts, ways->copy, copy);
  if (batch) insertion->batch = memcpy(texts + copy, ways->batch, batch);
  insertion->timeout_us = connection->watch.timeout_us;
  insertion->busy_us = connection->watch.busy_us;
  insertion->number = first - 1;
  insertion->waiting.columns = statement->tokenized.count;
  insertion->results.columns = statement->shape->columns;
  statement->insertion = insertion;
  return true;
}

static void forget_waiting(tuff_insertion *insertion) {
  tuff_rows_free(&insertion->waiting);
  insertion->count = 0;
}

static void abandon(tuff_insertion *insertion) {
  tuff_connection *connection = connection_of(insertion);
  if (connection->insertion == insertion) connection->insertion = NULL;
  forget_waiting(insertion);
  if (!insertion->bulk) return;
  connection->driver->bulk->end(insertion->bulk);
  insertion->bulk = NULL;
  tuff_fail(&insertion->failure, TUFF_INTERRUPTED, "the rows were not all inserted");
  tuff_transaction_note_error(connection, false, &insertion->failure);
}

void tuff_insertion_abandon(tuff_connection *connection) {
  if (connection->insertion) abandon(connection->insertion);
}

void tuff_insertion_end(tuff_insertion *insertion) {
  if (!insertion) return;
  abandon(insertion);
  insertion->statement->insertion = NULL;
  tuff_rows_free(&insertion->results);
  tuff_free(insertion);
}

/* ---- by a statement ---- */

static bool run(tuff_insertion *insertion, tuff_statement *statement,
                const tuff_value *values, tuff_rows *results, tuff_error *err) {
  unsigned count = statement->tokenized.count;
  if (!tuff_statement_start(statement, values, count, err)) return false;
  tuff_result result = TUFF_FAILED;
  bool kept = true;
  while (kept && (result = tuff_statement_step(statement, err)) == TUFF_ROW)
    kept = tuff_rows_keep(results, statement->row, err) != NULL;
  bool done = kept && result == TUFF_DONE;
  if (done) insertion->changed += statement->changed;
  tuff_statement_rewind(statement);
  return done;
}

static bool run_singly(tuff_insertion *insertion, tuff_error *err) {
  for (unsigned i = 0; i < insertion->count; i++) {
    if (run(insertion, insertion->statement, insertion->row[i], &insertion->results,
            err))
      continue;
    err->row = insertion->number - insertion->count + i + 1;
    return false;
  }
  return true;
}

/* ---- by arrays ---- */

/* The waiting rows as columns. */
static tuff_value *turn(const tuff_insertion *insertion, tuff_error *err) {
  unsigned columns = insertion->waiting.columns, count = insertion->count;
  size_t cells = (size_t)columns * count;
  tuff_value *lists = tuff_alloc(NULL, (columns + cells) * sizeof *lists);
  if (!lists) {
    tuff_fail_memory(err);
    return NULL;
  }
  tuff_value *items = lists + columns;
  for (unsigned c = 0; c < columns; c++, items += count) {
    lists[c] = (tuff_value){
        .kind = TUFF_ARRAY, .assigned = true, .items = items, .size = count};
    for (unsigned r = 0; r < count; r++) items[r] = insertion->row[r][c];
  }
  return lists;
}

/* A text of tuff's own, as that of the single row is. */
static tuff_statement *check_out_batch(const tuff_insertion *insertion,
                                       tuff_error *err) {
  tuff_connection *connection = connection_of(insertion);
  bool own = connection->own;
  connection->own = insertion->statement->own;
  tuff_statement *statement = tuff_statement_checkout(connection, insertion->batch,
                                                      strlen(insertion->batch), err);
  connection->own = own;
  return statement;
}

static bool run_batch(tuff_insertion *insertion, tuff_rows *results, tuff_error *err) {
  tuff_statement *statement = check_out_batch(insertion, err);
  if (!statement) return false;
  tuff_value *lists = turn(insertion, err);
  bool done = lists && run(insertion, statement, lists, results, err);
  tuff_statement_release(statement);
  tuff_free(lists);
  return done;
}

/* Whether the rows themselves may be the reason, and so are worth a second try. */
static bool is_of_rows(const tuff_error *err) {
  switch (err->code) {
    case TUFF_BUSY:
    case TUFF_TIMEOUT:
    case TUFF_INTERRUPTED:
    case TUFF_FULL:
    case TUFF_IO:
    case TUFF_CORRUPT:
    case TUFF_CONNECTION:
    case TUFF_SERIALIZATION:
    case TUFF_MEMORY: return false;
    default: return true;
  }
}

/* A batch that fails is undone, and its rows go one by one: where one row is there
 * twice the last one wins, and an error is that of its very row. */
static bool try_batch(tuff_insertion *insertion, tuff_error *err) {
  tuff_connection *connection = connection_of(insertion);
  tuff_rows results = {.columns = insertion->results.columns};
  int64_t changed = insertion->changed;
  tuff_error why;
  tuff_error_clear(&why);
  uint64_t level = tuff_transaction_begin(connection, TUFF_WRITE, 0, err);
  if (!level) return false;
  if (run_batch(insertion, &results, &why)) {
    bool kept = tuff_transaction_commit(connection, level, err);
    tuff_rows_append(&insertion->results, &results);
    return kept;
  }
  tuff_rows_free(&results);
  insertion->changed = changed;
  bool undone = tuff_transaction_rollback(connection, level, NULL);
  if (undone && is_of_rows(&why)) return run_singly(insertion, err);
  *err = why;
  return false;
}

static bool send_waiting(tuff_insertion *insertion, tuff_error *err) {
  bool many = insertion->batch && insertion->count >= FEW;
  bool done = many ? try_batch(insertion, err) : run_singly(insertion, err);
  forget_waiting(insertion);
  return done;
}

/* ---- by the engine's bulk load ---- */

static void report(const tuff_insertion *insertion, int64_t inserted, tuff_code code) {
  tuff_connection *connection = connection_of(insertion);
  if (!insertion->began_us) return;
  tuff_run_report report = {insertion->copy,
                            strlen(insertion->copy),
                            0,
                            inserted,
                            tuff_now_us() - insertion->began_us,
                            code,
                            false};
  tuff_connection_report(connection, &report);
}

/* The bulk load is over: as good as it went. */
static bool close_bulk(tuff_insertion *insertion, bool done, int64_t inserted,
                       tuff_error *err) {
  tuff_connection *connection = connection_of(insertion);
  connection->driver->bulk->end(insertion->bulk);
  insertion->bulk = NULL;
  connection->insertion = NULL;
  insertion->changed += inserted;
  connection->counters.changes += (uint64_t)inserted;
  if (!done) {
    if (err->row) err->row += insertion->before;
    tuff_transaction_note_error(connection, false, err);
  }
  report(insertion, inserted, done ? TUFF_OK : err->code);
  tuff_message_tell(connection);
  return done;
}

static bool finish_bulk(tuff_insertion *insertion, tuff_error *err) {
  int64_t inserted = 0;
  connection_of(insertion)->watch.started_us = 0;
  bool done =
      connection_of(insertion)->driver->bulk->finish(insertion->bulk, &inserted, err);
  return close_bulk(insertion, done, inserted, err);
}

/* The next row is refused: an error of a row before it comes first. */
static bool refuse(tuff_insertion *insertion, tuff_error *err) {
  tuff_error earlier;
  tuff_error_clear(&earlier);
  if (!tuff_insertion_finish(insertion, &earlier)) {
    *err = earlier;
    return false;
  }
  err->row = insertion->number + 1;
  return tuff_statement_refuse_value(insertion->statement, err);
}

static bool add_to_bulk(tuff_insertion *insertion, const tuff_value *row,
                        tuff_error *err) {
  tuff_connection *connection = connection_of(insertion);
  connection->watch.started_us = 0;
  if (TUFF_UNLIKELY(!connection->driver->bulk->add(insertion->bulk, row, err)))
    return err->parameter >= 0 ? refuse(insertion, err)
                               : close_bulk(insertion, false, 0, err);
  insertion->number++;
  return true;
}

static bool open_bulk(tuff_insertion *insertion, tuff_error *err) {
  tuff_connection *connection = connection_of(insertion);
  tuff_statement *statement = insertion->statement;
  connection->insertion = NULL; /* what the admission settles is not this one */
  if (!tuff_statement_admit(statement, err)) return false;
  connection->counters.statements++;
  insertion->began_us = connection->trace ? tuff_now_us() : 0;
  insertion->before = insertion->number;
  insertion->bulk =
      connection->driver->bulk->begin(statement->native, insertion->copy, err);
  if (!insertion->bulk) {
    tuff_transaction_note_error(connection, false, err);
    return false;
  }
  connection->insertion = insertion;
  return true;
}

/* Begins with the rows that have waited. */
static bool begin_bulk(tuff_insertion *insertion, tuff_error *err) {
  unsigned count = insertion->count;
  insertion->count = 0;
  insertion->number -= count;
  bool good = open_bulk(insertion, err);
  for (unsigned i = 0; good && i < count; i++)
    good = add_to_bulk(insertion, insertion->row[i], err);
  forget_waiting(insertion);
  return good;
}

/* ---- rows as they come ---- */

static bool wait(tuff_insertion *insertion, const tuff_value *row, tuff_error *err) {
  const tuff_value *kept = tuff_rows_keep(&insertion->waiting, row, err);
  if (!kept) return false;
  insertion->row[insertion->count++] = kept;
  insertion->number++;
  connection_of(insertion)->insertion = insertion;
  if (insertion->count < (insertion->copy ? FEW : BATCH) &&
      insertion->waiting.bytes < BATCH_BYTES)
    return true;
  return insertion->copy ? begin_bulk(insertion, err)
                         : tuff_insertion_finish(insertion, err);
}

static bool add(tuff_insertion *insertion, const tuff_value *row, tuff_error *err) {
  const tuff_statement *statement = insertion->statement;
  /* Other calls meanwhile may have had other limits. */
  tuff_connection_limit(statement->connection, insertion->timeout_us,
                        insertion->busy_us);
  if (TUFF_UNLIKELY(statement->connection->limited) &&
      !tuff_statement_admit_values(statement, row, insertion->waiting.columns, err))
    return refuse(insertion, err);
  if (TUFF_LIKELY(insertion->bulk != NULL)) return add_to_bulk(insertion, row, err);
  return wait(insertion, row, err);
}

/* The first error stays. */
static bool fail(tuff_insertion *insertion, tuff_error *err) {
  if (insertion->failure.code == TUFF_OK) insertion->failure = *err;
  return false;
}

bool tuff_insertion_add(tuff_insertion *insertion, const tuff_value *row,
                        tuff_error *err) {
  if (TUFF_UNLIKELY(insertion->failure.code != TUFF_OK)) {
    *err = insertion->failure;
    return false;
  }
  return TUFF_LIKELY(add(insertion, row, err)) || fail(insertion, err);
}

bool tuff_insertion_finish(tuff_insertion *insertion, tuff_error *err) {
  tuff_connection *connection = connection_of(insertion);
  if (connection->insertion == insertion) connection->insertion = NULL;
  if (insertion->failure.code != TUFF_OK) {
    *err = insertion->failure;
    return false;
  }
  if (!insertion->bulk && insertion->count == 0) return true;
  tuff_watch before = connection->watch;
  tuff_connection_limit(connection, insertion->timeout_us, insertion->busy_us);
  bool done =
      insertion->bulk ? finish_bulk(insertion, err) : send_waiting(insertion, err);
  tuff_connection_limit(connection, before.timeout_us, before.busy_us);
  return done || fail(insertion, err);
}

bool tuff_insertion_finish_open(tuff_connection *connection, tuff_error *err) {
  tuff_error unheard;
  tuff_error_clear(&unheard);
  return tuff_insertion_finish(connection->insertion, err ? err : &unheard);
}
