/* test_fork.c: a connection belongs to the process that opened it. A child that a fork
 * made may close what it inherited, which only forgets it, and the parent goes on. */
#include <signal.h>
#include <sys/wait.h>

#include "test/scratch.h"

static tuff_connection connection;

static void begin(void) {
  scratch_clear();
  if (!expect(open_scratch(&connection, "a.db"))) return;
  expect(run(&connection, "create table t(x)"));
}

static void end(void) { tuff_connection_close(&connection, false); }

static bool write_byte(int file) { return write(file, "x", 1) == 1; }

static bool read_byte(int file) {
  char byte;
  return read(file, &byte, 1) == 1;
}

/* What the child does; bits of what went wrong are its exit status. */
static int in_child(int (*work)(void)) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) _exit(work());
  int status = -1;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

/* A program of its own: this one, told to look at the file. It knows nothing of what
 * the process that starts it has open. The count of rows, or below 0 for an error's
 * code. */
static int64_t ask_another_program(const char *what, const char *sql) {
  int ends[2];
  int64_t answer = -1000;
  if (!expect(pipe(ends) == 0)) return answer;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    execl("/proc/self/exe", "test_fork", what, scratch_path("a.db"), sql, (char *)NULL);
    _exit(127);
  }
  close(ends[1]);
  FILE *file = fdopen(ends[0], "r");
  long long number;
  if (file && fscanf(file, "%lld", &number) == 1) answer = number;
  if (file) fclose(file);
  waitpid(child, NULL, 0);
  return answer;
}

/* The other program: without waiting for any lock. */
static int answer(const char *what, const char *path, const char *sql) {
  tuff_connection other;
  tuff_connection_options own = {0};
  tuff_error err = {.code = TUFF_OK};
  long long number = -1;
  if (open_path(&other, path, &own, &err)) {
    if (strcmp(what, "query") == 0)
      number = query(&other, sql);
    else
      number = run_with(&other, sql, NULL, 0, &err);
    tuff_connection_close(&other, false);
  }
  if (err.code != TUFF_OK) number = -(long long)err.code;
  printf("%lld\n", number);
  return EXIT_SUCCESS;
}

/* ---- what is inherited ---- */

static int use_what_is_inherited(void) {
  tuff_error err = {.code = TUFF_OK};
  int wrong = 0;
  if (tuff_connection_check(&connection, &err) || err.code != TUFF_CONNECTION)
    wrong |= 1;
  if (!err.hint[0]) wrong |= 2;
  return wrong;
}

static void refuses_to_work_in_the_child(void) {
  begin();
  expect_equal(in_child(use_what_is_inherited), 0);
  tuff_error err = {.code = TUFF_OK};
  expect(tuff_connection_check(&connection, &err));
  expect(run(&connection, "insert into t values (1)"));
  end();
}

static int grandchild(void) { return in_child(use_what_is_inherited); }

static void refuses_to_work_in_a_grandchild(void) {
  begin();
  expect_equal(in_child(grandchild), 0);
  end();
}

static int close_what_is_inherited(void) {
  tuff_connection_close(&connection, false);
  tuff_connection_close(&connection, true);
  tuff_error err = {.code = TUFF_OK};
  return tuff_connection_check(&connection, &err) || err.code != TUFF_CLOSED;
}

static void only_forgets_when_the_child_closes(void) {
  begin();
  expect(run(&connection, "insert into t values (1)"));
  expect_equal(in_child(close_what_is_inherited), 0);
  expect(access(scratch_path("a.db-wal"), F_OK) == 0);
  expect(run(&connection, "insert into t values (2)"));
  expect_equal(query(&connection, "select count(*) from t"), 2);
  end();
  expect_equal(ask_another_program("query", "select count(*) from t"), 2);
}

static void keeps_the_parent_s_transaction_and_lock(void) {
  begin();
  tuff_error err = {.code = TUFF_OK};
  uint64_t serial = tuff_transaction_begin(&connection, TUFF_WRITE, 0, &err);
  expect(run(&connection, "insert into t values (1)"));
  expect_equal(in_child(close_what_is_inherited), 0);
  expect_equal(ask_another_program("run", "insert into t values (2)"), -TUFF_BUSY);
  expect_equal(ask_another_program("query", "select count(*) from t"), 0);
  expect(run(&connection, "insert into t values (3)"));
  expect(tuff_transaction_commit(&connection, serial, &err));
  expect_equal(ask_another_program("run", "insert into t values (4)"), 1);
  expect_equal(query(&connection, "select count(*) from t"), 3);
  end();
}

/* With a rollback journal a transaction that does not fit into the cache is in the file
 * already: whoever rolled it back in the child would change it under the parent. */
static void keeps_the_parent_s_journal(void) {
  scratch_clear();
  const char *path = scratch_path("a.db");
  tuff_options options = {.path = path,
                          .path_size = strlen(path),
                          .create = true,
                          .delete_journal = true,
                          .cache_bytes = 65536};
  tuff_error err = {.code = TUFF_OK};
  memset(&connection, 0, sizeof connection);
  expect(tuff_connection_open(&connection, tuff_sqlite_driver(tuff_host_get()),
                              &options, &scratch_own, &err));
  expect(exec(&connection, "create table t(x); insert into t values (1)"));
  uint64_t serial = tuff_transaction_begin(&connection, TUFF_WRITE, 0, &err);
  expect(
      run(&connection,
          "with recursive n(x) as (select 1 union all select x + 1 from n limit 2000) "
          "insert into t select randomblob(500) from n"));
  expect_equal(in_child(close_what_is_inherited), 0);
  expect(access(scratch_path("a.db-journal"), F_OK) == 0);
  expect(run(&connection, "insert into t values (2)"));
  expect(tuff_transaction_commit(&connection, serial, &err));
  expect_equal(query(&connection, "select count(*) from t"), 2002);
  end();
  expect_equal(ask_another_program("query", "select count(*) from t"), 2002);
  expect_equal(
      ask_another_program("query",
                          "select integrity_check = 'ok' from pragma_integrity_check"),
      1);
}

/* The last connection of a process takes the log away when it closes: not while the
 * parent reads from it. */
static void keeps_the_parent_s_snapshot(void) {
  static const char rows[] = "select x from t order by x";
  begin();
  tuff_error err = {.code = TUFF_OK};
  expect(exec(&connection, "insert into t values (1); insert into t values (2)"));
  tuff_cursor cursor = {0};
  tuff_statement *statement =
      tuff_statement_checkout(&connection, rows, strlen(rows), &err);
  if (expect(statement && tuff_cursor_open(&cursor, statement, NULL, 0, &err))) {
    expect_equal(tuff_cursor_step(&cursor, &err), TUFF_ROW);
    expect_equal(in_child(close_what_is_inherited), 0);
    expect_equal(ask_another_program("run", "delete from t"), 2);
    if (expect_equal(tuff_cursor_step(&cursor, &err), TUFF_ROW))
      expect_equal(cursor.row[0].integer, 2);
    expect_equal(tuff_cursor_step(&cursor, &err), TUFF_DONE);
  }
  expect_equal(query(&connection, "select count(*) from t"), 0);
  end();
}

static void closes_cleanly_after_a_child_has_gone(void) {
  begin();
  expect(run(&connection, "insert into t values (1)"));
  expect_equal(in_child(close_what_is_inherited), 0);
  end();
  expect(access(scratch_path("a.db-wal"), F_OK) != 0);
  expect_equal(ask_another_program("query", "select count(*) from t"), 1);
}

/* ---- a connection of the child's own ---- */

static int to_child[2], to_parent[2];

/* Opens the same file while the parent has it open, writes, and writes again when the
 * parent has closed it. Exits with how many inserts were acknowledged. */
static int write_on_its_own(void) {
  tuff_connection own;
  tuff_error err = {.code = TUFF_OK};
  tuff_connection_close(&connection, false);
  int acknowledged = 0;
  bool opened = open_path(&own, scratch_path("a.db"), &scratch_own, &err);
  if (opened && try_run(&own, "insert into t values (2)", &err)) acknowledged++;
  if (!write_byte(to_parent[1]) || !read_byte(to_child[0])) return 100;
  if (opened && try_run(&own, "insert into t values (3)", &err)) acknowledged++;
  if (opened && try_run(&own, "insert into t values (4)", &err)) acknowledged++;
  if (opened) tuff_connection_close(&own, false);
  if (!opened && err.code != TUFF_CONNECTION) return 101;
  return acknowledged;
}

/* Either the child is refused, or what was acknowledged to it is there. */
static void loses_nothing_that_a_child_writes(void) {
  begin();
  expect(run(&connection, "insert into t values (1)"));
  if (!expect(pipe(to_child) == 0 && pipe(to_parent) == 0)) return;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) _exit(write_on_its_own());
  close(to_child[0]);
  close(to_parent[1]);
  expect(read_byte(to_parent[0]));
  end();
  expect(write_byte(to_child[1]));
  int status = -1;
  waitpid(child, &status, 0);
  close(to_child[1]);
  close(to_parent[0]);
  if (!expect(WIFEXITED(status) && WEXITSTATUS(status) <= 3)) return;
  say("%d inserts were acknowledged to the child", WEXITSTATUS(status));
  expect_equal(ask_another_program("query", "select count(*) from t"),
               1 + WEXITSTATUS(status));
}

/* A child must not take the parent's lock for its own, or wait for it forever. */
static int write_beside_the_parent(void) {
  tuff_connection own;
  tuff_connection_options options = {0};
  tuff_error err = {.code = TUFF_OK};
  tuff_connection_close(&connection, false);
  if (!open_path(&own, scratch_path("a.db"), &options, &err))
    return err.code == TUFF_CONNECTION || err.code == TUFF_BUSY ? 0 : 1;
  int wrong = 0;
  if (try_run(&own, "insert into t values (2)", &err) || err.code != TUFF_BUSY)
    wrong = 2;
  if (!write_byte(to_parent[1]) || !read_byte(to_child[0])) return 4;
  err.code = TUFF_OK;
  if (!try_run(&own, "insert into t values (3)", &err)) wrong |= 8;
  tuff_connection_close(&own, false);
  return wrong;
}

static void respects_the_parent_s_lock_in_the_child(void) {
  begin();
  if (!expect(pipe(to_child) == 0 && pipe(to_parent) == 0)) return;
  tuff_error err = {.code = TUFF_OK};
  uint64_t serial = tuff_transaction_begin(&connection, TUFF_WRITE, 0, &err);
  expect(run(&connection, "insert into t values (1)"));
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) _exit(write_beside_the_parent());
  close(to_child[0]);
  close(to_parent[1]);
  (void)read_byte(to_parent[0]); /* or the end: it was refused */
  expect(tuff_transaction_commit(&connection, serial, &err));
  (void)write_byte(to_child[1]);
  int status = -1;
  waitpid(child, &status, 0);
  close(to_child[1]);
  close(to_parent[0]);
  expect(WIFEXITED(status));
  expect_equal(WEXITSTATUS(status), 0);
  end();
}

static int write_another_file(void) {
  tuff_connection own;
  tuff_error err = {.code = TUFF_OK};
  if (!open_path(&own, scratch_path("b.db"), &scratch_own, &err)) return 1;
  bool done = try_run(&own, "create table if not exists t(x)", &err) &&
              try_run(&own, "insert into t values (1)", &err);
  tuff_connection_close(&own, false);
  return done ? 0 : 2;
}

static void lets_a_child_open_what_its_parent_has_not(void) {
  begin();
  expect_equal(in_child(write_another_file), 0);
  expect_equal(in_child(write_another_file), 0);
  end();
}

static bool attach(tuff_connection *to, const char *name, tuff_error *err) {
  const char *path = scratch_path(name);
  tuff_options options = {.path = path, .path_size = strlen(path), .create = true};
  return tuff_connection_attach(to, &options, "beside", err);
}

static int open_what_was_attached(void) {
  tuff_connection own;
  tuff_error err = {.code = TUFF_OK};
  if (open_path(&own, scratch_path("b.db"), &scratch_own, &err)) return 1;
  if (err.code != TUFF_CONNECTION) return 2;
  err.code = TUFF_OK;
  if (!open_path(&own, ":memory:", &scratch_own, &err)) return 4;
  int wrong = attach(&own, "b.db", &err) || err.code != TUFF_CONNECTION ? 8 : 0;
  err.code = TUFF_OK;
  if (attach(&own, "a.db", &err) || err.code != TUFF_CONNECTION) wrong |= 16;
  err.code = TUFF_OK;
  if (!attach(&own, "c.db", &err)) wrong |= 32;
  tuff_connection_close(&own, false);
  return wrong;
}

static void refuses_what_was_attached(void) {
  tuff_error err = {.code = TUFF_OK};
  begin();
  expect(said(attach(&connection, "b.db", &err), "attaching", &err));
  expect(run(&connection, "create table beside.t(x)"));
  expect_equal(in_child(open_what_was_attached), 0);
  expect(said(tuff_connection_detach(&connection, "beside", &err), "detaching", &err));
  expect_equal(in_child(write_another_file), 0);
  end();
}

int main(int arguments, char **argument) {
  if (arguments == 4) return answer(argument[1], argument[2], argument[3]);
  signal(SIGPIPE, SIG_IGN);
  scratch_begin();
  it("refuses to work in the child", refuses_to_work_in_the_child);
  it("refuses to work in a grandchild", refuses_to_work_in_a_grandchild);
  it("only forgets when the child closes", only_forgets_when_the_child_closes);
  it("keeps the parent's transaction and its lock",
     keeps_the_parent_s_transaction_and_lock);
  it("keeps the parent's journal", keeps_the_parent_s_journal);
  it("keeps the parent's snapshot", keeps_the_parent_s_snapshot);
  it("closes cleanly after a child has gone", closes_cleanly_after_a_child_has_gone);
  it("loses nothing that a child writes on its own", loses_nothing_that_a_child_writes);
  it("respects the parent's lock in the child",
     respects_the_parent_s_lock_in_the_child);
  it("lets a child open what its parent has not",
     lets_a_child_open_what_its_parent_has_not);
  it("refuses in the child what the parent has attached", refuses_what_was_attached);
  scratch_end();
  return tap_end();
}
