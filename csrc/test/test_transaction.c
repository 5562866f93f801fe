/* test_transaction.c: transactions nested by savepoints, and what is left when an error
 * has ended one. */
#include "test/scratch.h"

static tuff_connection connection;

static void begin(void) {
  scratch_clear();
  if (!expect(open_scratch(&connection, "a.db"))) return;
  expect(run(&connection, "create table t(x unique)"));
}

static void end(void) { tuff_connection_close(&connection, false); }

static uint64_t enter(tuff_mode mode) {
  tuff_error err = {.code = TUFF_OK};
  uint64_t serial = tuff_transaction_begin(&connection, mode, 0, &err);
  said(serial != 0, "begin", &err);
  return serial;
}

static bool commit(uint64_t serial) {
  tuff_error err = {.code = TUFF_OK};
  return said(tuff_transaction_commit(&connection, serial, &err), "commit", &err);
}

static tuff_code code_of_commit(uint64_t serial) {
  tuff_error err = {.code = TUFF_OK};
  bool committed = tuff_transaction_commit(&connection, serial, &err);
  expect(committed == (err.code == TUFF_OK));
  return err.code;
}

static bool rollback(uint64_t serial) {
  tuff_error err = {.code = TUFF_OK};
  return said(tuff_transaction_rollback(&connection, serial, &err), "rollback", &err);
}

static int64_t rows(void) { return query(&connection, "select count(*) from t"); }

static tuff_code code_of(const char *sql) { return code_of_run(&connection, sql); }

static bool is_idle(void) {
  return !tuff_connection_in_transaction(&connection) &&
         tuff_transaction_current(&connection) == 0;
}

static void keeps_or_undoes_its_work(void) {
  begin();
  uint64_t serial = enter(TUFF_WRITE);
  expect(run(&connection, "insert into t values (1)"));
  expect(tuff_connection_in_transaction(&connection));
  expect_equal(tuff_transaction_current(&connection), serial);
  expect(commit(serial));
  expect(is_idle());
  serial = enter(TUFF_WRITE);
  expect(run(&connection, "insert into t values (2)"));
  expect(rollback(serial));
  expect(is_idle());
  expect_equal(rows(), 1);
  end();
}

static void nests(void) {
  begin();
  uint64_t outer = enter(TUFF_WRITE);
  expect(run(&connection, "insert into t values (1)"));
  uint64_t inner = enter(TUFF_WRITE);
  expect(inner && inner != outer);
  expect(run(&connection, "insert into t values (2)"));
  uint64_t innermost = enter(TUFF_WRITE);
  expect(run(&connection, "insert into t values (3)"));
  expect(commit(innermost));
  expect(rollback(inner));
  expect_equal(rows(), 1);
  inner = enter(TUFF_WRITE);
  expect(run(&connection, "insert into t values (4)"));
  expect(commit(inner));
  expect(commit(outer));
  expect_equal(query(&connection, "select sum(x) from t"), 5);
  end();
}

static void nests_deeply(void) {
  enum { DEPTH = 200 };
  begin();
  uint64_t serials[DEPTH];
  for (int i = 0; i < DEPTH; i++) {
    serials[i] = enter(TUFF_WRITE);
    char sql[64];
    snprintf(sql, sizeof sql, "insert into t values (%d)", i);
    expect(run(&connection, sql));
  }
  for (int i = DEPTH - 1; i >= 0; i--)
    expect(i % 3 == 1 ? rollback(serials[i]) : commit(serials[i]));
  expect(is_idle());
  expect_equal(rows(), 1); /* the second level took all but the first with it */
  end();
}

static void rolls_inner_levels_back_with_the_outer_one(void) {
  begin();
  uint64_t outer = enter(TUFF_WRITE);
  expect(run(&connection, "insert into t values (1)"));
  uint64_t middle = enter(TUFF_WRITE);
  expect(run(&connection, "insert into t values (2)"));
  uint64_t inner = enter(TUFF_READ);
  expect(rollback(middle));
  expect(!tuff_transaction_is_open(&connection, inner));
  expect(!tuff_transaction_is_open(&connection, middle));
  expect(tuff_transaction_is_open(&connection, outer));
  expect_equal(rows(), 1);
  expect(commit(outer));
  expect_equal(rows(), 1);
  end();
}

static void refuses_what_is_out_of_order(void) {
  begin();
  uint64_t outer = enter(TUFF_WRITE), inner = enter(TUFF_WRITE);
  expect_equal(code_of_commit(outer), TUFF_MISUSE);
  expect(tuff_transaction_is_open(&connection, inner));
  expect(commit(inner));
  expect_equal(code_of_commit(inner), TUFF_CLOSED);
  expect(rollback(inner)); /* has ended: no error */
  expect(commit(outer));
  expect_equal(code_of_commit(outer), TUFF_CLOSED);
  uint64_t next = enter(TUFF_WRITE);
  expect(next != outer && next != inner);
  expect_equal(code_of_commit(outer), TUFF_CLOSED);
  expect(rollback(outer));
  expect(tuff_transaction_is_open(&connection, next));
  expect(rollback(next));
  end();
}

static void refuses_begin_and_commit_by_hand(void) {
  static const char *const forms[] = {"begin",        "commit",         "end",
                                      "rollback",     "savepoint a",    "release a",
                                      "/* */ commit", "begin immediate"};
  begin();
  uint64_t serial = enter(TUFF_WRITE);
  expect(run(&connection, "insert into t values (1)"));
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
    expect_equal(code_of(forms[i]), TUFF_MISUSE);
  expect(commit(serial));
  expect_equal(rows(), 1);
  end();
}

static void works_inside_a_begin_by_hand(void) {
  begin();
  expect(run(&connection, "begin"));
  expect(run(&connection, "insert into t values (1)"));
  uint64_t serial = enter(TUFF_WRITE);
  expect(run(&connection, "insert into t values (2)"));
  expect(rollback(serial));
  serial = enter(TUFF_WRITE);
  expect(run(&connection, "insert into t values (3)"));
  expect_equal(code_of("commit"), TUFF_MISUSE);
  expect(commit(serial));
  expect(tuff_connection_in_transaction(&connection));
  expect(run(&connection, "commit"));
  expect(is_idle());
  expect_equal(query(&connection, "select sum(x) from t"), 4);
  end();
}

static void only_reads_where_that_was_asked_for(void) {
  begin();
  uint64_t serial = enter(TUFF_READ);
  tuff_error err = {.code = TUFF_OK};
  expect_equal(code_of("insert into t values (1)"), TUFF_READONLY);
  expect_equal(code_of("create table u(x)"), TUFF_READONLY);
  expect(tuff_transaction_begin(&connection, TUFF_WRITE, 0, &err) == 0);
  expect_equal(err.code, TUFF_READONLY);
  uint64_t inner = enter(TUFF_READ);
  expect_equal(rows(), 0);
  expect(commit(inner));
  expect_equal(code_of("insert into t values (1)"), TUFF_READONLY);
  expect(commit(serial));
  expect(run(&connection, "insert into t values (1)"));
  expect_equal(rows(), 1);
  serial = enter(TUFF_WRITE);
  inner = enter(TUFF_READ);
  expect_equal(code_of("insert into t values (2)"), TUFF_READONLY);
  expect(rollback(inner));
  expect(run(&connection, "insert into t values (2)"));
  expect(commit(serial));
  expect_equal(rows(), 2);
  end();
}

static void reads_one_snapshot(void) {
  begin();
  tuff_connection other;
  if (expect(open_scratch(&other, "a.db"))) {
    uint64_t serial = enter(TUFF_READ);
    expect(run(&other, "insert into t values (1)"));
    expect_equal(rows(), 0);
    expect(commit(serial));
    expect_equal(rows(), 1);
    tuff_connection_close(&other, false);
  }
  end();
}

/* What makes the engine roll back by itself. */
static const char *const ending[] = {"insert or rollback into t values (1)",
                                     "insert into raising values (1)"};

static void raise_on(const char *table) {
  char script[256];
  snprintf(script, sizeof script,
           "create table %s(x); create trigger on_%s after insert on %s begin select "
           "raise(rollback, 'no more of it'); end",
           table, table, table);
  expect(exec(&connection, script));
}

static void lets_nothing_run_once_the_engine_has_rolled_back(void) {
  for (size_t i = 0; i < 2; i++) {
    begin();
    raise_on("raising");
    expect(run(&connection, "insert into t values (1)"));
    uint64_t outer = enter(TUFF_WRITE);
    expect(run(&connection, "insert into t values (2)"));
    uint64_t middle = enter(TUFF_WRITE), inner = enter(TUFF_WRITE);
    expect_equal(code_of(ending[i]), TUFF_CONSTRAINT);
    expect_equal(code_of("insert into t values (3)"), TUFF_TRANSACTION_ABORTED);
    expect_equal(code_of("select 1"), TUFF_TRANSACTION_ABORTED);
    tuff_error err = {.code = TUFF_OK};
    expect(tuff_transaction_begin(&connection, TUFF_WRITE, 0, &err) == 0);
    expect_equal(err.code, TUFF_TRANSACTION_ABORTED);
    expect(!try_exec(&connection, "insert into t values (4); select 1", NULL));
    expect(rollback(inner));
    expect_equal(code_of("insert into t values (5)"), TUFF_TRANSACTION_ABORTED);
    expect_equal(code_of_commit(middle), TUFF_CONSTRAINT);
    expect_equal(code_of("insert into t values (6)"), TUFF_TRANSACTION_ABORTED);
    /* Nobody raised it: then the end does, with the first error. */
    expect_equal(code_of_commit(outer), TUFF_CONSTRAINT);
    expect(is_idle());
    expect(run(&connection, "insert into t values (7)"));
    expect_equal(query(&connection, "select sum(x) from t"), 8);
    end();
  }
}

static void keeps_the_first_error(void) {
  begin();
  uint64_t serial = enter(TUFF_WRITE);
  tuff_error err = {.code = TUFF_OK};
  expect(run(&connection, "insert into t values (1)"));
  expect(!try_run(&connection, ending[0], &err));
  tuff_error second = {.code = TUFF_OK};
  expect(!try_run(&connection, "select 1", &second));
  tuff_error last = {.code = TUFF_OK};
  expect(!tuff_transaction_commit(&connection, serial, &last));
  expect_equal(last.code, TUFF_CONSTRAINT);
  expect_equal(last.constraint, TUFF_UNIQUE);
  expect(strcmp(last.message, err.message) == 0);
  expect(strcmp(last.columns, "x") == 0);
  end();
}

static void goes_on_after_an_error_that_ends_nothing(void) {
  begin();
  uint64_t serial = enter(TUFF_WRITE);
  expect(run(&connection, "insert into t values (1)"));
  expect_equal(code_of("insert into t values (2), (1)"), TUFF_CONSTRAINT);
  expect_equal(code_of("selct"), TUFF_SYNTAX);
  expect(run(&connection, "insert into t values (3)"));
  expect(commit(serial));
  expect_equal(query(&connection, "select sum(x) from t"), 4);
  end();
}

static void ends_a_begin_by_hand_that_the_engine_has_ended(void) {
  begin();
  expect(run(&connection, "insert into t values (1)"));
  expect(run(&connection, "begin"));
  expect(run(&connection, "insert into t values (2)"));
  expect_equal(code_of(ending[0]), TUFF_CONSTRAINT);
  expect_equal(code_of("insert into t values (3)"), TUFF_TRANSACTION_ABORTED);
  expect(run(&connection, "rollback"));
  expect(run(&connection, "insert into t values (4)"));
  expect(run(&connection, "begin"));
  expect_equal(code_of(ending[0]), TUFF_CONSTRAINT);
  expect_equal(code_of("commit"), TUFF_TRANSACTION_ABORTED);
  expect(is_idle());
  expect_equal(query(&connection, "select sum(x) from t"), 5);
  end();
}

static void checks_what_is_deferred_at_the_commit(void) {
  begin();
  expect(exec(&connection, "create table p(id integer primary key);"
                           "create table c(p references p deferrable initially "
                           "deferred)"));
  uint64_t serial = enter(TUFF_WRITE);
  expect(run(&connection, "insert into c values (1)"));
  expect_equal(code_of_commit(serial), TUFF_CONSTRAINT);
  expect(is_idle());
  expect_equal(query(&connection, "select count(*) from c"), 0);
  expect(run(&connection, "insert into t values (1)"));
  end();
}

static bool stopped;

static bool is_stopped(void *context) {
  (void)context;
  return stopped;
}

/* Long enough to be looked at, and it never ends by itself. */
static const char endless[] =
    "with recursive n(x) as (select 1 union all select x + 1 from n) "
    "select count(*) from n";

static void undoes_all_when_it_is_stopped(void) {
  scratch_clear();
  tuff_connection_options own = scratch_own;
  own.interrupted = is_stopped;
  tuff_error err = {.code = TUFF_OK};
  stopped = false;
  expect(open_path(&connection, scratch_path("a.db"), &own, &err));
  expect(run(&connection, "create table t(x unique)"));
  uint64_t outer = enter(TUFF_WRITE);
  expect(run(&connection, "insert into t values (1)"));
  uint64_t inner = enter(TUFF_WRITE);
  expect(run(&connection, "insert into t values (2)"));
  stopped = true;
  expect_equal(code_of(endless), TUFF_INTERRUPTED);
  expect(rollback(inner)); /* still being stopped */
  expect(rollback(outer));
  expect(is_idle());
  stopped = false;
  expect_equal(rows(), 0);
  end();
}

static void has_a_deadline(void) {
  begin();
  tuff_error err = {.code = TUFF_OK};
  uint64_t outer = enter(TUFF_WRITE);
  expect(run(&connection, "insert into t values (1)"));
  uint64_t inner = tuff_transaction_begin(&connection, TUFF_WRITE, 1, &err);
  expect(inner != 0);
  expect_equal(code_of(endless), TUFF_TIMEOUT);
  expect_equal(code_of_commit(inner), TUFF_TIMEOUT);
  expect(run(&connection, "insert into t values (2)")); /* it was the inner one's */
  expect(commit(outer));
  expect_equal(rows(), 2);
  tuff_connection_limit(&connection, 1, 0);
  expect_equal(code_of(endless), TUFF_TIMEOUT);
  tuff_connection_limit(&connection, 0, 0);
  expect_equal(rows(), 2);
  end();
}

/* A driver that waits for its server, and so looks at the watch while it rolls back. */
static bool control_after_a_look(void *db, tuff_verb verb, tuff_mode mode,
                                 unsigned level, tuff_error *err) {
  if (tuff_watch_stop(&connection.watch, err)) return false;
  return tuff_sqlite_driver(tuff_host_get())->control(db, verb, mode, level, err);
}

static void rolls_back_whatever_the_deadline(void) {
  begin();
  tuff_driver waiting = *connection.driver;
  waiting.control = control_after_a_look;
  connection.driver = &waiting;
  for (int nested = 0; nested < 2; nested++) {
    uint64_t outer = nested ? enter(TUFF_WRITE) : 0;
    tuff_error err = {.code = TUFF_OK};
    uint64_t serial =
        tuff_transaction_begin(&connection, TUFF_WRITE, INT64_C(60000000), &err);
    expect(run(&connection, "insert into t values (1)"));
    connection.watch.deadline_us = tuff_now_us(); /* it passes */
    expect(rollback(serial));
    if (nested) expect(commit(outer));
    expect(is_idle());
    expect_equal(rows(), 0);
  }
  connection.driver = tuff_sqlite_driver(tuff_host_get());
  end();
}

static void ends_a_statement_that_was_rolled_back_under_it(void) {
  begin();
  expect(run(&connection, "insert into t values (1), (2), (3)"));
  uint64_t serial = enter(TUFF_WRITE);
  expect(run(&connection, "create table u(x)")); /* else it could go on */
  tuff_error err = {.code = TUFF_OK};
  tuff_statement *reading = tuff_statement_prepare(&connection, "select x from t",
                                                   strlen("select x from t"), 0, &err);
  if (expect(reading && tuff_statement_start(reading, NULL, 0, &err))) {
    expect_equal(tuff_statement_step(reading, &err), TUFF_ROW);
    expect(rollback(serial));
    expect_equal(tuff_statement_step(reading, &err), TUFF_FAILED);
    expect_equal(err.code, TUFF_TRANSACTION_ABORTED);
  }
  tuff_statement_finish(reading);
  expect_equal(rows(), 3);
  end();
}

static void leaves_no_memory_behind(void) { expect_equal(tuff_alloc_blocks(), 0); }

int main(void) {
  scratch_begin();
  it("keeps or undoes its work", keeps_or_undoes_its_work);
  it("nests", nests);
  it("nests deeply", nests_deeply);
  it("rolls inner levels back with the outer one",
     rolls_inner_levels_back_with_the_outer_one);
  it("refuses what is out of order", refuses_what_is_out_of_order);
  it("refuses BEGIN and COMMIT by hand", refuses_begin_and_commit_by_hand);
  it("works inside a BEGIN by hand", works_inside_a_begin_by_hand);
  it("only reads where that was asked for", only_reads_where_that_was_asked_for);
  it("reads one snapshot", reads_one_snapshot);
  it("lets nothing run once the engine has rolled back",
     lets_nothing_run_once_the_engine_has_rolled_back);
  it("keeps the first error", keeps_the_first_error);
  it("goes on after an error that ends nothing",
     goes_on_after_an_error_that_ends_nothing);
  it("ends a BEGIN by hand that the engine has ended",
     ends_a_begin_by_hand_that_the_engine_has_ended);
  it("checks what is deferred at the commit", checks_what_is_deferred_at_the_commit);
  it("undoes all when it is stopped", undoes_all_when_it_is_stopped);
  it("has a deadline", has_a_deadline);
  it("rolls back whatever the deadline", rolls_back_whatever_the_deadline);
  it("ends a statement that was rolled back under it",
     ends_a_statement_that_was_rolled_back_under_it);
  it("leaves no memory behind", leaves_no_memory_behind);
  scratch_end();
  return tap_end();
}
