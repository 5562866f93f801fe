/* cursor.c: open loops. Rows come from a statement or, read ahead, from memory. */
#include "core/cursor.h"

#include <assert.h>

#include "core/connection.h"
#include "core/error.h"
#include "core/memory.h"

#define ALL_ROWS UINT64_MAX

/* ---- rows in memory ---- */

static bool keep_row(tuff_cursor *cursor, const tuff_value *row, tuff_error *err) {
  return tuff_rows_keep(&cursor->kept, row, err) != NULL;
}

static tuff_result next_kept(tuff_cursor *cursor) {
  tuff_value *row = tuff_rows_next(&cursor->kept);
  if (!row) return TUFF_DONE;
  cursor->row = row;
  return TUFF_ROW;
}

/* Takes the current row out of what is freed now. */
static void hold_row(tuff_cursor *cursor) {
  bool kept = !cursor->statement || cursor->row != cursor->statement->row;
  tuff_error err;
  tuff_error_clear(&err);
  if (!kept) {
    kept = keep_row(cursor, cursor->row, &err);
    cursor->row = NULL;
    if (kept) next_kept(cursor);
  }
  if (!kept) {
    cursor->columns = 0;
    return;
  }
  cursor->held = tuff_rows_detach(&cursor->kept);
}

void tuff_cursor_let_go(tuff_cursor *cursor) {
  tuff_free(cursor->held);
  cursor->held = NULL;
  cursor->row = NULL;
}

/* ---- lists of cursors ---- */

static void link_cursor(tuff_cursor **list, tuff_cursor *cursor) {
  cursor->previous = NULL;
  cursor->next = *list;
  if (*list) (*list)->previous = cursor;
  *list = cursor;
}

static void unlink_cursor(tuff_cursor **list, tuff_cursor *cursor) {
  if (cursor->next) cursor->next->previous = cursor->previous;
  *(cursor->previous ? &cursor->previous->next : list) = cursor->next;
}

static tuff_cursor **list_of(tuff_cursor *cursor) {
  return cursor->statement ? &cursor->connection->cursors
                           : &cursor->connection->settled;
}

/* ---- life of a cursor ---- */

/* Whoever has a budget does not wait for a server either: then it is used up. */
static bool is_spent(const tuff_statement *statement, uint64_t *budget) {
  const tuff_driver *driver = statement->connection->driver;
  if (*budget < ALL_ROWS / 2 && driver->waits && driver->waits(statement->native))
    *budget = 0;
  return *budget == 0;
}

/* Reads rows ahead, `budget` at most; at the end the statement is given back. */
static bool settle(tuff_cursor *cursor, uint64_t *budget, tuff_error *err) {
  tuff_connection *connection = cursor->connection;
  tuff_statement *statement = cursor->statement;
  assert(statement); /* cursors without one are on the other list */
  tuff_watch before = connection->watch;
  tuff_connection_limit(connection, cursor->timeout_us, cursor->busy_us);
  tuff_result result = TUFF_ROW;
  /* The current row may still be read by whoever asked for it, or not yet have been. */
  bool kept = cursor->kept.first || keep_row(cursor, statement->row, err);
  if (cursor->primed)
    cursor->row = NULL; /* it comes with the next step, out of what was kept */
  else if (kept && cursor->row == statement->row)
    next_kept(cursor);
  cursor->primed = false;
  while (kept && !is_spent(statement, budget) &&
         (result = tuff_statement_step(statement, err)) == TUFF_ROW) {
    (*budget)--;
    kept = keep_row(cursor, statement->row, err);
  }
  tuff_connection_limit(connection, before.timeout_us, before.busy_us);
  if (!kept || result == TUFF_FAILED) {
    tuff_cursor_close(cursor, "the loop was ended by an error");
    return false;
  }
  if (result == TUFF_DONE) {
    unlink_cursor(&connection->cursors, cursor);
    cursor->statement = NULL;
    link_cursor(&connection->settled, cursor);
    tuff_statement_release(statement); /* last: see tuff_cursor_close */
  }
  return true;
}

bool tuff_cursor_open(tuff_cursor *cursor, tuff_statement *statement,
                      const tuff_value *values, unsigned count, tuff_error *err) {
  tuff_connection *connection = statement->connection;
  cursor->timeout_us = connection->watch.timeout_us;
  cursor->busy_us = connection->watch.busy_us;
  if (count > 0) cursor->arguments = tuff_values_copy(values, count, err);
  bool opened = (count == 0 || cursor->arguments) &&
                tuff_statement_start(statement, cursor->arguments, count, err);
  /* The first step decides which rows the loop will see, and may change their names. */
  uint64_t calls = connection->calls;
  tuff_result result = opened ? tuff_statement_step(statement, err) : TUFF_FAILED;
  cursor->calls = connection->calls != calls;
  cursor->connection = connection;
  cursor->statement = statement;
  cursor->depth = connection->transaction.depth;
  link_cursor(&connection->cursors, cursor);
  cursor->columns = cursor->kept.columns = statement->shape->columns;
  if (result != TUFF_ROW) {
    tuff_cursor_close(cursor, NULL);
    return result == TUFF_DONE;
  }
  cursor->row = statement->row;
  cursor->primed = true;
  return true;
}

bool tuff_cursor_complete(tuff_cursor *cursor, tuff_error *err) {
  if (!cursor->statement || cursor->statement->shape->readonly) return true;
  uint64_t all = ALL_ROWS;
  return settle(cursor, &all, err);
}

tuff_result tuff_cursor_step(tuff_cursor *cursor, tuff_error *err) {
  tuff_cursor_row_read(cursor);
  if (TUFF_UNLIKELY(!cursor->connection)) {
    if (!cursor->reason) return TUFF_DONE;
    tuff_fail(err, TUFF_CLOSED, "%s", cursor->reason);
    return TUFF_FAILED;
  }
  if (TUFF_UNLIKELY(cursor->primed)) {
    cursor->primed = false;
    return TUFF_ROW;
  }
  tuff_result result = cursor->kept.first ? next_kept(cursor) : TUFF_DONE;
  if (result == TUFF_DONE && cursor->statement) {
    tuff_connection *connection = cursor->connection;
    tuff_connection_limit(connection, cursor->timeout_us, cursor->busy_us);
    connection->watch.started_us = 0; /* the body of the loop does not count */
    result = tuff_statement_step(cursor->statement, err);
    if (result == TUFF_ROW) cursor->row = cursor->statement->row;
  }
  if (TUFF_UNLIKELY(result != TUFF_ROW)) tuff_cursor_close(cursor, NULL);
  return result;
}

/* The statement goes last: its end may be told to a function of the script, in which a
 * finaliser may come to this cursor, or to any other. */
void tuff_cursor_close(tuff_cursor *cursor, const char *reason) {
  if (!cursor->connection) return;
  tuff_statement *statement = cursor->statement;
  unlink_cursor(list_of(cursor), cursor);
  if (TUFF_UNLIKELY(cursor->reading))
    hold_row(cursor);
  else
    cursor->row = NULL;
  cursor->statement = NULL;
  cursor->connection = NULL;
  cursor->reason = reason;
  tuff_free(cursor->arguments);
  cursor->arguments = NULL;
  tuff_rows_free(&cursor->kept);
  tuff_statement_release(statement);
}

bool tuff_cursors_settle(tuff_connection *connection, uint64_t budget,
                         tuff_error *err) {
  if (connection->stepping) return true; /* called by what would have to be read on */
  while (connection->cursors && budget > 0)
    if (!settle(connection->cursors, &budget, err)) return false;
  return true;
}

/* One that steps learns it from the engine when it goes on. */
static bool may_close(const tuff_cursor *cursor, unsigned depth, const void *source) {
  return cursor->depth >= depth && (!source || cursor->source == source) &&
         !(cursor->statement && cursor->statement->stepping);
}

/* Closing one may close others, so that it begins again each time. */
static void close_where(tuff_connection *connection, tuff_cursor **list, unsigned depth,
                        const void *source, const char *reason) {
  for (tuff_cursor *cursor = *list; cursor;) {
    bool closes = may_close(cursor, depth, source);
    if (closes) tuff_cursor_close(cursor, reason);
    cursor = closes ? *list : cursor->next;
  }
  if (list == &connection->cursors)
    close_where(connection, &connection->settled, depth, source, reason);
}

void tuff_cursors_close(tuff_connection *connection, unsigned depth,
                        const char *reason) {
  close_where(connection, &connection->cursors, depth, NULL, reason);
}

bool tuff_cursors_step(const tuff_connection *connection, const void *source) {
  for (const tuff_cursor *cursor = connection->cursors; cursor; cursor = cursor->next)
    if (cursor->source == source && cursor->statement->stepping) return true;
  return false;
}

void tuff_cursors_close_of(tuff_connection *connection, const void *source,
                           const char *reason) {
  close_where(connection, &connection->cursors, 0, source, reason);
}
