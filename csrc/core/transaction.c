/* transaction.c: levels of one stack. The first is a transaction of the engine (or,
 * where the script has written BEGIN itself, a savepoint like the others). */
#include "core/transaction.h"

#include <string.h>

#include "core/connection.h"
#include "core/error.h"
#include "core/function.h"
#include "core/host.h"
#include "core/insertion.h"
#include "core/memory.h"
#include "core/message.h"

static const char ended[] = "the transaction in which this loop began has ended";
static const char ended_stream[] =
    "the transaction in which this stream was opened has ended";

/* Ends what reads at this depth or deeper. A stream inside of a transaction has nothing
 * left to commit. */
static void end_readers(tuff_connection *connection, unsigned depth) {
  tuff_cursors_close(connection, depth, ended);
  tuff_blobs_close(connection, depth, ended_stream, NULL);
}

static void report(tuff_connection *connection, tuff_verb verb, int64_t began,
                   const tuff_error *err) {
  static const char *const names[] = {
      [TUFF_BEGIN] = "begin",       [TUFF_COMMIT] = "commit",
      [TUFF_ROLLBACK] = "rollback", [TUFF_SAVEPOINT] = "savepoint",
      [TUFF_RELEASE] = "release",   [TUFF_ROLLBACK_TO] = "rollback to savepoint"};
  tuff_run_report report = {names[verb],           strlen(names[verb]),       0,    0,
                            tuff_now_us() - began, err ? err->code : TUFF_OK, true};
  tuff_connection_report(connection, &report);
}

static bool control(tuff_connection *connection, tuff_verb verb, tuff_mode mode,
                    unsigned level, tuff_error *err) {
  connection->watch.started_us = 0;
  /* What is about to be undone need not arrive. */
  if (verb == TUFF_ROLLBACK || verb == TUFF_ROLLBACK_TO)
    tuff_insertion_abandon(connection);
  else if (!tuff_insertion_settle(connection, err))
    return false;
  if (connection->driver->exclusive && connection->cursors &&
      !tuff_cursors_settle(connection, UINT64_MAX, err))
    return false;
  bool inside =
      verb == TUFF_SAVEPOINT || verb == TUFF_RELEASE || verb == TUFF_ROLLBACK_TO;
  if (inside && connection->blobs) {
    tuff_blobs_rest(connection);
    if (connection->transaction.failed) { /* which may have ended it all */
      if (err && err->code == TUFF_OK) *err = connection->transaction.cause;
      return false;
    }
  }
  int64_t began = connection->trace ? tuff_now_us() : 0;
  bool done = connection->driver->control(connection->native, verb, mode, level, err);
  if (began) report(connection, verb, began, done ? NULL : err);
  tuff_message_tell(connection);
  if (done) return true;
  if (inside) tuff_transaction_note_error(connection, true, err);
  return false;
}

static tuff_state state_of(const tuff_connection *connection) {
  return connection->driver->state(connection->native);
}

static tuff_level *push(tuff_connection *connection, tuff_error *err) {
  tuff_transaction *transaction = &connection->transaction;
  if (transaction->depth == transaction->room) {
    unsigned room = transaction->room ? transaction->room * 2 : 4;
    tuff_level *grown = tuff_alloc(transaction->levels, room * sizeof *grown);
    if (!grown) {
      tuff_fail_memory(err);
      return NULL;
    }
    transaction->levels = grown;
    transaction->room = room;
  }
  tuff_level *level = &transaction->levels[transaction->depth++];
  *level = (tuff_level){.serial = ++transaction->serial,
                        .readonly_before = transaction->readonly,
                        .deadline_before = connection->watch.deadline_us};
  return level;
}

static void restore_change(tuff_connection *connection) {
  const tuff_changing *changing = connection->driver->changing;
  if (!connection->transaction.changing) return;
  connection->transaction.changing = false;
  if (changing && connection->native) changing->restore(connection->native);
}

/* Forgets this level and all inside it. The loops opened there end with it. */
static void pop(tuff_connection *connection, unsigned index) {
  tuff_transaction *transaction = &connection->transaction;
  const tuff_level *level = &transaction->levels[index];
  end_readers(connection, index + 1);
  transaction->readonly = level->readonly_before;
  connection->watch.deadline_us = level->deadline_before;
  transaction->depth = index;
  if (index > 0 || transaction->manual) return;
  transaction->failed = transaction->stuck = false;
  transaction->lingering = state_of(connection) != TUFF_STATE_IDLE;
  tuff_transaction_clear(connection, NULL);
  restore_change(connection);
}

bool tuff_transaction_clear(tuff_connection *connection, tuff_error *err) {
  tuff_transaction *transaction = &connection->transaction;
  if (TUFF_LIKELY(!transaction->lingering)) return true;
  transaction->lingering = state_of(connection) != TUFF_STATE_IDLE &&
                           !control(connection, TUFF_ROLLBACK, TUFF_WRITE, 0, err);
  return !transaction->lingering;
}

bool tuff_transaction_refuse(const tuff_transaction *transaction, tuff_error *err) {
  tuff_fail(err, TUFF_TRANSACTION_ABORTED,
            "this transaction was rolled back by an earlier error: %s",
            transaction->cause.message);
  tuff_error_hint(err, "let the first error out of the transaction's function; nest "
                       "db:transaction around what may fail");
  return false;
}

static bool prepare_change(tuff_connection *connection, tuff_error *err) {
  const tuff_changing *changing = connection->driver->changing;
  if (changing && !changing->prepare(connection->native, err)) return false;
  connection->transaction.changing = true;
  return true;
}

static bool begin_engine(tuff_connection *connection, tuff_mode mode, tuff_level *level,
                         tuff_error *err) {
  tuff_transaction *transaction = &connection->transaction;
  level->engine = true;
  if (transaction->depth == 1 && !transaction->manual) {
    connection->counters.transactions++;
    if (mode == TUFF_CHANGE && !prepare_change(connection, err)) return false;
    return control(connection, TUFF_BEGIN, mode, 0, err);
  }
  if (mode == TUFF_READ) {
    level->engine = false; /* the outer snapshot serves */
    return true;
  }
  return control(connection, TUFF_SAVEPOINT, mode, transaction->depth, err);
}

uint64_t tuff_transaction_begin(tuff_connection *connection, tuff_mode mode,
                                int64_t timeout_us, tuff_error *err) {
  tuff_transaction *transaction = &connection->transaction;
  if (!tuff_function_admits(connection, err)) return 0;
  if (!tuff_transaction_clear(connection, err)) return 0;
  if (transaction->failed) {
    tuff_transaction_refuse(transaction, err);
    return 0;
  }
  if (transaction->readonly && mode != TUFF_READ) {
    tuff_fail(err, TUFF_READONLY,
              "a transaction that writes cannot begin inside db:read");
    return 0;
  }
  if (mode == TUFF_CHANGE && (transaction->depth > 0 || transaction->manual)) {
    tuff_fail(err, TUFF_MISUSE,
              "tables cannot be made anew inside of a transaction that is open");
    tuff_error_hint(err, "call it before the transaction begins");
    return 0;
  }
  if (!tuff_connection_settle(connection, err)) return 0;
  tuff_level *level = push(connection, err);
  if (!level) return 0;
  if (timeout_us > 0) {
    int64_t deadline = tuff_now_us() + timeout_us;
    if (level->deadline_before == 0 || deadline < level->deadline_before)
      connection->watch.deadline_us = deadline;
  }
  if (mode == TUFF_READ) transaction->readonly = true;
  if (begin_engine(connection, mode, level, err)) return level->serial;
  pop(connection, transaction->depth - 1);
  return 0;
}

static bool find(const tuff_connection *connection, uint64_t serial, unsigned *index) {
  const tuff_transaction *transaction = &connection->transaction;
  for (*index = transaction->depth; *index > 0;)
    if (transaction->levels[--*index].serial == serial) return true;
  return false;
}

uint64_t tuff_transaction_current(const tuff_connection *connection) {
  const tuff_transaction *transaction = &connection->transaction;
  return transaction->depth ? transaction->levels[transaction->depth - 1].serial : 0;
}

bool tuff_transaction_is_open(const tuff_connection *connection, uint64_t serial) {
  unsigned index;
  return find(connection, serial, &index);
}

/* Undoes the level in the engine; what an error has ended needs nothing. */
static bool undo(tuff_connection *connection, unsigned index, tuff_error *err) {
  tuff_transaction *transaction = &connection->transaction;
  /* A deadline that has passed must not stop the rollback. */
  connection->watch.deadline_us = 0;
  end_readers(connection, index + 1);
  if ((transaction->failed && !transaction->stuck) ||
      state_of(connection) == TUFF_STATE_IDLE)
    return true;
  if (index == 0 && !transaction->manual)
    return control(connection, TUFF_ROLLBACK, TUFF_WRITE, 0, err);
  unsigned engine = index;
  while (engine < transaction->depth && !transaction->levels[engine].engine) engine++;
  if (engine == transaction->depth) return true;
  if (control(connection, TUFF_ROLLBACK_TO, TUFF_WRITE, engine + 1, err)) {
    transaction->failed = transaction->stuck = false;
    return true;
  }
  /* Its work must not be committed with the levels around it. */
  tuff_error lost;
  tuff_error_clear(&lost);
  tuff_fail(&lost, TUFF_MEMORY, "a nested transaction could not be rolled back");
  tuff_transaction_note_error(connection, false, &lost);
  return false;
}

bool tuff_transaction_rollback(tuff_connection *connection, uint64_t serial,
                               tuff_error *err) {
  unsigned index;
  if (!find(connection, serial, &index)) return true;
  bool undone = undo(connection, index, err);
  pop(connection, index);
  return undone;
}

static bool keep(tuff_connection *connection, unsigned index, tuff_error *err) {
  connection->watch.started_us = 0;
  if (connection->watch.deadline_us && tuff_watch_stop(&connection->watch, err))
    return false;
  if (!connection->transaction.levels[index].engine) return true;
  end_readers(connection, index + 1);
  if (index == 0 && !connection->transaction.manual) {
    /* What took long is not given up for somebody who reads. */
    enum { PATIENCE_US = 60000000 };
    if (connection->transaction.changing && connection->watch.busy_us < PATIENCE_US)
      connection->watch.busy_us = PATIENCE_US;
    return control(connection, TUFF_COMMIT, TUFF_WRITE, 0, err);
  }
  return control(connection, TUFF_RELEASE, TUFF_WRITE, index + 1, err);
}

bool tuff_transaction_commit(tuff_connection *connection, uint64_t serial,
                             tuff_error *err) {
  tuff_transaction *transaction = &connection->transaction;
  unsigned index;
  if (!find(connection, serial, &index)) {
    tuff_fail(err, TUFF_CLOSED, "this transaction has ended already");
    return false;
  }
  if (index + 1 != transaction->depth) {
    tuff_fail(err, TUFF_MISUSE, "a transaction inside this one is still open");
    tuff_error_hint(err, "commit or roll back the inner transaction first");
    return false;
  }
  bool kept = false;
  tuff_error ended_by_engine;
  tuff_error_clear(&ended_by_engine);
  tuff_transaction_notice_end(connection, &ended_by_engine);
  if (transaction->failed)
    *err = transaction->cause;
  else
    kept = keep(connection, index, err);
  if (!kept) undo(connection, index, NULL);
  pop(connection, index);
  return kept;
}

void tuff_transaction_note_error(tuff_connection *connection, bool readonly,
                                 const tuff_error *err) {
  tuff_transaction *transaction = &connection->transaction;
  if (transaction->failed || (transaction->depth == 0 && !transaction->manual)) return;
  tuff_error untold; /* by a caller that did not want to know */
  tuff_error_clear(&untold);
  tuff_fail(&untold, TUFF_MISUSE, "an error that was not looked at");
  if (!err) err = &untold;
  tuff_state state = state_of(connection);
  /* After a full disk or an I/O error the engine may keep half of a statement: what the
   * transaction would commit is not what the script wrote. */
  bool halved = !readonly && (err->code == TUFF_FULL || err->code == TUFF_IO ||
                              err->code == TUFF_MEMORY || err->code == TUFF_CORRUPT);
  /* A script that goes on after such an error has not done what it was to do. */
  if (transaction->changing)
    halved = err->code == TUFF_FULL || err->code == TUFF_IO ||
             err->code == TUFF_MEMORY || err->code == TUFF_CORRUPT ||
             err->code == TUFF_INTERRUPTED || err->code == TUFF_TIMEOUT;
  if (state == TUFF_STATE_OPEN && !halved) return;
  transaction->failed = true;
  transaction->failures++;
  transaction->cause = *err;
  transaction->stuck = state == TUFF_STATE_FAILED && !transaction->manual;
  end_readers(connection, transaction->manual  ? 0
                          : transaction->stuck ? transaction->depth
                                               : 1);
  if (state != TUFF_STATE_IDLE && !transaction->stuck)
    control(connection, TUFF_ROLLBACK, TUFF_WRITE, 0, NULL);
}

bool tuff_transaction_notice_end(tuff_connection *connection, tuff_error *err) {
  const tuff_transaction *transaction = &connection->transaction;
  /* While a commit or a rollback is reported, its level is still there. */
  if (transaction->depth == 0 || transaction->failed || connection->reporting ||
      state_of(connection) != TUFF_STATE_IDLE)
    return true;
  tuff_fail(err, TUFF_MEMORY, "the engine has rolled this transaction back");
  tuff_transaction_note_error(connection, false, err);
  return false;
}

void tuff_transaction_note_control(tuff_connection *connection) {
  connection->transaction.manual = state_of(connection) != TUFF_STATE_IDLE;
}
