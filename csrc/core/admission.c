/* admission.c: every refusal comes before the engine is asked, but for the size of a
 * row, which is only known when it is there. */
#include "core/admission.h"

#include "core/connection.h"
#include "core/error.h"
#include "core/function.h"
#include "core/host.h"

/* ---- what the state of the connection forbids ---- */

bool tuff_statement_refuse_control(tuff_error *err) {
  tuff_fail(err, TUFF_MISUSE,
            "BEGIN, COMMIT, ROLLBACK and SAVEPOINT cannot be written by hand inside "
            "db:transaction, db:read, db:begin or a migration");
  tuff_error_hint(err, "nest db:transaction, or raise an error to roll back");
  return false;
}

/* A script's own BEGIN, COMMIT and the like. */
static bool admit_control(tuff_statement *statement, tuff_error *err) {
  tuff_connection *connection = statement->connection;
  tuff_transaction *transaction = &connection->transaction;
  if (transaction->depth > 0) return tuff_statement_refuse_control(err);
  if (!transaction->failed) return true;
  /* The engine has rolled back: a ROLLBACK has nothing to do, anything else is late. */
  tuff_lexer lexer = {statement->source, statement->source + statement->size,
                      &connection->driver->dialect};
  tuff_token word;
  do {
    word = tuff_lexer_next(&lexer);
  } while (word.kind == TUFF_TOKEN_SPACE);
  statement->skipped = tuff_token_is(&word, "rollback");
  if (!statement->skipped) tuff_transaction_refuse(transaction, err);
  transaction->failed = transaction->manual = false;
  return statement->skipped;
}

static bool refuse_reserved(tuff_error *err) {
  tuff_fail(err, TUFF_AUTH, "tables whose name begins with tuff_ are tuff's own");
  tuff_error_hint(err,
                  "they can be read; what stands in them is changed by the methods "
                  "of migrations and settings");
  return false;
}

bool tuff_statement_admit(tuff_statement *statement, tuff_error *err) {
  tuff_connection *connection = statement->connection;
  const tuff_transaction *transaction = &connection->transaction;
  if (!tuff_transaction_clear(connection, err)) return false;
  if (!tuff_transaction_notice_end(connection, err)) return false;
  if (tuff_effect_is_control(statement->tokenized.effect)) {
    if (!admit_control(statement, err)) return false;
  } else if (transaction->failed) {
    return tuff_transaction_refuse(transaction, err);
  }
  connection->watch.started_us = 0;
  if (connection->watch.deadline_us && tuff_watch_stop(&connection->watch, err))
    return false;
  bool reads =
      statement->shape->readonly && statement->tokenized.effect != TUFF_EFFECT_OUTSIDE;
  if (reads && statement->tokenized.effect == TUFF_EFFECT_NONE) return true;
  if (!tuff_function_admits(connection, err)) return false;
  if (reads) return tuff_connection_settle(connection, err);
  if (connection->readonly) {
    tuff_fail(err, TUFF_READONLY, "this connection was opened for reading only");
    return false;
  }
  if (statement->tokenized.reserved && !statement->own) return refuse_reserved(err);
  if (transaction->readonly) {
    tuff_fail(err, TUFF_READONLY, "db:read only reads");
    tuff_error_hint(err, "write inside db:transaction");
    return false;
  }
  return tuff_connection_settle(connection, err);
}

/* ---- what the limits given at open forbid ---- */

bool tuff_sql_admit(const tuff_connection *connection, size_t size, tuff_error *err) {
  if (size <= connection->sql_bytes || connection->own) return true;
  tuff_fail(err, TUFF_RANGE,
            "the SQL text is %zu bytes long, the limit given at open is %zu", size,
            connection->sql_bytes);
  return false;
}

static bool refuse_size(const tuff_statement *statement, const char *what, size_t size,
                        tuff_error *err) {
  tuff_fail(err, TUFF_RANGE, "%s is %zu bytes long, the limit given at open is %zu",
            what, size, statement->connection->value_bytes);
  return false;
}

static size_t longest_of(const tuff_value *value) {
  size_t longest = tuff_value_has_bytes(value) ? value->size : 0;
  for (size_t i = 0; value->kind == TUFF_ARRAY && i < value->size; i++) {
    size_t size = longest_of(&value->items[i]);
    if (size > longest) longest = size;
  }
  return longest;
}

bool tuff_statement_admit_values(const tuff_statement *statement,
                                 const tuff_value *values, unsigned count,
                                 tuff_error *err) {
  /* What tuff writes into its own tables is not of the script. */
  bool reserved = statement->tokenized.reserved;
  if (statement->own && (statement->shape->readonly || reserved)) return true;
  for (unsigned i = 0; i < count; i++) {
    size_t size = longest_of(&values[i]);
    if (size <= statement->connection->value_bytes) continue;
    refuse_size(statement, "the value", size, err);
    err->parameter = (int)i;
    return false;
  }
  return true;
}

bool tuff_statement_admit_row(const tuff_statement *statement, tuff_error *err) {
  const tuff_connection *connection = statement->connection;
  if (!statement->shape->readonly || statement->own) return true;
  if (statement->rows > connection->result_rows) {
    tuff_fail(err, TUFF_RANGE,
              "the result has more than %llu rows, the limit given at open",
              (unsigned long long)connection->result_rows);
    return false;
  }
  for (unsigned i = 0; i < statement->shape->columns; i++) {
    size_t size = longest_of(&statement->row[i]);
    if (size > connection->value_bytes)
      return refuse_size(statement, "a value of the result", size, err);
  }
  return true;
}
