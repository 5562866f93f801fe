/* error.c: SQLite's result codes and messages as errors of tuff. */
#include <string.h>

#include "sqlite/database.h"

static tuff_code code_of(int result, const char *message) {
  switch (result & 0xFF) {
    case SQLITE_BUSY:
      return result == SQLITE_BUSY_SNAPSHOT ? TUFF_SERIALIZATION : TUFF_BUSY;
    case SQLITE_LOCKED: return TUFF_BUSY;
    case SQLITE_NOMEM: return TUFF_MEMORY;
    case SQLITE_READONLY: return TUFF_READONLY;
    case SQLITE_INTERRUPT: return TUFF_INTERRUPTED;
    case SQLITE_ABORT: return TUFF_TRANSACTION_ABORTED; /* rolled back under it */
    case SQLITE_IOERR: return result == SQLITE_IOERR_NOMEM ? TUFF_MEMORY : TUFF_IO;
    case SQLITE_CORRUPT: return TUFF_CORRUPT;
    case SQLITE_NOTFOUND: return TUFF_NOT_FOUND;
    case SQLITE_FULL: return TUFF_FULL;
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
    case SQLITE_NOLFS:
    case SQLITE_PERM: return TUFF_IO;
    case SQLITE_TOOBIG:
    case SQLITE_RANGE: return TUFF_RANGE;
    case SQLITE_CONSTRAINT:
      return result == SQLITE_CONSTRAINT_DATATYPE ? TUFF_TYPE : TUFF_CONSTRAINT;
    case SQLITE_MISMATCH: return TUFF_TYPE;
    case SQLITE_AUTH: return TUFF_AUTH;
    case SQLITE_NOTADB: return TUFF_NOTADB;
    default: break;
  }
  /* SQLITE_ERROR is everything else: the message tells what. */
  if (strncmp(message, "no such ", 8) == 0 || strstr(message, "has no column named") ||
      strncmp(message, "unknown database", 16) == 0 ||
      strncmp(message, "wrong number of arguments to function", 37) == 0)
    return TUFF_NOT_FOUND; /* of functions, by name and number of arguments */
  if (strncmp(message, "cannot open value of type", 25) == 0) return TUFF_TYPE;
  if (strncmp(message, "cannot open ", 12) == 0) return TUFF_UNSUPPORTED; /* a stream */
  if (strstr(message, "syntax error") || strstr(message, "incomplete input") ||
      strncmp(message, "unrecognized token", 18) == 0)
    return TUFF_SYNTAX;
  if (strcmp(message, "integer overflow") == 0 || strstr(message, "too many ") ||
      strstr(message, "too large") || strstr(message, "too big") ||
      strstr(message, "stack overflow"))
    return TUFF_RANGE;
  if (strcmp(message, "not authorized") == 0) return TUFF_AUTH;
  if (strstr(message, "malformed JSON")) return TUFF_TYPE;
  if (strstr(message, "values for") || strstr(message, "values were supplied") ||
      strstr(message, "do not have the same number of result columns"))
    return TUFF_SYNTAX;
  return TUFF_MISUSE;
}

static tuff_constraint constraint_of(int result) {
  switch (result) {
    case SQLITE_CONSTRAINT_UNIQUE: return TUFF_UNIQUE;
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID: return TUFF_PRIMARY_KEY;
    case SQLITE_CONSTRAINT_NOTNULL: return TUFF_NOT_NULL;
    case SQLITE_CONSTRAINT_CHECK: return TUFF_CHECK;
    case SQLITE_CONSTRAINT_FOREIGNKEY: return TUFF_FOREIGN_KEY;
    default: return TUFF_NO_CONSTRAINT;
  }
}

static void copy(char *to, size_t room, const char *from, size_t size) {
  if (size >= room) size = room - 1;
  memcpy(to, from, size);
  to[size] = '\0';
}

/* "table.a, table.b" */
static void name_columns(const char *list, tuff_error *err) {
  const char *dot = strchr(list, '.');
  if (!dot) return;
  size_t prefix = (size_t)(dot + 1 - list);
  copy(err->table, sizeof err->table, list, prefix - 1);
  size_t used = 0;
  while (list) {
    const char *next = strstr(list, ", ");
    size_t size = next ? (size_t)(next - list) : strlen(list);
    if (size > prefix && used + size - prefix + 2 < sizeof err->columns) {
      if (used) err->columns[used++] = '\n';
      memcpy(err->columns + used, list + prefix, size - prefix);
      used += size - prefix;
      err->columns[used] = '\0';
    }
    list = next ? next + 2 : NULL;
  }
}

/* What follows "… constraint failed: " names columns, an index, or the constraint. */
static void name_constraint(const char *message, tuff_error *err) {
  static const char failed[] = "constraint failed: ";
  const char *what = strstr(message, failed);
  if (!what) return;
  what += sizeof failed - 1;
  if (err->constraint == TUFF_CHECK) {
    copy(err->constraint_name, sizeof err->constraint_name, what, strlen(what));
  } else if (strncmp(what, "index '", 7) == 0 && strlen(what) > 8) {
    copy(err->constraint_name, sizeof err->constraint_name, what + 7, strlen(what) - 8);
  } else {
    name_columns(what, err);
  }
}

/* A function of the script stands where its definition does not allow it. */
static void hint_function(tuff_error *err) {
  if (strncmp(err->message, "unsafe use of ", 14) == 0)
    tuff_sqlite_host->hint(err, "a function that triggers, views, checks or indexes "
                                "call is defined with schema = true");
  else if (strstr(err->message, "non-deterministic "))
    tuff_sqlite_host->hint(err,
                           "a function whose results depend on its arguments alone "
                           "is defined with deterministic = true");
}

static void hint(int result, tuff_error *err) {
  const tuff_host *host = tuff_sqlite_host;
  switch (err->code) {
    case TUFF_BUSY:
      if ((result & 0xFF) == SQLITE_LOCKED) break;
      host->hint(err, "another connection kept the database locked for longer than "
                      "busy_timeout; make its transactions shorter or wait longer");
      break;
    case TUFF_SERIALIZATION:
      host->hint(err,
                 "somebody wrote after this transaction began to read; begin it with "
                 "db:transaction, which locks before it reads");
      break;
    case TUFF_MISUSE: hint_function(err); break;
    case TUFF_FULL: host->hint(err, "free some space, then run it again"); break;
    case TUFF_READONLY:
      if (result == SQLITE_READONLY_ROLLBACK)
        host->hint(err, "a transaction was cut off there: open it for writing once, "
                        "which undoes that");
      break;
    case TUFF_CORRUPT:
      host->hint(
          err, "keep the file as it is, together with its -wal, and restore a backup");
      break;
    default: break;
  }
}

bool tuff_sqlite_fail(tuff_sqlite_database *database, int result, tuff_error *err) {
  if (!err || err->code != TUFF_OK) return false;
  const tuff_host *host = tuff_sqlite_host;
  const char *message = sqlite3_errmsg(database->handle);
  int extended = sqlite3_extended_errcode(database->handle);
  if ((extended & 0xFF) != (result & 0xFF)) {
    extended = result; /* the handle has moved on, or there is none */
    message = sqlite3_errstr(result);
  }
  /* A statement with RETURNING that breaks a foreign key is told so in words only. */
  if (extended == SQLITE_ERROR && strcmp(message, "FOREIGN KEY constraint failed") == 0)
    extended = SQLITE_CONSTRAINT_FOREIGNKEY;
  bool waited = (extended & 0xFF) == SQLITE_BUSY && database->gave_up;
  if ((extended & 0xFF) == SQLITE_INTERRUPT || waited)
    host->stop(database->watch, err); /* it was the watch, which knows why */
  if (extended == SQLITE_AUTH && database->denied[0]) {
    host->fail(err, TUFF_AUTH, "%s", database->denied);
    database->denied[0] = '\0';
  }
  tuff_code code = code_of(extended, message);
  /* What follows is a piece of a value. */
  if (strncmp(message, "JSON path error", 15) == 0) message = "JSON path error";
  host->fail(err, code, "%s", message);
  err->native = extended;
  err->offset = sqlite3_error_offset(database->handle);
  err->retryable = err->code == TUFF_SERIALIZATION;
  if (err->code == TUFF_CONSTRAINT) {
    err->constraint = constraint_of(extended);
    name_constraint(message, err);
  }
  hint(extended, err);
  return false;
}

void tuff_sqlite_name_path(const tuff_options *options, tuff_error *err) {
  if (strncmp(err->message, "cannot open", 11) != 0)
    tuff_sqlite_host->context(err, "cannot open \"%.200s\": ", options->path);
}

bool tuff_sqlite_fail_memory(tuff_error *err) {
  tuff_sqlite_host->fail(err, TUFF_MEMORY, "out of memory");
  return false;
}

/* What was written may be found again by recovery. Of several files with logs of their
 * own, the first may have committed when the second cannot. */
void tuff_sqlite_fail_commit(const tuff_sqlite_database *database, tuff_error *err) {
  if (!err) return;
  bool several = database->main.next != NULL;
  err->unknown = err->code == TUFF_IO ||
                 (several && (err->code == TUFF_FULL || err->code == TUFF_MEMORY));
}
