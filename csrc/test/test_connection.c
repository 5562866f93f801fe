/* test_connection.c: a connection to a real file: opening, statements, scripts,
 * counters, closing. */
#include <sys/stat.h>

#include "test/scratch.h"

static tuff_connection connection;

static void begin(void) {
  scratch_clear();
  expect(open_scratch(&connection, "a.db"));
}

static void end(void) { tuff_connection_close(&connection, false); }

static tuff_code code_of_open(const char *path) {
  tuff_connection other;
  tuff_error err = {.code = TUFF_OK};
  if (open_path(&other, path, &scratch_own, &err)) tuff_connection_close(&other, false);
  return err.code;
}

static tuff_code code_of_exec(const char *script) {
  tuff_error err = {.code = TUFF_OK};
  try_exec(&connection, script, &err);
  return err.code;
}

/* ---- opening and closing ---- */

static void makes_a_file_for_its_owner_only(void) {
  begin();
  struct stat status;
  if (expect(stat(scratch_path("a.db"), &status) == 0))
    expect_equal(status.st_mode & 0777, 0600);
  expect(run(&connection, "create table t(x)"));
  if (expect(stat(scratch_path("a.db-wal"), &status) == 0))
    expect_equal(status.st_mode & 0777, 0600);
  end();
}

static void finds_again_what_was_written(void) {
  begin();
  expect(exec(&connection, "create table t(x); insert into t values (1), (2)"));
  end();
  expect(open_scratch(&connection, "a.db"));
  expect_equal(query(&connection, "select sum(x) from t"), 3);
  end();
}

static void refuses_what_is_no_database(void) {
  scratch_clear();
  expect_equal(code_of_open(scratch), TUFF_MISUSE);
  char path[512];
  snprintf(path, sizeof path, "%s/missing/a.db", scratch);
  expect_equal(code_of_open(path), TUFF_NOT_FOUND);
  expect_equal(code_of_open(""), TUFF_MISUSE);
  FILE *file = fopen(scratch_path("text"), "w");
  if (!expect(file != NULL)) return;
  for (int i = 0; i < 200; i++) fputs("This is no database. ", file);
  fclose(file);
  expect_equal(code_of_open(scratch_path("text")), TUFF_NOTADB);
  expect(symlink("text", scratch_path("link")) == 0);
  expect_equal(code_of_open(scratch_path("link")), TUFF_MISUSE);
  expect(mkfifo(scratch_path("fifo"), 0600) == 0);
  expect_equal(code_of_open(scratch_path("fifo")), TUFF_MISUSE);
}

static void may_be_closed_twice(void) {
  begin();
  tuff_error err = {.code = TUFF_OK};
  expect(tuff_connection_check(&connection, &err));
  end();
  end();
  expect(!tuff_connection_check(&connection, &err));
  expect_equal(err.code, TUFF_CLOSED);
}

static void rolls_back_what_is_open_when_it_closes(void) {
  begin();
  tuff_error err = {.code = TUFF_OK};
  expect(run(&connection, "create table t(x)"));
  expect(tuff_transaction_begin(&connection, TUFF_WRITE, 0, &err) != 0);
  expect(run(&connection, "insert into t values (1)"));
  tuff_cursor cursor = {0};
  static const char sql[] = "select x from t union all select 2";
  expect(tuff_cursor_open(&cursor,
                          tuff_statement_checkout(&connection, sql, strlen(sql), &err),
                          NULL, 0, &err));
  end();
  expect_equal(tuff_cursor_step(&cursor, &err), TUFF_FAILED);
  expect_equal(err.code, TUFF_CLOSED);
  expect(open_scratch(&connection, "a.db"));
  expect_equal(query(&connection, "select count(*) from t"), 0);
  end();
}

static void gives_its_memory_back(void) {
  long blocks = tuff_alloc_blocks();
  begin();
  expect(exec(&connection, "create table t(x); insert into t values (1)"));
  for (int i = 0; i < 100; i++) {
    char sql[64];
    snprintf(sql, sizeof sql, "select x + %d from t", i);
    expect_equal(query(&connection, sql), 1 + i);
  }
  end();
  expect_equal(tuff_alloc_blocks(), blocks);
}

/* ---- statements ---- */

static void tells_kinds_of_values(void) {
  begin();
  tuff_value values[] = {{.kind = TUFF_NULL},
                         {.kind = TUFF_INTEGER, .integer = INT64_MIN},
                         {.kind = TUFF_REAL, .real = 0.1},
                         {.kind = TUFF_TEXT, .bytes = "\xC3\xA4", .size = 2},
                         {.kind = TUFF_BLOB, .bytes = "\0\xFF", .size = 2},
                         {.kind = TUFF_BLOB, .bytes = NULL, .size = 0},
                         {.kind = TUFF_TEXT, .bytes = "", .size = 0}};
  static const char sql[] = "select ?, ?, ?, ?, ?, ?, ?";
  tuff_error err = {.code = TUFF_OK};
  tuff_statement *statement =
      tuff_statement_checkout(&connection, sql, strlen(sql), &err);
  if (expect(statement && tuff_statement_start(statement, values, 7, &err)) &&
      expect_equal(tuff_statement_step(statement, &err), TUFF_ROW)) {
    for (size_t i = 0; i < 7; i++) {
      expect_equal(statement->row[i].kind, values[i].kind);
      if (values[i].kind >= TUFF_TEXT) {
        expect_equal(statement->row[i].size, values[i].size);
        expect(!values[i].size ||
               memcmp(statement->row[i].bytes, values[i].bytes, values[i].size) == 0);
      }
    }
    expect_equal(statement->row[1].integer, INT64_MIN);
    expect(statement->row[2].real == 0.1);
  }
  tuff_statement_release(statement);
  end();
}

static void points_at_a_mistake_in_the_script_s_own_text(void) {
  static const struct {
    const char *sql;
    tuff_code code;
    int offset;
  } mistakes[] = {{"selct 1", TUFF_SYNTAX, 0},
                  {"select missing", TUFF_NOT_FOUND, 7},
                  {"  -- x\n select :a_long_name, missing", TUFF_NOT_FOUND, 29},
                  {"select 1 where 1 in ? and missing", TUFF_NOT_FOUND, 26},
                  {"select * from missing", TUFF_NOT_FOUND, -1},
                  {"select 1 in ? +", TUFF_SYNTAX, -1},
                  {"select ?, ?? 1", TUFF_SYNTAX, 10}};
  begin();
  for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
    tuff_error err = {.code = TUFF_OK};
    const char *sql = mistakes[i].sql;
    expect(tuff_statement_checkout(&connection, sql, strlen(sql), &err) == NULL);
    bool right = expect_equal(err.code, mistakes[i].code);
    if (mistakes[i].offset < 0)
      right = expect(err.offset < (int)strlen(sql)) && right;
    else
      right = expect_equal(err.offset, mistakes[i].offset) && right;
    if (!right) say("%s: %s", sql, err.message);
  }
  end();
}

/* What the engine takes for a parameter and we do not would be NULL without a word. */
static void lets_no_other_parameter_through(void) {
  static const char *const forms[] = {
      "select :1",     "select #x",     "select $::x",   "select @::x",
      "select :a(b)",  "select ?1",     "select $1",     "select @x",
      "select #1",     "select :::1",   "select :a::b",  "select :a::b(c)",
      "select ??1",    "select :1, :b", "select ??",     "select $x(y)",
      "select ::a",    "select ???",    "select ?, ??1", "select ? ?? ?",
      "select :b, #b", "select ??1, ?", "select ??a",    "select ?, ?, ??2"};
  begin();
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
    if (!expect(code_of_run(&connection, forms[i]) != TUFF_OK)) say("%s", forms[i]);
  end();
}

static void binds_lists(void) {
  begin();
  tuff_value items[] = {{.kind = TUFF_INTEGER, .integer = 1},
                        {.kind = TUFF_TEXT, .bytes = "two", .size = 3},
                        {.kind = TUFF_REAL, .real = 3.0}};
  tuff_value list = {.kind = TUFF_ARRAY, .items = items, .size = 3};
  tuff_value nothing = {.kind = TUFF_ARRAY, .items = NULL, .size = 0};
  tuff_error err = {.code = TUFF_OK};
  expect(exec(&connection, "create table t(x); insert into t values (1), ('two'), (3), "
                           "(4), (null)"));
  expect_equal(run_with(&connection, "update t set x = x where x in ?", &list, 1, &err),
               3);
  expect_equal(
      run_with(&connection, "update t set x = x where x not in ?", &list, 1, &err), 1);
  expect_equal(
      run_with(&connection, "update t set x = x where x in ?", &nothing, 1, &err), 0);
  expect_equal(
      run_with(&connection, "update t set x = x where x not in ?", &nothing, 1, &err),
      5);
  end();
}

static void names_the_parameter_that_does_not_fit(void) {
  begin();
  tuff_value values[] = {{.kind = TUFF_INTEGER, .integer = 1},
                         {.kind = TUFF_TEXT, .bytes = "\xFF", .size = 1}};
  tuff_error err = {.code = TUFF_OK};
  expect_equal(run_with(&connection, "select ?, ?", values, 2, &err), -1);
  expect_equal(err.code, TUFF_TYPE);
  expect(strncmp(err.message, "parameter 2: ", 13) == 0);
  expect_equal(err.offset, -1);
  err.code = TUFF_OK;
  values[0].kind = TUFF_REAL;
  values[0].real = 0.0 / 0.0;
  expect_equal(run_with(&connection, "select :first", values, 1, &err), -1);
  expect_equal(err.code, TUFF_RANGE);
  expect(strncmp(err.message, "parameter :first: ", 18) == 0);
  end();
}

static void limits_rows_and_bytes(void) {
  tuff_connection_options own = scratch_own;
  own.result_rows = 10;
  own.sql_bytes = 100;
  tuff_error err = {.code = TUFF_OK};
  expect(open_path(&connection, ":memory:", &own, &err));
  static const char rows[] =
      "with recursive n(x) as (select 1 union all select x + 1 from n) select x from n "
      "limit 10";
  expect_equal(code_of_run(&connection, rows), TUFF_OK);
  char more[sizeof rows + 1];
  snprintf(more, sizeof more, "%s", rows);
  more[strlen(more) - 1] = '1', more[strlen(more) - 2] = '1'; /* limit 11 */
  expect_equal(code_of_run(&connection, more), TUFF_RANGE);
  char script[128];
  memset(script, ' ', sizeof script);
  memcpy(script, "select 1", 8);
  script[100] = '\0';
  expect_equal(code_of_exec(script), TUFF_OK);
  script[100] = ' ', script[101] = '\0';
  expect_equal(code_of_exec(script), TUFF_RANGE);
  expect_equal(code_of_run(&connection, script), TUFF_RANGE);
  end();
}

/* ---- scripts ---- */

static void runs_a_script_whole_or_not_at_all(void) {
  begin();
  expect(exec(&connection, "create table t(x unique)"));
  expect_equal(code_of_exec("insert into t values (1); create table u(x); insert into "
                            "t values (2); insert into t values (1);"),
               TUFF_CONSTRAINT);
  expect_equal(query(&connection, "select count(*) from t"), 0);
  expect_equal(query(&connection, "select count(*) from sqlite_schema where type = "
                                  "'table'"),
               1);
  expect_equal(code_of_exec("insert into t values (1); selct"), TUFF_SYNTAX);
  expect_equal(query(&connection, "select count(*) from t"), 0);
  expect(!tuff_connection_in_transaction(&connection));
  expect(exec(&connection, "insert into t values (1); insert into t values (2)"));
  expect_equal(query(&connection, "select count(*) from t"), 2);
  end();
}

static void points_at_the_statement_of_a_script(void) {
  static const char script[] = "create table t(x); insert into t values (1);\n"
                               "-- the mistake\n insert into t select missing from t;";
  begin();
  tuff_error err = {.code = TUFF_OK};
  expect(!try_exec(&connection, script, &err));
  expect_equal(err.code, TUFF_NOT_FOUND);
  expect_equal(err.offset, strstr(script, "missing") - script);
  err.code = TUFF_OK;
  expect(!try_exec(&connection, "select 1; select ?", &err));
  expect_equal(err.code, TUFF_MISUSE);
  end();
}

static void runs_a_script_inside_a_transaction(void) {
  begin();
  tuff_error err = {.code = TUFF_OK};
  expect(run(&connection, "create table t(x unique)"));
  uint64_t serial = tuff_transaction_begin(&connection, TUFF_WRITE, 0, &err);
  expect(run(&connection, "insert into t values (1)"));
  expect_equal(code_of_exec("insert into t values (2); insert into t values (1)"),
               TUFF_CONSTRAINT);
  expect_equal(query(&connection, "select count(*) from t"), 1);
  expect_equal(code_of_exec("insert into t values (3); commit"), TUFF_MISUSE);
  expect_equal(query(&connection, "select count(*) from t"), 1);
  expect(exec(&connection, "insert into t values (4); insert into t values (5)"));
  expect(tuff_transaction_commit(&connection, serial, &err));
  expect_equal(query(&connection, "select count(*) from t"), 3);
  end();
}

static void leaves_a_script_its_own_transaction(void) {
  begin();
  expect(exec(&connection, "begin; create table t(x); insert into t values (1); "
                           "commit; insert into t values (2)"));
  expect_equal(query(&connection, "select count(*) from t"), 2);
  expect_equal(code_of_exec("begin; insert into t values (3); selct; commit"),
               TUFF_SYNTAX);
  expect(!tuff_connection_in_transaction(&connection));
  expect_equal(query(&connection, "select count(*) from t"), 2);
  expect(exec(&connection, "begin; insert into t values (3)"));
  expect(tuff_connection_in_transaction(&connection));
  expect(exec(&connection, "rollback"));
  expect_equal(query(&connection, "select count(*) from t"), 2);
  end();
}

static void runs_what_cannot_be_in_a_transaction(void) {
  begin();
  expect(exec(&connection, "create table t(x); vacuum; insert into t values (1)"));
  expect(exec(&connection, "vacuum"));
  expect(exec(&connection, ""));
  expect(exec(&connection, " ; -- nothing\n"));
  expect_equal(query(&connection, "select count(*) from t"), 1);
  end();
}

/* ---- counters ---- */

static void counts_what_it_does(void) {
  begin();
  tuff_error err = {.code = TUFF_OK};
  expect(run(&connection, "create table t(x)"));
  tuff_counters before = connection.counters;
  uint64_t serial = tuff_transaction_begin(&connection, TUFF_WRITE, 0, &err);
  expect(run(&connection, "insert into t values (1), (2), (3)"));
  expect(run(&connection, "update t set x = x + 1 where x > 1"));
  expect(tuff_transaction_commit(&connection, serial, &err));
  expect_equal(code_of_run(&connection, "select x from t"), TUFF_OK);
  expect_equal(code_of_run(&connection, "select x from t"), TUFF_OK);
  expect_equal(connection.counters.changes - before.changes, 5);
  expect_equal(connection.counters.statements - before.statements, 4);
  expect_equal(connection.counters.rows - before.rows, 6);
  expect_equal(connection.counters.transactions - before.transactions, 1);
  expect_equal(connection.counters.cache_hits - before.cache_hits, 1);
  end();
}

static void leaves_no_memory_behind(void) { expect_equal(tuff_alloc_blocks(), 0); }

int main(void) {
  scratch_begin();
  it("makes a file for its owner only", makes_a_file_for_its_owner_only);
  it("finds again what was written", finds_again_what_was_written);
  it("refuses what is no database", refuses_what_is_no_database);
  it("may be closed twice", may_be_closed_twice);
  it("rolls back what is open when it closes", rolls_back_what_is_open_when_it_closes);
  it("gives its memory back", gives_its_memory_back);
  it("tells the kinds of values", tells_kinds_of_values);
  it("points at a mistake in the script's own text",
     points_at_a_mistake_in_the_script_s_own_text);
  it("lets no other form of a parameter through", lets_no_other_parameter_through);
  it("binds lists", binds_lists);
  it("names the parameter whose value does not fit",
     names_the_parameter_that_does_not_fit);
  it("limits rows and bytes", limits_rows_and_bytes);
  it("runs a script whole or not at all", runs_a_script_whole_or_not_at_all);
  it("points at the statement of a script", points_at_the_statement_of_a_script);
  it("runs a script inside a transaction", runs_a_script_inside_a_transaction);
  it("leaves a script its own transaction", leaves_a_script_its_own_transaction);
  it("runs what cannot be in a transaction", runs_what_cannot_be_in_a_transaction);
  it("counts what it does", counts_what_it_does);
  it("leaves no memory behind", leaves_no_memory_behind);
  scratch_end();
  return tap_end();
}
