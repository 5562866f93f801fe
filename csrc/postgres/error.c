/* error.c: SQLSTATEs as errors of tuff. */
#include <stdlib.h>
#include <string.h>

#include "postgres/database.h"

typedef struct mapping {
  const char *state; /* of five letters, or the class of two */
  tuff_code code;
  tuff_constraint constraint;
} mapping;

/* Appendix A of PostgreSQL's manual. The first that fits counts: a state stands here
 * only where its class says something else. */
static const mapping mappings[] = {{"23505", TUFF_CONSTRAINT, TUFF_UNIQUE},
                                   {"23502", TUFF_CONSTRAINT, TUFF_NOT_NULL},
                                   {"23514", TUFF_CONSTRAINT, TUFF_CHECK},
                                   {"23503", TUFF_CONSTRAINT, TUFF_FOREIGN_KEY},
                                   {"23", TUFF_CONSTRAINT, TUFF_NO_CONSTRAINT},
                                   /* What a function or a trigger raises. */
                                   {"P0001", TUFF_CONSTRAINT, TUFF_NO_CONSTRAINT},
                                   {"40P01", TUFF_BUSY, 0},
                                   {"40", TUFF_SERIALIZATION, 0},
                                   {"55P03", TUFF_BUSY, 0},
                                   {"25006", TUFF_READONLY, 0},
                                   {"25P02", TUFF_TRANSACTION_ABORTED, 0},
                                   {"25P03", TUFF_TIMEOUT, 0},
                                   {"57014", TUFF_INTERRUPTED, 0},
                                   {"57P", TUFF_CONNECTION, 0},
                                   {"08", TUFF_CONNECTION, 0},
                                   {"28", TUFF_AUTH, 0},
                                   {"3D", TUFF_NOT_FOUND, 0},
                                   {"42501", TUFF_AUTH, 0},
                                   {"42P01", TUFF_NOT_FOUND, 0},
                                   {"42703", TUFF_NOT_FOUND, 0},
                                   {"42883", TUFF_NOT_FOUND, 0},
                                   {"42704", TUFF_NOT_FOUND, 0},
                                   {"3F000", TUFF_NOT_FOUND, 0},
                                   {"42804", TUFF_TYPE, 0},
                                   /* A name twice, or of several things, or a call in
                                    * the wrong place. */
                                   {"42P06", TUFF_MISUSE, 0},
                                   {"42P07", TUFF_MISUSE, 0},
                                   {"42701", TUFF_MISUSE, 0},
                                   {"42702", TUFF_MISUSE, 0},
                                   {"42710", TUFF_MISUSE, 0},
                                   {"42723", TUFF_MISUSE, 0},
                                   {"42803", TUFF_MISUSE, 0},
                                   {"42P20", TUFF_MISUSE, 0},
                                   {"22P02", TUFF_TYPE, 0},
                                   {"22P03", TUFF_TYPE, 0},
                                   {"22P05", TUFF_TYPE, 0},
                                   {"22007", TUFF_TYPE, 0},
                                   {"22008", TUFF_TYPE, 0},
                                   {"22021", TUFF_TYPE, 0},
                                   {"22", TUFF_RANGE, 0},
                                   {"53200", TUFF_MEMORY, 0},
                                   {"53300", TUFF_CONNECTION, 0},
                                   {"53", TUFF_FULL, 0},
                                   {"54", TUFF_RANGE, 0},
                                   {"58", TUFF_IO, 0},
                                   {"0A", TUFF_UNSUPPORTED, 0},
                                   {"XX001", TUFF_CORRUPT, 0},
                                   {"XX002", TUFF_CORRUPT, 0},
                                   {"42", TUFF_SYNTAX, 0}};

static const mapping *find(const char *state) {
  static const mapping other = {"", TUFF_MISUSE, TUFF_NO_CONSTRAINT};
  for (size_t i = 0; i < sizeof mappings / sizeof *mappings; i++)
    if (strncmp(state, mappings[i].state, strlen(mappings[i].state)) == 0)
      return &mappings[i];
  return &other;
}

static void copy(char *to, size_t room, const char *from) {
  size_t size = from ? strlen(from) : 0;
  if (size >= room) size = room - 1;
  if (size) memcpy(to, from, size);
  to[size] = '\0';
}

/* The server counts characters, from 1; here it is bytes. */
int tuff_postgres_offset(const char *sql, const PGresult *result) {
  const char *position =
      result ? PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION) : NULL;
  long wanted = position ? strtol(position, NULL, 10) : 0;
  if (wanted < 1) return -1;
  const char *at = sql;
  for (long character = 1; *at && character < wanted; character++) {
    at++;
    while (((unsigned char)*at & 0xC0) == 0x80) at++;
  }
  return (int)(at - sql);
}

/* The names in `a, "b c"`, with newlines between them. False: it is an expression. */
static bool read_names(const char *at, const char *end, char *out, size_t room) {
  bool quoted = false;
  for (; at < end && room > 1; at++) {
    if (*at == '"') {
      bool doubled = quoted && at[1] == '"';
      if (!doubled) {
        quoted = !quoted;
        continue;
      }
      at++;
    } else if (!quoted && strchr("():", *at)) {
      return false;
    }
    bool between = !quoted && *at == ',';
    *out++ = between ? '\n' : *at;
    if (between && at[1] == ' ') at++;
    room--;
  }
  *out = '\0';
  return at == end;
}

/* "Key (a, b)=(1, 2) already exists.", in whatever language, names the columns of a
 * key. What is "still referenced from" the table that err names is the key of another.
 */
static void name_columns(const char *detail, tuff_error *err) {
  const char *names = detail ? strchr(detail, '(') : NULL;
  const char *end = names ? strstr(names, ")=(") : NULL;
  if (!end) return;
  bool foreign = err->constraint == TUFF_FOREIGN_KEY;
  if (foreign && strstr(strrchr(detail, ')'), err->table)) return;
  if (!read_names(names + 1, end, err->columns, sizeof err->columns))
    err->columns[0] = '\0';
}

static void hint(const char *state, tuff_error *err) {
  const tuff_host *host = tuff_postgres_host;
  if (strcmp(state, "53300") == 0)
    host->hint(err, "the server allows no more connections (max_connections): close "
                    "some, or share them by a pooler");
  if (strstr(err->message, "startup parameter"))
    host->hint(err, "the server is a pooler: open it with pooler = true");
  if (strcmp(state, "28000") == 0)
    host->hint(err, "the server may want TLS (sslmode=require), or let no such user in "
                    "from here: see its pg_hba.conf");
  if (strcmp(state, "55P03") == 0)
    host->hint(err, "another connection kept the lock for longer than busy_timeout; "
                    "make its transactions shorter or wait longer");
  if (err->code == TUFF_SERIALIZATION || strcmp(state, "40P01") == 0)
    host->hint(err, "db:transaction runs the whole function again by itself");
}

bool tuff_postgres_fail_memory(tuff_error *err) {
  tuff_postgres_host->fail(err, TUFF_MEMORY, "out of memory");
  return false;
}

static bool fail_connection(tuff_postgres_database *database, tuff_error *err) {
  const char *message = database->handle ? PQerrorMessage(database->handle) : "";
  size_t size = strcspn(message, "\n");
  database->lost = true;
  tuff_postgres_host->fail(err, TUFF_CONNECTION, "%.*s", (int)(size ? size : 24),
                           size ? message : "the connection was lost");
  if (err) err->retryable = true;
  return false;
}

/* A deadline that the server itself keeps, or has for this role. */
static tuff_code cancelled(const char *message) {
  return message && strstr(message, "timeout") ? TUFF_TIMEOUT : TUFF_INTERRUPTED;
}

static void set_code(const char *state, const char *message, tuff_error *err) {
  const mapping *mapping = find(state);
  tuff_code code =
      mapping->code == TUFF_INTERRUPTED ? cancelled(message) : mapping->code;
  tuff_postgres_host->fail(err, code, "%s", message ? message : state);
  copy(err->sqlstate, sizeof err->sqlstate, state);
  err->constraint = mapping->constraint;
  err->retryable = mapping->code == TUFF_SERIALIZATION || strcmp(state, "40P01") == 0;
}

bool tuff_postgres_fail_unheard(const tuff_postgres_database *database,
                                tuff_error *err) {
  const tuff_host *host = tuff_postgres_host;
  if (database->unheard.code != TUFF_OK)
    *err = database->unheard;
  else
    host->fail(err, TUFF_TRANSACTION_ABORTED,
               "the transaction was rolled back: a statement of it had failed");
  host->hint(err, "it failed in rows of a loop that was left before they were read");
  return false;
}

/* What cannot be dropped or changed because of what: names of objects, never values. */
static void name_dependants(const PGresult *result, tuff_error *err) {
  const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
  if (detail && (strcmp(state, "2BP01") == 0 || strcmp(state, "0A000") == 0))
    tuff_postgres_host->hint(err, "%s", detail);
}

bool tuff_postgres_fail(tuff_postgres_database *database, const PGresult *result,
                        tuff_error *err) {
  const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
  if (tuff_postgres_is_lost(database, result)) database->lost = true;
  if (!state) return fail_connection(database, err);
  if (!err || err->code != TUFF_OK) return false;
  if (strcmp(state, "25P02") == 0 && database->unheard.code != TUFF_OK)
    return tuff_postgres_fail_unheard(database, err);
  set_code(state, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), err);
  err->retryable = err->retryable || database->lost;
  copy(err->table, sizeof err->table, PQresultErrorField(result, PG_DIAG_TABLE_NAME));
  copy(err->columns, sizeof err->columns,
       PQresultErrorField(result, PG_DIAG_COLUMN_NAME));
  copy(err->constraint_name, sizeof err->constraint_name,
       PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME));
  if (err->constraint && !err->columns[0])
    name_columns(PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL), err);
  hint(state, err);
  name_dependants(result, err);
  return false;
}

/* ---- unique or primary key ---- */

/* The name that the server gives to a primary key: table_pkey, or table_pkey1. */
static bool has_default_name(const char *name) {
  size_t size = strlen(name);
  while (size > 0 && name[size - 1] >= '0' && name[size - 1] <= '9') size--;
  return size >= 5 && strncmp(name + size - 5, "_pkey", 5) == 0;
}

static bool ask_for_key(tuff_postgres_database *database, const PGresult *failed,
                        bool *primary) {
  static const char sql[] =
      "SELECT 1 FROM pg_catalog.pg_constraint c "
      "JOIN pg_catalog.pg_class t ON t.oid = c.conrelid "
      "JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace "
      "WHERE c.contype = 'p' AND c.conname = $1 AND t.relname = $2 AND n.nspname = $3";
  const char *names[] = {PQresultErrorField(failed, PG_DIAG_CONSTRAINT_NAME),
                         PQresultErrorField(failed, PG_DIAG_TABLE_NAME),
                         PQresultErrorField(failed, PG_DIAG_SCHEMA_NAME)};
  PGresult *result = NULL;
  bool asked =
      PQsendQueryParams(database->handle, sql, 3, NULL, names, NULL, NULL, 0) &&
      tuff_postgres_flush(database, NULL) &&
      tuff_postgres_result(database, &result, NULL);
  bool told = asked && PQresultStatus(result) == PGRES_TUPLES_OK;
  *primary = told && PQntuples(result) > 0;
  PQclear(result);
  return asked && tuff_postgres_drain(database, NULL) && told;
}

/* The server tells both by one SQLSTATE. Where the connection is free, its catalogue is
 * asked. In a transaction, which has failed, nothing can be asked, and to know the keys
 * beforehand would cost every statement; there the name decides that the server gives
 * where the table gives none. */
void tuff_postgres_tell_key(tuff_postgres_database *database, const PGresult *failed,
                            tuff_error *err) {
  if (!err || err->constraint != TUFF_UNIQUE || !err->constraint_name[0]) return;
  bool primary = has_default_name(err->constraint_name);
  bool free = !database->lost && !database->inside;
  bool exact;
  if (free && ask_for_key(database, failed, &exact)) primary = exact;
  if (primary) err->constraint = TUFF_PRIMARY_KEY;
}

/* ---- connections that could not be made ---- */

/* A refusal reads, in libpq's verbose form, `… failed: FATAL:  28P01: password …`, with
 * the severity in the server's language. Gives where the state stands, or NULL. */
static const char *find_state(const char *message) {
  static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (const char *at = strstr(message, ":  "); at; at = strstr(at + 1, ":  "))
    if (strspn(at + 3, letters) == 5 && at[8] == ':' && at[9] == ' ') return at + 3;
  return NULL;
}

bool tuff_postgres_fail_to_connect(tuff_postgres_database *database,
                                   const char *password, tuff_error *err) {
  enum { STATE = 5, AFTER_STATE = 7 };
  bool wanted = PQconnectionNeedsPassword(database->handle); /* and none was given */
  char message[400], state[STATE + 1];
  copy(state, sizeof state, wanted ? "28P01" : "08006");
  copy(message, sizeof message, PQerrorMessage(database->handle));
  message[strcspn(message, "\n")] = '\0';
  char *found = (char *)(uintptr_t)find_state(message);
  if (found) {
    memcpy(state, found, STATE);
    memmove(found, found + AFTER_STATE, strlen(found + AFTER_STATE) + 1);
  }
  if (!err || err->code != TUFF_OK) return false;
  set_code(state, message, err);
  if (!found) err->sqlstate[0] = '\0';
  tuff_value secret = {.kind = TUFF_TEXT, .bytes = password, .size = strlen(password)};
  tuff_postgres_host->conceal(err, &secret, 1);
  hint(state, err);
  return false;
}
