/* The limit on PostgreSQL: the works of the benchmark in plain C over libpq, with
 * values in binary form in both directions.
 *
 *   raw_postgres describe          title, version of libpq, works
 *   raw_postgres WORK URL COUNT    does one work, of so many rows or keys if it has
 *                                  any, and prints what it measured */
#include <endian.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raw.h"

#define SQL_INSERT "INSERT INTO t(id, name, score, tag, n) VALUES($1, $2, $3, $4, $5)"
#define SQL_COPY "COPY t(id, name, score, tag, n) FROM STDIN BINARY"
#define SQL_UPSERT                                                                     \
  "INSERT INTO t(id, name, score, tag, n)"                                             \
  " SELECT * FROM unnest($1::bigint[], $2::text[], $3::float8[], $4::text[],"          \
  " $5::bigint[]) ON CONFLICT (id) DO UPDATE SET name = excluded.name,"                \
  " score = excluded.score, tag = excluded.tag, n = excluded.n"
#define SQL_SCAN "SELECT id, name, score, tag, n FROM t"
#define SQL_GET "SELECT id, name, score, tag, n FROM t WHERE id = $1"
#define SQL_WARM "SELECT sum(length(name)), sum(score) FROM t"

enum { COLUMNS = 5, BINARY = 1 };
enum { COPY_CHUNK = 64 * 1024, UPSERT_CHUNK = 1000 };
enum { INT8_TYPE = 20, TEXT_TYPE = 25, FLOAT8_TYPE = 701 }; /* of pg_type.dat */

static PGconn *db;

/* ---- libpq, where every failure ends the program ---- */

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, PQerrorMessage(db));
  exit(EXIT_FAILURE);
}

static void check(bool succeeded, const char *what) {
  if (!succeeded) fail(what);
}

static void finish(PGresult *result, ExecStatusType expected, const char *what) {
  check(PQresultStatus(result) == expected, what);
  PQclear(result);
}

static void run(const char *sql) { finish(PQexec(db, sql), PGRES_COMMAND_OK, sql); }

static void prepare(const char *sql) {
  finish(PQprepare(db, "prepared", sql, 0, NULL), PGRES_COMMAND_OK, sql);
}

static void open_database(const char *url) {
  db = PQconnectdb(url);
  check(PQstatus(db) == CONNECTION_OK, "connect");
}

/* ---- values in binary form ---- */

typedef struct parameters {
  const char *values[COLUMNS];
  int sizes[COLUMNS], formats[COLUMNS];
  uint64_t numbers[COLUMNS];
} parameters;

static void give(parameters *given, int at, const void *bytes, int size) {
  given->values[at] = bytes;
  given->sizes[at] = size;
  given->formats[at] = BINARY;
}

static void give_integer(parameters *given, int at, int64_t value) {
  given->numbers[at] = htobe64((uint64_t)value);
  give(given, at, &given->numbers[at], sizeof given->numbers[at]);
}

static uint64_t bits_of(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static void give_row(parameters *given, const row *row) {
  give_integer(given, 0, row->id);
  give(given, 1, row->name, row->name_bytes);
  give_integer(given, 2, (int64_t)bits_of(row->score));
  give(given, 3, row->tag, row->tag_bytes);
  give_integer(given, 4, row->n);
}

static void insert_row(const row *row) {
  parameters given;
  give_row(&given, row);
  finish(PQexecPrepared(db, "prepared", COLUMNS, given.values, given.sizes,
                        given.formats, BINARY),
         PGRES_COMMAND_OK, "insert");
}

static uint64_t read64(const PGresult *result, int column) {
  uint64_t value;
  memcpy(&value, PQgetvalue(result, 0, column), sizeof value);
  return be64toh(value);
}

static void add_row(sums *sum, const PGresult *result) {
  uint64_t bits = read64(result, 2);
  double score;
  memcpy(&score, &bits, sizeof score);
  sum->integers += (int64_t)read64(result, 0);
  if (PQgetvalue(result, 0, 1)) sum->integers += PQgetlength(result, 0, 1);
  sum->reals += score;
  if (PQgetvalue(result, 0, 3)) sum->integers += PQgetlength(result, 0, 3);
  sum->integers += (int64_t)read64(result, 4);
}

static void warm(void) { finish(PQexec(db, SQL_WARM), PGRES_TUPLES_OK, "warm"); }

/* ---- a block of bytes, for COPY and for arrays ---- */

typedef struct block {
  char *bytes;
  size_t size, room;
} block;

static void put(block *to, const void *bytes, size_t size) {
  if (to->size + size > to->room) {
    to->room = (to->room + size) * 2;
    to->bytes = realloc(to->bytes, to->room);
    check(to->bytes != NULL, "memory for a block");
  }
  memcpy(to->bytes + to->size, bytes, size);
  to->size += size;
}

static void put16(block *to, int value) {
  uint16_t big = htobe16((uint16_t)value);
  put(to, &big, sizeof big);
}

static void put32(block *to, int value) {
  uint32_t big = htobe32((uint32_t)value);
  put(to, &big, sizeof big);
}

static void put_field(block *to, const void *bytes, int size) {
  put32(to, size);
  put(to, bytes, (size_t)size);
}

static void put_number(block *to, uint64_t bits) {
  uint64_t big = htobe64(bits);
  put_field(to, &big, sizeof big);
}

static void put_column(block *to, const row *row, int column) {
  switch (column) {
    case 0: put_number(to, (uint64_t)row->id); break;
    case 1: put_field(to, row->name, row->name_bytes); break;
    case 2: put_number(to, bits_of(row->score)); break;
    case 3: put_field(to, row->tag, row->tag_bytes); break;
    default: put_number(to, (uint64_t)row->n); break;
  }
}

/* ---- works that write ---- */

static sums insert_rows(int count) {
  row *rows = make_rows(count);
  start();
  run("BEGIN");
  prepare(SQL_INSERT);
  for (int i = 0; i < count; i++) insert_row(&rows[i]);
  run("COMMIT");
  PQfinish(db);
  stop();
  free(rows);
  return (sums){0};
}

static sums insert_in_transactions(int count) {
  row *rows = make_rows(count);
  start();
  prepare(SQL_INSERT);
  for (int i = 0; i < count; i++) {
    run("BEGIN");
    insert_row(&rows[i]);
    run("COMMIT");
  }
  PQfinish(db);
  stop();
  free(rows);
  return (sums){0};
}

static void send_copied(block *buffer) {
  check(PQputCopyData(db, buffer->bytes, (int)buffer->size) == 1, "copy");
  buffer->size = 0;
}

static sums copy_rows(int count) {
  static const char header[19] = "PGCOPY\n\377\r\n"; /* and no flags, no extension */
  row *rows = make_rows(count);
  block buffer = {0};
  start();
  finish(PQexec(db, SQL_COPY), PGRES_COPY_IN, SQL_COPY);
  put(&buffer, header, sizeof header);
  for (int i = 0; i < count; i++) {
    put16(&buffer, COLUMNS);
    for (int column = 0; column < COLUMNS; column++)
      put_column(&buffer, &rows[i], column);
    if (buffer.size >= COPY_CHUNK) send_copied(&buffer);
  }
  put16(&buffer, -1);
  send_copied(&buffer);
  check(PQputCopyEnd(db, NULL) == 1, "the end of copy");
  finish(PQgetResult(db), PGRES_COMMAND_OK, "copy");
  PQfinish(db);
  stop();
  free(buffer.bytes);
  free(rows);
  return (sums){0};
}

/* One dimension without NULLs, counted from 1. */
static void put_array(block *to, const row *rows, int count, int column) {
  static const int types[COLUMNS] = {INT8_TYPE, TEXT_TYPE, FLOAT8_TYPE, TEXT_TYPE,
                                     INT8_TYPE};
  put32(to, 1);
  put32(to, 0);
  put32(to, types[column]);
  put32(to, count);
  put32(to, 1);
  for (int i = 0; i < count; i++) put_column(to, &rows[i], column);
}

static void upsert_chunk(block *arrays, const row *rows, int count) {
  parameters given;
  for (int column = 0; column < COLUMNS; column++) {
    arrays[column].size = 0;
    put_array(&arrays[column], rows, count, column);
    give(&given, column, arrays[column].bytes, (int)arrays[column].size);
  }
  finish(PQexecPrepared(db, "prepared", COLUMNS, given.values, given.sizes,
                        given.formats, BINARY),
         PGRES_COMMAND_OK, "upsert");
}

static sums upsert(int count) {
  row *rows = make_rows_to_upsert(count);
  block arrays[COLUMNS] = {{0}};
  warm();
  start();
  run("BEGIN");
  prepare(SQL_UPSERT);
  for (int i = 0; i < count; i += UPSERT_CHUNK)
    upsert_chunk(arrays, &rows[i], count - i < UPSERT_CHUNK ? count - i : UPSERT_CHUNK);
  run("COMMIT");
  PQfinish(db);
  stop();
  for (int column = 0; column < COLUMNS; column++) free(arrays[column].bytes);
  free(rows);
  return (sums){0};
}

/* ---- works that read ---- */

/* The reference of `all` too, though C keeps none of the rows. */
static sums scan(int unused) {
  (void)unused;
  sums sum = {0};
  PGresult *result;
  warm();
  start();
  check(PQsendQueryParams(db, SQL_SCAN, 0, NULL, NULL, NULL, NULL, BINARY) &&
            PQsetSingleRowMode(db),
        "scan");
  while ((result = PQgetResult(db)) && PQresultStatus(result) == PGRES_SINGLE_TUPLE) {
    add_row(&sum, result);
    PQclear(result);
  }
  finish(result, PGRES_TUPLES_OK, "scan");
  check(PQgetResult(db) == NULL, "the end of the scan");
  stop();
  return sum;
}

static void add_point(sums *sum, PGresult *result) {
  check(PQntuples(result) == 1, "point read");
  add_row(sum, result);
  PQclear(result);
}

static sums point_prepared(int count) {
  sums sum = {0};
  int64_t *keys = make_keys(count);
  warm();
  start();
  prepare(SQL_GET);
  for (int i = 0; i < count; i++) {
    parameters given;
    give_integer(&given, 0, keys[i]);
    add_point(&sum, PQexecPrepared(db, "prepared", 1, given.values, given.sizes,
                                   given.formats, BINARY));
  }
  stop();
  free(keys);
  return sum;
}

static sums point_text(int count) {
  sums sum = {0};
  int64_t *keys = make_keys(count);
  warm();
  start();
  for (int i = 0; i < count; i++) {
    parameters given;
    give_integer(&given, 0, keys[i]);
    add_point(&sum, PQexecParams(db, SQL_GET, 1, NULL, given.values, given.sizes,
                                 given.formats, BINARY));
  }
  stop();
  free(keys);
  return sum;
}

static const work works[] = {
    {"insert", insert_rows, false},
    {"insert_many", copy_rows, false},
    {"upsert", upsert, false},
    {"insert_transaction", insert_in_transactions, false},
    {"tuples", scan, true},
    {"rows", scan, true},
    {"all", scan, true},
    {"point_prepared", point_prepared, true},
    {"point_text", point_text, true},
};
enum { WORKS = sizeof works / sizeof *works };

static void describe_this(void) {
  char version[16];
  snprintf(version, sizeof version, "%d.%d", PQlibVersion() / 10000,
           PQlibVersion() % 10000);
  describe("raw C", version, works, WORKS);
}

int main(int count, char **arguments) {
  const char *name = count > 1 ? arguments[1] : "";
  const work *found = find_work(works, WORKS, name);
  if (strcmp(name, "describe") == 0) {
    describe_this();
    return EXIT_SUCCESS;
  }
  if (found && count > 2) {
    open_database(arguments[2]);
    measure(found, count > 3 ? atoi(arguments[3]) : 0);
    return EXIT_SUCCESS;
  }
  fprintf(stderr, "usage: raw_postgres describe | WORK URL [COUNT]\n");
  return 2;
}
