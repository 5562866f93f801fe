/* statement.c: from the text of a script to rows. The path of a cached statement
 * touches no allocator and, fifteen times of sixteen, no clock. */
#include "core/statement.h"

#include <string.h>

#include "core/admission.h"
#include "core/connection.h"
#include "core/error.h"
#include "core/host.h"
#include "core/insertion.h"
#include "core/memory.h"
#include "core/message.h"

enum { SAMPLE = 16 }; /* one run of so many is timed */

/* The list of free slots has room for all that were issued, so that giving one back
 * cannot fail. */
static bool take_slot(tuff_connection *connection, unsigned *slot) {
  if (connection->free_slots > 0) {
    *slot = connection->slots[--connection->free_slots];
    return true;
  }
  if (connection->slots_issued == connection->slots_room) {
    unsigned room = connection->slots_room ? connection->slots_room * 2 : 16;
    unsigned *grown = tuff_alloc(connection->slots, room * sizeof *grown);
    if (!grown) return false;
    connection->slots = grown;
    connection->slots_room = room;
  }
  *slot = ++connection->slots_issued;
  return true;
}

static void link_statement(tuff_connection *connection, tuff_statement *statement) {
  statement->next = connection->statements;
  if (connection->statements) connection->statements->previous = statement;
  connection->statements = statement;
}

/* A row without columns is a row, too, and stands somewhere. */
static bool fit_row(tuff_statement *statement, tuff_error *err) {
  unsigned columns = statement->shape->columns;
  unsigned room = columns > 0 ? columns : 1;
  statement->row_generation = statement->shape->generation;
  if (room <= statement->row_room) return true;
  tuff_value *grown = tuff_alloc(statement->row, room * sizeof *grown);
  if (!grown) return tuff_fail_memory(err);
  statement->row = grown;
  statement->row_room = room;
  return true;
}

/* Where an engine points into its own text, point into the script's. */
static void map_offset(const tuff_tokenized *tokenized, tuff_error *err) {
  if (err->offset >= 0)
    err->offset = (int)tuff_tokenized_source(tokenized, (size_t)err->offset);
}

/* Where the engine does one thing at a time. */
static bool settle_exclusive(tuff_connection *connection, tuff_error *err) {
  return tuff_insertion_settle(connection, err) &&
         (TUFF_LIKELY(!connection->cursors || !connection->driver->exclusive) ||
          tuff_cursors_settle(connection, UINT64_MAX, err));
}

static bool prepare_native(tuff_statement *statement, unsigned flags, tuff_error *err) {
  tuff_connection *connection = statement->connection;
  /* An engine that waits for a rollback prepares nothing either. */
  if (connection->transaction.stuck)
    return tuff_transaction_refuse(&connection->transaction, err);
  tuff_tokenized *tokenized = &statement->tokenized;
  tuff_sql native = {.text = tokenized->text.bytes,
                     .size = tokenized->text.size,
                     .parameters = tokenized->count,
                     .uses = tokenized->uses,
                     .targets = tokenized->targets,
                     .table_count = tokenized->table_count,
                     .tables = tokenized->tables,
                     .reads = tokenized->reads,
                     .commits = tokenized->commits};
  connection->watch.started_us = 0;
  if (!settle_exclusive(connection, err)) return false;
  statement->native =
      connection->driver->prepare(connection->native, &native, flags, err);
  /* An open loop holds a snapshot, whose schema may be older than the one meant here.
   */
  if (!statement->native && connection->cursors && err->code != TUFF_MEMORY &&
      !tuff_connection_in_transaction(connection)) {
    tuff_error settling;
    tuff_error_clear(&settling);
    if (tuff_cursors_settle(connection, UINT64_MAX, &settling)) {
      tuff_error_clear(err);
      statement->native =
          connection->driver->prepare(connection->native, &native, flags, err);
    }
  }
  if (!statement->native) {
    map_offset(tokenized, err);
    return false;
  }
  statement->shape = connection->driver->shape(statement->native);
  tuff_buffer_free(&tokenized->text);
  return fit_row(statement, err);
}

tuff_statement *tuff_statement_prepare(tuff_connection *connection, const char *sql,
                                       size_t size, unsigned flags, tuff_error *err) {
  if (!tuff_sql_admit(connection, size, err)) return NULL;
  tuff_statement *statement = tuff_alloc_zero(sizeof *statement);
  char *source = tuff_alloc(NULL, size + 1);
  if (!statement || !source || !take_slot(connection, &statement->slot)) {
    tuff_fail_memory(err);
    tuff_free(statement);
    tuff_free(source);
    return NULL;
  }
  memcpy(source, sql, size);
  source[size] = '\0';
  statement->connection = connection;
  statement->source = source;
  statement->size = size;
  statement->own = connection->own;
  link_statement(connection, statement);
  if (tuff_tokenize(&statement->tokenized, source, size, &connection->driver->dialect,
                    err) &&
      prepare_native(statement, flags, err))
    return statement;
  tuff_transaction_note_error(connection, true, err);
  tuff_statement_finish(statement);
  tuff_message_tell(connection);
  return NULL;
}

tuff_statement *tuff_statement_checkout(tuff_connection *connection, const char *sql,
                                        size_t size, tuff_error *err) {
  uint64_t hash = tuff_text_hash(sql, size);
  tuff_statement_cache *cache = &connection->cache;
  tuff_statement *statement = tuff_statement_cache_find(cache, sql, size, hash);
  if (TUFF_LIKELY(statement && !statement->busy)) {
    connection->counters.cache_hits++;
    tuff_statement_cache_touch(cache, statement);
    statement->busy = true;
    statement->own = connection->own;
    return statement;
  }
  tuff_statement *running = statement;
  statement = tuff_statement_prepare(connection, sql, size,
                                     running ? TUFF_PREPARE_ONCE : 0, err);
  if (!statement) return NULL;
  statement->hash = hash;
  statement->busy = true;
  if (!running) tuff_statement_finish(tuff_statement_cache_add(cache, statement));
  return statement;
}

bool tuff_statement_refuse_value(tuff_statement *statement, tuff_error *err) {
  statement->failed = err->code;
  map_offset(&statement->tokenized, err);
  tuff_transaction_note_error(statement->connection, true, err);
  if (err->parameter < 0) return false;
  unsigned number = (unsigned)err->parameter;
  const tuff_parameter *parameter = &statement->tokenized.parameters[number];
  if (parameter->name_size)
    tuff_error_context(err, "parameter :%.*s: ", (int)parameter->name_size,
                       statement->source + parameter->name);
  else
    tuff_error_context(err, "parameter %u: ", number + 1);
  return false;
}

bool tuff_statement_start(tuff_statement *statement, const tuff_value *values,
                          unsigned count, tuff_error *err) {
  tuff_connection *connection = statement->connection;
  const tuff_transaction *transaction = &connection->transaction;
  bool plain =
      statement->shape->readonly && !transaction->failed && !transaction->lingering &&
      (transaction->depth == 0 ||
       connection->driver->state(connection->native) == TUFF_STATE_OPEN) &&
      !connection->watch.deadline_us && statement->tokenized.effect == TUFF_EFFECT_NONE;
  if (!plain && !tuff_statement_admit(statement, err)) return false;
  if (!settle_exclusive(connection, err)) return false;
  statement->rows = 0;
  statement->changed = 0;
  statement->failed = TUFF_OK;
  connection->watch.started_us = 0;
  if (TUFF_UNLIKELY(connection->counters.statements++ % SAMPLE == 0 ||
                    connection->trace)) {
    connection->counters.samples++;
    statement->sampled_us = tuff_now_us();
  }
  if (statement->one && connection->driver->expect_one)
    connection->driver->expect_one(statement->native);
  if (count == 0 && !statement->shape->parameters) return true;
  return ((TUFF_LIKELY(!connection->limited) ||
           tuff_statement_admit_values(statement, values, count, err)) &&
          connection->driver->bind(statement->native, values, count, err)) ||
         tuff_statement_refuse_value(statement, err);
}

static tuff_result failed(tuff_statement *statement, const tuff_error *err) {
  statement->failed = err ? err->code : TUFF_MISUSE;
  return TUFF_FAILED;
}

static tuff_result failed_in_engine(tuff_statement *statement, tuff_error *err) {
  map_offset(&statement->tokenized, err);
  tuff_transaction_note_error(statement->connection, statement->shape->readonly, err);
  return failed(statement, err);
}

static void done(tuff_statement *statement) {
  tuff_connection *connection = statement->connection;
  statement->changed =
      statement->shape->readonly ? 0 : connection->driver->changes(statement->native);
  connection->counters.changes += (uint64_t)statement->changed;
  if (tuff_effect_is_control(statement->tokenized.effect))
    tuff_transaction_note_control(connection);
}

tuff_result tuff_statement_step(tuff_statement *statement, tuff_error *err) {
  tuff_connection *connection = statement->connection;
  if (TUFF_UNLIKELY(statement->skipped)) {
    statement->changed = 0;
    return TUFF_DONE;
  }
  uint64_t generation = statement->shape->generation;
  if (TUFF_UNLIKELY(statement->row_generation != generation) &&
      !fit_row(statement, err))
    return failed(statement, err);
  statement->stepping = true;
  connection->stepping++;
  tuff_result result = connection->driver->step(statement->native, statement->row, err);
  connection->stepping--;
  statement->stepping = false;
  if (TUFF_LIKELY(result == TUFF_ROW)) {
    statement->rows++;
    if (TUFF_UNLIKELY(statement->shape->generation != generation)) {
      if (!fit_row(statement, err) ||
          !connection->driver->row(statement->native, statement->row, err))
        return failed(statement, err);
    }
    if (TUFF_UNLIKELY(connection->limited) && !tuff_statement_admit_row(statement, err))
      return failed(statement, err);
    return TUFF_ROW;
  }
  if (result == TUFF_DONE) {
    done(statement);
    return TUFF_DONE;
  }
  return failed_in_engine(statement, err);
}

int64_t tuff_statement_finish_run(tuff_statement *statement, tuff_error *err) {
  tuff_result result;
  do {
    result = tuff_statement_step(statement, err);
  } while (result == TUFF_ROW);
  return result == TUFF_DONE ? statement->changed : -1;
}

/* The end of a run that was timed. */
static void report(tuff_statement *statement) {
  tuff_connection *connection = statement->connection;
  int64_t us = tuff_now_us() - statement->sampled_us;
  connection->counters.sampled_us += (uint64_t)us;
  statement->sampled_us = 0;
  tuff_run_report report = {
      statement->source, statement->size, statement->rows, statement->changed, us,
      statement->failed, statement->own};
  tuff_connection_report(connection, &report);
}

void tuff_statement_rewind(tuff_statement *statement) {
  tuff_connection *connection = statement->connection;
  connection->driver->reset(statement->native);
  connection->counters.rows += statement->rows;
  if (TUFF_UNLIKELY(statement->sampled_us)) report(statement);
  tuff_message_tell(connection);
  statement->rows = 0;
  statement->one = statement->skipped = false;
}

void tuff_statement_release(tuff_statement *statement) {
  if (!statement || statement->connection->forks != tuff_fork_generation()) return;
  tuff_insertion_end(statement->insertion);
  tuff_statement_rewind(statement);
  statement->connection->driver->forget(statement->native);
  if (!statement->busy) return;
  statement->busy = false;
  if (!statement->cached && !statement->owned) tuff_statement_finish(statement);
}

void tuff_statement_finish(tuff_statement *statement) {
  if (!statement || statement->connection->forks != tuff_fork_generation()) return;
  tuff_connection *connection = statement->connection;
  tuff_insertion_end(statement->insertion);
  if (statement->cached) tuff_statement_cache_remove(&connection->cache, statement);
  if (statement->native) connection->driver->finish(statement->native);
  if (statement->next) statement->next->previous = statement->previous;
  *(statement->previous ? &statement->previous->next : &connection->statements) =
      statement->next;
  connection->slots[connection->free_slots++] = statement->slot;
  tuff_tokenized_free(&statement->tokenized);
  tuff_free(statement->row);
  tuff_free(statement->source);
  tuff_free(statement);
}
