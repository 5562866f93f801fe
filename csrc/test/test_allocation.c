/* test_allocation.c: the n-th allocation fails, for every n until the work passes:
 * first those of the core and the driver, then those of SQLite. The error says so,
 * nothing leaks, nothing half done is kept, and the connection goes on. */
#include "test/bulk.h"
#include "test/failing.h"
#include "test/scratch.h"

static tuff_connection connection;

/* ---- what is tried: work that is all done, or not at all ---- */

typedef struct work {
  const char *name;
  bool (*run)(tuff_error *err);
  bool (*is_done)(void);   /* afterwards, whether all of it is there */
  bool (*is_undone)(void); /* or none of it */
} work;

static const char tables[] =
    "create table t(id integer primary key, text text, price decimal integer(10,2), "
    "data json text, bytes blob, flag boolean integer);"
    "create table u(x unique);"
    "insert into u values (1), (2), (3)";

static int64_t count_of(const char *table) {
  char sql[64];
  snprintf(sql, sizeof sql, "select count(*) from %s", table);
  return query(&connection, sql);
}

static bool has_no_row(void) { return count_of("t") == 0 && count_of("u") == 3; }

static bool run_query(tuff_error *err) {
  static const char sql[] =
      "select x, :a, zeroblob(5000), hex(randomblob(4000)), cast(x as text) || :b "
      "from u where x in :list order by 5 desc";
  tuff_value items[] = {{.kind = TUFF_INTEGER, .integer = 1},
                        {.kind = TUFF_INTEGER, .integer = 3}};
  tuff_value values[] = {{.kind = TUFF_INTEGER, .integer = 7},
                         {.kind = TUFF_TEXT, .bytes = "b", .size = 1},
                         {.kind = TUFF_ARRAY, .items = items, .size = 2}};
  tuff_statement *statement =
      tuff_statement_checkout(&connection, sql, sizeof sql - 1, err);
  int64_t rows = 0;
  tuff_result result = TUFF_FAILED;
  if (statement && tuff_statement_start(statement, values, 3, err)) {
    while ((result = tuff_statement_step(statement, err)) == TUFF_ROW) {
      const tuff_value *row = statement->row;
      /* Never a value that is not there. */
      rows += row[0].integer == 3 - 2 * rows && row[1].integer == 7 &&
              row[2].size == 5000 && row[2].bytes && row[2].bytes[4999] == 0 &&
              row[3].size == 8000 && row[3].bytes && row[3].bytes[7999] &&
              row[4].size == 2 && row[4].bytes && row[4].bytes[1] == 'b';
    }
  }
  tuff_statement_release(statement);
  if (result == TUFF_DONE) expect_equal(rows, 2);
  return result == TUFF_DONE;
}

static bool run_script(tuff_error *err) {
  return try_exec(&connection,
                  "insert into u values (4); insert into t(text) values ('a'); "
                  "create table w(x); insert into u select x + 10 from u",
                  err);
}

static bool script_is_done(void) { return count_of("u") == 8 && count_of("w") == 0; }

static bool script_is_undone(void) {
  return has_no_row() &&
         query(&connection, "select count(*) from sqlite_schema where name = 'w'") == 0;
}

/* Values that are converted for the columns they go to, named or counted. */
static bool run_inserts(tuff_error *err) {
  static const char *const inserts[] = {
      "insert into t(id, text, price, data, bytes, flag) values (?, ?, ?, ?, ?, ?)",
      "insert into t values (?, ?, ?, ?, ?, ?)"};
  uint64_t serial = tuff_transaction_begin(&connection, TUFF_WRITE, 0, err);
  bool done = serial != 0;
  for (int i = 0; done && i < 20; i++) {
    tuff_value values[] = {{.kind = TUFF_NULL},
                           {.kind = TUFF_TEXT, .bytes = "text", .size = 4},
                           {.kind = TUFF_TEXT, .bytes = "1.50", .size = 4},
                           {.kind = TUFF_TEXT, .bytes = "[1, 2]", .size = 6},
                           {.kind = TUFF_TEXT, .bytes = "\xFF\x00", .size = 2},
                           {.kind = TUFF_BOOLEAN, .integer = 1}};
    done = run_with(&connection, inserts[i % 2], values, 6, err) == 1;
  }
  if (done) return tuff_transaction_commit(&connection, serial, err);
  if (serial) tuff_transaction_rollback(&connection, serial, NULL);
  return false;
}

static bool inserts_are_done(void) {
  return query(&connection,
               "select count(*) from t where text = 'text' and typeof(price) = "
               "'integer' and cast(price as integer) = 150 and data = '[1, 2]' and "
               "typeof(bytes) = 'blob' and length(bytes) = 2 and flag = 1") == 20 &&
         count_of("t") == 20;
}

/* Many rows, of which the first few wait, by each of the faster ways. */
static bool insert_many(const tuff_insertion_ways *ways, tuff_error *err) {
  uint64_t serial = tuff_transaction_begin(&connection, TUFF_WRITE, 0, err);
  if (!serial) return false;
  tuff_statement *statement =
      tuff_statement_checkout(&connection, bulk_one, sizeof bulk_one - 1, err);
  bool done = statement && tuff_insertion_begin(statement, ways, 1, err);
  for (int i = 1; done && i <= 40; i++) {
    tuff_value row[] = {{.kind = TUFF_INTEGER, .integer = i},
                        {.kind = TUFF_TEXT, .bytes = "text", .size = 4}};
    if (i == 3) done = query(&connection, "select count(*) from t") == 2;
    done = done && tuff_insertion_add(statement->insertion, row, err);
  }
  done = done && tuff_insertion_finish(statement->insertion, err);
  tuff_statement_release(statement);
  if (done) return tuff_transaction_commit(&connection, serial, err);
  tuff_transaction_rollback(&connection, serial, NULL);
  return false;
}

static bool run_bulk(tuff_error *err) {
  bulk_give_to(&connection);
  return insert_many(&bulk_by_copy, err);
}

/* Its text is of tuff's own, as the Lua layer would say. */
static bool run_batches(tuff_error *err) {
  connection.own = true;
  bool done = insert_many(&bulk_by_batch, err);
  connection.own = false;
  return done;
}

static bool many_are_done(void) {
  return query(&connection,
               "select count(*) from t where text = 'text' and id <= 40") == 40;
}

/* A level that fails takes its work with it, and the outer one goes on. */
static bool run_nested(tuff_error *err) {
  uint64_t outer = tuff_transaction_begin(&connection, TUFF_WRITE, 0, err);
  if (!outer) return false;
  if (!try_run(&connection, "insert into u values (10)", err)) goto failed;
  uint64_t inner = tuff_transaction_begin(&connection, TUFF_WRITE, 0, err);
  if (!inner) goto failed;
  if (!try_run(&connection, "insert into u values (11)", err)) goto failed;
  uint64_t innermost = tuff_transaction_begin(&connection, TUFF_WRITE, 0, err);
  if (!innermost) goto failed;
  if (!try_run(&connection, "insert into u values (12)", err) ||
      !tuff_transaction_rollback(&connection, innermost, err) ||
      !tuff_transaction_commit(&connection, inner, err))
    goto failed;
  return tuff_transaction_commit(&connection, outer, err);
failed:
  tuff_transaction_rollback(&connection, outer, NULL);
  return false;
}

static bool nested_is_done(void) {
  return query(&connection, "select sum(x) from u") == 27;
}

/* The same, but the outer function swallows what goes wrong inside. Whatever is kept in
 * the end, the inner level's work is there whole or not at all, and never without the
 * outer one's. */
static bool inner_failed;

static bool run_swallowing(tuff_error *err) {
  tuff_error inner_err = {.code = TUFF_OK};
  uint64_t outer = tuff_transaction_begin(&connection, TUFF_WRITE, 0, err);
  if (!outer) return false;
  if (!try_run(&connection, "insert into u values (10)", err)) {
    tuff_transaction_rollback(&connection, outer, NULL);
    return false;
  }
  uint64_t inner = tuff_transaction_begin(&connection, TUFF_WRITE, 0, &inner_err);
  bool done = inner && try_run(&connection, "insert into u values (11)", &inner_err) &&
              try_run(&connection, "insert into u values (12)", &inner_err);
  if (done)
    done = tuff_transaction_commit(&connection, inner, &inner_err);
  else if (inner)
    tuff_transaction_rollback(&connection, inner, NULL);
  inner_failed = !done;
  if (!done) expect_equal(inner_err.code, TUFF_MEMORY);
  tuff_error last = {.code = TUFF_OK};
  bool last_done = try_run(&connection, "insert into u values (20)", &last);
  if (!tuff_transaction_commit(&connection, outer, err)) return false;
  /* What was acknowledged is there; after an end by the engine nothing is. */
  expect(last_done || last.code == TUFF_MEMORY);
  return done && last_done;
}

static int64_t within(int from, int to) {
  char sql[80];
  snprintf(sql, sizeof sql, "select count(*) from u where x between %d and %d", from,
           to);
  return query(&connection, sql);
}

static bool swallowing_is_done(void) {
  return within(10, 10) == 1 && within(11, 12) == 2 && within(20, 20) == 1;
}

static bool swallowing_is_undone(void) {
  int64_t outer = within(10, 10), inner = within(11, 12), last = within(20, 20);
  if (outer == 0) return inner == 0 && last == 0;
  return inner_failed ? inner == 0 : inner == 2;
}

/* A loop is open; the write reads the rest of it into memory. */
static bool run_loop(tuff_error *err) {
  static const char rows[] =
      "with recursive n(x) as (select ? union all select x + 1 from n limit 300) "
      "select x, printf('%.*c', x, 'a'), ? from n";
  tuff_value values[] = {{.kind = TUFF_INTEGER, .integer = 1},
                         {.kind = TUFF_TEXT, .bytes = "argument", .size = 8}};
  tuff_cursor cursor = {0};
  tuff_statement *statement =
      tuff_statement_checkout(&connection, rows, sizeof rows - 1, err);
  if (!statement || !tuff_cursor_open(&cursor, statement, values, 2, err)) return false;
  int64_t seen = 0;
  while (seen < 300 && tuff_cursor_step(&cursor, err) == TUFF_ROW) {
    seen++;
    const tuff_value *row = cursor.row;
    if (!expect_equal(row[0].integer, seen) || !expect_equal(row[1].kind, TUFF_TEXT) ||
        !expect_equal(row[1].size, seen) || !expect(row[1].bytes != NULL) ||
        !expect(row[1].bytes[seen - 1] == 'a'))
      break;
    expect_text(row[2].bytes, row[2].size, "argument");
    if (seen == 10 && !try_run(&connection, "insert into u values (10)", err)) break;
  }
  tuff_cursor_close(&cursor, NULL);
  expect(connection.cursors == NULL && connection.settled == NULL);
  return seen == 300;
}

static bool loop_is_done(void) { return count_of("u") == 4; }

/* The write comes before what may fail after it. */
static bool loop_is_undone(void) { return count_of("u") <= 4 && count_of("t") == 0; }

/* A stream that writes goes back to reading where a level begins, and writes again. */
static bool run_stream(tuff_error *err) {
  tuff_blob blob = {0};
  tuff_place place = {NULL, "t", "bytes", 1};
  uint64_t outer = tuff_transaction_begin(&connection, TUFF_WRITE, 0, err);
  uint64_t inner = 0;
  bool done =
      outer &&
      try_run(&connection, "insert into t(id, bytes) values (1, x'0000')", err) &&
      tuff_blob_open(&blob, &connection, &place, err) &&
      tuff_blob_write(&blob, 0, "a", 1, err) &&
      (inner = tuff_transaction_begin(&connection, TUFF_WRITE, 0, err)) != 0 &&
      tuff_blob_write(&blob, 1, "b", 1, err) &&
      tuff_transaction_commit(&connection, inner, err) && tuff_blob_close(&blob, err);
  tuff_blob_close(&blob, NULL);
  /* Whatever follows from it, the transaction knows what ended it. */
  if (outer && err->code != TUFF_OK && err->code != TUFF_MEMORY) {
    tuff_error_clear(err);
    if (inner) tuff_transaction_rollback(&connection, inner, NULL);
    return tuff_transaction_commit(&connection, outer, err);
  }
  if (done) return tuff_transaction_commit(&connection, outer, err);
  if (outer) tuff_transaction_rollback(&connection, outer, NULL);
  return false;
}

static bool stream_is_done(void) {
  return query(&connection, "select count(*) from t where bytes = x'6162'") == 1;
}

static const work works[] = {
    {"a query", run_query, has_no_row, has_no_row},
    {"a script", run_script, script_is_done, script_is_undone},
    {"inserts in a loop", run_inserts, inserts_are_done, has_no_row},
    {"many rows by a bulk load", run_bulk, many_are_done, has_no_row},
    {"many rows as arrays", run_batches, many_are_done, has_no_row},
    {"nested transactions", run_nested, nested_is_done, has_no_row},
    {"a nested transaction whose error is swallowed", run_swallowing,
     swallowing_is_done, swallowing_is_undone},
    {"a stream in nested transactions", run_stream, stream_is_done, has_no_row},
    {"a loop whose body writes", run_loop, loop_is_done, loop_is_undone},
};

/* ---- every allocation in turn ---- */

static long most = 2; /* how many fail after the first one; all of 0, 2 and 100 */

static bool open_prepared(void) {
  scratch_clear();
  return open_scratch(&connection, "a.db") && exec(&connection, tables);
}

static void check_afterwards(const work *work, bool done, bool failed,
                             const tuff_error *err) {
  if (!failed) expect(done);
  if (!done && err->code != TUFF_OK) expect_equal(err->code, TUFF_MEMORY);
  expect_equal(tuff_transaction_current(&connection), 0);
  expect(done ? work->is_done() : work->is_undone());
  expect(!tuff_connection_in_transaction(&connection));
  expect(run(&connection, "insert into u values (1000)"));
  expect(run(&connection, "delete from u where x = 1000"));
  expect_equal(query(&connection, "select count(*) from pragma_integrity_check "
                                  "where integrity_check <> 'ok'"),
               0);
}

static void check_work(const work *work, const allocator *allocator, long more) {
  long n = 0, blocks = tuff_alloc_blocks();
  int at_first = tap.wrong;
  for (bool failed = true; failed && tap.wrong < at_first + 12;) {
    tuff_error err = {.code = TUFF_OK};
    if (!expect(open_prepared())) return;
    int before = tap.wrong;
    allocator->fail(++n, more);
    bool done = work->run(&err);
    failed = allocator->has_failed();
    check_afterwards(work, done, failed, &err);
    tuff_connection_close(&connection, n % 4 != 0); /* mostly without a sync */
    expect_equal(tuff_alloc_blocks(), blocks);
    if (tap.wrong > before)
      say("%s, %s allocation %ld and %ld more: %s", work->name, allocator->name, n,
          more, done ? "done" : err.message);
  }
  expect(n > 3 || tap.wrong > at_first);
}

static void check_open(const allocator *allocator, const char *name, long more) {
  long n = 0, blocks = tuff_alloc_blocks();
  int at_first = tap.wrong;
  for (bool failed = true; failed && tap.wrong < at_first + 12;) {
    tuff_error err = {.code = TUFF_OK};
    scratch_clear();
    allocator->fail(++n, more);
    bool file = strcmp(name, ":memory:") != 0;
    bool done =
        open_path(&connection, file ? scratch_path(name) : name, &scratch_own, &err);
    failed = allocator->has_failed();
    int before = tap.wrong;
    expect(done || (failed && err.code == TUFF_MEMORY));
    tuff_connection_close(&connection, false);
    expect_equal(tuff_alloc_blocks(), blocks);
    if (expect(open_scratch(&connection, name))) expect(exec(&connection, tables));
    tuff_connection_close(&connection, false);
    if (tap.wrong > before)
      say("%s allocation %ld and %ld more: %s", allocator->name, n, more, err.message);
  }
  expect(n > 2 || tap.wrong > at_first);
}

static void opens_or_says_why_not(void) {
  const allocator *allocators[] = {&ours, &theirs};
  for (size_t i = 0; i < 2; i++) {
    for (long more = 0; more <= most; more += more ? 98 : 2) {
      check_open(allocators[i], "a.db", more);
      check_open(allocators[i], ":memory:", more);
    }
  }
}

static const allocator *tried;
static const work *trying;

static void survives(void) {
  for (long more = 0; more <= most; more += more ? 98 : 2)
    check_work(trying, tried, more);
}

static void fails_as_it_was_told(void) {
  for (long n = 1; n < 5; n++) {
    for (long more = 0; more < 5; more++) {
      ours.fail(n, more);
      expect_equal(failing_draw(), 1 + more);
    }
  }
}

int main(void) {
  if (getenv("TUFF_SOAK")) most = 100;
  failing_install();
  scratch_begin();
  it("fails the allocations that it was told to", fails_as_it_was_told);
  it("opens, or says why not", opens_or_says_why_not);
  for (size_t i = 0; i < 2 * (sizeof works / sizeof *works); i++) {
    char sentence[128];
    tried = i % 2 ? &theirs : &ours;
    trying = &works[i / 2];
    snprintf(sentence, sizeof sentence, "survives failures of %s in %s", tried->name,
             trying->name);
    it(sentence, survives);
  }
  scratch_end();
  return tap_end();
}
