/* copy.c: rows by COPY. They are written into a buffer, which is sent piece by piece,
 * so that the server works on one while the next is written. The form is binary as long
 * as types and values have one here, else text, which the server reads as it reads
 * parameters. */
#include <endian.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "postgres/database.h"

enum { PIECE = 64 * 1024 };

static const char binary_form[] = " (format binary)"; /* behind the command */

typedef struct copy {
  tuff_postgres_database *database;
  /* Prepared in this transaction, which keeps the types of the columns from changing:
   * binary forms mean nothing without them. */
  tuff_postgres_statement *insert;
  char *text;       /* of the command */
  size_t text_size; /* without its form */
  bool binary;
  bool open;        /* the server takes rows */
  bool answered;    /* it has said something meanwhile: an error, as likely as not */
  int64_t before;   /* rows of commands that have ended */
  int64_t given;    /* rows of this one, sent or to be sent */
  int64_t inserted; /* by commands that have ended */
  tuff_postgres_parameters out;
} copy;

/* ---- sending ---- */

static bool is_readable(const copy *copy) {
  struct pollfd poller = {.fd = PQsocket(copy->database->handle), .events = POLLIN};
  return poll(&poller, 1, 0) > 0;
}

/* Waits until all is with the system that was handed over before. */
static bool flush(copy *copy, tuff_error *err) {
  tuff_postgres_database *database = copy->database;
  int left;
  while ((left = PQflush(database->handle)) > 0) {
    if (!tuff_postgres_wait(database, true, err)) return false;
    copy->answered = copy->answered || is_readable(copy);
    if (!PQconsumeInput(database->handle))
      return tuff_postgres_fail(database, NULL, err);
  }
  return left == 0 || tuff_postgres_fail(database, NULL, err);
}

/* Hands over what was written. The last piece of it is still on its way afterwards. */
static bool push(copy *copy, tuff_error *err) {
  tuff_postgres_database *database = copy->database;
  if (tuff_postgres_host->stop(database->watch, err)) return false;
  for (size_t at = 0; at < copy->out.size;) {
    size_t size = copy->out.size - at < PIECE ? copy->out.size - at : PIECE;
    if (!flush(copy, err)) return false;
    int put = PQputCopyData(database->handle, copy->out.bytes + at, (int)size);
    if (put == 0) return tuff_postgres_fail_memory(err);
    if (put < 0) return tuff_postgres_fail(database, NULL, err);
    at += size;
  }
  copy->out.size = 0;
  copy->answered = copy->answered || is_readable(copy);
  return PQflush(database->handle) >= 0 || tuff_postgres_fail(database, NULL, err);
}

/* ---- what an error says ---- */

/* Behind the name, in quotes, that the command begins with, as it stands here without
 * them; or NULL. */
static const char *skip_table(const char *command, const char *text) {
  const char *quoted = strchr(command, '"');
  while (quoted && *++quoted) {
    if (*quoted == '"' && *++quoted != '"') return text;
    if (*quoted != *text++) return NULL;
  }
  return NULL;
}

/* The number behind "COPY books, line ", whatever language that is in; or NULL. */
static const char *find_line(const char *command, const char *context) {
  while (context) {
    if (strncmp(context, "COPY ", 5) == 0) {
      const char *rest = skip_table(command, context + 5);
      return rest ? rest + strcspn(rest, "0123456789") : NULL;
    }
    context = strchr(context, '\n');
    if (context) context++;
  }
  return NULL;
}

/* What the function of a type says of a value it quotes, in one way or another. */
static void conceal_quoted(char *message) {
  static const char *const quotes[] = {"\"", "«", "»", "„", "“", "”", "「", "」"};
  char *first = NULL, *last = NULL;
  for (size_t i = 0; i < sizeof quotes / sizeof *quotes; i++) {
    for (char *at = message; (at = strstr(at, quotes[i])); at += strlen(quotes[i])) {
      if (!first || at < first) first = at + strlen(quotes[i]);
      if (!last || at > last) last = at;
    }
  }
  if (!first || last < first) return;
  *first = '?';
  memmove(first + 1, last, strlen(last) + 1);
}

/* The server tells in which row it found the error, and in which column if that is
 * where a value is wrong. */
static void locate(const copy *copy, const PGresult *result, tuff_error *err) {
  const char *context = PQresultErrorField(result, PG_DIAG_CONTEXT);
  const char *line = context ? find_line(copy->text, context) : NULL;
  char *end;
  long long row = line ? strtoll(line, &end, 10) : 0;
  if (row < 1) return;
  err->row = copy->before + row;
  if (*end == ',' && !err->constraint) conceal_quoted(err->message);
}

/* ---- one command ---- */

static bool fail(copy *copy, const PGresult *result, tuff_error *err) {
  bool first = err && err->code == TUFF_OK;
  tuff_postgres_fail(copy->database, result, err);
  if (first && result) {
    locate(copy, result, err);
    tuff_postgres_tell_key(copy->database, result, err); /* inside, it asks nothing */
  }
  return false;
}

/* Reads what the server says to the end of a command. */
static bool hear_end(copy *copy, tuff_error *err) {
  bool good = true;
  PGresult *result;
  do {
    if (!tuff_postgres_result(copy->database, &result, err)) return false;
    if (PQresultStatus(result) == PGRES_COMMAND_OK)
      copy->inserted += strtoll(PQcmdTuples(result), NULL, 10);
    else if (result)
      good = fail(copy, result, err);
    PQclear(result);
  } while (result);
  tuff_postgres_note_state(copy->database);
  return good;
}

static bool start(copy *copy, tuff_error *err) {
  static const char header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0"; /* and a NUL */
  tuff_postgres_database *database = copy->database;
  copy->text[copy->text_size] = '\0';
  if (copy->binary)
    memcpy(copy->text + copy->text_size, binary_form, sizeof binary_form);
  PGresult *result;
  database->wrote = true;
  if (database->lost || !PQsendQuery(database->handle, copy->text))
    return tuff_postgres_fail(database, NULL, err);
  if (!tuff_postgres_flush(database, err) ||
      !tuff_postgres_result(database, &result, err))
    return false;
  copy->open = PQresultStatus(result) == PGRES_COPY_IN;
  if (!copy->open) {
    tuff_postgres_fail(database, result, err);
    tuff_postgres_drain(database, NULL);
  }
  PQclear(result);
  copy->given = 0;
  copy->answered = false;
  copy->out.size = 0;
  return copy->open &&
         (!copy->binary || tuff_postgres_write(&copy->out, header, sizeof header, err));
}

/* Ends the command; reason: why it is given up, NULL: it is not. */
static bool end(copy *copy, const char *reason, tuff_error *err) {
  static const char trailer[] = "\377\377";
  bool good =
      reason || ((!copy->binary || tuff_postgres_write(&copy->out, trailer, 2, err)) &&
                 push(copy, err));
  if (!good) reason = "not all of it was sent";
  copy->open = false;
  if (PQputCopyEnd(copy->database->handle, reason) != 1)
    return tuff_postgres_fail(copy->database, NULL, err);
  good = flush(copy, err) && good;
  good = hear_end(copy, err) && good;
  copy->before += copy->given;
  return good;
}

static bool restart(copy *copy, bool binary, tuff_error *err) {
  if (!end(copy, NULL, err)) return false;
  copy->binary = binary;
  return start(copy, err);
}

/* ---- rows ---- */

static tuff_postgres_field write_field(copy *copy, unsigned column,
                                       const tuff_value *value, tuff_error *err) {
  Oid type = copy->insert->parameter[column];
  if (copy->binary)
    return tuff_postgres_write_binary(&copy->out, type, true, value, err);
  bool good = column == 0 || tuff_postgres_write(&copy->out, "\t", 1, err);
  if (value->kind == TUFF_NULL)
    good = good && tuff_postgres_write(&copy->out, "\\N", 2, err);
  else
    good = good &&
           tuff_postgres_write_text(&copy->out, type, true, value, "\\\n\r\t", err);
  return good ? FIELD_WRITTEN : FIELD_REFUSED;
}

/* All of the row or nothing. */
static tuff_postgres_field write_row(copy *copy, const tuff_value *row,
                                     tuff_error *err) {
  unsigned columns = copy->insert->shape.parameters;
  uint16_t count = htobe16((uint16_t)columns);
  size_t start = copy->out.size;
  tuff_postgres_field field = FIELD_WRITTEN;
  if (copy->binary && !tuff_postgres_write(&copy->out, &count, sizeof count, err))
    return FIELD_REFUSED;
  for (unsigned i = 0; i < columns && field == FIELD_WRITTEN; i++) {
    field = write_field(copy, i, &row[i], err);
    if (field == FIELD_REFUSED && err) err->parameter = (int)i;
  }
  if (field == FIELD_WRITTEN && !copy->binary &&
      !tuff_postgres_write(&copy->out, "\n", 1, err))
    field = FIELD_REFUSED;
  if (field != FIELD_WRITTEN) copy->out.size = start;
  return field;
}

static bool add(void *context, const tuff_value *row, tuff_error *err) {
  copy *copy = context;
  if (copy->answered && !restart(copy, copy->binary, err)) return false;
  tuff_postgres_field field = write_row(copy, row, err);
  if (field == FIELD_TEXTUAL) {
    if (!restart(copy, false, err)) return false;
    field = write_row(copy, row, err);
  }
  if (field != FIELD_WRITTEN) return false;
  copy->given++;
  return copy->out.size < PIECE || push(copy, err);
}

/* ---- its life ---- */

static bool finish(void *context, int64_t *inserted, tuff_error *err) {
  copy *copy = context;
  if (!end(copy, NULL, err)) return false;
  *inserted = copy->inserted;
  return true;
}

static void forget(void *context) {
  const tuff_host *host = tuff_postgres_host;
  copy *copy = context;
  if (copy->open) end(copy, "it was given up", NULL);
  tuff_postgres_finish(copy->insert);
  tuff_postgres_parameters_free(&copy->out);
  host->alloc(copy->text, 0);
  host->alloc(copy, 0);
}

static bool has_binary_rows(const tuff_postgres_statement *insert) {
  for (unsigned i = 0; i < insert->shape.parameters; i++)
    if (!tuff_postgres_field_is_binary(insert->parameter[i])) return false;
  return true;
}

static void *begin(void *insert, const char *text, tuff_error *err) {
  const tuff_host *host = tuff_postgres_host;
  tuff_postgres_statement *statement = insert;
  copy *copy = host->alloc(NULL, sizeof *copy);
  if (!copy) {
    tuff_postgres_fail_memory(err);
    return NULL;
  }
  *copy = (struct copy){.database = statement->database, .text_size = strlen(text)};
  copy->text = host->alloc(NULL, copy->text_size + sizeof binary_form);
  if (copy->text)
    memcpy(copy->text, text, copy->text_size);
  else
    tuff_postgres_fail_memory(err);
  if (copy->text && tuff_postgres_limit_locks(copy->database, err))
    copy->insert =
        tuff_postgres_prepare(copy->database, &statement->sql, TUFF_PREPARE_ONCE, err);
  if (copy->insert) {
    copy->binary = has_binary_rows(copy->insert);
    if (start(copy, err)) return copy;
  }
  forget(copy);
  return NULL;
}

const tuff_bulk tuff_postgres_bulk = {
    .begin = begin, .add = add, .finish = finish, .end = forget};
