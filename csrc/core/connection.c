/* connection.c: opening, closing and scripts. */
#include "core/connection.h"

#include "core/admission.h"
#include "core/error.h"
#include "core/function.h"
#include "core/host.h"
#include "core/insertion.h"
#include "core/memory.h"

bool tuff_connection_open(tuff_connection *connection, const tuff_driver *driver,
                          const tuff_options *options,
                          const tuff_connection_options *own, tuff_error *err) {
  connection->driver = driver;
  connection->forks = tuff_fork_generation();
  connection->readonly = options->readonly;
  connection->timeout_us = own->timeout_us;
  connection->busy_us = own->busy_us;
  connection->result_rows = own->result_rows ? own->result_rows : UINT64_MAX;
  connection->sql_bytes = own->sql_bytes ? own->sql_bytes : SIZE_MAX;
  connection->value_bytes =
      options->value_bytes ? (size_t)options->value_bytes : SIZE_MAX;
  connection->limited = own->result_rows || options->value_bytes;
  connection->cache.capacity = own->statement_cache;
  connection->watch.interrupted = own->interrupted;
  connection->watch.context = own->context;
  tuff_connection_limit(connection, own->timeout_us, own->busy_us);
  connection->native = driver->open(options, &connection->watch, err);
  return connection->native != NULL;
}

bool tuff_connection_check(const tuff_connection *connection, tuff_error *err) {
  if (TUFF_UNLIKELY(!connection->native)) {
    tuff_fail(err, TUFF_CLOSED, "this connection is closed");
    return false;
  }
  if (TUFF_UNLIKELY(connection->forks != tuff_fork_generation())) {
    tuff_fail(err, TUFF_CONNECTION, "this connection was opened before a fork");
    tuff_error_hint(
        err, "close it before the fork, and open one in the child: it belongs to the "
             "process that opened it");
    return false;
  }
  return true;
}

void tuff_connection_close(tuff_connection *connection, bool collected) {
  if (!connection->native) return;
  tuff_backups_finish(connection);
  if (connection->forks != tuff_fork_generation()) {
    /* Finishing anything here would touch files and locks that belong to the parent. */
    connection->native = NULL;
    return;
  }
  tuff_cursors_close(connection, 0, "the connection of this loop was closed");
  tuff_blobs_close(connection, 0, "the connection of this stream was closed", NULL);
  while (connection->statements) tuff_statement_finish(connection->statements);
  connection->watch.deadline_us = 0;
  connection->driver->close(connection->native, collected);
  connection->native = NULL;
  tuff_free(connection->transaction.levels);
  tuff_free(connection->slots);
  connection->transaction = (tuff_transaction){0};
  connection->slots = NULL;
}

bool tuff_connection_settle(tuff_connection *connection, tuff_error *err) {
  return tuff_insertion_settle(connection, err) &&
         (!connection->cursors || tuff_cursors_settle(connection, UINT64_MAX, err)) &&
         (!connection->blobs || tuff_blobs_settle(connection, err));
}

/* It comes in the middle of what ends a run, so that nothing must be begun, written or
 * read ahead by whoever is told. */
void tuff_connection_report(tuff_connection *connection,
                            const tuff_run_report *report) {
  if (!connection->trace || connection->reporting) return;
  connection->reporting = true;
  connection->stepping++;
  connection->trace(connection->trace_context, report);
  connection->stepping--;
  connection->reporting = false;
}

static bool prepare_to_attach(tuff_connection *connection, tuff_error *err) {
  if (!connection->driver->attach) {
    tuff_fail(err, TUFF_UNSUPPORTED, "%s attaches no other databases",
              connection->driver->name);
    return false;
  }
  if (tuff_connection_in_transaction(connection)) {
    tuff_fail(err, TUFF_MISUSE,
              "a database cannot be attached or detached inside a transaction");
    return false;
  }
  return tuff_function_admits(connection, err) &&
         tuff_connection_settle(connection, err);
}

bool tuff_connection_attach(tuff_connection *connection, const tuff_options *options,
                            const char *name, tuff_error *err) {
  return prepare_to_attach(connection, err) &&
         connection->driver->attach(connection->native, options, name, err);
}

bool tuff_connection_detach(tuff_connection *connection, const char *name,
                            tuff_error *err) {
  return prepare_to_attach(connection, err) &&
         connection->driver->detach(connection->native, name, err);
}

bool tuff_connection_in_transaction(tuff_connection *connection) {
  tuff_transaction_clear(connection, NULL);
  return connection->driver->state(connection->native) != TUFF_STATE_IDLE;
}

/* One statement of a script. */
static bool run_part(tuff_connection *connection, const tuff_part *part,
                     tuff_error *err) {
  tuff_statement *statement = tuff_statement_prepare(
      connection, part->start, part->size, TUFF_PREPARE_ONCE, err);
  if (!statement) return false;
  statement->busy = true; /* so that releasing finishes it */
  bool done = false;
  if (statement->tokenized.count > 0) {
    tuff_fail(err, TUFF_MISUSE, "a script takes no parameters");
    tuff_error_hint(err, "db:run takes one statement and its values");
  } else {
    done = tuff_statement_start(statement, NULL, 0, err) &&
           tuff_statement_finish_run(statement, err) >= 0;
  }
  tuff_statement_release(statement);
  return done;
}

/* What a script holds, before anything of it is run. */
typedef struct contents {
  unsigned count;
  bool control; /* it begins or ends transactions */
  bool stray;   /* it ends one that it has not begun */
  bool outside; /* some of it cannot run in a transaction */
} contents;

static contents read_through(tuff_splitter splitter) {
  contents contents = {0};
  tuff_part part;
  for (; tuff_splitter_next(&splitter, &part); contents.count++) {
    if (part.effect == TUFF_EFFECT_END && !contents.control) contents.stray = true;
    contents.control = contents.control || tuff_effect_is_control(part.effect);
    contents.outside = contents.outside || part.effect == TUFF_EFFECT_OUTSIDE;
  }
  return contents;
}

static bool run_parts(tuff_connection *connection, tuff_splitter splitter,
                      const char *script, tuff_error *err) {
  tuff_part part;
  while (tuff_splitter_next(&splitter, &part)) {
    if (run_part(connection, &part, err)) continue;
    if (err->offset < 0) err->offset = 0; /* at least the statement is known */
    err->offset += (int)(part.start - script);
    return false;
  }
  return true;
}

/* A script that failed after its own BEGIN leaves no transaction behind. */
static bool run_bare(tuff_connection *connection, tuff_splitter splitter,
                     const char *script, tuff_error *err) {
  tuff_transaction *transaction = &connection->transaction;
  bool manual = transaction->manual;
  if (run_parts(connection, splitter, script, err)) return true;
  if (manual || !transaction->manual) return false;
  if (tuff_connection_in_transaction(connection))
    connection->driver->control(connection->native, TUFF_ROLLBACK, TUFF_WRITE, 0, NULL);
  transaction->manual = transaction->failed = false;
  return false;
}

bool tuff_connection_exec(tuff_connection *connection, const char *script, size_t size,
                          tuff_error *err) {
  tuff_splitter splitter;
  if (!tuff_sql_admit(connection, size, err)) return false;
  tuff_splitter_begin(&splitter, script, size, &connection->driver->dialect);
  contents contents = read_through(splitter);
  if (contents.control && connection->transaction.depth > 0)
    return tuff_statement_refuse_control(err);
  bool nested = tuff_connection_in_transaction(connection);
  if (contents.stray && contents.count > 1 && !connection->transaction.manual) {
    tuff_fail(err, TUFF_MISUSE, "the script ends a transaction that it has not begun");
    return false;
  }
  if (contents.count < 2 || contents.control || (contents.outside && !nested))
    return run_bare(connection, splitter, script, err);
  bool reads = connection->readonly || connection->transaction.readonly;
  tuff_mode mode = reads ? TUFF_READ : TUFF_WRITE;
  uint64_t serial = tuff_transaction_begin(connection, mode, 0, err);
  if (!serial) return false;
  if (run_parts(connection, splitter, script, err))
    return tuff_transaction_commit(connection, serial, err);
  tuff_transaction_rollback(connection, serial, NULL);
  return false;
}
