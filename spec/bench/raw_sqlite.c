/* The limit: the works of the benchmark in plain C over the same SQLite, opened as an
 * ordinary program opens it. The SQL mirrors workload.lua.
 *
 *   raw_sqlite [--nomutex] describe      title, version of SQLite, works
 *   raw_sqlite [--nomutex] WORK DATABASE COUNT
 *                                        does one work, of so many rows or keys if
 *                                        it has any, and prints what it measured
 *   raw_sqlite create DATABASE           makes the empty table
 *   raw_sqlite generate DATABASE         makes the table of a million rows
 *   raw_sqlite checksum DATABASE         prints a checksum over all of the table */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raw.h"

#define STREAMED "10000000"

#define SQL_TABLE                                                                      \
  "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, score REAL, tag TEXT, n INTEGER)"
#define SQL_INSERT "INSERT INTO t(id, name, score, tag, n) VALUES(?, ?, ?, ?, ?)"
#define SQL_SCAN "SELECT id, name, score, tag, n FROM t"
#define SQL_GET "SELECT id, name, score, tag, n FROM t WHERE id = ?"
#define SQL_UPDATE "UPDATE t SET n = ?, score = ? WHERE id = ?"
#define SQL_WARM "SELECT sum(length(name)), sum(score) FROM t"
#define SQL_STREAM                                                                     \
  "WITH RECURSIVE counter(i) AS ("                                                     \
  " SELECT 1 UNION ALL SELECT i + 1 FROM counter WHERE i < " STREAMED ")"              \
  " SELECT i AS id, 'user_name_' || i AS name, i * 0.5 + 0.25 AS score,"               \
  " 'tag' || (i % 16) AS tag, (i * 7919) % 1000003 AS n FROM counter"

static sqlite3 *db;

/* ---- SQLite, where every failure ends the program ---- */

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, sqlite3_errmsg(db));
  exit(EXIT_FAILURE);
}

static void run(const char *sql) {
  if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) fail(sql);
}

static sqlite3_stmt *prepare(const char *sql) {
  sqlite3_stmt *statement = NULL;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) fail(sql);
  return statement;
}

static sqlite3_stmt *prepare_to_keep(const char *sql) {
  sqlite3_stmt *statement = NULL;
  if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
      SQLITE_OK)
    fail(sql);
  return statement;
}

static void check(bool succeeded, const char *what) {
  if (!succeeded) fail(what);
}

static void open_database(const char *path, int extra_flags) {
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | extra_flags;
  if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK) fail(path);
  run("PRAGMA journal_mode = WAL");
  run("PRAGMA synchronous = NORMAL");
  run("PRAGMA cache_size = -65536");
}

static void close_database(void) {
  if (sqlite3_close(db) != SQLITE_OK) fail("close");
  db = NULL;
}

/* ---- rows ---- */

static void insert_row(sqlite3_stmt *insert, const row *given) {
  sqlite3_bind_int64(insert, 1, given->id);
  sqlite3_bind_text(insert, 2, given->name, given->name_bytes, SQLITE_STATIC);
  sqlite3_bind_double(insert, 3, given->score);
  sqlite3_bind_text(insert, 4, given->tag, given->tag_bytes, SQLITE_STATIC);
  sqlite3_bind_int64(insert, 5, given->n);
  check(sqlite3_step(insert) == SQLITE_DONE, "insert");
  sqlite3_reset(insert);
}

/* The texts are fetched, as a program that uses them would. */
static void add_row(sums *sum, sqlite3_stmt *statement) {
  sum->integers += sqlite3_column_int64(statement, 0);
  if (sqlite3_column_text(statement, 1))
    sum->integers += sqlite3_column_bytes(statement, 1);
  sum->reals += sqlite3_column_double(statement, 2);
  if (sqlite3_column_text(statement, 3))
    sum->integers += sqlite3_column_bytes(statement, 3);
  sum->integers += sqlite3_column_int64(statement, 4);
}

static void warm(void) {
  sqlite3_stmt *statement = prepare(SQL_WARM);
  check(sqlite3_step(statement) == SQLITE_ROW, "warm");
  sqlite3_finalize(statement);
}

/* ---- works: writers close the database, so that a checkpoint that was put off is
 * counted ---- */

static sums insert_rows(int count) {
  row *rows = make_rows(count);
  start();
  run("BEGIN");
  sqlite3_stmt *insert = prepare_to_keep(SQL_INSERT);
  for (int i = 0; i < count; i++) insert_row(insert, &rows[i]);
  sqlite3_finalize(insert);
  run("COMMIT");
  close_database();
  stop();
  free(rows);
  return (sums){0};
}

static sums update_rows(int count) {
  int64_t *keys = make_keys(count);
  warm();
  start();
  run("BEGIN");
  sqlite3_stmt *update = prepare_to_keep(SQL_UPDATE);
  for (int i = 0; i < count; i++) {
    sqlite3_bind_int64(update, 1, i + 1);
    sqlite3_bind_double(update, 2, (i + 1) * 0.5);
    sqlite3_bind_int64(update, 3, keys[i]);
    check(sqlite3_step(update) == SQLITE_DONE, "update");
    sqlite3_reset(update);
  }
  sqlite3_finalize(update);
  run("COMMIT");
  close_database();
  stop();
  free(keys);
  return (sums){0};
}

/* The reference of `all` and `arrays` too, though C keeps none of the rows. */
static sums scan(int unused) {
  (void)unused;
  sums sum = {0};
  int result;
  warm();
  start();
  sqlite3_stmt *statement = prepare(SQL_SCAN);
  while ((result = sqlite3_step(statement)) == SQLITE_ROW) add_row(&sum, statement);
  check(result == SQLITE_DONE, "scan");
  sqlite3_finalize(statement);
  stop();
  return sum;
}

static sums stream(int unused) {
  (void)unused;
  sums sum = {0};
  int result, count = 0;
  start();
  sqlite3_stmt *statement = prepare(SQL_STREAM);
  while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
    add_row(&sum, statement);
    if (++count == STREAM_MARK) settled();
  }
  check(result == SQLITE_DONE, "stream");
  sqlite3_finalize(statement);
  stop();
  return sum;
}

static void read_point(sqlite3_stmt *get, int64_t key, sums *sum) {
  sqlite3_bind_int64(get, 1, key);
  check(sqlite3_step(get) == SQLITE_ROW, "point read");
  add_row(sum, get);
}

static sums point_prepared(int count) {
  sums sum = {0};
  int64_t *keys = make_keys(count);
  warm();
  start();
  sqlite3_stmt *get = prepare_to_keep(SQL_GET);
  for (int i = 0; i < count; i++) {
    read_point(get, keys[i], &sum);
    sqlite3_reset(get);
  }
  sqlite3_finalize(get);
  stop();
  free(keys);
  return sum;
}

static sums read_by_text(const int64_t *keys, int count) {
  sums sum = {0};
  for (int i = 0; i < count; i++) {
    sqlite3_stmt *get = prepare(SQL_GET);
    read_point(get, keys[i], &sum);
    sqlite3_finalize(get);
  }
  return sum;
}

static sums point_text(int count) {
  int64_t *keys = make_keys(count);
  warm();
  start();
  sums sum = read_by_text(keys, count);
  stop();
  free(keys);
  return sum;
}

static sums point_transaction(int count) {
  int64_t *keys = make_keys(count);
  warm();
  start();
  run("BEGIN");
  sums sum = read_by_text(keys, count);
  run("COMMIT");
  stop();
  free(keys);
  return sum;
}

static const work works[] = {
    {"insert", insert_rows, false},
    {"insert_named", insert_rows, false},
    {"insert_many", insert_rows, false},
    {"tuples", scan, true},
    {"rows", scan, true},
    {"point_prepared", point_prepared, true},
    {"point_text", point_text, true},
    {"point_transaction", point_transaction, true},
    {"update", update_rows, false},
    {"all", scan, true},
    {"arrays", scan, true},
    {"stream", stream, true},
};
enum { WORKS = sizeof works / sizeof *works };

/* ---- files for the runner ---- */

static void create(const char *path, int rows) {
  open_database(path, 0);
  run(SQL_TABLE);
  run("BEGIN");
  sqlite3_stmt *insert = prepare(SQL_INSERT);
  for (int i = 1; i <= rows; i++) {
    row made = make_row(i);
    insert_row(insert, &made);
  }
  sqlite3_finalize(insert);
  run("COMMIT");
  close_database();
}

static uint64_t hash(uint64_t before, const void *bytes, size_t count) {
  const unsigned char *at = bytes;
  for (size_t i = 0; i < count; i++) before = (before ^ at[i]) * 0x100000001b3u;
  return before;
}

/* FNV-1a over types and contents, so that a number stored as text is seen too. */
static void print_checksum(const char *path) {
  uint64_t all = 0xcbf29ce484222325u;
  int64_t count = 0;
  int result;
  open_database(path, 0);
  sqlite3_stmt *statement = prepare("SELECT * FROM t ORDER BY id");
  while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
    for (int i = 0; i < sqlite3_column_count(statement); i++) {
      int type = sqlite3_column_type(statement, i);
      all = hash(all, &type, sizeof type);
      const void *bytes = sqlite3_column_blob(statement, i);
      all = hash(all, bytes, (size_t)sqlite3_column_bytes(statement, i));
    }
    count++;
  }
  check(result == SQLITE_DONE, "checksum");
  sqlite3_finalize(statement);
  printf("checksum %lld %016llx\n", (long long)count, (unsigned long long)all);
  close_database();
}

int main(int count, char **arguments) {
  int at = 1, flags = 0;
  if (at < count && strcmp(arguments[at], "--nomutex") == 0) {
    flags = SQLITE_OPEN_NOMUTEX;
    at++;
  }
  const char *name = at < count ? arguments[at] : "";
  const char *path = at + 1 < count ? arguments[at + 1] : NULL;
  if (strcmp(name, "describe") == 0) {
    describe(flags ? "raw C, NOMUTEX" : "raw C", sqlite3_libversion(), works, WORKS);
    return EXIT_SUCCESS;
  }
  if (path) {
    if (strcmp(name, "create") == 0) return create(path, 0), EXIT_SUCCESS;
    if (strcmp(name, "generate") == 0) return create(path, TABLE_ROWS), EXIT_SUCCESS;
    if (strcmp(name, "checksum") == 0) return print_checksum(path), EXIT_SUCCESS;
    const work *found = find_work(works, WORKS, name);
    if (found) {
      open_database(path, flags);
      measure(found, at + 2 < count ? atoi(arguments[at + 2]) : 0);
      return EXIT_SUCCESS;
    }
  }
  fprintf(stderr, "usage: raw_sqlite [--nomutex] describe | WORK DATABASE [COUNT]\n"
                  "       raw_sqlite create | generate | checksum DATABASE\n");
  return 2;
}
